//! What threads do with one another: each protocol is a struct of its own, which loom drives.

pub mod budget;
pub mod handover;
pub mod interval;
pub mod lock;
pub mod request;
mod sync;
