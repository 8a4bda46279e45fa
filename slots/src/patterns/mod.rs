//! Measured uses of the objects beside what a Rust program would take instead, with checked answers.
//!
//! ```text
//!   Pattern    what is measured: a name, what it does, its subjects, and the goals between them
//!   Subject    one way to do it: a layout, a map
//!   Outcome    operations, the time they took, wrong answers, bytes held
//! ```
//!
//! All subjects of a pattern get the same work. Bytes are those asked for, so they are the same in every run; times are to be
//! compared within one run.
//!
//! ```
//! use cpymem_slots::patterns::{PATTERNS, Scale};
//!
//! for pattern in PATTERNS {
//!     for subject in pattern.subjects {
//!         let outcome = subject.run(Scale::new(0.001));
//!         assert_eq!(outcome.wrong, 0, "{} {}", pattern.name, subject.name);
//!     }
//! }
//! ```
//!
//! [`cpython`] measures an interpreter on the same work.
//!
//! Behind the feature `patterns`. The module serves benchmarks and may change in any version.

pub mod cpython;
mod layouts;
mod list;
mod mapping;
mod megamorphic;
mod outcome;
mod profiles;
mod word;

pub use layouts::{
    Columns, InlineProfile, KeySharing, Plain, PlainIndexMap, PlainMap, SlotInstance, SlotObject,
    TypedProfile,
};
pub use list::PATTERNS;
pub use mapping::{Known, Mapping};
pub use outcome::{Goal, Outcome, Pattern, Scale, Subject};
pub use profiles::{Attribute, Layout, Source};
pub use word::Word;
