//! Atomic words and fences: those of `core`, or loom's when the crate is built with `--cfg loom`. No other file names loom.

#[cfg(not(loom))]
pub(crate) use core::sync::atomic::{AtomicU32, AtomicU64, fence};
#[cfg(loom)]
pub(crate) use loom::sync::atomic::{AtomicU32, AtomicU64, fence};

pub(crate) use core::sync::atomic::Ordering;

/// Tells the processor, or loom, that this thread waits for another one.
#[inline]
pub(crate) fn wait() {
    #[cfg(not(loom))]
    core::hint::spin_loop();
    #[cfg(loom)]
    loom::thread::yield_now();
}
