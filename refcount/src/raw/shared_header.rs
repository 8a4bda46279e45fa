//! The 8 bytes in front of an object that threads share.
#![allow(unsafe_code, reason = "an outlined header reaches its side header through a packed pointer")]

use super::shared_side::SharedSide;
use super::shared_word::SharedWord;
use crate::primitive::{AtomicU64, Ordering, fence};
use allocator_api2::alloc::{AllocError, Allocator};
use core::fmt;
use core::ptr::{self, NonNull};

/// Count and meta of an object that threads share: the atomic twin of [`Header`](super::Header).
///
/// # The protocol
///
/// The fast path is one read-modify-write of the word, after a look at it if `check_first`, a constant at every call. What it finds afterwards may be
///
/// * *mortal*: done, or this was the last reference;
/// * *immortal*: it takes its own change back ("in transit"), and is done;
/// * *outlined*: it takes its own change back, and counts in the side header.
///
/// The word moves from mortal to immortal or outlined, and from immortal to outlined, by a compare-exchange of the whole word:
/// it fails if anybody has counted meanwhile, so no count is lost. The way back, [`detach_side`](SharedHeader::detach_side), is open only
/// to the one owner of an object that can no longer be upgraded: nobody else is then between its two instructions, because
/// whoever is owns a reference until after the second.
///
/// There is no ABA: a side header stays until its object dies or detaches, and no other thread looks at the header by then.
///
/// # Invariants
///
/// 1. An outlined word holds the exposed address of a [`SharedSide`] of which this header owns one share.
pub(crate) struct SharedHeader {
    word: AtomicU64,
}

#[cfg(not(loom))]
const _: () = assert!(size_of::<SharedHeader>() == 8 && align_of::<SharedHeader>() == 8);

impl SharedHeader {
    /// A header with one reference. `meta` has 30 bits.
    pub(crate) fn new(meta: u32) -> SharedHeader {
        SharedHeader { word: AtomicU64::new(SharedWord::first(meta).0) }
    }

    /// The header of an object that is immortal from the beginning.
    #[cfg(not(loom))]
    pub(crate) const fn new_immortal(meta: u32) -> SharedHeader {
        SharedHeader { word: AtomicU64::new(SharedWord::immortal(meta).0) }
    }

    #[inline]
    fn load(&self, order: Ordering) -> SharedWord {
        SharedWord(self.word.load(order))
    }

    /// Counts one more reference; the caller owns one already.
    #[inline]
    pub(crate) fn increment(&self, check_first: bool) {
        // Relaxed: what is slow stays slow while the caller owns a reference, and what is immortal never dies.
        let seen = if check_first { self.load(Ordering::Relaxed) } else { SharedWord::first(0) };
        if seen.is_slow() {
            if seen.is_outlined() {
                self.increment_slow();
            }
            return;
        }
        // Relaxed: the new reference is made from one that the caller owns, so it has seen all that it must.
        let before = SharedWord(self.word.fetch_add(1, Ordering::Relaxed));
        if before.is_slow_or_full() {
            self.increment_again(before);
        }
    }

    /// `extern "C"` as in [`Header`](super::Header): it cannot unwind, so callers keep their values in registers.
    #[cold]
    #[inline(never)]
    extern "C" fn increment_slow(&self) {
        if let Some(side) = self.side() {
            // SAFETY: invariant 1; the caller's reference keeps the object, and the object the side header.
            unsafe { side.as_ref() }.increment();
        }
    }

    #[cold]
    #[inline(never)]
    extern "C" fn increment_again(&self, before: SharedWord) {
        if before.is_slow() {
            before.expect_room();
            self.word.fetch_sub(1, Ordering::Relaxed); // Relaxed: only what was in transit is taken back.
            self.increment_slow();
        } else {
            self.immortalize();
        }
    }

    /// Counts one reference less. `true`: that was the last one, all that others did with theirs has happened before, and the
    /// caller must destroy the object.
    #[inline]
    #[must_use = "on `true` the caller must destroy the object"]
    pub(crate) fn decrement(&self, check_first: bool) -> bool {
        // Relaxed: what is slow stays slow while the caller owns a reference, and what is immortal never dies.
        let seen = if check_first { self.load(Ordering::Relaxed) } else { SharedWord::first(0) };
        if seen.is_slow() {
            return seen.is_outlined() && self.decrement_slow();
        }
        // Release: what this thread did with the object comes before what the last one does; pairs with the fence below.
        let before = SharedWord(self.word.fetch_sub(1, Ordering::Release));
        if before.is_slow() {
            return self.decrement_again(before);
        }
        debug_assert!(before.count() != 0, "a reference was dropped that had not been counted");
        if before.count() != 1 {
            return false;
        }
        // Acquire: pairs with the Release of every earlier drop.
        fence(Ordering::Acquire);
        true
    }

    #[cold]
    #[inline(never)]
    fn decrement_slow(&self) -> bool {
        // SAFETY: invariant 1; the reference that goes here keeps the object until it has been subtracted.
        self.side().is_some_and(|side| unsafe { side.as_ref() }.decrement())
    }

    #[cold]
    #[inline(never)]
    fn decrement_again(&self, before: SharedWord) -> bool {
        before.expect_room();
        self.word.fetch_add(1, Ordering::Relaxed); // Relaxed: only what was in transit is taken back.
        self.decrement_slow()
    }

    /// The object is never destroyed from now on.
    pub(crate) fn immortalize(&self) {
        // Acquire: pairs with the Release in `side_or_insert`, should the word name a side header.
        let mut seen = self.load(Ordering::Acquire);
        while !seen.is_slow() {
            let immortal = SharedWord::immortal(seen.meta()).0;
            // Relaxed: nobody reads anything else because the object is immortal. Acquire on failure: as above.
            match self.word.compare_exchange_weak(seen.0, immortal, Ordering::Relaxed, Ordering::Acquire) {
                Ok(_) => return,
                Err(now) => seen = SharedWord(now),
            }
        }
        if seen.is_outlined() {
            // SAFETY: invariant 1; the caller owns a reference.
            unsafe { unpack(seen).as_ref() }.immortalize();
        }
    }

    /// The number of references.
    pub(crate) fn count(&self) -> u32 {
        // Relaxed: a number that is old when it is returned, and orders nothing.
        let word = self.load(Ordering::Relaxed);
        if !word.is_slow() {
            return word.count();
        }
        // SAFETY: invariant 1; the caller owns a reference.
        self.side().map_or(u32::MAX, |side| unsafe { side.as_ref() }.count())
    }

    /// The number of weak references.
    pub(crate) fn weak_count(&self) -> u32 {
        // SAFETY: invariant 1; the caller owns a reference.
        self.side().map_or(0, |side| unsafe { side.as_ref() }.weak_count())
    }

    /// The owner's bits.
    #[inline]
    pub(crate) fn meta(&self) -> u32 {
        match self.side() {
            // SAFETY: invariant 1; the caller owns a reference or the dead object.
            Some(side) => unsafe { side.as_ref() }.meta(),
            // Relaxed: see `SharedSide::meta`.
            None => self.load(Ordering::Relaxed).meta(),
        }
    }

    /// Replaces the owner's bits, for the one owner of an object without weak references.
    pub(crate) fn set_meta(&self, meta: u32) {
        match self.side() {
            // SAFETY: invariant 1, and the caller owns a reference.
            Some(side) => unsafe { side.as_ref() }.set_meta(meta),
            None => {
                let word = self.load(Ordering::Relaxed); // Relaxed: nobody else is there to write.
                self.word.store(SharedWord::mortal(word.count(), meta).0, Ordering::Relaxed); // Relaxed: as above.
            }
        }
    }

    /// The side header, if there is one.
    #[inline]
    pub(crate) fn side(&self) -> Option<NonNull<SharedSide>> {
        // Acquire: pairs with the Release in `side_or_insert`: the side header's contents are there.
        let word = self.load(Ordering::Acquire);
        word.is_outlined().then(|| unpack(word))
    }

    /// The side header; made now if this is the object's first weak reference.
    ///
    /// # Errors
    ///
    /// `alloc` has no memory, or its address has more than 48 bits; nothing has changed.
    pub(crate) fn side_or_insert<A: Allocator>(&self, alloc: &A) -> Result<NonNull<SharedSide>, AllocError> {
        // Acquire: pairs with the Release below, of the thread that came first.
        let mut seen = self.load(Ordering::Acquire);
        if seen.is_outlined() {
            return Ok(unpack(seen));
        }
        let new = SharedSide::allocate(seen.meta(), alloc)?;
        loop {
            if seen.is_outlined() {
                // SAFETY: no one else has seen the new side header, whose only share is ours.
                unsafe { SharedSide::release(new, alloc) };
                return Ok(unpack(seen));
            }
            let count = if seen.is_slow() { u32::MAX } else { seen.count() };
            // SAFETY: ours, as above.
            unsafe { new.as_ref() }.set_count(count);
            let Some(outlined) = seen.outlined(new.as_ptr().expose_provenance() as u64) else {
                // SAFETY: ours, as above.
                unsafe { SharedSide::release(new, alloc) };
                return Err(AllocError);
            };
            // Release: publishes the side header; pairs with the Acquire in `side`. Acquire: pairs with the Release of the drops
            // that counted in the header, so that they come before this thread's own drop and therefore before the last one.
            // Acquire on failure: the word may name another thread's side header.
            match self.word.compare_exchange(seen.0, outlined.0, Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) => return Ok(new),
                Err(now) => seen = SharedWord(now),
            }
        }
    }

    /// Makes an object with a side header one that cannot be upgraded yet; nobody else knows it.
    pub(crate) fn unborn(&self) {
        // SAFETY: invariant 1; the caller has the object.
        let _side = self.side().inspect(|side| unsafe { side.as_ref() }.set_count(0));
    }

    /// The value of such an object is there, and one reference to it.
    pub(crate) fn born(&self) {
        // SAFETY: invariant 1; the caller has the object.
        let _side = self.side().inspect(|side| unsafe { side.as_ref() }.set_count(1));
    }

    /// A reference came from an upgrade, and is counted.
    #[inline]
    pub(crate) fn upgraded(&self) {}

    /// Whether the caller's reference is the only one, strong or weak. It must own that reference exclusively.
    pub(crate) fn is_unique(&self) -> bool {
        // Acquire: pairs with the Release of the drops before, whose use of the value is then over. Without a side header there
        // is no weak reference, and with one reference there is nobody who could make one.
        let word = self.load(Ordering::Acquire);
        if word.is_outlined() {
            // SAFETY: invariant 1; the caller owns a reference.
            return unsafe { unpack(word).as_ref() }.is_unique();
        }
        word.is_one()
    }

    /// If the caller's reference is the only strong one: makes sure that no weak one can be upgraded, and returns `true`. The
    /// object is dead then; [`detach_side`](SharedHeader::detach_side) gives it its one reference back.
    pub(crate) fn seize(&self) -> bool {
        // Acquire: as in `is_unique`.
        let word = self.load(Ordering::Acquire);
        if word.is_outlined() {
            // SAFETY: invariant 1; the caller owns a reference.
            return unsafe { unpack(word).as_ref() }.seize();
        }
        word.is_one()
    }

    /// Back to a header without a side header, with one reference; weak references are left behind.
    ///
    /// # Safety
    ///
    /// [`seize`](SharedHeader::seize) has returned `true`; `alloc` can free the side header's memory.
    pub(crate) unsafe fn detach_side<A: Allocator>(&self, alloc: &A) {
        if let Some(side) = self.side() {
            // SAFETY: invariant 1.
            let meta = unsafe { side.as_ref() }.meta();
            // Relaxed: no other thread looks at the header of an object with one reference that cannot be upgraded.
            self.word.store(SharedWord::first(meta).0, Ordering::Relaxed);
            // SAFETY: the header no longer names the side header, so its share goes once.
            unsafe { SharedSide::release(side, alloc) };
        }
    }

    /// Whether count and meta have moved to a side header. For the owner of a dead object: nobody moves them any more.
    #[inline]
    pub(crate) fn is_outlined(&self) -> bool {
        // Relaxed: an object that was outlined by another thread did not die before this one has acquired all that happened to it.
        self.load(Ordering::Relaxed).is_outlined()
    }

    /// The object is about to be freed: gives back its share of the side header, if it has one, and is left with a count of zero.
    ///
    /// # Safety
    ///
    /// The object is dead; `alloc` can free the side header's memory.
    pub(crate) unsafe fn release_side<A: Allocator>(&self, alloc: &A) {
        if let Some(side) = self.side() {
            // SAFETY: invariant 1.
            let meta = unsafe { side.as_ref() }.meta();
            // Relaxed: nobody else looks at the header of a dead object.
            self.word.store(SharedWord::mortal(0, meta).0, Ordering::Relaxed);
            // SAFETY: the header no longer names the side header, so its share goes once.
            unsafe { SharedSide::release(side, alloc) };
        }
    }
}

/// The side header that an outlined word names.
fn unpack(word: SharedWord) -> NonNull<SharedSide> {
    debug_assert!(word.is_outlined());
    #[expect(clippy::cast_possible_truncation, reason = "it was a `usize` in `side_or_insert`")]
    let side = ptr::with_exposed_provenance_mut(word.address() as usize);
    // SAFETY: the address of an allocation (invariant 1 of `SharedHeader`), so not null.
    unsafe { NonNull::new_unchecked(side) }
}

impl fmt::Debug for SharedHeader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedHeader").field("count", &self.count()).finish_non_exhaustive()
    }
}
