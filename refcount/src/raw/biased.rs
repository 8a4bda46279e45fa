//! Biased counts: the protocol of PEP 703, and what a collector needs of it.
//!
//! ```text
//!   the owner ──────────► local count ──┐ merges
//!                                       ▼
//!   others ─────────────► shared word ──────► the last one destroys
//!      │                                ▲
//!      └── perhaps the last ──► queue ──┘ the owner merges when it looks there
//! ```
//!
//! `word` has the bits, `header` the protocol, `side` what weak references share; `slot` numbers the threads, `queue` is what others leave for
//! one of them, `thread` says when it looks there.

pub(crate) mod header;
pub(crate) mod left;
mod queue;
pub(crate) mod side;
mod slot;
pub(crate) mod thread;
mod word;

pub use thread::{Merged, merge_all};

/// At most so many threads own objects at the same time from now on; returns what it was, 65,535 unless it was set. Those that own some go on.
///
/// The objects of all other threads are born merged: each clone and drop of theirs is one atomic exchange. A thread that once asked in vain does
/// not ask again.
pub fn set_owner_limit(threads: usize) -> usize {
    thread::slots().set_limit(threads)
}

/// Whether this thread owns the objects that it makes, as far as it is known: before the first one it is `false`.
pub fn is_owner() -> bool {
    thread::mine() != slot::Slot::NONE
}

/// Gives this thread's slot up, as its end does: its queue is merged and closed, and from now on it is a foreign thread to its own objects.
/// For threads that will not look into their queue again and do not end either.
///
/// Panics of destructors go to the [hook for such cases](crate::set_unraisable_hook).
pub fn depart() {
    thread::depart();
}
