//! Callbacks that wait for an object's death.
//!
//! Each registered callback is a block of its own, linked into the list of the object's side header. Two parties hold it: the list,
//! and whoever registered it, who may cancel it.
//!
//! ```text
//!   Watches ──► youngest ◄──► … ◄──► oldest        at the object's death the whole list is taken, and called from the left
//!                  ▲
//!   Watch ─────────┘                               cancelling takes one out of the middle
//! ```
//!
//! The order is CPython's (`PyObject_ClearWeakRefs` in `Objects/weakrefobject.c`): the last registered is called first, all weak references are
//! dead before the first call, and what is dropped while the calls are running is called all the same.
//!
//! # The protocol between threads
//!
//! Links and shares are read and written under the list's lock only; no user code runs under it. Death and cancelling meet at that lock:
//! a callback that is still linked when its canceller gets the lock is never called; one that has been taken is called, and its
//! canceller gives back a share. The lock is a word of its own for shared objects, and nothing for those of one thread.
#![allow(unsafe_code, reason = "an intrusive list of blocks with callbacks of erased types")]

use super::unraisable::contain;
use crate::primitive::Cell;
use allocator_api2::alloc::{AllocError, Allocator};
use core::alloc::Layout;
use core::ptr::{self, NonNull};

/// What guards a list.
pub(crate) trait Lock {
    fn new() -> Self;
    fn lock(&self);
    fn unlock(&self);
}

/// The lock of a list that belongs to one thread.
pub(crate) struct Unshared;

impl Lock for Unshared {
    fn new() -> Unshared {
        Unshared
    }

    #[inline]
    fn lock(&self) {}

    #[inline]
    fn unlock(&self) {}
}

/// The common part of every registered callback.
///
/// # Invariants
///
/// 1. It is the first field of a [`Block`] whose types `call` and `free` were made for.
/// 2. `shares` is the number of parties that hold the block: the list, or the [`Callbacks`] it was taken into; and a [`Watch`]. Whoever
///    takes it to zero frees the block.
/// 3. While `linked`, the neighbours are those in the list.
struct Link {
    older: Cell<*mut Link>,
    younger: Cell<*mut Link>,
    linked: Cell<bool>,
    shares: Cell<u8>,
    call: unsafe fn(NonNull<Link>),
    free: unsafe fn(NonNull<Link>),
}

#[repr(C)]
struct Block<A, F> {
    link: Link,
    alloc: A,
    /// `None` once it is being called.
    callback: Option<F>,
}

/// Calls the callback, which is gone afterwards.
///
/// # Safety
///
/// The link is that of a `Block<A, F>`, whose callback is the caller's alone and has not been called.
unsafe fn call<A: Allocator, F: FnOnce()>(link: NonNull<Link>) {
    // SAFETY: the caller's promise; only the callback is borrowed, as others may look at the link.
    let callback = unsafe { &mut (*link.cast::<Block<A, F>>().as_ptr()).callback };
    if let Some(callback) = callback.take() {
        callback();
    }
}

/// Frees the block, with the callback if it was never called.
///
/// # Safety
///
/// The link is that of a `Block<A, F>` that no one else holds.
unsafe fn free<A: Allocator, F>(link: NonNull<Link>) {
    // SAFETY: the caller's promise; the block is freed below and not used again.
    let block = unsafe { link.cast::<Block<A, F>>().read() };
    let Block { alloc, callback, .. } = block;
    // SAFETY: allocated in `insert` with this layout, by an allocator that this one is a clone of or is itself.
    unsafe { alloc.deallocate(link.cast(), Layout::new::<Block<A, F>>()) };
    // Last, because it runs user code that may panic.
    drop(callback);
}

/// A registered callback, as its owner knows it: to be given back to [`Side::cancel_watch`](super::Side::cancel_watch) or
/// [`Side::detach_watch`](super::Side::detach_watch) of the same side header. If it is
/// not, its memory leaks.
#[must_use = "if it is neither cancelled nor detached, its memory leaks"]
pub struct Watch(NonNull<Link>);

/// The callbacks of one object.
///
/// # Invariants
///
/// 1. `youngest` is null or a linked block; from there `older` leads through all of them.
/// 2. All cells, of the list and of its links, are used under the lock.
pub(crate) struct Watches<L> {
    lock: L,
    youngest: Cell<*mut Link>,
}

impl<L: Lock> Watches<L> {
    pub(crate) fn new() -> Watches<L> {
        Watches { lock: L::new(), youngest: Cell::new(ptr::null_mut()) }
    }

    /// Registers a callback.
    ///
    /// # Safety
    ///
    /// What the callback captures stays valid until it is called or dropped, and may be used by whatever thread does that. The list
    /// outlives the [`Watch`].
    pub(crate) unsafe fn insert<A: Allocator, F: FnOnce()>(
        &self,
        callback: F,
        alloc: A,
    ) -> Result<Watch, AllocError> {
        let block = alloc.allocate(Layout::new::<Block<A, F>>())?.cast::<Block<A, F>>();
        let link = Link {
            older: Cell::new(ptr::null_mut()),
            younger: Cell::new(ptr::null_mut()),
            linked: Cell::new(true),
            shares: Cell::new(2),
            call: call::<A, F>,
            free: free::<A, F>,
        };
        // SAFETY: just allocated with this layout, and known to nobody else.
        unsafe { block.write(Block { link, alloc, callback: Some(callback) }) };
        let link = block.cast::<Link>();
        self.lock.lock();
        let older = self.youngest.replace(link.as_ptr());
        // SAFETY: just written.
        unsafe { link.as_ref() }.older.set(older);
        // SAFETY: invariant 1; under the lock it stays allocated.
        if let Some(older) = unsafe { older.as_ref() } {
            older.younger.set(link.as_ptr());
        }
        self.lock.unlock();
        Ok(Watch(link))
    }

    /// Takes all callbacks out of the list: they are called when the result is run, and can no longer be cancelled.
    pub(crate) fn take(&self) -> Callbacks<'_, L> {
        self.lock.lock();
        let first = self.youngest.replace(ptr::null_mut());
        let mut at = first;
        // SAFETY: invariant 1; under the lock they stay allocated.
        while let Some(link) = unsafe { at.as_ref() } {
            link.linked.set(false);
            at = link.older.get();
        }
        self.lock.unlock();
        Callbacks { list: self, next: first }
    }

    /// Whether a callback has neither been taken nor cancelled.
    ///
    /// # Safety
    ///
    /// It was inserted here.
    pub(crate) unsafe fn is_waiting(&self, watch: &Watch) -> bool {
        self.lock.lock();
        // SAFETY: the watch's share keeps the block.
        let linked = unsafe { watch.0.as_ref() }.linked.get();
        self.lock.unlock();
        linked
    }

    /// The callback is not called any more, and is dropped here; unless it has been taken already.
    ///
    /// # Safety
    ///
    /// It was inserted here.
    pub(crate) unsafe fn cancel(&self, watch: Watch) {
        self.lock.lock();
        // SAFETY: the watch's share keeps the block.
        let link = unsafe { watch.0.as_ref() };
        let shares = if link.linked.replace(false) {
            self.unlink(link);
            2
        } else {
            1
        };
        // SAFETY: the share of the watch and, if it was linked, that of the list.
        unsafe { self.give_back_locked(watch.0, shares) };
    }

    /// The callback stays where it is and can no longer be cancelled.
    ///
    /// # Safety
    ///
    /// It was inserted here.
    pub(crate) unsafe fn detach(&self, watch: Watch) {
        // SAFETY: the share of the watch.
        unsafe { self.give_back(watch.0) };
    }

    /// Under the lock.
    fn unlink(&self, link: &Link) {
        let (older, younger) = (link.older.get(), link.younger.get());
        // SAFETY: invariant 3 of `Link`, under the lock.
        match unsafe { younger.as_ref() } {
            Some(younger) => younger.older.set(older),
            None => self.youngest.set(older),
        }
        // SAFETY: as above.
        if let Some(older) = unsafe { older.as_ref() } {
            older.younger.set(younger);
        }
    }

    /// # Safety
    ///
    /// The caller owns one share of the block.
    unsafe fn give_back(&self, link: NonNull<Link>) {
        self.lock.lock();
        // SAFETY: the caller's promise.
        unsafe { self.give_back_locked(link, 1) };
    }

    /// Under the lock, which it opens.
    ///
    /// # Safety
    ///
    /// The caller owns so many shares of the block.
    unsafe fn give_back_locked(&self, link: NonNull<Link>, shares: u8) {
        // SAFETY: the caller's shares keep it.
        let held = unsafe { &link.as_ref().shares };
        let left = held.get() - shares;
        held.set(left);
        // SAFETY: as above.
        let free = unsafe { link.as_ref() }.free;
        self.lock.unlock();
        if left == 0 {
            // SAFETY: invariants 1 and 2 of `Link`: nobody else holds it.
            unsafe { free(link) };
        }
    }
}

/// Callbacks that were taken out of their list, to be called from the last registered to the first.
///
/// Those that are left when it is dropped are dropped without being called.
pub(crate) struct Callbacks<'a, L: Lock> {
    list: &'a Watches<L>,
    /// # Invariants
    ///
    /// 1. It leads through blocks of which this value owns one share each.
    next: *mut Link,
}

impl<L: Lock> Callbacks<'_, L> {
    fn pop(&mut self) -> Option<NonNull<Link>> {
        let link = NonNull::new(self.next)?;
        // SAFETY: invariant 1. Nobody else uses this field of a block that is not linked.
        self.next = unsafe { link.as_ref() }.older.get();
        Some(link)
    }

    /// Calls them all. Their panics go to the [hook](super::set_unraisable_hook).
    pub(crate) fn run(mut self) {
        while let Some(link) = self.pop() {
            // SAFETY: invariant 1: our share keeps the block.
            let call = unsafe { link.as_ref() }.call;
            // SAFETY: it was taken out of the list once, so it is called once.
            contain(|| unsafe { call(link) });
            // SAFETY: our share.
            contain(|| unsafe { self.list.give_back(link) });
        }
    }
}

impl<L: Lock> Drop for Callbacks<'_, L> {
    fn drop(&mut self) {
        while let Some(link) = self.pop() {
            // SAFETY: our share.
            contain(|| unsafe { self.list.give_back(link) });
        }
    }
}
