//! The free blocks of one class that are ready to hand out.
//!
//! A block in the bin keeps its pool in use, and after frees in random order each block of a bin may keep
//! another pool. So the length adapts: a bin that overflows as often as it is long, without a refill between,
//! is halved, and each refill doubles it again. A program that deletes in bulk soon has short bins.
#![cfg_attr(not(loom), allow(unreachable_pub, reason = "public for loom alone"))]

use super::sync::{AtomicU32, Ordering, const_unless_loom};

/// Fewest blocks that a bin is limited to by adapting.
const SHORTEST: u32 = 4;

/// How long a bin is and may be.
///
/// The owner of the heap changes `count` and `learned`; `limit` is `learned`, or 0 when somebody else has asked
/// for the memory. The owner sees that when it frees into the bin: `count < 0` never holds. All accesses are
/// relaxed, for the request need not be seen at once; it is never overwritten, because the owner changes the
/// limit by compare-and-swap from what it has set itself.
#[derive(Debug)]
pub struct BinLength {
    count: AtomicU32,
    limit: AtomicU32,
    /// What the owner limits the bin to.
    learned: AtomicU32,
    /// Frees since the last refill that found the bin full.
    overflows: AtomicU32,
}

/// What the owner does with a block that a bin has no place for, beside giving it back to its pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Overflow {
    /// Nothing more.
    Full,
    /// Gives blocks back until this many are left.
    Shorten(u32),
}

impl BinLength {
    const_unless_loom! {
        /// An empty bin for up to `longest` blocks.
        pub fn new(longest: u32) -> BinLength {
            BinLength {
                count: AtomicU32::new(0),
                limit: AtomicU32::new(longest),
                learned: AtomicU32::new(longest),
                overflows: AtomicU32::new(0),
            }
        }
    }

    /// Blocks in the bin.
    #[inline(always)]
    pub fn count(&self) -> u32 {
        self.count.load(Ordering::Relaxed)
    }

    /// Counts a block in and returns true, if there is a place for it.
    #[inline(always)]
    pub fn admit(&self) -> bool {
        let count = self.count();
        let admitted = count < self.limit.load(Ordering::Relaxed);
        if admitted {
            self.set_count(count + 1);
        }
        admitted
    }

    /// Counts a block out.
    #[inline(always)]
    pub fn leave(&self) {
        self.set_count(self.count() - 1);
    }

    /// The bin was empty and has got `count` blocks; it may be twice as long, up to `longest`.
    pub fn refilled(&self, count: u32, longest: u32) {
        self.set_count(count);
        self.overflows.store(0, Ordering::Relaxed);
        self.learn((2 * self.learned.load(Ordering::Relaxed)).min(longest));
    }

    /// A block came that was not admitted.
    pub fn overflowed(&self, longest: u32) -> Overflow {
        let learned = self.learned.load(Ordering::Relaxed);
        if self.limit.load(Ordering::Relaxed) == 0 {
            // Asked to: see `ask_to_flush`. A second request before this store is the same request.
            self.limit.store(learned, Ordering::Relaxed);
            return Overflow::Shorten(0);
        }
        let overflows = self.overflows.load(Ordering::Relaxed) + 1;
        let shortest = SHORTEST.min(longest);
        if overflows < learned || learned <= shortest {
            self.overflows.store(overflows, Ordering::Relaxed);
            return Overflow::Full;
        }
        self.overflows.store(0, Ordering::Relaxed);
        let shorter = (learned / 2).max(shortest);
        self.learn(shorter);
        Overflow::Shorten(shorter)
    }

    /// Asks the owner to empty the bin at its next free into it. Anybody may ask.
    pub fn ask_to_flush(&self) {
        // An exchange, so that it stands before or after one of the owner's and not beside it.
        self.limit.swap(0, Ordering::Relaxed);
    }

    fn learn(&self, new: u32) {
        let old = self.learned.load(Ordering::Relaxed);
        self.learned.store(new, Ordering::Relaxed);
        // A failure means that somebody has asked for the memory, which stays so.
        let _ = self.limit.compare_exchange(old, new, Ordering::Relaxed, Ordering::Relaxed);
    }

    #[inline(always)]
    fn set_count(&self, count: u32) {
        self.count.store(count, Ordering::Relaxed);
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_bin_that_only_overflows_is_halved_and_a_refill_doubles_it() {
        let bin = BinLength::new(64);
        bin.refilled(63, 64);
        assert!(bin.admit() && !bin.admit());
        let mut events = Vec::new();
        for _ in 0..200 {
            if let Overflow::Shorten(length) = bin.overflowed(64) {
                events.push(length);
                while bin.count() > length {
                    bin.leave();
                }
            }
        }
        assert_eq!(events, [32, 16, 8, 4]);
        bin.refilled(4, 64);
        assert_eq!((0..10).filter(|_| bin.admit()).count(), 4, "8 blocks at most");
    }

    #[test]
    fn a_request_empties_the_bin_once_and_keeps_what_was_learned() {
        let bin = BinLength::new(16);
        bin.refilled(10, 16);
        bin.ask_to_flush();
        bin.refilled(10, 16);
        assert!(!bin.admit());
        assert_eq!(bin.overflowed(16), Overflow::Shorten(0));
        assert!(bin.admit());
    }
}
