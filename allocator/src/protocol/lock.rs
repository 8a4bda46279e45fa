//! Locks that can be held across a `fork`.
#![allow(unsafe_code, reason = "a lock lends what lies in an UnsafeCell")]
#![cfg_attr(not(loom), allow(unreachable_pub, reason = "public for loom alone"))]

use super::sync::{AtomicBool, Ordering, const_unless_loom, yield_now};

/// A spin lock, without what it guards.
///
/// It is held for a change of an arena's maps, at most for one call of the kernel, so a waiter gives its time
/// slice away and tries again. Unlike std's, it can be taken in one function and given back in another, as the
/// handlers of a `fork` must.
#[derive(Debug)]
pub struct RawLock {
    taken: AtomicBool,
}

/// The right to what a [`RawLock`] guards; dropping it gives the lock back.
#[derive(Debug)]
pub struct RawGuard<'a>(&'a RawLock);

impl RawLock {
    const_unless_loom! {
        /// A lock that nobody has.
        pub fn new() -> RawLock {
            RawLock { taken: AtomicBool::new(false) }
        }
    }

    /// Takes the lock for as long as the guard lives.
    #[inline]
    pub fn lock(&self) -> RawGuard<'_> {
        self.take();
        RawGuard(self)
    }

    /// Takes the lock for [`give_back`](Self::give_back).
    #[inline]
    pub fn take(&self) {
        // Acquire: pairs with the store in `give_back`. A failure orders nothing.
        while self.taken.compare_exchange(false, true, Ordering::Acquire, Ordering::Relaxed).is_err() {
            yield_now();
        }
    }

    /// Gives the lock back that this thread, or the parent of this process, has taken.
    #[inline]
    pub fn give_back(&self) {
        // Release: pairs with the exchange in `take`.
        self.taken.store(false, Ordering::Release);
    }
}

impl Default for RawLock {
    fn default() -> RawLock {
        RawLock::new()
    }
}

impl Drop for RawGuard<'_> {
    #[inline]
    fn drop(&mut self) {
        self.0.give_back();
    }
}

#[cfg(not(loom))]
pub(crate) use value::Lock;

/// The lock with what it guards. Loom drives the lock alone.
#[cfg(not(loom))]
mod value {
    use core::cell::UnsafeCell;
    use core::ops::{Deref, DerefMut};

    use super::{RawGuard, RawLock};

    /// A value that one thread at a time touches.
    ///
    /// # Invariants
    /// 1. Only whoever holds `raw` touches the value.
    #[derive(Debug)]
    pub(crate) struct Lock<T> {
        raw: RawLock,
        value: UnsafeCell<T>,
    }

    // SAFETY: invariant 1: one thread at a time touches the value.
    unsafe impl<T: Send> Sync for Lock<T> {}

    /// Access to the value of a [`Lock`], which is given back when this is dropped.
    pub(crate) struct Guard<'a, T> {
        value: &'a UnsafeCell<T>,
        _held: RawGuard<'a>,
    }

    impl<T> Lock<T> {
        pub(crate) const fn new(value: T) -> Lock<T> {
            Lock { raw: RawLock::new(), value: UnsafeCell::new(value) }
        }

        pub(crate) fn lock(&self) -> Guard<'_, T> {
            Guard { _held: self.raw.lock(), value: &self.value }
        }

        /// The lock alone, for the handlers of a `fork`.
        pub(crate) fn raw(&self) -> &RawLock {
            &self.raw
        }
    }

    impl<T> Deref for Guard<'_, T> {
        type Target = T;

        fn deref(&self) -> &T {
            // SAFETY: invariant 1: the lock is taken for this guard.
            unsafe { &*self.value.get() }
        }
    }

    impl<T> DerefMut for Guard<'_, T> {
        fn deref_mut(&mut self) -> &mut T {
            // SAFETY: as above, and the guard is borrowed exclusively.
            unsafe { &mut *self.value.get() }
        }
    }
}

#[cfg(all(test, not(loom)))]
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
