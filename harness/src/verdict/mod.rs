//! Verdicts: which layer holds the memory, and what to do. [`trace`] judges an allocation trace; heap dumps are
//! judged by [`crate::explain`], by the same choice between candidates.

pub(crate) mod candidate;
pub mod trace;

pub use trace::{Evidence, verdict};
