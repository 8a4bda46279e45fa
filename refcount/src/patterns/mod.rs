//! Patterns of use that time any counted pointer or interner, and check their answers.
//!
//! ```text
//!   Pattern    a name, and what is done
//!   Subject    a kind of pointer, or an interner, compiled into the patterns that it can play
//!   Outcome    operations, the time they took, wrong answers, and how many objects there were
//! ```
//!
//! A clone is timed with its drop, a new object with its death, so that an operation is a pair.
//!
//! ```
//! use cpymem_refcount::patterns::{PATTERNS, subjects};
//!
//! for subject in subjects() {
//!     for pattern in PATTERNS.iter().filter(|pattern| subject.plays(pattern)) {
//!         let outcome = subject.run(pattern, 1_000).unwrap();
//!         assert_eq!(outcome.wrong, 0, "{} {}", subject.name(), pattern.name);
//!     }
//! }
//! ```
//!
//! Behind the feature `patterns`; `rivals` adds the subjects of other crates. The module serves benchmarks and may change in any version.

mod handover;
mod kind;
mod list;
mod pointer;
mod strings;
mod subject;

pub use list::{PATTERNS, Pattern};
pub use subject::{Outcome, Subject, subjects};
