//! The side header of an object that one thread owns and others share.
#![allow(unsafe_code, reason = "a side header is reached through raw pointers and frees itself")]

use super::super::shared_side::Spin;
use super::super::watch::{Watch, Watches};
use super::super::weak_count::WeakCount;
use super::word::BiasedWord;
use crate::primitive::{AtomicU64, Ordering};
use allocator_api2::alloc::{AllocError, Allocator};
use core::alloc::Layout;
use core::ptr::{self, NonNull};

/// The part of a biased object that its weak references share. The shared word has moved here; the local count stays where it is.
///
/// # The protocol
///
/// An upgrade and the last drop meet at the shared word. An object is dead when that is merged and its count is zero; an upgrade
/// adds one to any other word. Whoever finds the last reference gone therefore merges by a compare-exchange: the quick ways to die, by a look alone, are only
/// for objects without a side header.
///
/// # Invariants
///
/// 1. The memory is freed by whoever gives back the last share of `weak`.
/// 2. The address is a multiple of 16.
#[repr(C, align(16))]
pub(crate) struct BiasedSide {
    pub(super) shared: AtomicU64,
    pub(super) weak: WeakCount,
    watches: Watches<Spin>,
}

#[cfg(not(loom))]
const _: () = assert!(size_of::<BiasedSide>() == 32);

impl BiasedSide {
    /// Allocates a side header with the object's share as its only one.
    pub(super) fn allocate<A: Allocator>(
        word: BiasedWord,
        alloc: &A,
    ) -> Result<NonNull<BiasedSide>, AllocError> {
        let side = alloc.allocate(Layout::new::<BiasedSide>())?.cast::<BiasedSide>();
        let first =
            BiasedSide { shared: AtomicU64::new(word.0), weak: WeakCount::new(), watches: Watches::new() };
        // SAFETY: the allocator just returned memory for this layout, which nobody else knows.
        unsafe { side.write(first) };
        Ok(side)
    }

    /// Takes a strong reference if the object is alive: returns `true`, and the caller owns one more reference to it, counted here.
    #[must_use = "on `true` the caller owns a reference"]
    pub(crate) fn upgrade(&self) -> bool {
        // Acquire, here and below: pairs with the Release of the outlining exchange and of `BiasedHeader::born`, for the value's content.
        let mut seen = BiasedWord(self.shared.load(Ordering::Acquire));
        loop {
            if seen.is_dead() {
                return false;
            }
            if seen.is_immortal() {
                return true;
            }
            // Release: as every change that a probe must not miss.
            let next = seen.plus(1).0;
            match self.shared.compare_exchange_weak(seen.0, next, Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) => return true,
                Err(now) => seen = BiasedWord(now),
            }
        }
    }

    /// Whether the object is alive, at the moment.
    pub(crate) fn is_alive(&self) -> bool {
        // Relaxed: an answer that is old when it is returned, and orders nothing.
        !BiasedWord(self.shared.load(Ordering::Relaxed)).is_dead()
    }

    /// The number of weak references, not counting the object's own share; `u32::MAX` once it has saturated.
    pub(crate) fn weak_count(&self) -> u32 {
        self.weak.get()
    }

    /// Counts one more weak reference, for the owner of a weak one.
    #[inline]
    pub(crate) fn retain(&self) {
        self.weak.retain();
    }

    /// Counts one more weak reference, for the owner of a strong one.
    pub(crate) fn retain_locked(&self) {
        self.weak.retain_locked();
    }

    /// Registers a callback for the death of the object: see [`Side::watch`](super::super::Side::watch).
    ///
    /// # Safety
    ///
    /// As there; and other threads may use and drop what the callback captures, if they may have the object.
    pub(crate) unsafe fn watch<A: Allocator + Clone, F: FnOnce()>(
        &self,
        callback: F,
        alloc: &A,
    ) -> Result<Watch, AllocError> {
        // SAFETY: the caller's promise. Whoever has the watch has a share of this side header, which owns the list.
        unsafe { self.watches.insert(callback, alloc.clone()) }
    }

    /// [`Side::is_waiting`](super::super::Side::is_waiting).
    ///
    /// # Safety
    ///
    /// As there.
    pub(crate) unsafe fn is_waiting(&self, watch: &Watch) -> bool {
        // SAFETY: the caller's promise.
        unsafe { self.watches.is_waiting(watch) }
    }

    /// [`Side::cancel_watch`](super::super::Side::cancel_watch).
    ///
    /// # Safety
    ///
    /// As there.
    pub(crate) unsafe fn cancel_watch(&self, watch: Watch) {
        // SAFETY: the caller's promise.
        unsafe { self.watches.cancel(watch) };
    }

    /// [`Side::detach_watch`](super::super::Side::detach_watch).
    ///
    /// # Safety
    ///
    /// As there.
    pub(crate) unsafe fn detach_watch(&self, watch: Watch) {
        // SAFETY: the caller's promise.
        unsafe { self.watches.detach(watch) };
    }

    /// [`Side::call_watches`](super::super::Side::call_watches).
    ///
    /// # Safety
    ///
    /// As there.
    #[inline]
    pub(crate) unsafe fn call_watches(this: NonNull<BiasedSide>) {
        // SAFETY: the caller's share keeps it.
        unsafe { this.as_ref() }.watches.take().run();
    }

    /// Gives back one share, and frees the side header if it was the last one.
    ///
    /// # Safety
    ///
    /// The caller owns one share and does not use `this` again on its behalf; `alloc` can free the side header's memory.
    #[inline]
    pub(crate) unsafe fn release<A: Allocator>(this: NonNull<BiasedSide>, alloc: &A) {
        // SAFETY: the caller's share keeps the side header allocated until it is given back. That another thread may free it between that
        // and this reference's end is allowed for what is inside `UnsafeCell`s.
        let weak = unsafe { &(*this.as_ptr()).weak };
        if !weak.give_back() {
            return;
        }
        // SAFETY: the last share is gone, so nobody else reaches it. (Only loom's atomics need it.)
        unsafe { ptr::drop_in_place(this.as_ptr()) };
        // SAFETY: it was allocated with this layout in `allocate`, from an allocator that `alloc` can stand for.
        unsafe { alloc.deallocate(this.cast(), Layout::new::<BiasedSide>()) };
    }
}
