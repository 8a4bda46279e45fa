//! Whether a reference is the only one: the probe of the protocol.
#![allow(unsafe_code, reason = "the weak count is in the side header")]

use super::BiasedHeader;
use crate::primitive::{AtomicU64, Ordering};
use crate::raw::biased::word::BiasedWord;
use core::ptr;

/// What keeps a weak reference from being upgraded while the caller's strong one is found to be the only one.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Only {
    /// There is none, and nobody else who could make one.
    Inline,
    /// The lock of the weak count.
    Locked,
    /// The object is left dead.
    Kill,
}

impl BiasedHeader {
    /// Whether the caller's reference is the only one, strong or weak. It must own that reference exclusively.
    pub(crate) fn is_unique(&self) -> bool {
        match self.side() {
            None => self.is_only(Only::Inline),
            // SAFETY: invariant 1; the caller owns a reference.
            Some(side) => unsafe { side.as_ref() }.weak.locked(|| self.is_only(Only::Locked)),
        }
    }

    /// If the caller's reference is the only strong one: makes sure that no weak one can be upgraded, and returns `true`. The
    /// object is dead then; [`detach_side`](BiasedHeader::detach_side) gives it its one reference back.
    pub(crate) fn seize(&self) -> bool {
        self.is_only(Only::Kill)
    }

    /// Whether the caller's strong reference is the only one, and nobody uses the value through another one any more.
    fn is_only(&self, against: Only) -> bool {
        let kill = against == Only::Kill;
        loop {
            let (place, seen) = self.place();
            // Whoever has made a weak reference meanwhile had a strong one.
            if against == Only::Inline && !ptr::eq(place, &raw const self.shared) {
                return false;
            }
            if seen.is_immortal() || seen.is_queued() {
                return false;
            }
            if seen.is_merged() {
                return seen.count() == 1 && (!kill || self.kill(place, seen));
            }
            if seen.count() == 0 {
                // Relaxed: only a guess, unless it is this thread's.
                if self.local.load(Ordering::Relaxed) != 1 {
                    // Falls through to the departed, who may have had more than one that all have gone.
                } else if self.is_mine() {
                    return !kill || self.kill(place, seen);
                } else if self.is_alone(place, seen, kill) {
                    return true;
                }
            }
            if self.is_mine() || !self.has_departed() {
                return false;
            }
            let dead = self.merge(0);
            debug_assert!(!dead, "the caller's reference is counted");
        }
    }

    /// An object with one reference becomes one that cannot be upgraded, if that was so when the word was seen.
    pub(super) fn kill(&self, place: &AtomicU64, seen: BiasedWord) -> bool {
        if ptr::eq(place, &raw const self.shared) {
            return true;
        }
        let dead = BiasedWord::merged(0, seen.meta());
        // Acquire: pairs with the Release of every drop. Relaxed on failure: nothing is done with the value.
        place.compare_exchange(seen.0, dead.0, Ordering::AcqRel, Ordering::Relaxed).is_ok()
    }

    /// Whether the reference of the caller, who is not the owner, is the only strong one: see the protocol. If `kill`, an object with a side header is left
    /// dead, as it might be upgraded.
    pub(super) fn is_alone(&self, place: &AtomicU64, seen: BiasedWord, kill: bool) -> bool {
        // Relaxed: only asks whether it is worth the exchange.
        if seen.count() != 0 || self.local.load(Ordering::Relaxed) != 1 {
            return false;
        }
        let probed = seen.probed();
        // Acquire: pairs with the Release of every change of the word. Release: it takes part in their release sequence.
        if place.compare_exchange(seen.0, probed.0, Ordering::AcqRel, Ordering::Relaxed).is_err() {
            return false;
        }
        // Acquire: pairs with the Release in `decrement_fast`.
        if self.local.load(Ordering::Acquire) != 1 {
            return false;
        }
        if kill && !ptr::eq(place, &raw const self.shared) {
            return self.kill(place, probed);
        }
        // Relaxed: what it must not miss comes before the load above.
        place.load(Ordering::Relaxed) == probed.0
    }
}
