//! The behaviours of CPython's `Lib/test/test_gc.py` (3.13), each under the name of the original.
//!
//! What has no meaning here, and why, stands in the documentation of the crate.

mod callbacks;
#[path = "../common/mod.rs"]
mod common;
mod inspection;
mod objects;
mod resurrection;
mod schedule;
mod weakrefs;
