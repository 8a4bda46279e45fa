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

    /// Whether every claim held.
    pub fn holds(&self) -> bool {
        self.checks.iter().all(|check| check.holds)
    }
}
