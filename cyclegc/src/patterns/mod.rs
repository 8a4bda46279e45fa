//! Workloads that time any collector and check what it did.
//!
//! ```text
//!   Subject    a collector under its name
//!   Pattern    a name, and what is done with a collector
//!   Outcome    operations and their time; pauses; what was not collected; what was wrong
//! ```
//!
//! A pattern does the same with every subject: sizes come from a [`Scale`], everything random from a seed, and [`Counts`] are equal
//! for all subjects. A subject that cannot play says why. Most patterns are written once, for whatever has handles that are cloned and
//! dropped ([`Counted`]).
//!
//! ```
//! use cpymem_cyclegc::patterns::{OURS, PATTERNS, Scale};
//!
//! for pattern in PATTERNS {
//!     let outcome = pattern.run(&OURS, Scale::new(0.001), 1)?;
//!     assert!(outcome.faults.is_empty(), "{}: {:?}", pattern.name, outcome.faults);
//! }
//! # Ok::<(), cpymem_cyclegc::patterns::Skipped>(())
//! ```
//!
//! Behind the feature `patterns`; `rivals` adds other crates as subjects. CPython is not a subject but a program: [`PYTHON`] does
//! the same there. The module serves benchmarks and may change in any version.

mod churn;
mod clock;
mod full;
mod list;
mod lives;
mod ours;
mod outcome;
#[cfg(feature = "rivals")]
mod rivals;
mod shape;
mod std_rc;
mod subject;

pub use churn::Touch;
pub use list::{PATTERNS, Pattern, Work};
pub use ours::Ours;
pub use outcome::{Counts, Latencies, Outcome, Scale};
pub use shape::{Random, Shape, Targets};
pub use std_rc::StdRc;
pub use subject::{Counted, OURS, SUBJECTS, Skipped, Subject, on_big_stack};

/// The patterns in Python: `python -c PYTHON NAME SCALE` prints a line of `key=value` words, in the units of [`Outcome`]: see the head of the
/// script.
pub const PYTHON: &str = include_str!("patterns.py");
