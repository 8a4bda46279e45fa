//! The workloads, a file each.

mod big_live_heap;
mod buffer_growth;
mod class_layouts;
mod cyclic_trees;
mod debug_layers;
mod hand_over;
mod prefork_cow;
mod recycling;
mod request_churn;
mod scattered_survivors;
mod small_integers;
mod spike_then_idle;
mod three_leaks;
mod traceback_cycles;

pub use big_live_heap::BigLiveHeap;
pub use buffer_growth::BufferGrowth;
pub use class_layouts::ClassLayouts;
pub use cyclic_trees::{CyclicTrees, Links};
pub use debug_layers::DebugLayers;
pub use hand_over::HandOver;
pub use prefork_cow::PreforkCow;
pub use recycling::Recycling;
pub use request_churn::RequestChurn;
pub use scattered_survivors::ScatteredSurvivors;
pub use small_integers::SmallIntegers;
pub use spike_then_idle::SpikeThenIdle;
pub use three_leaks::ThreeLeaks;
pub use traceback_cycles::TracebackCycles;

use super::Workload;
use super::suites::{AllocatorSuite, CyclegcSuite, RefcountSuite, SlotsSuite};

/// Every workload, in the order in which they run.
pub const ALL: &[&dyn Workload] = &[
    &RequestChurn::STANDARD,
    &ScatteredSurvivors::STANDARD,
    &SpikeThenIdle::STANDARD,
    &BufferGrowth::STANDARD,
    &ClassLayouts::STANDARD,
    &Recycling::STANDARD,
    &HandOver::STANDARD,
    &DebugLayers::STANDARD,
    &CyclicTrees::STANDARD,
    &TracebackCycles::STANDARD,
    &BigLiveHeap::STANDARD,
    &PreforkCow::STANDARD,
    &SmallIntegers::STANDARD,
    &ThreeLeaks::STANDARD,
    &AllocatorSuite::STANDARD,
    &RefcountSuite::SHORT,
    &CyclegcSuite::SHORT,
    &SlotsSuite::SHORT,
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::Setting;
    use crate::progress::Progress;

    /// The claims that do not hold when a workload runs at a small scale, without a CPython.
    pub(super) fn holds(workload: &dyn Workload) -> Vec<String> {
        let progress = Progress::silent();
        let setting = Setting { seed: 1, scale: 0.1, turns: 1, pythons: &[], progress: &progress };
        let record = crate::bench::run(workload, &setting).unwrap();
        assert!(!record.checks.is_empty() && !record.subjects.is_empty(), "{} claims nothing", record.name);
        let broken = record.checks.iter().filter(|check| !check.holds);
        broken.map(|check| check.claim.clone()).collect()
    }

    /// The same of a workload whose effect was taken away: what its claims say of it.
    pub(super) fn broken(workload: &dyn Workload) -> Vec<String> {
        let broken = holds(workload);
        assert!(!broken.is_empty(), "{} holds without its effect", workload.page().name);
        broken
    }

    #[test]
    fn every_workload_has_a_name_of_its_own_and_a_page() {
        for (index, workload) in ALL.iter().enumerate() {
            let page = workload.page();
            assert!(
                !page.shows.is_empty() && !page.stands_for.is_empty() && !page.costs.is_empty(),
                "{page:?}"
            );
            assert!(ALL[..index].iter().all(|other| other.page().name != page.name), "{page:?}");
        }
    }
}
