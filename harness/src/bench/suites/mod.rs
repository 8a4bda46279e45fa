//! The crates' own patterns as comparisons: short ones among the workloads, whole ones as `cpymem bench CRATE`.

mod allocator;
mod cyclegc;
mod refcount;
mod slots;

pub use allocator::AllocatorSuite;
pub use cyclegc::{CyclegcSuite, cyclegc_patterns};
pub use refcount::{RefcountSuite, refcount_patterns};
pub use slots::{SlotsSuite, slots_patterns};
