//! The side header of an object that has, or had, weak references.
#![allow(unsafe_code, reason = "an outlined header owns a share of its side header")]

use super::BiasedHeader;
use crate::primitive::Ordering;
use crate::raw::biased::side::BiasedSide;
use crate::raw::biased::slot::Slot;
use crate::raw::biased::thread;
use crate::raw::biased::word::BiasedWord;
use allocator_api2::alloc::{AllocError, Allocator};
use core::ptr::{self, NonNull};

impl BiasedHeader {
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
pub(super) fn unpack(word: BiasedWord) -> NonNull<BiasedSide> {
    debug_assert!(word.is_outlined());
    #[expect(clippy::cast_possible_truncation, reason = "it was a `usize` in `side_or_insert`")]
    let side = ptr::with_exposed_provenance_mut(word.address() as usize);
    // SAFETY: the address of an allocation (invariant 1 of `BiasedHeader`), so not null.
    unsafe { NonNull::new_unchecked(side) }
}
