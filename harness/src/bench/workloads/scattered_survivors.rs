//! Few objects, spread over all arenas, keep all of them.

use serde::Serialize;

use crate::bench::blocks::Blocks;
use crate::bench::record::{Role, SubjectRecord};
use crate::bench::{Failure, Finding, Lane, Page, Random, Setting, Turn, Workload, alternate};
use crate::pymalloc::Pymalloc;
use crate::record::Check;
use crate::replay::subject::{Cpymem, Subject, System};
use crate::units;

/// Builds a population of small blocks and frees all but a few at random.
#[derive(Clone, Copy, Debug)]
pub struct ScatteredSurvivors {
    /// Blocks built at scale 1.
    pub blocks: usize,
    /// One of so many survives; 0 if none does.
    pub survivor_in: usize,
}

impl ScatteredSurvivors {
    /// What `cpymem bench` runs.
    pub const STANDARD: ScatteredSurvivors = ScatteredSurvivors { blocks: 500_000, survivor_in: 500 };
}

const SCRIPT: &str = include_str!("../scripts/scattered_survivors.py");
/// Block sizes of strings, small lists and dicts, and instances.
const SIZES: [usize; 8] = [32, 48, 64, 80, 96, 112, 128, 240];

#[derive(Clone, Copy, Serialize)]
struct Amount {
    seed: u64,
    blocks: usize,
    survivor_in: usize,
    sizes: [usize; 8],
}

impl Workload for ScatteredSurvivors {
    fn page(&self) -> Page {
        Page {
            name: "scattered-survivors",
            shows: "one object in 500 survives at random: pymalloc gives no arena back, a heap that returns single \
                    pools does",
            stands_for: "RSS that stays after a bulk deletion: 4,012 arenas, 4.1 GB, kept by a few of their objects",
            costs: "0.3 s a turn and 60 MiB; with CPython a second and 100 MiB",
        }
    }

    fn run(&self, setting: &Setting<'_>) -> Result<Finding, Failure> {
        let amount = Amount {
            seed: setting.seed,
            blocks: setting.amount(self.blocks, 50_000),
            survivor_in: self.survivor_in,
            sizes: SIZES,
        };
        let mut lanes = vec![
            lane::<Cpymem>(amount, Role::Ours),
            lane::<Pymalloc>(amount, Role::Peer),
            lane::<System>(amount, Role::Peer),
        ];
        for python in setting.pythons {
            lanes.push(python.lane(SCRIPT, &amount)?);
        }
        let mut checks = Vec::new();
        let subjects = alternate(lanes, setting, &mut checks)?;
        for subject in &subjects {
            checks.extend(claim(subject));
        }
        let blocks = units::count(amount.blocks as u64);
        let amount = format!("{blocks} blocks of 32 to 240 bytes, one in {} survives", self.survivor_in);
        let mut notes = Vec::new();
        for python in setting.pythons.iter().filter(|python| python.version() < (3, 3)) {
            notes.push(format!("{} does not tell how many arenas it has", python.name()));
        }
        Ok(Finding { amount, subjects, checks, notes })
    }
}

/// What is claimed of a subject.
fn claim(subject: &SubjectRecord) -> Option<Check> {
    let share = |what: &str| {
        let at = |when: &str| Some(subject.series(&format!("{what}, {when}"))?.estimate.median);
        Some(at("deleted")? / at("built")?.max(1.0))
    };
    match (subject.role, subject.name.as_str()) {
        // Of pools of 16 KiB with blocks of 100 bytes in the mean and one survivor in 500, 72 % are empty.
        (Role::Ours, name) => {
            Some(Check::at_most(format!("{name}: held after the deletion, of before"), 0.6, share("held")?))
        }
        // An arena of 1 MiB has 10,000 blocks; of those of 256 KiB, before 3.10, e^-5 are empty.
        (Role::Python, name) | (Role::Peer, name @ "pymalloc") => Some(Check::at_least(
            format!("{name}: arenas after the deletion, of before"),
            0.95,
            share("arenas")?,
        )),
        (Role::Peer, _) => None,
    }
}

fn lane<'a, S: Subject + 'a>(amount: Amount, role: Role) -> Lane<'a> {
    Lane::new(S::NAME, role, move |turn| survive::<S>(amount, turn))
}

fn survive<S: Subject>(amount: Amount, turn: &mut Turn) {
    let mut random = Random::new(amount.seed);
    let sizes: Vec<usize> = (0..amount.blocks).map(|_| SIZES[random.below(SIZES.len())]).collect();
    let doomed: Vec<usize> = (0..amount.blocks)
        .filter(|_| amount.survivor_in == 0 || random.below(amount.survivor_in) != 0)
        .collect();
    let mut blocks = Blocks::<S>::new(amount.blocks);
    let books = |blocks: &Blocks<S>, turn: &mut Turn, label: &str| {
        turn.bytes(&format!("held, {label}"), blocks.held_bytes());
        if let Some((pools, arenas)) = blocks.pools_and_arenas() {
            turn.count(&format!("pools, {label}"), pools);
            turn.gauge(&format!("arenas, {label}"), arenas as f64);
        }
        turn.held(label, blocks.live_bytes(), blocks.held_bytes());
    };
    blocks.during(|blocks| {
        turn.time("alloc", amount.blocks, || {
            sizes.iter().enumerate().for_each(|(place, &size)| blocks.put(place, size));
        });
    });
    books(&blocks, turn, "built");
    blocks.during(|blocks| {
        turn.time("free", doomed.len(), || doomed.iter().for_each(|&place| blocks.free(place)));
    });
    books(&blocks, turn, "deleted");
    turn.count("live when deleted, bytes", blocks.live_bytes());
    blocks.during(Blocks::clear);
    books(&blocks, turn, "all deleted");
    turn.count("blocks that lost their content", blocks.clobbered() + blocks.out_of_memory());
}

#[cfg(test)]
mod tests {
    use super::super::tests::{broken, holds};
    use super::*;

    #[test]
    fn without_survivors_no_arena_is_kept() {
        assert_eq!(holds(&ScatteredSurvivors::STANDARD), Vec::<String>::new());
        let claims = broken(&ScatteredSurvivors { survivor_in: 0, ..ScatteredSurvivors::STANDARD });
        assert_eq!(claims, ["pymalloc: arenas after the deletion, of before"]);
    }
}
