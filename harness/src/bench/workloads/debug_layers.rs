//! What it costs to watch memory: writing and reading every byte, CPython's debug hooks, tracemalloc.

use std::ffi::OsStr;

use serde::Serialize;

use crate::bench::blocks::{Blocks, Watch};
use crate::bench::python::Process;
use crate::bench::record::{Role, SubjectRecord};
use crate::bench::{Failure, Finding, Lane, Page, Random, Setting, Turn, Workload, alternate};
use crate::record::Check;
use crate::replay::subject::Cpymem;
use crate::units;

/// Replaces blocks at random, with a byte of one overwritten that nobody should have touched.
#[derive(Clone, Copy, Debug)]
pub struct DebugLayers {
    /// Replacements at scale 1.
    pub replacements: usize,
    /// Blocks whose content is overwritten in their midst.
    pub overwritten: usize,
}

impl DebugLayers {
    /// What `cpymem bench` runs.
    pub const STANDARD: DebugLayers = DebugLayers { replacements: 400_000, overwritten: 3 };
}

const SCRIPT: &str = include_str!("../scripts/debug_layers.py");
/// How CPython is run, and what it is then called.
const LAYERS: [(&str, &[(&str, &str)]); 4] = [
    ("bare", &[]),
    ("debug hooks", &[("PYTHONMALLOC", "debug")]),
    ("tracemalloc", &[("PYTHONTRACEMALLOC", "1")]),
    ("tracemalloc 25", &[("PYTHONTRACEMALLOC", "25")]),
];

#[derive(Clone, Copy, Serialize)]
struct Amount {
    seed: u64,
    replacements: usize,
    overwritten: usize,
}

impl Workload for DebugLayers {
    fn page(&self) -> Page {
        Page {
            name: "debug-layers",
            shows: "watching every byte finds what bare blocks do not show, and has a price; in CPython tracemalloc \
                    counts every byte that is asked for",
            stands_for: "turning on tracemalloc or PYTHONMALLOC=debug in production to find a leak",
            costs: "0.2 s a turn; with CPython 2 s",
        }
    }

    fn run(&self, setting: &Setting<'_>) -> Result<Finding, Failure> {
        let replacements = setting.amount(self.replacements, 40_000);
        let amount = Amount { seed: setting.seed, replacements, overwritten: self.overwritten };
        let mut lanes = vec![
            Lane::new("bare", Role::Ours, move |turn| replace(amount, Watch::Ends, turn)),
            Lane::new("every byte", Role::Ours, move |turn| replace(amount, Watch::EveryByte, turn)),
        ];
        let mut notes = Vec::new();
        for python in setting.pythons {
            if python.version() < (3, 6) {
                notes.push(format!("{} has no such layers", python.name()));
                continue;
            }
            for (layer, environment) in LAYERS {
                let environment: Vec<(&str, &OsStr)> =
                    environment.iter().map(|&(name, value)| (name, OsStr::new(value))).collect();
                let fewer = Amount { replacements: replacements / 10, ..amount };
                let mut process = Process::start(python, SCRIPT, &fewer, &environment)?;
                let name = format!("{} {layer}", python.name());
                lanes.push(Lane::fallible(&name, Role::Python, move |turn| {
                    process.turn()?.record(turn);
                    Ok(())
                }));
            }
        }
        let mut checks = Vec::new();
        let subjects = alternate(lanes, setting, &mut checks)?;
        for subject in &subjects {
            claims(subject, &mut checks);
        }
        let amount = format!(
            "{} replacements of blocks of 16 to 512 bytes, {} of which are overwritten",
            units::count(replacements as u64),
            self.overwritten
        );
        Ok(Finding { amount, subjects, checks, notes })
    }
}

fn claims(subject: &SubjectRecord, checks: &mut Vec<Check>) {
    let name = &subject.name;
    if let Some(found) = subject.count("blocks found overwritten") {
        let expected = if name == "every byte" { DebugLayers::STANDARD.overwritten as u64 } else { 0 };
        checks.push(Check::equal(
            format!("{name}: blocks found overwritten in their midst"),
            expected,
            found,
        ));
    }
    if let (Some(asked), Some(traced)) = (subject.count("asked for, bytes"), subject.count("traced, bytes")) {
        checks.push(Check::equal(format!("{name}: bytes of objects that tracemalloc counts"), asked, traced));
    }
}

/// Blocks that live at once.
const PLACES: usize = 10_000;

fn replace(amount: Amount, watch: Watch, turn: &mut Turn) {
    let mut random = Random::new(amount.seed);
    let mut blocks = Blocks::<Cpymem>::watched(PLACES, watch);
    turn.time("replacement", amount.replacements, || {
        for _ in 0..amount.replacements {
            let place = random.below(PLACES);
            blocks.put(place, 16 + random.below(497));
        }
    });
    for _ in 0..amount.overwritten {
        let place = random.below(PLACES);
        blocks.put(place, 100);
        blocks.overwrite(place);
    }
    blocks.clear();
    turn.count("blocks found overwritten", blocks.clobbered());
}

#[cfg(test)]
mod tests {
    use super::super::tests::{broken, holds};
    use super::*;

    #[test]
    fn what_was_not_overwritten_is_not_found() {
        assert_eq!(holds(&DebugLayers::STANDARD), Vec::<String>::new());
        let claims = broken(&DebugLayers { overwritten: 0, ..DebugLayers::STANDARD });
        assert_eq!(claims, ["every byte: blocks found overwritten in their midst"]);
    }
}
