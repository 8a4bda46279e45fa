//! Allocation patterns that time any allocator and check its answers.
//!
//! ```text
//!   Subject    an allocator behind a table of functions: the compiler sees through none of them
//!   Worker     one thread's access to it: blocks that remember what was written to them, and a clock
//!   Pattern    a name, and what a worker or several do
//!   Outcome    operations, the time they took, blocks whose content was not what had been written
//! ```
//!
//! An operation is an allocation with its free, unless the pattern says otherwise. Only what a pattern is about
//! is timed: populations are built and taken down beside the clock.
//!
//! ```
//! use cpymem_allocator::patterns::{PATTERNS, Scale, Subject};
//!
//! let subject = Subject::shared(&std::alloc::System);
//! for pattern in PATTERNS.iter().filter(|pattern| pattern.plays(&subject)) {
//!     let outcome = pattern.run(&subject, Scale::new(0.001));
//!     assert_eq!(outcome.clobbered, 0, "{}", pattern.name);
//! }
//! ```
//!
//! Behind the feature `patterns`. The module serves benchmarks and may change in any version.

mod exchange;
mod list;
mod resize;
mod single;
mod subject;
mod threads;
mod worker;

pub use list::{PATTERNS, Pattern, Players};
pub use subject::{Subject, Table};
pub use worker::{Block, Fill, Outcome, Scale, Worker};
