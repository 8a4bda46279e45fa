//! What was measured: document `cpymem.bench-allocator/1`.

use serde::Serialize;

use crate::record::{Check, InputRecord};
use crate::statistics::Estimate;

/// Document `cpymem.bench-allocator/1`.
#[derive(Clone, Debug, Serialize)]
pub struct AllocatorsRecord {
    /// `cpymem.bench-allocator/1`.
    pub schema: &'static str,
    /// The traces.
    pub input: Vec<InputRecord>,
    /// Turns.
    pub alternations: usize,
    /// How much of each pattern was done.
    pub scale: f64,
    /// The allocators, ours first.
    pub allocators: Vec<&'static str>,
    /// Patterns and traces.
    pub rows: Vec<Row>,
    /// Geometric means.
    pub means: Vec<Mean>,
    /// What should hold.
    pub goals: Vec<Goal>,
}

impl AllocatorsRecord {
    /// What must hold whatever the machine: no block lost its content.
    pub fn checks(&self) -> Vec<Check> {
        let of_row = |row: &Row| {
            let clobbered = row.times.iter().map(|time| time.clobbered).sum();
            Check::equal(format!("blocks of {} that lost their content", row.name), 0, clobbered)
        };
        self.rows.iter().map(of_row).collect()
    }
}

/// Which mean a row belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Group {
    /// Patterns of one thread.
    OneThread,
    /// Patterns of two.
    TwoThreads,
    /// Recorded programs.
    Replay,
    /// Giving everything back at once; in no mean.
    Release,
}

/// A pattern or a trace on every allocator that can play.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    /// Its name.
    pub name: String,
    /// What it does.
    pub about: String,
    /// Its kind.
    pub group: Group,
    /// Operations of one run: allocations with their frees; calls of a trace.
    pub operations: u64,
    /// Nanoseconds of a call in a replay on no allocator.
    pub null_ns: Option<Estimate>,
    /// Every allocator.
    pub times: Vec<Time>,
    /// The rival with the smallest median.
    pub best_rival: Option<&'static str>,
    /// Our time over that rival's, net of the null replay if there is one.
    pub ours_over_best: Option<Estimate>,
    /// The explicit heap's time over that rival's.
    pub heap_over_best: Option<Estimate>,
}

impl Row {
    /// The time of one allocator that the means are made of: net of the null replay if there is one.
    pub fn net(&self, allocator: &str) -> Option<f64> {
        let time = self.times.iter().find(|time| time.allocator == allocator)?;
        time.net_ns.or(time.ns).map(|estimate| estimate.median)
    }

    /// Our time over this allocator's.
    pub fn over(&self, allocator: &str) -> Option<Estimate> {
        self.times.iter().find(|time| time.allocator == allocator).and_then(|time| time.ours_over_it)
    }
}

/// One allocator in a row.
#[derive(Clone, Debug, Serialize)]
pub struct Time {
    /// Its name.
    pub allocator: &'static str,
    /// Nanoseconds of an operation.
    pub ns: Option<Estimate>,
    /// The same net of the null replay.
    pub net_ns: Option<Estimate>,
    /// Our time over this one's, within a turn, net of the null replay if there is one.
    pub ours_over_it: Option<Estimate>,
    /// Blocks that did not hold what was written to them.
    pub clobbered: u64,
}

/// A geometric mean over rows.
#[derive(Clone, Debug, Serialize)]
pub struct Mean {
    /// Which rows.
    pub over: &'static str,
    /// How many they are.
    pub rows: usize,
    /// The rival whose own mean over the rows is the smallest, of those that play in all.
    pub best_rival: Option<&'static str>,
    /// Our mean over that rival's.
    pub ours_over_best_rival: Option<f64>,
    /// Our mean over that of the best rival on each row.
    pub ours_over_best_of_each: Option<f64>,
    /// The same for the explicit heap, where it plays in all rows.
    pub heap_over_best_of_each: Option<f64>,
    /// Our mean over each rival's, for those that play in all rows.
    pub ours_over: Vec<(&'static str, f64)>,
}

/// Something that should hold.
#[derive(Clone, Debug, Serialize)]
pub struct Goal {
    /// What.
    pub goal: String,
    /// At most.
    pub limit: f64,
    /// What was measured; null if this run cannot tell.
    pub measured: Option<f64>,
    /// The rows that fall short, or where the measured value comes from.
    pub detail: String,
}

impl Goal {
    /// Whether it holds; `None` if this run cannot tell.
    pub fn holds(&self) -> Option<bool> {
        self.measured.map(|measured| measured <= self.limit)
    }
}
