//! The 8 bytes in front of every counted object.
#![allow(unsafe_code, reason = "an outlined header reaches its side header through a packed pointer")]

use super::count::{Count, CountWord};
use super::side::Side;
use allocator_api2::alloc::{AllocError, Allocator};
use core::cell::Cell;
use core::fmt;
use core::ptr::{self, NonNull};

/// The count of an object and 32 bits for its embedder.
///
/// ```text
///             count, 32 bits                          meta, 32 bits
///           ┌───┬──────────────────────────────┬───┐ ┌──────────────────────────┐
///  mortal   │ 0 │        references - 1        │ 1 │ │ the embedder's           │
///           ├───┼───┬──────────────────────────┴───┤ ├──────────────────────────┤
///  immortal │ 1 │ 0 │ (not looked at)              │ │ the embedder's           │
///           ├───┼───┼───┬──────────────────────────┤ ├──────────────────────────┤
///  outlined │ 1 │ 1 │ 0 │ side address, 35..=63    │ │ side address, bits 3..35 │
///           └───┴───┴───┴──────────────────────────┘ └──────────────────────────┘
///            31  30  29                             0   31                       0
/// ```
///
/// Counting touches the first word only: one addition in memory and a test of the result's sign. An object with a weak reference is *outlined*: its
/// count and meta have moved to a [`Side`] header, and every method here follows it there.
///
/// Counting is not synchronised: a header belongs to one thread at a time (it is `!Sync`).
///
/// # Invariants
///
/// 1. An outlined header holds the exposed address of a [`Side`] whose object share is this header's, so the side header stays
///    allocated as long as this header says so.
/// 2. A header whose count is not zero is not eight zero bytes. (A mortal word is odd, the other two have bit 31 set.)
///    A heap walker may therefore take eight zero bytes for free memory.
#[repr(C, align(8))]
pub struct Header {
    count: Cell<CountWord>,
    meta: Cell<u32>,
}

const _: () = assert!(size_of::<Header>() == 8 && align_of::<Header>() == 8);
// What is left of an address once its alignment is shifted out must fit into the payload and the meta word.
const _: () = assert!(usize::BITS - align_of::<Side>().ilog2() <= CountWord::PAYLOAD_BITS + u32::BITS);

/// How far [`Header::decrement_fast`] came.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Decrement {
    /// The reference is gone, and it was not the last one.
    Done,
    /// This is the last reference, or the header is immortal or outlined: [`Header::decrement_slow`] decides.
    Unsure,
}

/// How far [`Header::increment_fast`] came.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Increment {
    /// The reference is counted.
    Done,
    /// The header is immortal, outlined or full: [`Header::increment_slow`] decides.
    Unsure,
}

impl Header {
    /// A header with one reference.
    pub const fn new(meta: u32) -> Header {
        Header { count: Cell::new(CountWord::FIRST), meta: Cell::new(meta) }
    }

    /// Counts one more reference. Beyond 2^30 references the object becomes immortal; an immortal header is left as it was.
    #[inline]
    pub fn increment(&self) {
        if self.increment_fast() == Increment::Unsure {
            self.increment_slow();
        }
    }

    /// The part of [`increment`](Header::increment) that belongs into every clone.
    ///
    /// After [`Increment::Unsure`] the header is between two states: nothing but `increment_slow` may be called on it.
    #[inline]
    #[must_use = "`Unsure` leaves the rest to `increment_slow`"]
    pub(crate) fn increment_fast(&self) -> Increment {
        let word = self.count.get().up();
        self.count.set(word);
        if word.is_slow() { Increment::Unsure } else { Increment::Done }
    }

    /// Counts one reference less. `true`: that was the last one, the count is now zero, and the caller must destroy the object.
    ///
    /// An immortal header is left as it was and never dies. A count of zero stays zero and is never the last one again; a debug
    /// build, or one with the feature `checked`, panics, as a reference was dropped that had not been counted.
    #[inline]
    #[must_use = "on `true` the caller must destroy the object"]
    pub fn decrement(&self) -> bool {
        match self.decrement_fast() {
            Decrement::Done => false,
            Decrement::Unsure => self.decrement_cold(),
        }
    }

    #[cold]
    #[inline(never)]
    fn decrement_cold(&self) -> bool {
        self.decrement_slow()
    }

    /// The part of [`decrement`](Header::decrement) that belongs into every drop, for embedders that put the rest, with their own
    /// destruction, behind one call.
    ///
    /// After [`Decrement::Unsure`] the header is between two states: nothing but `decrement_slow` may be called on it.
    #[inline]
    #[must_use = "`Unsure` leaves the rest to `decrement_slow`"]
    pub fn decrement_fast(&self) -> Decrement {
        let word = self.count.get().down();
        self.count.set(word);
        if word.is_slow() { Decrement::Unsure } else { Decrement::Done }
    }

    /// What [`decrement_fast`](Header::decrement_fast) leaves over: the last reference, or an immortal or outlined header. Called once
    /// after each [`Decrement::Unsure`], and only then.
    #[inline]
    #[must_use = "on `true` the caller must destroy the object"]
    pub fn decrement_slow(&self) -> bool {
        // The usual case first: an inline header, whose last reference this was.
        if self.count.get().is_past_last() {
            self.count.set(CountWord::ZERO);
            return true;
        }
        let inline = self.count.get().up();
        self.count.set(inline);
        if inline.is_immortal() {
            return false;
        }
        let count = self.count_cell();
        let word = count.get();
        if !word.down().is_slow() {
            count.set(word.down());
            return false;
        }
        let counted = !word.is_zero();
        assert!(
            counted || !cfg!(any(debug_assertions, feature = "checked")),
            "a reference was dropped that had not been counted"
        );
        if !word.is_first() {
            return false;
        }
        count.set(CountWord::ZERO);
        true
    }

    /// The header is immortal or outlined, and is put back as it was; or its count has run into the sign.
    ///
    /// `extern "C"`, because such a function cannot unwind: callers keep their values in registers across the call, which is worth
    /// 0.4 ns in a loop that clones and drops.
    #[cold]
    #[inline(never)]
    pub(crate) extern "C" fn increment_slow(&self) {
        self.count.set(self.count.get().down());
        let count = self.count_cell();
        let word = count.get();
        if !word.is_slow() {
            count.set(if word.up().is_slow() { CountWord::IMMORTAL } else { word.up() });
        }
    }

    /// Gives a dead object (count zero) its one reference back, for an embedder that runs a finalizer on it before it is
    /// destroyed (CPython's `PyObject_CallFinalizerFromDealloc`). Afterwards [`decrement`](Header::decrement) tells whether it
    /// was resurrected.
    pub fn resurrect(&self) {
        let count = self.count_cell();
        debug_assert!(count.get().is_zero(), "only the dead can be resurrected");
        if count.get().is_zero() {
            count.set(CountWord::FIRST);
        }
    }

    /// The number of references.
    #[inline]
    pub fn count(&self) -> Count {
        self.count_cell().get().observe()
    }

    /// The embedder's 32 bits.
    #[inline]
    pub fn meta(&self) -> u32 {
        self.meta_cell().get()
    }

    /// Replaces the embedder's 32 bits.
    #[inline]
    pub fn set_meta(&self, meta: u32) {
        self.meta_cell().set(meta);
    }

    /// From now on the object is never destroyed, and its count does not move any more (PEP 683).
    pub fn immortalize(&self) {
        self.count_cell().set(CountWord::IMMORTAL);
    }

    /// Whether count and meta have moved to a side header.
    #[inline]
    pub fn is_outlined(&self) -> bool {
        self.count.get().is_outlined()
    }

    /// The side header, if there is one. It stays allocated until [`release_side`](Header::release_side) or
    /// [`detach_side`](Header::detach_side), and longer while there are weak references.
    #[inline]
    pub fn side(&self) -> Option<NonNull<Side>> {
        let word = self.count.get();
        if !word.is_outlined() {
            return None;
        }
        let packed = (u64::from(word.payload()) << 32) | u64::from(self.meta.get());
        #[expect(clippy::cast_possible_truncation, reason = "it was a `usize` in `outline`")]
        let side = ptr::with_exposed_provenance_mut((packed << SIDE_SHIFT) as usize);
        // SAFETY: invariant 1: the address of an allocation, so not null.
        Some(unsafe { NonNull::new_unchecked(side) })
    }

    /// The side header; made now if this is the object's first weak reference.
    ///
    /// It does not count a weak reference: see [`Side::retain`].
    ///
    /// # Errors
    ///
    /// `alloc` has no memory; nothing has changed.
    pub fn side_or_insert<A: Allocator>(&self, alloc: &A) -> Result<NonNull<Side>, AllocError> {
        if let Some(side) = self.side() {
            return Ok(side);
        }
        let side = Side::allocate(self.count.get(), self.meta.get(), alloc)?;
        self.outline(side);
        Ok(side)
    }

    fn outline(&self, side: NonNull<Side>) {
        let packed = side.as_ptr().expose_provenance() as u64 >> SIDE_SHIFT;
        #[expect(
            clippy::cast_possible_truncation,
            reason = "the low half; the high half goes to the count word"
        )]
        self.meta.set(packed as u32);
        self.count.set(CountWord::outlined((packed >> 32) as u32));
    }

    /// The object is about to be freed: gives back its share of the side header, if it has one. Upgrades fail from now on.
    /// The header is left inline, with a count of zero.
    ///
    /// # Safety
    ///
    /// `alloc` is the allocator that was passed to [`side_or_insert`](Header::side_or_insert), or one that can free its memory.
    #[inline]
    pub unsafe fn release_side<A: Allocator>(&self, alloc: &A) {
        if self.is_outlined() {
            // SAFETY: the caller's promise is the same.
            unsafe { self.inline_with(|_| CountWord::ZERO, alloc) };
        }
    }

    /// The object leaves its weak references behind: they see it dead, it lives on with an inline count, and the next
    /// [`side_or_insert`](Header::side_or_insert) makes a new side header.
    ///
    /// # Safety
    ///
    /// As for [`release_side`](Header::release_side).
    #[inline]
    pub unsafe fn detach_side<A: Allocator>(&self, alloc: &A) {
        if self.is_outlined() {
            // SAFETY: the caller's promise is the same.
            unsafe { self.inline_with(|side| side.count.get(), alloc) };
        }
    }

    /// Back to an inline header, with the meta of the side header and a count made from it.
    ///
    /// # Safety
    ///
    /// As for [`release_side`](Header::release_side).
    #[cold]
    #[inline(never)]
    unsafe fn inline_with<A: Allocator>(&self, count: impl FnOnce(&Side) -> CountWord, alloc: &A) {
        let Some(pointer) = self.side() else { return };
        // SAFETY: invariant 1; the share is given back only below.
        let side = unsafe { pointer.as_ref() };
        self.meta.set(side.meta_cell().get());
        self.count.set(count(side));
        // SAFETY: the header no longer names the side header, so its share is given back exactly once; the allocator fits by
        // the caller's promise.
        unsafe { Side::release_object(pointer, alloc) };
    }

    /// The header at `at`, or `None` where there is free memory: eight zero bytes (invariant 2). For walking a heap.
    ///
    /// A dead object that has not been freed yet is returned too, with a count of zero, unless its meta is zero as well.
    ///
    /// # Safety
    ///
    /// `at` points to eight initialised bytes, aligned to 8, which are all zero or a header written by [`Header::new`], and
    /// which no other thread writes. They stay in place and are not written except through `Header`'s methods for `'a`.
    #[inline]
    pub unsafe fn peek<'a>(at: NonNull<Header>) -> Option<&'a Header> {
        // SAFETY: eight initialised bytes, aligned to 8, by the caller's promise.
        let bytes = unsafe { at.cast::<u64>().read() };
        if bytes == 0 {
            return None;
        }
        // SAFETY: they are not all zero, so they are a header, which the caller keeps in place for `'a`.
        Some(unsafe { at.as_ref() })
    }

    #[inline]
    fn count_cell(&self) -> &Cell<CountWord> {
        match self.side() {
            None => &self.count,
            // SAFETY: invariant 1: allocated as long as this header names it, and `release_side` and `detach_side`, which end
            // that, do not run while a method of this thread holds the cell.
            Some(side) => unsafe { &(*side.as_ptr()).count },
        }
    }

    #[inline]
    fn meta_cell(&self) -> &Cell<u32> {
        match self.side() {
            None => &self.meta,
            // SAFETY: as in `count_cell`.
            Some(side) => unsafe { side.as_ref() }.meta_cell(),
        }
    }
}

const SIDE_SHIFT: u32 = align_of::<Side>().ilog2();

impl fmt::Debug for Header {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Header")
            .field("count", &self.count())
            .field("meta", &format_args!("{:#x}", self.meta()))
            .field("outlined", &self.is_outlined())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use allocator_api2::alloc::Global;

    #[test]
    fn two_references() {
        let header = Header::new(7);
        header.increment();
        assert_eq!(header.count().get(), 2);
        assert!(!header.decrement());
        assert!(header.decrement());
        assert!(header.count().is_zero());
        assert_eq!(header.meta(), 7);
    }

    #[test]
    fn overflow_saturates_inline_and_outlined() {
        for outline in [false, true] {
            let header = Header::new(1);
            header.count.set(CountWord::mortal((1 << 30) - 1));
            if outline {
                header.side_or_insert(&Global).unwrap();
            }
            header.increment();
            assert_eq!(header.count().get(), 1 << 30);
            assert!(!header.count().is_immortal());
            for _ in 0..3 {
                header.increment();
                assert!(header.count().is_immortal());
            }
            for _ in 0..9 {
                assert!(!header.decrement());
            }
            assert_eq!(header.count().get(), u32::MAX);
            assert_eq!(header.is_outlined(), outline);
            // SAFETY: the same allocator as above.
            unsafe { header.release_side(&Global) };
        }
    }

    #[test]
    fn outlined_header_keeps_count_and_meta() {
        let header = Header::new(0xDEAD_BEEF);
        header.increment();
        let side = header.side_or_insert(&Global).unwrap();
        assert_eq!(header.side(), Some(side));
        assert_eq!(header.side_or_insert(&Global), Ok(side));
        assert_eq!((header.count().get(), header.meta()), (2, 0xDEAD_BEEF));
        header.set_meta(5);
        assert!(!header.decrement());
        // SAFETY: the same allocator as above.
        unsafe { header.detach_side(&Global) };
        assert!(!header.is_outlined());
        assert_eq!((header.count().get(), header.meta()), (1, 5));
    }

    #[test]
    fn immortal_objects_can_be_upgraded_for_ever() {
        let header = Header::new(0);
        header.immortalize();
        let side = header.side_or_insert(&Global).unwrap();
        assert!(header.is_outlined() && header.count().is_immortal());
        header.increment();
        assert!(!header.decrement() && !header.decrement());
        // SAFETY: the header still has its share.
        assert!(unsafe { side.as_ref() }.upgrade());
        // SAFETY: the same allocator as above.
        unsafe { header.detach_side(&Global) };
        assert!(header.count().is_immortal() && !header.is_outlined());
        // An immortal header does not drift.
        let before = header.count.get();
        header.increment();
        assert!(!header.decrement());
        assert!(header.count.get() == before);
    }

    #[test]
    fn side_header_outlives_the_object() {
        let header = Header::new(0);
        let side = header.side_or_insert(&Global).unwrap();
        // SAFETY: freed only by the last `release` below.
        let weak = unsafe { side.as_ref() };
        weak.retain();
        weak.retain();
        assert_eq!(weak.weak_count(), 2);
        assert!(weak.upgrade());
        weak.kill();
        assert!(!weak.upgrade());
        weak.revive();
        assert!(!header.decrement());
        assert!(header.decrement());
        assert!(!weak.upgrade());
        // SAFETY: the same allocator as above.
        unsafe { header.release_side(&Global) };
        assert!(!weak.upgrade());
        assert_eq!((weak.weak_count(), weak.count().get()), (2, 0));
        // SAFETY: one of the two shares retained above.
        unsafe { Side::release(side, &Global) };
        assert_eq!(weak.weak_count(), 1);
        // SAFETY: the other one; `weak` is not used again.
        unsafe { Side::release(side, &Global) };
    }

    #[test]
    fn peek_tells_free_memory_from_headers() {
        let free = 0_u64;
        // SAFETY: eight zero bytes, aligned to 8.
        assert!(unsafe { Header::peek(NonNull::from(&free).cast()) }.is_none());
        let header = Header::new(0);
        // SAFETY: a header on this stack.
        assert!(unsafe { Header::peek(NonNull::from(&header)) }.is_some());
    }

    #[test]
    fn resurrection_is_seen_by_the_next_decrement() {
        let header = Header::new(0);
        assert!(header.decrement());
        header.resurrect();
        header.increment();
        assert!(!header.decrement());
        assert!(header.decrement());
    }
}
