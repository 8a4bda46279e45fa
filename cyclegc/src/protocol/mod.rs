//! What the threads that collect together do with one another. `tests/loom.rs` drives these very files.

pub(crate) mod post;
mod sync;
