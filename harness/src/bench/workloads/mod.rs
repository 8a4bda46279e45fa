//! The workloads, a file each.

mod scattered_survivors;

pub use scattered_survivors::ScatteredSurvivors;

use super::Workload;

/// Every workload, in the order in which they run.
pub const ALL: &[&dyn Workload] = &[&ScatteredSurvivors::STANDARD];
