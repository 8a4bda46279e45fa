//! Counted pointers and interners.

use cpymem_refcount::patterns::{PATTERNS, Pattern, Subject, subjects};

use crate::bench::record::{Role, SubjectRecord};
use crate::bench::{Failure, Finding, Lane, Page, Setting, Turn, Workload, alternate};
use crate::record::Check;
use crate::units;

/// The patterns of `cpymem_refcount::patterns` on every pointer and interner that can play them.
#[derive(Clone, Debug)]
pub struct RefcountSuite {
    /// Operations of a pattern at scale 1.
    operations: u64,
    /// Names of patterns; all of them if there is none.
    patterns: Vec<&'static str>,
    /// Parts of the names of subjects; all of them if there is none.
    only: Vec<String>,
}

/// Every pattern with what it does.
pub fn refcount_patterns() -> Vec<(&'static str, &'static str)> {
    PATTERNS.iter().map(|pattern| (pattern.name, pattern.about)).collect()
}

impl RefcountSuite {
    /// A part of it, for `cpymem bench`.
    pub const SHORT: RefcountSuite =
        RefcountSuite { operations: 100_000, patterns: Vec::new(), only: Vec::new() };

    /// All of it: these patterns, on subjects with these names.
    pub fn long(patterns: Vec<&'static str>, only: Vec<String>) -> RefcountSuite {
        RefcountSuite { operations: 2_000_000, patterns, only }
    }

    fn takes(&self, pattern: &Pattern) -> bool {
        self.patterns.is_empty() || self.patterns.contains(&pattern.name)
    }
}

impl Workload for RefcountSuite {
    fn page(&self) -> Page {
        Page {
            name: "refcount-patterns",
            shows: "clone and drop, alone and beside other threads, hand-over, interning: every answer is right, and \
                    every object that is made dies once",
            stands_for: "choosing a pointer; `cpymem bench refcount` is the long form",
            costs: "0.5 s a turn and 20 MiB",
        }
    }

    fn run(&self, setting: &Setting<'_>) -> Result<Finding, Failure> {
        let operations = ((self.operations as f64 * setting.scale) as u64).max(1000);
        let mut players: Vec<Subject> = subjects();
        players.retain(|subject| {
            self.only.is_empty() || self.only.iter().any(|part| subject.name().contains(part.as_str()))
        });
        if players.is_empty() {
            return Err(Failure::Plan(format!("no subject has a name with {}", self.only.join(" or "))));
        }
        let role = |name: &str| if name.starts_with("cpymem") { Role::Ours } else { Role::Peer };
        players.sort_by_key(|subject| role(subject.name()) == Role::Peer);
        let lanes = players
            .iter()
            .map(|subject| {
                Lane::new(subject.name(), role(subject.name()), move |turn| {
                    self.play(subject, operations, turn)
                })
            })
            .collect();
        let mut checks = Vec::new();
        let subjects = alternate(lanes, setting, &mut checks)?;
        checks.extend(claims(&subjects));
        let amount = format!("{} operations of each pattern", units::count(operations));
        Ok(Finding { amount, subjects, checks, notes: Vec::new() })
    }
}

fn claims(subjects: &[SubjectRecord]) -> Vec<Check> {
    let mut checks = Vec::new();
    for subject in subjects {
        let count = |what: &str| subject.count(what).unwrap_or(0);
        checks.push(Check::equal(format!("{}: wrong answers", subject.name), 0, count("wrong answers")));
        if count("objects made") > 0 {
            let (made, died) = (count("objects made"), count("objects that died"));
            checks.push(Check::equal(format!("{}: objects that died", subject.name), made, died));
        }
    }
    checks
}

impl RefcountSuite {
    fn play(&self, subject: &Subject, operations: u64, turn: &mut Turn) {
        let (mut wrong, mut made, mut destroyed) = (0, 0, 0);
        for pattern in PATTERNS.iter().filter(|pattern| self.takes(pattern) && subject.plays(pattern)) {
            let Some(outcome) = subject.run(pattern, operations) else {
                continue;
            };
            turn.ns(pattern.name, outcome.ns_per_operation());
            if outcome.peak_exact > 0 {
                let over = outcome.peak_objects as f64 / outcome.peak_exact as f64;
                turn.gauge(&format!("{}: objects over an exact count", pattern.name), over);
            }
            wrong += outcome.wrong;
            made += outcome.made;
            destroyed += outcome.destroyed;
        }
        turn.count("wrong answers", wrong);
        turn.count("objects made", made);
        turn.count("objects that died", destroyed);
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::broken_by;
    use super::*;
    use crate::progress::Progress;

    #[test]
    fn every_pointer_plays() {
        let progress = Progress::silent();
        let setting = Setting { seed: 1, scale: 0.05, turns: 1, pythons: &[], progress: &progress };
        let finding = RefcountSuite::SHORT.run(&setting).unwrap();
        assert!(finding.checks.iter().all(|check| check.holds), "{:?}", finding.checks);
        assert!(finding.subjects.iter().filter(|subject| subject.role == Role::Ours).count() >= 3);
        assert!(finding.subjects.iter().any(|subject| subject.times.len() >= 7));
        let none = RefcountSuite::long(Vec::new(), vec!["no such pointer".to_owned()]);
        assert!(none.run(&setting).is_err());
    }
    #[test]
    fn one_wrong_answer_or_one_object_that_stays_breaks_a_claim() {
        broken_by("wrong answers", claims);
        broken_by("objects made", claims);
    }
}
