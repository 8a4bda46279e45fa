//! The 16 bytes in front of an object that one thread owns and others share.
#![allow(unsafe_code, reason = "an outlined header reaches its side header through a packed pointer")]

use super::queue::{Departed, Link};
use super::side::BiasedSide;
use super::slot::Slot;
use super::thread;
use super::word::BiasedWord;
use crate::primitive::{AtomicU32, AtomicU64, Ordering, contended};
use allocator_api2::alloc::{AllocError, Allocator};
use core::fmt;
use core::ptr::{self, NonNull};

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
/// *The owner's quick death* needs no exchange: with a local count of zero, and none shared, no other reference exists that could change the
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

/// What became of a reference that was to be left to the owner.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Left {
    /// It is in the owner's queue.
    Queued,
    /// It was not the last one, and is gone.
    Gone,
    /// It was the last one: the caller must destroy the object.
    Last,
}

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
        // Relaxed: as nobody else stores. A thread that finds zero here is not alone.
        self.local.store(0, Ordering::Relaxed);
        // Acquire: pairs with the Release of every drop by other threads, whose use of the value is then over.
        if BiasedWord(self.shared.load(Ordering::Acquire)).is_idle() {
            return Drop::Last;
        }
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

    /// Leaves a reference, which [`decrement_slow`](BiasedHeader::decrement_slow) was unsure about, to the owner.
    ///
    /// # Safety
    ///
    /// The caller owns the reference and the link, whose address fits the queue and which stands for the reference. On `Queued` both
    /// are no longer the caller's.
    pub(super) unsafe fn leave(&self, link: NonNull<Link>) -> Left {
        // It may have become an ordinary drop meanwhile. Acquire and Release: the owner must be seen as it is, and see this.
        while self
            .change(Ordering::AcqRel, |word| (word.is_owned() && word.count() == 0).then(|| word.queued()))
            .is_none()
        {
            match self.decrement_shared() {
                Drop::Gone => return Left::Gone,
                Drop::Last => return Left::Last,
                Drop::Unsure => {}
            }
        }
        // Relaxed: if the owner has let the object go, that is seen, as the exchange above comes before or after its own: before, the owner
        // counts this reference when it merges; after, the exchange has found `merged`.
        let owner = Slot(self.owner.load(Ordering::Relaxed));
        let dead = if owner == Slot::NOBODY {
            self.end_queued()
        } else {
            // SAFETY: the caller's promise.
            match unsafe { thread::slots().queue(owner).push(owner.generation(), link) } {
                Ok(()) => return Left::Queued,
                Err(Departed) => self.merge(-1),
            }
        };
        if dead { Left::Last } else { Left::Gone }
    }

    /// A reference that is counted, of an object that the owner is letting go or has let go.
    fn end_queued(&self) -> bool {
        let ended = self.change(Ordering::AcqRel, |word| (!word.is_immortal()).then(|| word.plus(-1)));
        ended.is_some_and(BiasedWord::is_dead)
    }

    /// Adds the local count, and so many more, to the shared one, if nobody has done it before; the object has no owner from now on. `true`: it is
    /// dead, all that others did with it has happened before, and the caller must destroy it.
    ///
    /// For the owner, or for whoever acts for it; and `-more` references are the caller's.
    pub(super) fn merge(&self, more: i64) -> bool {
        // Relaxed, both: the local count does not change any more. Whoever finds no owner before the merging is done counts in the shared word
        // all the same.
        self.owner.store(Slot::NOBODY.0, Ordering::Relaxed);
        let local = i64::from(self.local.load(Ordering::Relaxed));
        // Release, Acquire: as for a drop.
        let merged = self.change(Ordering::AcqRel, |word| {
            let next = if word.is_merged() { word.plus(more) } else { word.merged_with(local + more) };
            (!word.is_immortal()).then_some(next)
        });
        merged.is_some_and(BiasedWord::is_dead)
    }

    /// Lets the object go, for the owner of a reference: whatever thread drops the last one now destroys it.
    pub(crate) fn disown(&self) {
        if self.is_mine() {
            let dead = self.merge(0);
            debug_assert!(!dead, "the caller's reference is counted");
        }
    }

    /// Makes this thread the owner, if the caller's reference is the only one, strong or weak. It must own that reference exclusively.
    pub(crate) fn adopt(&self) -> bool {
        if self.is_mine() || !self.is_unique() {
            return self.is_mine();
        }
        thread::prepare();
        let (place, seen) = self.place();
        let slot = thread::mine();
        if slot != Slot::NONE {
            // Relaxed, all: the caller is the only one who knows the object.
            self.local.store(1, Ordering::Relaxed);
            place.store(BiasedWord::owned(seen.meta()).0, Ordering::Relaxed);
            self.owner.store(slot.0, Ordering::Relaxed);
        }
        slot != Slot::NONE
    }

    /// A reference that came from an upgrade is counted in the shared word. If it is the owner's, it belongs into the local count, or that would fall to
    /// zero while the owner still has references.
    #[inline]
    pub(crate) fn upgraded(&self) {
        if self.is_mine() {
            self.bring_home();
        }
    }

    #[inline(never)]
    fn bring_home(&self) {
        // First, so that the reference is counted all the time. Relaxed, both: as in `increment`.
        let local = self.local.load(Ordering::Relaxed);
        self.local.store(local + 1, Ordering::Relaxed);
        // Release: as every change that a probe must not miss.
        let moved = self.change(Ordering::Release, |word| {
            (!word.is_immortal() && (word.count() > 0 || word.is_queued())).then(|| word.plus(-1))
        });
        // Another thread has taken the shared count back to zero: its reference was counted locally, ours is now.
        if moved.is_none() {
            // Release: as in `decrement_fast`.
            self.local.store(local, Ordering::Release);
        } else if local + 1 >= LOCAL_FULL {
            self.saturate();
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
    fn kill(&self, place: &AtomicU64, seen: BiasedWord) -> bool {
        if ptr::eq(place, &raw const self.shared) {
            return true;
        }
        let dead = BiasedWord::merged(0, seen.meta());
        // Acquire: pairs with the Release of every drop. Relaxed on failure: nothing is done with the value.
        place.compare_exchange(seen.0, dead.0, Ordering::AcqRel, Ordering::Relaxed).is_ok()
    }

    /// Whether the reference of the caller, who is not the owner, is the only strong one: see the protocol. If `kill`, an object with a side header is left
    /// dead, as it might be upgraded.
    fn is_alone(&self, place: &AtomicU64, seen: BiasedWord, kill: bool) -> bool {
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

    /// Whether the thread that owns the object is gone. Then its local count does not change any more, and is seen.
    fn has_departed(&self) -> bool {
        // Relaxed: an owner that has let the object go is told by the shared word.
        let owner = Slot(self.owner.load(Ordering::Relaxed));
        owner != Slot::NOBODY && !thread::slots().queue(owner).is_open(owner.generation())
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

    /// The side header, if there is one.
    #[inline]
    pub(crate) fn side(&self) -> Option<NonNull<BiasedSide>> {
        // Acquire: pairs with the Release in `side_or_insert`: the side header's contents are there.
        let word = BiasedWord(self.shared.load(Ordering::Acquire));
        word.is_outlined().then(|| unpack(word))
    }

    /// The side header; made now if this is the object's first weak reference.
    ///
    /// # Errors
    ///
    /// `alloc` has no memory, or its address has more than 48 bits; nothing has changed.
    pub(crate) fn side_or_insert<A: Allocator>(&self, alloc: &A) -> Result<NonNull<BiasedSide>, AllocError> {
        // Acquire, here and below: pairs with the Release below, of the thread that came first.
        let mut seen = BiasedWord(self.shared.load(Ordering::Acquire));
        if seen.is_outlined() {
            return Ok(unpack(seen));
        }
        let new = BiasedSide::allocate(seen, alloc)?;
        loop {
            let outlined = BiasedWord::outlined(new.as_ptr().expose_provenance() as u64);
            let done = match outlined {
                _ if seen.is_outlined() => Ok(unpack(seen)),
                None => Err(AllocError),
                Some(outlined) => {
                    // Relaxed: published by the exchange. `plus`: no longer probed.
                    // SAFETY: no one else has seen the new side header, whose only share is ours.
                    unsafe { new.as_ref() }.shared.store(seen.plus(0).0, Ordering::Relaxed);
                    // Release: publishes the side header. Acquire: pairs with the Release of the drops that counted in the header.
                    match self.shared.compare_exchange(
                        seen.0,
                        outlined.0,
                        Ordering::AcqRel,
                        Ordering::Acquire,
                    ) {
                        Ok(_) => return Ok(new),
                        Err(now) => seen = BiasedWord(now),
                    }
                    continue;
                }
            };
            // SAFETY: ours, as above.
            unsafe { BiasedSide::release(new, alloc) };
            return done;
        }
    }

    /// Makes an object with a side header one that cannot be upgraded yet; nobody else knows it.
    pub(crate) fn unborn(&self) {
        let (place, word) = self.place();
        place.store(BiasedWord::merged(0, word.meta()).0, Ordering::Relaxed); // Relaxed: nobody else knows it.
    }

    /// The value of such an object is there, and one reference to it.
    pub(crate) fn born(&self) {
        let (place, word) = self.place();
        // Relaxed: this thread wrote it, or had no slot.
        let owned = self.owner.load(Ordering::Relaxed) != Slot::NOBODY.0;
        let born = if owned { BiasedWord::owned(word.meta()) } else { BiasedWord::merged(1, word.meta()) };
        // Release: the value's content; pairs with the Acquire in `BiasedSide::upgrade`.
        place.store(born.0, Ordering::Release);
    }

    /// Back to a header without a side header, with one reference, that of this thread; weak references are left behind.
    ///
    /// # Safety
    ///
    /// [`seize`](BiasedHeader::seize) has returned `true`; `alloc` can free the side header's memory.
    pub(crate) unsafe fn detach_side<A: Allocator>(&self, alloc: &A) {
        if let Some(side) = self.side() {
            let meta = self.meta();
            let slot = thread::mine();
            let (owner, local, word) = match slot {
                Slot::NONE => (Slot::NOBODY, 0, BiasedWord::merged(1, meta)),
                slot => (slot, 1, BiasedWord::owned(meta)),
            };
            // Relaxed, all: no other thread looks at the header of an object with one reference that cannot be upgraded.
            self.local.store(local, Ordering::Relaxed);
            self.shared.store(word.0, Ordering::Relaxed);
            self.owner.store(owner.0, Ordering::Relaxed);
            // SAFETY: the header no longer names the side header, so its share goes once.
            unsafe { BiasedSide::release(side, alloc) };
        }
    }

    /// Whether there is a side header. For the owner of a dead object.
    #[inline]
    pub(crate) fn is_outlined(&self) -> bool {
        // Relaxed: an object that was outlined by another thread did not die before this one has acquired all that happened to it.
        BiasedWord(self.shared.load(Ordering::Relaxed)).is_outlined()
    }

    /// The object is about to be freed: gives back its share of the side header, if it has one, and is left dead.
    ///
    /// # Safety
    ///
    /// The object is dead; `alloc` can free the side header's memory.
    pub(crate) unsafe fn release_side<A: Allocator>(&self, alloc: &A) {
        if let Some(side) = self.side() {
            let meta = self.meta();
            // Relaxed: nobody else looks at the header of a dead object.
            self.shared.store(BiasedWord::merged(0, meta).0, Ordering::Relaxed);
            // SAFETY: the header no longer names the side header, so its share goes once.
            unsafe { BiasedSide::release(side, alloc) };
        }
    }
}

/// The side header that an outlined word names.
fn unpack(word: BiasedWord) -> NonNull<BiasedSide> {
    debug_assert!(word.is_outlined());
    #[expect(clippy::cast_possible_truncation, reason = "it was a `usize` in `side_or_insert`")]
    let side = ptr::with_exposed_provenance_mut(word.address() as usize);
    // SAFETY: the address of an allocation (invariant 1 of `BiasedHeader`), so not null.
    unsafe { NonNull::new_unchecked(side) }
}

impl fmt::Debug for BiasedHeader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BiasedHeader").field("count", &self.count()).finish_non_exhaustive()
    }
}
