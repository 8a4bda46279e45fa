//! The 16 bytes in front of an object that one thread owns and others share.
//!
//! Here is how references are counted; `owner` has how an object loses its owner and gets another, `only` how a thread finds out that its
//! reference is the only one, `outline` the side header that weak references need.
#![allow(unsafe_code, reason = "an outlined header reaches its side header through a packed pointer")]

mod only;
mod outline;
mod owner;

use super::slot::Slot;
use super::thread;
use super::word::BiasedWord;
use crate::primitive::{AtomicU32, AtomicU64, Ordering, contended};
use core::fmt;
use outline::unpack;

pub(super) use owner::Left;

/// PEP 703's biased count: the thread that owns the object counts without atomic read-modify-writes, all others in a shared word.
///
/// ```text
///  byte  0              4              8                             16
///        ┌──────────────┬──────────────┬──────────────────────────────┬─────────
///        │ owner        │ local count  │ shared: count | meta | state │ value …
///        └──────────────┴──────────────┴──────────────────────────────┴─────────
/// ```
///
/// # The protocol
///
/// *Counting.* The references to an object are `local + shared`, those that belong to the owner's queue included. Rust moves references between
/// threads without a word, so that the shared count may be below what others own, and below zero.
///
/// *The owner* counts in `local` by loads and stores. When that falls to zero it lets the object go: it is dead if the shared word is idle;
/// otherwise the owner *merges*: adds what is left of `local` to the shared count, and all threads count there from now on, as in an `Arc`.
///
/// *The others* count in the shared word. A drop that would take its count below zero, and so might be the last one, cannot tell, since it does not see
/// what the owner holds. It finds out in one of three ways:
///
/// 1. *Alone.* If `local` is 1, it marks the shared word as probed, looks at `local` again, and then at the shared word. If that is what it has
///    written, the shared count was zero all the time between, and `local` was 1 at one moment of it: all references at that moment were one,
///    its own. Nobody is left who could clone. The object dies at once, where it is, and its owner hears nothing of it. (CPython cannot do this, as
///    its objects are found through borrowed references; there such an object waits for its owner.)
/// 2. *Departed.* If the owner's queue is of another generation, its thread is gone and `local` does not change any more: the drop merges.
/// 3. *Queued.* Otherwise the reference itself, still counted, goes to the owner's queue, once in the life of an object: the owner merges when it
///    looks there.
///
/// *Why a probe is sound.* Every change of the shared word is a compare-exchange with Release that clears the mark. The probing exchange acquires, so it
/// has seen every local store that comes before any change of the shared word up to then; the look at `local` acquires the owner's last decrement
/// (a Release), so the second look at the shared word sees every change that comes before that. What is found is therefore a state that the object
/// really had: no count is seen whose counterpart is missed. No ABA: a count that went up and came down again has cleared the mark.
///
/// *The owner's quick death* needs no exchange: with a local count of one, its own, and none shared, no other reference exists that could change the
/// word. An object with weak references has a side header, in which its shared word is; there death is always an exchange, as upgrades
/// come out of nowhere.
///
/// *Immortal* is a shared count of 2^30 or more. Only the owner can clear `owner`; if another thread made the object immortal, the owner goes on counting
/// locally, which does no harm.
///
/// # Invariants
///
/// 1. An outlined word holds the exposed address of a [`BiasedSide`] of which this header owns one share.
/// 2. `owner` and `local` are stored to by the thread whose slot `owner` is, by whoever acts for it (it is stopped or gone), or by the owner of
///    the only reference. If `owner` is a slot, `local` is not zero, except between the two halves of the owner's last drop.
/// 3. The count of an owned word is not negative: what takes it below zero makes it queued.
pub(crate) struct BiasedHeader {
    owner: AtomicU32,
    local: AtomicU32,
    shared: AtomicU64,
}

#[cfg(not(loom))]
const _: () = assert!(size_of::<BiasedHeader>() == 16 && align_of::<BiasedHeader>() == 8);

/// What became of a reference that was dropped.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Drop {
    /// There are others.
    Gone,
    /// It was the last one: the caller must destroy the object.
    Last,
    /// It may be the last one: it is still counted, and is to be [left to the owner](BiasedHeader::leave).
    Unsure,
}

/// Beyond this the owner's count stands still.
const LOCAL_FULL: u32 = 1 << 31;

impl BiasedHeader {
    /// A header with one reference, owned by this thread; or by none, if it has no slot. `meta` has 29 bits.
    #[inline]
    pub(crate) fn new(meta: u32) -> BiasedHeader {
        let slot = thread::mine();
        if slot == Slot::NONE {
            return BiasedHeader::new_merged(meta);
        }
        BiasedHeader {
            owner: AtomicU32::new(slot.0),
            local: AtomicU32::new(1),
            shared: AtomicU64::new(BiasedWord::owned(meta).0),
        }
    }

    #[cold]
    fn new_merged(meta: u32) -> BiasedHeader {
        BiasedHeader {
            owner: AtomicU32::new(Slot::NOBODY.0),
            local: AtomicU32::new(0),
            shared: AtomicU64::new(BiasedWord::merged(1, meta).0),
        }
    }

    /// Whether this thread counts locally.
    #[inline]
    pub(crate) fn is_mine(&self) -> bool {
        // Relaxed: it equals this thread's slot only if this thread has stored it, or came by the object after it was stored.
        self.owner.load(Ordering::Relaxed) == thread::mine().0
    }

    /// Counts one more reference; the caller owns one already.
    #[inline]
    pub(crate) fn increment(&self) {
        if !self.is_mine() {
            return self.increment_shared();
        }
        // Relaxed, both: invariant 2. A probe learns of it by the reference that it came from, which was counted before.
        let local = self.local.load(Ordering::Relaxed) + 1;
        self.local.store(local, Ordering::Relaxed);
        if local >= LOCAL_FULL {
            self.saturate();
        }
    }

    /// `extern "C"` as in [`Header`](super::super::Header): it cannot unwind, so callers keep their values in registers. Cold, so that the owner's way is a
    /// straight one.
    #[cold]
    #[inline(never)]
    extern "C" fn increment_shared(&self) {
        // Release: so that no probe misses what came before.
        let _immortal = self.change(Ordering::Release, |word| (!word.is_immortal()).then(|| word.plus(1)));
    }

    #[cold]
    #[inline(never)]
    extern "C" fn saturate(&self) {
        self.immortalize();
    }

    /// Counts one reference less, if this is the owner's and not its last one; otherwise nothing is done.
    #[inline]
    #[must_use = "`false` leaves all to `decrement_slow`"]
    pub(crate) fn decrement_fast(&self) -> bool {
        if self.is_mine() {
            // Relaxed: invariant 2.
            let local = self.local.load(Ordering::Relaxed) - 1;
            if local != 0 {
                // Release: what this thread did with the object comes before what a thread does that finds itself alone; pairs with the
                // Acquire in `is_alone`.
                self.local.store(local, Ordering::Release);
                return true;
            }
        }
        false
    }

    /// What [`decrement_fast`](BiasedHeader::decrement_fast) leaves over: the owner's last reference, or that of another thread.
    #[inline]
    #[must_use = "on `Last` the caller must destroy the object, on `Unsure` leave the reference"]
    pub(crate) fn decrement_slow(&self) -> Drop {
        if !self.is_mine() {
            return self.decrement_shared();
        }
        // Acquire: pairs with the Release of every drop by other threads, whose use of the value is then over.
        if BiasedWord(self.shared.load(Ordering::Acquire)).is_idle() {
            return Drop::Last;
        }
        // Relaxed: as nobody else stores. A thread that finds zero here is not alone.
        self.local.store(0, Ordering::Relaxed);
        if self.merge(0) { Drop::Last } else { Drop::Gone }
    }

    #[inline(never)]
    fn decrement_shared(&self) -> Drop {
        let (mut place, mut seen) = self.place();
        let mut turn = 0;
        loop {
            if seen.is_immortal() {
                return Drop::Gone;
            }
            if seen.is_owned() && seen.count() == 0 {
                if self.is_alone(place, seen, true) {
                    return Drop::Last;
                }
                if self.has_departed() {
                    return if self.merge(-1) { Drop::Last } else { Drop::Gone };
                }
                // Relaxed: only asks whether it is worth another try.
                if self.local.load(Ordering::Relaxed) != 1 {
                    return Drop::Unsure;
                }
                (place, seen) = self.place();
                contended(&mut turn);
                if turn > 3 {
                    return Drop::Unsure;
                }
                continue;
            }
            let next = seen.plus(-1);
            // Release: what this thread did with the object comes before its death; Acquire: what all others did, if this is the last one.
            match place.compare_exchange_weak(seen.0, next.0, Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) if next.is_dead() => return Drop::Last,
                Ok(_) => return Drop::Gone,
                Err(_) => (place, seen) = self.place(),
            }
            contended(&mut turn);
        }
    }

    /// The object is never destroyed from now on.
    pub(crate) fn immortalize(&self) {
        let _already = self.change(Ordering::Release, |word| (!word.is_immortal()).then(|| word.immortal()));
        if self.is_mine() {
            // Relaxed: the shared word says all.
            self.owner.store(Slot::NOBODY.0, Ordering::Relaxed);
        }
    }

    /// Whether it is never destroyed.
    pub(crate) fn is_immortal(&self) -> bool {
        self.place().1.is_immortal()
    }

    /// The number of references, without that of the owner's queue: exact if nobody is counting at the moment. `u32::MAX` if the object is
    /// immortal.
    pub(crate) fn count(&self) -> u32 {
        let word = self.place().1;
        if word.is_immortal() {
            return u32::MAX;
        }
        // Relaxed: a number that is old when it is returned, and orders nothing.
        let local = if word.is_merged() { 0 } else { self.local.load(Ordering::Relaxed) };
        let queued = i64::from(word.is_queued());
        // The caller has one.
        u32::try_from(i64::from(local) + i64::from(word.count()) - queued).map_or(1, |count| count.max(1))
    }

    /// The number of weak references.
    pub(crate) fn weak_count(&self) -> u32 {
        // SAFETY: invariant 1; the caller owns a reference.
        self.side().map_or(0, |side| unsafe { side.as_ref() }.weak_count())
    }

    /// The embedder's bits.
    #[inline]
    pub(crate) fn meta(&self) -> u32 {
        self.place().1.meta()
    }

    /// Where the shared word is, and what it says.
    #[inline]
    fn place(&self) -> (&AtomicU64, BiasedWord) {
        // Acquire: pairs with the Release in `side_or_insert`, and with that of the drops, for whoever finds itself the last.
        let seen = BiasedWord(self.shared.load(Ordering::Acquire));
        if !seen.is_outlined() {
            return (&self.shared, seen);
        }
        // SAFETY: invariant 1; the caller owns a reference or the dead object.
        let place = unsafe { &(*unpack(seen).as_ptr()).shared };
        (place, BiasedWord(place.load(Ordering::Acquire))) // Acquire: as above.
    }

    /// Replaces the shared word by what `next` makes of it, and returns that; or `None`, if `next` wants no change.
    fn change(
        &self,
        success: Ordering,
        next: impl Fn(BiasedWord) -> Option<BiasedWord>,
    ) -> Option<BiasedWord> {
        let (mut place, mut seen) = self.place();
        let mut turn = 0;
        loop {
            let next = next(seen)?;
            // Acquire on failure: as in `place`.
            match place.compare_exchange_weak(seen.0, next.0, success, Ordering::Acquire) {
                Ok(_) => return Some(next),
                Err(_) => contended(&mut turn),
            }
            (place, seen) = self.place();
        }
    }
}

impl fmt::Debug for BiasedHeader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BiasedHeader").field("count", &self.count()).finish_non_exhaustive()
    }
}
