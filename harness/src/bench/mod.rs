//! Comparisons whose claims can fail: each does something to memory with several subjects in turn, counts what
//! happens, and says what was expected.
//!
//! ```text
//!   Workload --run(Setting)--> Lanes, one for each subject --alternate--> Turns --> WorkloadRecord
//!      page: what it shows        ours, peers, CPython          a warm-up,              times, counts, gauges,
//!      and stands for                                           then `repeat`           checks: expected and seen
//! ```
//!
//! Measuring writes records; reports and [`against`] only read them.

pub mod against;
mod blocks;
mod lane;
pub mod machine;
pub mod python;
mod random;
pub mod record;
mod setting;
pub mod suites;
pub mod workloads;

pub use crate::error::Failure;
pub use lane::{Lane, Turn, alternate};
pub use random::Random;
pub use setting::Setting;

use crate::record::Check;
use record::{SubjectRecord, WorkloadRecord};

/// A comparison.
pub trait Workload: Sync + std::fmt::Debug {
    /// What it is.
    fn page(&self) -> Page;

    /// Does it.
    ///
    /// # Errors
    /// If an interpreter fails or the system refuses what the workload needs; a claim that does not hold is no
    /// error but a broken check.
    fn run(&self, setting: &Setting<'_>) -> Result<Finding, Failure>;
}

/// A workload's page in `--list`.
#[derive(Clone, Copy, Debug, serde::Serialize)]
pub struct Page {
    /// The name on the command line.
    pub name: &'static str,
    /// What it shows, in a sentence.
    pub shows: &'static str,
    /// The real case that it stands for.
    pub stands_for: &'static str,
    /// What it costs at scale 1.
    pub costs: &'static str,
}

/// What a workload found.
#[derive(Debug, Default)]
pub struct Finding {
    /// How much was done.
    pub amount: String,
    /// Who took part, ours first.
    pub subjects: Vec<SubjectRecord>,
    /// What was claimed.
    pub checks: Vec<Check>,
    /// What could not be measured, and why.
    pub notes: Vec<String>,
}

/// Runs a workload.
///
/// # Errors
/// As [`Workload::run`].
pub fn run(workload: &dyn Workload, setting: &Setting<'_>) -> Result<WorkloadRecord, Failure> {
    let page = workload.page();
    setting.progress.pass(page.name);
    let start = std::time::Instant::now();
    let before = machine::ran_and_waited();
    let finding = workload.run(setting)?;
    let waited_share = before.zip(machine::ran_and_waited()).map(|((ran, waited), (ran_now, waited_now))| {
        let (ran, waited) = ((ran_now - ran) as f64, (waited_now - waited) as f64);
        waited / (ran + waited).max(1.0)
    });
    Ok(WorkloadRecord {
        name: page.name.to_owned(),
        shows: page.shows.to_owned(),
        amount: finding.amount,
        subjects: finding.subjects,
        checks: finding.checks,
        notes: finding.notes,
        wall_ns: start.elapsed().as_nanos() as u64,
        waited_share,
    })
}
