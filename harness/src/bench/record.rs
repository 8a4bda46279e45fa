//! What a comparison leaves: plain values, read by reports and by [`against`](super::against), written by `--save`.

use serde::{Deserialize, Serialize};

use crate::record::Check;
use crate::statistics::Estimate;

/// What one workload showed.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct WorkloadRecord {
    /// The name on the command line.
    pub name: String,
    /// What it shows.
    pub shows: String,
    /// How much of it was done: a phrase with the numbers of this run.
    pub amount: String,
    /// Those that took part, ours first.
    pub subjects: Vec<SubjectRecord>,
    /// What was claimed.
    pub checks: Vec<Check>,
    /// What could not be measured here, and why.
    pub notes: Vec<String>,
    /// Time of the whole workload.
    pub wall_ns: u64,
    /// Share of its time for which the measuring thread waited for a processor that others used, of the worse pass; null
    /// where the kernel does not tell.
    pub waited_share: Option<f64>,
}

/// One subject of a workload.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SubjectRecord {
    /// `cpymem`, `std`, `CPython 3.13.0` and so on.
    pub name: String,
    /// Its part.
    pub role: Role,
    /// Nanoseconds of what was timed, by what it was.
    pub times: Vec<Series>,
    /// Numbers that are the same in every run with this seed and scale.
    pub counts: Vec<Count>,
    /// Numbers that the machine has a part in: resident bytes, page faults, pauses.
    pub gauges: Vec<Series>,
    /// What was live and what was held while the last turn ran; empty if it does not apply.
    pub held: Vec<HeldPoint>,
}

/// What a subject is in a comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Of these crates.
    Ours,
    /// What ours stand beside: std, the system's allocator, bumpalo, a rival.
    Peer,
    /// A CPython.
    Python,
}

/// A number measured once a turn.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Series {
    /// What was measured.
    pub name: String,
    /// `ns`, `bytes`, or empty for a plain number.
    pub unit: String,
    /// The median and its interval.
    pub estimate: Estimate,
    /// Every turn, in order.
    pub samples: Vec<f64>,
    /// Turns that lie further from the quartiles than three times their distance.
    pub outliers: usize,
}

impl Series {
    /// A series of at least one sample; `None` without any.
    pub fn new(name: &str, unit: &str, samples: Vec<f64>) -> Option<Series> {
        let estimate = Estimate::of(samples.iter().copied())?;
        let outliers = crate::statistics::outliers(&samples);
        Some(Series { name: name.to_owned(), unit: unit.to_owned(), estimate, samples, outliers })
    }

    /// Adds samples.
    fn extend(&mut self, samples: Vec<f64>) {
        let mut all = std::mem::take(&mut self.samples);
        all.extend(samples);
        if let Some(series) = Series::new(&self.name, &self.unit, all) {
            *self = series;
        }
    }
}

/// A number that does not depend on the machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Count {
    /// What was counted.
    pub name: String,
    /// How many.
    pub value: u64,
}

/// A moment of a workload.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeldPoint {
    /// What had just been done.
    pub label: String,
    /// Bytes live, as asked for.
    pub live_bytes: u64,
    /// Bytes kept from the rest of the machine.
    pub held_bytes: u64,
}

impl SubjectRecord {
    /// The series of times or gauges with this name.
    pub fn series(&self, name: &str) -> Option<&Series> {
        self.times.iter().chain(&self.gauges).find(|series| series.name == name)
    }

    /// The count with this name.
    pub fn count(&self, name: &str) -> Option<u64> {
        self.counts.iter().find(|count| count.name == name).map(|count| count.value)
    }
}

impl WorkloadRecord {
    /// The subject with this name.
    pub fn subject(&self, name: &str) -> Option<&SubjectRecord> {
        self.subjects.iter().find(|subject| subject.name == name)
    }

    /// One subject's time over another's within each turn: what the machine did meanwhile met both.
    pub fn ratio(&self, over: &str, under: &str, time: &str) -> Option<Estimate> {
        let over = self.subject(over)?.series(time)?;
        let under = self.subject(under)?.series(time)?;
        Estimate::of(over.samples.iter().zip(&under.samples).map(|(over, under)| over / under))
    }

    /// Adds the turns that the same workload made elsewhere: in `place`. A claim that is broken in one place is broken.
    pub fn continue_with(&mut self, later: WorkloadRecord, place: &str) {
        self.wall_ns += later.wall_ns;
        self.waited_share = self.waited_share.zip(later.waited_share).map(|(one, other)| one.max(other));
        let mut other_counts = 0;
        for (subject, later) in self.subjects.iter_mut().zip(later.subjects) {
            other_counts += u64::from(subject.counts != later.counts);
            let series = subject.times.iter_mut().chain(&mut subject.gauges);
            for (series, later) in series.zip(later.times.into_iter().chain(later.gauges)) {
                series.extend(later.samples);
            }
            subject.held = later.held;
        }
        for (check, later) in self.checks.iter_mut().zip(later.checks) {
            if check.holds {
                *check = later;
            }
        }
        let claim = format!("subjects with other counts in {place}");
        match self.checks.iter_mut().find(|check| check.claim == claim) {
            Some(check) if !check.holds => {}
            Some(check) => *check = Check::equal(claim, 0, other_counts),
            None => self.checks.push(Check::equal(claim, 0, other_counts)),
        }
    }

    /// Whether every claim held.
    pub fn holds(&self) -> bool {
        self.checks.iter().all(|check| check.holds)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_pass_adds_its_turns_and_keeps_what_was_broken() {
        let pass = |ns: &[f64], count: u64, holds: bool| WorkloadRecord {
            name: "w".to_owned(),
            shows: String::new(),
            amount: String::new(),
            subjects: vec![SubjectRecord {
                name: "cpymem".to_owned(),
                role: Role::Ours,
                times: Series::new("step", "ns", ns.to_vec()).into_iter().collect(),
                counts: vec![Count { name: "pools".to_owned(), value: count }],
                gauges: Vec::new(),
                held: Vec::new(),
            }],
            checks: vec![Check::equal("a claim", 1, u64::from(holds))],
            notes: Vec::new(),
            wall_ns: 5,
            waited_share: None,
        };
        let mut record = pass(&[1.0, 2.0], 7, true);
        record.continue_with(pass(&[3.0, 9.0], 7, true), "a later pass");
        assert_eq!(record.subjects[0].series("step").unwrap().samples, [1.0, 2.0, 3.0, 9.0]);
        assert_eq!(record.subjects[0].series("step").unwrap().estimate.median, 2.5);
        assert!(record.holds() && record.wall_ns == 10);
        for (first, second, counted) in [(false, true, 7), (true, false, 7), (true, true, 8)] {
            let mut record = pass(&[1.0], 7, first);
            record.continue_with(pass(&[1.0], counted, second), "a later pass");
            record.continue_with(pass(&[1.0], 7, true), "a later pass");
            assert!(!record.holds(), "{first} {second} {counted}");
        }
    }
}
