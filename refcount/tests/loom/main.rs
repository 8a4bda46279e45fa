//! Every interleaving of the pointers' protocols, on the code that ships.
//!
//! ```text
//! RUSTFLAGS="--cfg loom" cargo test --release -p cpymem-refcount --test loom
//! ```
#![cfg(loom)]

mod biased;
mod shared;
mod value;
