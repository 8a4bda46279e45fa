//! A lock that can be held across a `fork`.
#![allow(unsafe_code, reason = "a lock lends what lies in an UnsafeCell")]

use core::cell::UnsafeCell;
use core::ops::{Deref, DerefMut};
use core::sync::atomic::{AtomicBool, Ordering};

/// A spin lock around a value.
///
/// It is held for a mapping or unmapping and no longer, so a waiter gives its time slice away and tries again.
/// Unlike std's, it can be taken in one function and given back in another, as the handlers of a `fork` must.
///
/// # Invariants
/// 1. Whoever brought `taken` from false to true is the only one who touches the value until it stores false.
#[derive(Debug)]
pub(crate) struct Lock<T> {
    taken: AtomicBool,
    value: UnsafeCell<T>,
}

// SAFETY: invariant 1: one thread at a time touches the value.
unsafe impl<T: Send> Sync for Lock<T> {}

/// Access to the value of a [`Lock`], which is given back when this is dropped.
pub(crate) struct Guard<'a, T>(&'a Lock<T>);

impl<T> Lock<T> {
    pub(crate) const fn new(value: T) -> Lock<T> {
        Lock { taken: AtomicBool::new(false), value: UnsafeCell::new(value) }
    }

    pub(crate) fn lock(&self) -> Guard<'_, T> {
        self.take();
        Guard(self)
    }

    /// Takes the lock for [`give_back`](Self::give_back).
    pub(crate) fn take(&self) {
        // Acquire: pairs with the store in `give_back`.
        while self.taken.swap(true, Ordering::Acquire) {
            std::thread::yield_now();
        }
    }

    /// Gives the lock back that this thread, or the parent of this process, has taken with
    /// [`take`](Self::take).
    pub(crate) fn give_back(&self) {
        // Release: pairs with the swap in `take`.
        self.taken.store(false, Ordering::Release);
    }
}

impl<T> Deref for Guard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: invariant 1: the lock is taken for this guard.
        unsafe { &*self.0.value.get() }
    }
}

impl<T> DerefMut for Guard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: as above, and the guard is borrowed exclusively.
        unsafe { &mut *self.0.value.get() }
    }
}

impl<T> Drop for Guard<'_, T> {
    fn drop(&mut self) {
        self.0.give_back();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_at_a_time() {
        static COUNTER: Lock<u64> = Lock::new(0);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..20_000).for_each(|_| *COUNTER.lock() += 1));
            }
        });
        assert_eq!(*COUNTER.lock(), 80_000);
    }
}
