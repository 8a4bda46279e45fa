//! The number of weak references to an object that threads share, and the lock that `get_mut` needs.

use crate::primitive::{AtomicU32, Ordering, fence, wait};

/// The number of weak references, plus one share of the object until it dies or detaches.
///
/// # The protocol
///
/// With one strong reference and no weak one nobody else can make either, but the two numbers cannot be read at once. `get_mut`
/// therefore locks this one at 1, so that no weak reference exists and none can be made, looks at the strong count, and unlocks. A
/// downgrade that meets the lock waits for that one look.
///
/// From 2^31 on the number stands still, and the side header is never freed.
pub(super) struct WeakCount(AtomicU32);

const FULL: u32 = 1 << 31;
const SATURATED: u32 = 3 << 30;
const LOCKED: u32 = u32::MAX;

impl WeakCount {
    /// The object's share alone.
    pub(super) fn new() -> WeakCount {
        WeakCount(AtomicU32::new(1))
    }

    /// The number of weak references, not counting the object's own share; `u32::MAX` once it has saturated.
    pub(super) fn get(&self) -> u32 {
        // Relaxed: a number that is old when it is returned, and orders nothing.
        match self.0.load(Ordering::Relaxed) {
            LOCKED => 0, // The lock is only taken where there is none.
            weak if weak >= FULL => u32::MAX,
            weak => weak - 1,
        }
    }

    /// What `look` says while there is no weak reference and none can be made; `false` if there is one.
    pub(super) fn locked(&self, look: impl FnOnce() -> bool) -> bool {
        // Acquire: pairs with the Release in `give_back`: whoever let the last weak reference go has upgraded, if at all, before.
        // Relaxed on failure: nothing is done with the value.
        if self.0.compare_exchange(1, LOCKED, Ordering::Acquire, Ordering::Relaxed).is_err() {
            return false;
        }
        let answer = look();
        // Release: pairs with the Acquire in `retain_locked`, so that a weak reference made next comes after the look.
        self.0.store(1, Ordering::Release);
        answer
    }

    /// Counts one more weak reference, for the owner of a weak one.
    #[inline]
    pub(super) fn retain(&self) {
        // Relaxed: made from one that the caller owns. The lock is not held while there is a weak reference.
        if self.0.fetch_add(1, Ordering::Relaxed) >= FULL {
            self.0.store(SATURATED, Ordering::Relaxed); // Relaxed: final, and orders nothing.
        }
    }

    /// Counts one more weak reference, for the owner of a strong one, who may meet the lock.
    pub(super) fn retain_locked(&self) {
        // Relaxed: only a guess for the exchange.
        let mut weak = self.0.load(Ordering::Relaxed);
        let mut turn = 0;
        loop {
            if weak == LOCKED {
                turn += 1;
                wait(turn);
                weak = self.0.load(Ordering::Relaxed); // Relaxed: a guess.
                continue;
            }
            let next = if weak >= FULL { SATURATED } else { weak + 1 };
            // Acquire: pairs with the Release in `locked`. Relaxed on failure: a better guess.
            match self.0.compare_exchange_weak(weak, next, Ordering::Acquire, Ordering::Relaxed) {
                Ok(_) => return,
                Err(now) => weak = now,
            }
        }
    }

    /// Gives back one share. `true`: it was the last one, and all that others did with theirs has happened before.
    #[inline]
    pub(super) fn give_back(&self) -> bool {
        // Relaxed: saturation is final.
        if self.0.load(Ordering::Relaxed) >= FULL {
            return false;
        }
        // Release: this thread's use of the side header comes before its memory is freed; pairs with the fence below, and with
        // the Acquire in `locked`.
        if self.0.fetch_sub(1, Ordering::Release) != 1 {
            return false;
        }
        // Acquire: pairs with the Release of every other share that was given back.
        fence(Ordering::Acquire);
        true
    }
}
