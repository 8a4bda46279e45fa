//! Objects, dicts and caches.

use cpymem_slots::patterns::{Goal, PATTERNS, Pattern, Scale, Subject, cpython};

use crate::bench::python::Interpreter;
use crate::bench::record::{Role, SubjectRecord};
use crate::bench::{Failure, Finding, Lane, Page, Setting, Turn, Workload, alternate};
use crate::record::Check;
use crate::statistics::Estimate;

/// The patterns of `cpymem_slots::patterns` on every layout and map that can play them.
#[derive(Clone, Debug)]
pub struct SlotsSuite {
    /// How much of a pattern is done at scale 1.
    part: f64,
    /// Names of patterns; all of them if there is none.
    patterns: Vec<&'static str>,
    /// Parts of the names of subjects; all of them if there is none.
    only: Vec<String>,
}

/// Every pattern with what it does.
pub fn slots_patterns() -> Vec<(&'static str, &'static str)> {
    PATTERNS.iter().map(|pattern| (pattern.name, pattern.about)).collect()
}

/// What a Rust program would take in the place of these layouts.
const PEERS: [&str; 4] = ["plain struct", "HashMap", "indexmap", "columns"];
/// The oldest CPython that runs the script.
const OLDEST: (u8, u8) = (3, 7);

impl SlotsSuite {
    /// A part of it, for `cpymem bench`.
    pub const SHORT: SlotsSuite = SlotsSuite { part: 0.02, patterns: Vec::new(), only: Vec::new() };

    /// All of it: these patterns, on subjects with these names.
    pub fn long(patterns: Vec<&'static str>, only: Vec<String>) -> SlotsSuite {
        SlotsSuite { part: 1.0, patterns, only }
    }

    fn takes(&self, pattern: &Pattern) -> bool {
        self.patterns.is_empty() || self.patterns.contains(&pattern.name)
    }

    fn is_meant(&self, name: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|part| name.contains(part.as_str()))
    }

    /// Everyone who plays, ours first.
    fn players(&self) -> Vec<&'static str> {
        let mut names: Vec<&'static str> = Vec::new();
        for subject in
            PATTERNS.iter().filter(|pattern| self.takes(pattern)).flat_map(|pattern| pattern.subjects)
        {
            if self.is_meant(subject.name) && !names.contains(&subject.name) {
                names.push(subject.name);
            }
        }
        names.sort_by_key(|name| role(name) == Role::Peer);
        names
    }
}

fn role(name: &str) -> Role {
    if PEERS.contains(&name) { Role::Peer } else { Role::Ours }
}

impl Workload for SlotsSuite {
    fn page(&self) -> Page {
        Page {
            name: "slots-patterns",
            shows: "reading, building and looking up attributes in every layout, and dicts of 8 to a million keys: every \
                    answer is right, and bytes are the same in every run",
            stands_for: "choosing how an interpreter lays out its objects; `cpymem bench slots` is the long form",
            costs: "1 s a turn and 100 MiB",
        }
    }

    fn run(&self, setting: &Setting<'_>) -> Result<Finding, Failure> {
        let scale = self.part * setting.scale;
        let mut notes = Vec::new();
        let mut lanes: Vec<Lane<'_>> = self
            .players()
            .into_iter()
            .map(|name| Lane::new(name, role(name), move |turn| self.play(name, Scale::new(scale), turn)))
            .collect();
        for python in setting.pythons.iter().filter(|python| self.is_meant(&python.name())) {
            if python.version() < OLDEST {
                notes.push(format!("{} is too old for the script", python.name()));
                continue;
            }
            lanes.push(Lane::fallible(&python.name(), Role::Python, move |turn| {
                self.play_in_python(python, Scale::new(scale), turn)
            }));
        }
        if lanes.is_empty() {
            return Err(Failure::Plan(format!("no subject has a name with {}", self.only.join(" or "))));
        }
        let mut checks = Vec::new();
        let subjects = alternate(lanes, setting, &mut checks)?;
        checks.extend(claims(&subjects));
        if scale >= 1.0 {
            let patterns = PATTERNS.iter().filter(|pattern| self.takes(pattern));
            notes.extend(patterns.flat_map(|pattern| {
                pattern.goals.iter().filter_map(|goal| goal_note(pattern, goal, &subjects))
            }));
        }
        Ok(Finding { amount: format!("{scale} of each pattern"), subjects, checks, notes })
    }
}

fn claims(subjects: &[SubjectRecord]) -> Vec<Check> {
    let claim = |subject: &SubjectRecord| {
        let wrong = subject.count("wrong answers").unwrap_or(u64::MAX);
        Check::equal(format!("{}: wrong answers", subject.name), 0, wrong)
    };
    subjects.iter().filter(|subject| subject.role != Role::Python).map(claim).collect()
}

impl SlotsSuite {
    fn play(&self, name: &str, scale: Scale, turn: &mut Turn) {
        let mut wrong = 0;
        for pattern in PATTERNS.iter().filter(|pattern| self.takes(pattern)) {
            let named = |subject: &&Subject| subject.name == name;
            let Some(outcome) = pattern.subjects.iter().find(named).map(|subject| subject.run(scale)) else {
                continue;
            };
            turn.ns(pattern.name, outcome.ns());
            if outcome.bytes > 0.0 {
                turn.count(
                    &format!("{}: thousandths of a byte each", pattern.name),
                    (outcome.bytes * 1000.0) as u64,
                );
            }
            wrong += outcome.wrong;
        }
        turn.count("wrong answers", wrong);
    }

    fn play_in_python(&self, python: &Interpreter, scale: Scale, turn: &mut Turn) -> Result<(), Failure> {
        let measured = cpython::measure(&python.path().to_string_lossy(), scale)
            .map_err(|error| Failure::Plan(error.to_string()))?;
        for found in &measured {
            if !PATTERNS.iter().any(|pattern| pattern.name == found.pattern && self.takes(pattern)) {
                continue;
            }
            // Slots stand beside slots; where there are none, there is one subject.
            let has_slots = measured.iter().any(|it| it.pattern == found.pattern && it.subject == "slots");
            let name = match found.subject.as_str() {
                "slots" => found.pattern.clone(),
                _ if !has_slots => found.pattern.clone(),
                other => format!("{}, {other}", found.pattern),
            };
            turn.ns(&name, found.ns);
            if found.bytes > 0.0 {
                turn.gauge(&format!("{name}: bytes each"), found.bytes);
            }
        }
        Ok(())
    }
}

/// A goal with what was measured. Times depend on the machine, so that a goal that is missed is no broken claim.
fn goal_note(pattern: &Pattern, goal: &Goal, subjects: &[SubjectRecord]) -> Option<String> {
    let find = |name: &str| subjects.iter().find(|subject| subject.name.starts_with(name));
    let verdict = |holds: bool| if holds { "holds" } else { "missed" };
    match *goal {
        Goal::Time { subject, over, at_most } => {
            let time = |name: &str| Some(&find(name)?.series(pattern.name)?.samples);
            let (ours, theirs) = (time(subject)?, time(over)?);
            let ratio = Estimate::of(ours.iter().zip(theirs).map(|(ours, theirs)| ours / theirs))?.median;
            let verdict = verdict(ratio <= at_most);
            Some(format!(
                "{}: {subject} over {over} {ratio:.2}, goal at most {at_most}: {verdict}",
                pattern.name
            ))
        }
        Goal::Bytes { subject, at_most } => {
            let count = find(subject)?.count(&format!("{}: thousandths of a byte each", pattern.name))?;
            let (bytes, verdict) = (count as f64 / 1000.0, verdict(count as f64 / 1000.0 <= at_most));
            Some(format!("{}: {subject} {bytes:.1} bytes, goal at most {at_most}: {verdict}", pattern.name))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::broken_by;
    use super::*;
    use crate::progress::Progress;

    #[test]
    fn every_layout_plays() {
        let progress = Progress::silent();
        let setting = Setting { seed: 1, scale: 0.05, turns: 1, pythons: &[], progress: &progress };
        let finding = SlotsSuite::SHORT.run(&setting).unwrap();
        assert!(finding.checks.iter().all(|check| check.holds), "{:?}", finding.checks);
        let played: Vec<&str> =
            finding.subjects.iter().flat_map(|it| &it.times).map(|it| it.name.as_str()).collect();
        assert!(PATTERNS.iter().all(|pattern| played.contains(&pattern.name)));
        assert_eq!(finding.subjects.last().map(|subject| subject.role), Some(Role::Peer));
    }
    #[test]
    fn one_wrong_answer_breaks_the_claim() {
        broken_by("wrong answers", claims);
    }
}
