//! Cycle collectors.

use std::collections::BTreeMap;

use cpymem_cyclegc::patterns::{PATTERNS, PYTHON, Pattern, SUBJECTS, Scale, Subject, on_big_stack};

use crate::bench::python::Interpreter;
use crate::bench::record::{Role, SubjectRecord};
use crate::bench::{Failure, Finding, Lane, Page, Setting, Turn, Workload, alternate};
use crate::record::Check;
use crate::units;

/// The patterns of `cpymem_cyclegc::patterns` on every collector that can play them.
#[derive(Clone, Debug)]
pub struct CyclegcSuite {
    /// How much of a pattern is done at scale 1: a million objects, or two million iterations, if it is 1.
    part: f64,
    /// Names of patterns; all of them if there is none.
    patterns: Vec<&'static str>,
    /// Parts of the names of subjects; all of them if there is none.
    only: Vec<String>,
}

/// Every pattern with what it does.
pub fn cyclegc_patterns() -> Vec<(&'static str, &'static str)> {
    PATTERNS.iter().map(|pattern| (pattern.name, pattern.about)).collect()
}

/// The oldest CPython that runs [`PYTHON`].
const OLDEST: (u8, u8) = (3, 7);
/// What of it CPython has no twin of.
const NOT_IN_PYTHON: &str = "imported";

impl CyclegcSuite {
    /// A part of it, for `cpymem bench`.
    pub const SHORT: CyclegcSuite = CyclegcSuite { part: 0.05, patterns: Vec::new(), only: Vec::new() };

    /// All of it: these patterns, on subjects with these names.
    pub fn long(patterns: Vec<&'static str>, only: Vec<String>) -> CyclegcSuite {
        CyclegcSuite { part: 1.0, patterns, only }
    }

    fn takes(&self, pattern: &Pattern) -> bool {
        self.patterns.is_empty() || self.patterns.contains(&pattern.name)
    }

    fn is_meant(&self, name: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|part| name.contains(part.as_str()))
    }
}

impl Workload for CyclegcSuite {
    fn page(&self) -> Page {
        Page {
            name: "cyclegc-patterns",
            shows: "full collections of live and dead graphs, churn, requests, trees: what is garbage goes, what lives \
                    stays",
            stands_for: "choosing a collector; `cpymem bench cyclegc` is the long form",
            costs: "1 s a turn and 50 MiB",
        }
    }

    fn run(&self, setting: &Setting<'_>) -> Result<Finding, Failure> {
        let scale = self.part * setting.scale;
        let players: Vec<&Subject> = SUBJECTS.iter().filter(|subject| self.is_meant(subject.name)).collect();
        let mut notes = Vec::new();
        let mut lanes = Vec::new();
        for &subject in &players {
            let role = if subject.name == "cyclegc" { Role::Ours } else { Role::Peer };
            lanes.push(Lane::new(subject.name, role, move |turn| {
                self.play(subject, scale, setting.seed, turn)
            }));
            // Why it does not play follows from pattern and subject alone: a small scale tells.
            let mut why: BTreeMap<String, Vec<&str>> = BTreeMap::new();
            for pattern in PATTERNS.iter().filter(|pattern| self.takes(pattern)) {
                if let Err(skipped) = on_big_stack(|| pattern.run(subject, Scale::new(0.0), setting.seed)) {
                    why.entry(skipped.to_string()).or_default().push(pattern.name);
                }
            }
            for (why, patterns) in why {
                notes.push(format!("{} does not play {}: {why}", subject.name, patterns.join(", ")));
            }
        }
        for python in setting.pythons.iter().filter(|python| self.is_meant(&python.name())) {
            if python.version() < OLDEST {
                notes.push(format!("{} is too old for the script", python.name()));
                continue;
            }
            lanes.push(Lane::fallible(&python.name(), Role::Python, move |turn| {
                self.play_in_python(python, scale, turn)
            }));
        }
        if lanes.is_empty() {
            return Err(Failure::Plan(format!("no subject has a name with {}", self.only.join(" or "))));
        }
        let mut checks = Vec::new();
        let subjects = alternate(lanes, setting, &mut checks)?;
        checks.extend(claims(&subjects));
        let objects = Scale::new(scale).objects() as u64;
        let amount = format!("graphs of {} objects with three references", units::count(objects));
        Ok(Finding { amount, subjects, checks, notes })
    }
}

fn claims(subjects: &[SubjectRecord]) -> Vec<Check> {
    let claim = |subject: &SubjectRecord| {
        let faults = subject.count("faults").unwrap_or(u64::MAX);
        Check::equal(format!("{}: garbage that stayed, live objects that are gone", subject.name), 0, faults)
    };
    subjects.iter().filter(|subject| subject.role != Role::Python).map(claim).collect()
}

impl CyclegcSuite {
    fn play(&self, subject: &Subject, scale: f64, seed: u64, turn: &mut Turn) {
        let (mut made, mut garbage, mut checksum, mut faults) = (0, 0, 0u64, 0);
        for pattern in PATTERNS.iter().filter(|pattern| self.takes(pattern)) {
            let run = || pattern.run(subject, Scale::new(scale), seed);
            let outcome = if subject.recurses { on_big_stack(run) } else { run() };
            let Ok(outcome) = outcome else {
                continue;
            };
            turn.ns(pattern.name, outcome.ns());
            if let Some(longest) = outcome.longest {
                turn.pause(&format!("{}: longest pause", pattern.name), longest.as_nanos() as f64);
            }
            if let Some(uncollected) = outcome.uncollected {
                turn.gauge(&format!("{}: most garbage objects", pattern.name), uncollected as f64);
            }
            if let Some(latencies) = outcome.latencies {
                turn.pause(&format!("{}: p99.9", pattern.name), latencies.quantile(0.999).as_nanos() as f64);
            }
            made += outcome.counts.made;
            garbage += outcome.counts.garbage;
            checksum = checksum.wrapping_add(outcome.counts.checksum);
            faults += outcome.faults.len() as u64;
        }
        turn.count("objects made", made);
        turn.count("garbage objects", garbage);
        turn.count("sum of what was read", checksum);
        turn.count("faults", faults);
    }

    /// The same patterns in CPython, a process for each.
    fn play_in_python(&self, python: &Interpreter, scale: f64, turn: &mut Turn) -> Result<(), Failure> {
        let patterns = PATTERNS.iter().filter(|pattern| self.takes(pattern) && pattern.name != NOT_IN_PYTHON);
        for pattern in patterns {
            let text = python.run(PYTHON, &[pattern.name, &scale.to_string()])?;
            for (key, value) in text.split_whitespace().filter_map(|word| word.split_once('=')) {
                let Ok(value) = value.parse::<f64>() else {
                    continue;
                };
                match key {
                    "ns" => turn.ns(pattern.name, value),
                    "longest_ns" => turn.pause(&format!("{}: longest pause", pattern.name), value),
                    "uncollected" => turn.gauge(&format!("{}: most garbage objects", pattern.name), value),
                    "p999_ns" => turn.pause(&format!("{}: p99.9", pattern.name), value),
                    _ => {}
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::broken_by;
    use super::*;
    use crate::progress::Progress;

    #[test]
    fn every_collector_plays_and_says_what_it_cannot() {
        let progress = Progress::silent();
        let setting = Setting { seed: 1, scale: 0.05, turns: 1, pythons: &[], progress: &progress };
        let finding = CyclegcSuite::SHORT.run(&setting).unwrap();
        assert!(finding.checks.iter().all(|check| check.holds), "{:?}", finding.checks);
        assert_eq!(finding.subjects[0].name, "cyclegc");
        assert_eq!(finding.subjects[0].times.len(), PATTERNS.len());
        assert!(
            finding.notes.iter().any(|note| note.starts_with("std Rc does not play")),
            "{:?}",
            finding.notes
        );
    }
    #[test]
    fn one_fault_breaks_the_claim() {
        broken_by("faults", claims);
    }
}
