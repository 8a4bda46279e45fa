//! Atomic words, fences and guarded cells: those of `core`, or loom's when the crate is built with `--cfg loom`. No other file names loom.

#[cfg(all(target_has_atomic = "64", not(loom)))]
pub(crate) use core::sync::atomic::{AtomicU32, AtomicU64, fence};
#[cfg(loom)]
pub(crate) use loom::sync::atomic::{AtomicPtr, AtomicU32, AtomicU64, fence};
#[cfg(loom)]
pub(crate) use loom::sync::{Mutex, MutexGuard};
#[cfg(loom)]
pub(crate) use loom::{lazy_static, thread_local};
#[cfg(all(feature = "std", target_has_atomic = "64", not(loom)))]
pub(crate) use std::sync::{Mutex, MutexGuard, atomic::AtomicPtr};

#[cfg(target_has_atomic = "64")]
pub(crate) use core::sync::atomic::Ordering;

#[cfg(not(loom))]
pub(crate) use core::cell::Cell;
#[cfg(loom)]
pub(crate) use model::Cell;

/// After an exchange that failed, for the `turn`th time in a row: leaves the word to whoever has it for a while, so that it need not
/// change processors at every exchange.
#[cfg(all(feature = "std", target_has_atomic = "64"))]
#[inline]
pub(crate) fn contended(turn: &mut u32) {
    *turn += 1;
    #[cfg(not(loom))]
    for _ in 0..1_u32 << (*turn).min(6) {
        core::hint::spin_loop();
    }
}

/// Tells the processor, or loom, that this thread waits for another one: for the `turn`th time.
#[cfg(target_has_atomic = "64")]
#[inline]
pub(crate) fn wait(turn: u32) {
    #[cfg(loom)]
    {
        let _ = turn;
        loom::thread::yield_now();
    }
    // The other thread may have lost its processor in the middle.
    #[cfg(all(feature = "std", not(loom)))]
    if turn > 64 {
        return std::thread::yield_now();
    }
    #[cfg(not(loom))]
    {
        let _ = turn;
        core::hint::spin_loop();
    }
}

#[cfg(loom)]
mod model {
    #![allow(unsafe_code, reason = "loom reports two threads in one cell")]

    /// A `Cell` that tells loom of every use, so that a use outside the lock that guards it is found.
    pub(crate) struct Cell<T>(loom::cell::UnsafeCell<T>);

    impl<T: Copy> Cell<T> {
        pub(crate) fn new(value: T) -> Cell<T> {
            Cell(loom::cell::UnsafeCell::new(value))
        }

        pub(crate) fn get(&self) -> T {
            // SAFETY: no reference leaves, and loom panics if another thread writes.
            self.0.with(|value| unsafe { *value })
        }

        pub(crate) fn set(&self, value: T) {
            self.replace(value);
        }

        pub(crate) fn replace(&self, value: T) -> T {
            // SAFETY: as above.
            self.0.with_mut(|place| unsafe { core::mem::replace(&mut *place, value) })
        }
    }
}
