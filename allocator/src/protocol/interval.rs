//! Something that is done by one thread at a time, and not too often.
#![cfg_attr(not(loom), allow(unreachable_pub, reason = "public for loom alone"))]

use super::sync::{AtomicU64, Ordering, const_unless_loom};

/// When something was done last, in milliseconds of a clock that starts above 0.
#[derive(Debug)]
pub struct Interval {
    last: AtomicU64,
}

impl Interval {
    const_unless_loom! {
        /// Nothing was done yet.
        pub fn new() -> Interval {
            Interval { last: AtomicU64::new(0) }
        }
    }

    /// True for one of the callers that ask at `now` or later, if `interval` milliseconds have passed since it
    /// was last true. A clock that seems to run backwards between threads makes it false.
    #[inline]
    pub fn is_due(&self, now: u64, interval: u64) -> bool {
        // All relaxed: the exchange lets one caller through, who orders nothing by it.
        let last = self.last.load(Ordering::Relaxed);
        now.saturating_sub(last) >= interval
            && self.last.compare_exchange(last, now, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }
}

impl Default for Interval {
    fn default() -> Interval {
        Interval::new()
    }
}
