//! The side header: where the count of an object lives once there are weak references to it.
#![allow(unsafe_code, reason = "a side header is reached through raw pointers and frees itself")]

use super::count::{Count, CountWord};
use allocator_api2::alloc::{AllocError, Allocator};
use core::alloc::Layout;
use core::cell::Cell;
use core::ptr::NonNull;

/// The part of an object that its weak references share.
///
/// An object gets one at its first weak reference and keeps it until it dies. From then on count and meta live here, so that
/// the last drop and [`upgrade`](Side::upgrade) meet at one word, and the object's own memory can be freed at its death
/// however many weak references remain. (Swift calls the same thing a side table.)
///
/// ```text
///  byte  0        4        8        12       16
///        ┌────────┬────────┬────────┬────────┐      weak = weak references + 1 while the object has its share
///        │ count  │ meta   │ weak   │ flags  │      flags: killed, released
///        └────────┴────────┴────────┴────────┘
/// ```
///
/// # Invariants
///
/// 1. `count` is never outlined.
/// 2. `weak` is the number of weak references, plus one share that belongs to the object until
///    [`Header::release_side`](super::Header::release_side); the memory is freed by whoever takes it to zero.
/// 3. `weak == u32::MAX` is saturated: it stays there and the side header is never freed.
/// 4. The address is a multiple of 8.
#[repr(C, align(8))]
pub struct Side {
    pub(super) count: Cell<CountWord>,
    pub(super) meta: Cell<u32>,
    weak: Cell<u32>,
    killed: Cell<bool>,
    released: Cell<bool>,
}

const _: () = assert!(size_of::<Side>() == 16 && align_of::<Side>() == 8);

impl Side {
    /// Allocates a side header with the object's share as its only one.
    pub(super) fn allocate<A: Allocator>(
        count: CountWord,
        meta: u32,
        alloc: &A,
    ) -> Result<NonNull<Side>, AllocError> {
        debug_assert!(!count.is_outlined());
        let side = alloc.allocate(Layout::new::<Side>())?.cast::<Side>();
        let first = Side {
            count: Cell::new(count),
            meta: Cell::new(meta),
            weak: Cell::new(1),
            killed: Cell::new(false),
            released: Cell::new(false),
        };
        // SAFETY: the allocator just returned memory for the layout of a `Side`, which nobody else knows.
        unsafe { side.write(first) };
        Ok(side)
    }

    /// The number of strong references.
    pub fn count(&self) -> Count {
        self.count.get().observe()
    }

    /// The number of weak references; `u32::MAX` once that number has saturated.
    pub fn weak_count(&self) -> u32 {
        match self.weak.get() {
            u32::MAX => u32::MAX,
            weak => weak - u32::from(!self.released.get()),
        }
    }

    /// Counts one more weak reference. It must be matched by one [`Side::release`]; forgetting that leaks the side header.
    #[inline]
    pub fn retain(&self) {
        self.weak.set(self.weak.get().saturating_add(1));
    }

    /// Takes a strong reference if the object is alive: returns `true`, and the caller owns one more reference to it.
    /// Returns `false` once the count has reached zero or [`kill`](Side::kill) was called.
    #[inline]
    #[must_use = "on `true` the caller owns a reference"]
    pub fn upgrade(&self) -> bool {
        // A released side header has a count of zero.
        let word = self.count.get();
        if word.is_zero() || self.killed.get() {
            return false;
        }
        if !word.is_slow() {
            self.count.set(if word.up().is_slow() { CountWord::IMMORTAL } else { word.up() });
        }
        true
    }

    /// Makes every upgrade fail from now on, whatever the count says.
    ///
    /// A collector calls it on garbage before it clears it, so that no destructor can reach a half-cleared object through a
    /// weak reference (the order of CPython's `handle_weakrefs`).
    pub fn kill(&self) {
        self.killed.set(true);
    }

    /// Takes [`kill`](Side::kill) back: for constructors that hand out weak references to an object which is not complete yet.
    pub fn revive(&self) {
        self.killed.set(false);
    }

    /// Whether upgrades fail because of [`kill`](Side::kill).
    pub fn is_killed(&self) -> bool {
        self.killed.get()
    }

    /// Gives back one weak reference, and frees the side header if it was the last share.
    ///
    /// # Safety
    ///
    /// The caller owns one share ([`Side::retain`]) and does not use `this` again on its behalf. `alloc` is the allocator that
    /// was passed to [`Header::side_or_insert`](super::Header::side_or_insert), or one that can free its memory.
    #[inline]
    pub unsafe fn release<A: Allocator>(this: NonNull<Side>, alloc: &A) {
        // SAFETY: the caller's share keeps the side header allocated (invariant 2).
        let weak = unsafe { &this.as_ref().weak };
        match weak.get() {
            u32::MAX => {}
            // SAFETY: this was the last share, so no pointer to the side header is used again; it was allocated with exactly
            // this layout in `allocate`, from an allocator that `alloc` can stand for.
            1 => unsafe { alloc.deallocate(this.cast(), Layout::new::<Side>()) },
            shares => weak.set(shares - 1),
        }
    }

    /// The object's share goes: upgrades fail for good.
    ///
    /// # Safety
    ///
    /// As for [`Side::release`]; the share is the object's own.
    pub(super) unsafe fn release_object<A: Allocator>(this: NonNull<Side>, alloc: &A) {
        // SAFETY: the object's share keeps the side header allocated (invariant 2).
        let side = unsafe { this.as_ref() };
        side.count.set(CountWord::ZERO);
        side.released.set(true);
        // SAFETY: the caller owns the object's share and passes its allocator.
        unsafe { Side::release(this, alloc) };
    }
}
