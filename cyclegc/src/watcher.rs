//! Watchers: weak references with a callback.
//!
//! CPython's weak reference is an object that its holders share. So is a watcher: clones of a
//! [`Weak`](crate::Weak) with a callback share one, and when the last clone goes, the callback goes unheard.
#![allow(unsafe_code, reason = "a watcher is shared by the clones of a weak reference and counts them")]

use core::cell::{Cell, RefCell};
use core::ptr::NonNull;
use std::collections::HashMap;

use allocator_api2::alloc::Global;
use cpymem_refcount::raw::Side;

/// What a callback is called with: the watcher itself.
pub(crate) type Callback = Box<dyn FnOnce(WatcherPtr)>;

/// A weak reference with a callback.
pub(crate) struct Watcher {
    /// A share of the side header of the object.
    side: NonNull<Side>,
    handles: Cell<usize>,
    /// The object died, or a pass found it unreachable: upgrades fail.
    cleared: Cell<bool>,
    callback: Cell<Option<Callback>>,
}

/// A watcher, by address.
///
/// # Invariants
/// 1. It points to a watcher made by [`WatcherPtr::new`], one of whose handles belongs to the `WatcherPtr`, or which
///    is alive because it is registered in [`Watchers`] and not cleared.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct WatcherPtr(NonNull<Watcher>);

impl core::ops::Deref for WatcherPtr {
    type Target = Watcher;

    fn deref(&self) -> &Watcher {
        // SAFETY: invariant 1; watchers are only borrowed shared.
        unsafe { self.0.as_ref() }
    }
}

impl Watcher {
    pub(crate) fn side(&self) -> NonNull<Side> {
        self.side
    }

    pub(crate) fn is_cleared(&self) -> bool {
        self.cleared.get()
    }

    pub(crate) fn clear(&self) {
        self.cleared.set(true);
    }

    pub(crate) fn handles(&self) -> usize {
        self.handles.get()
    }

    /// The callback, if it was neither called nor given up.
    pub(crate) fn take_callback(&self) -> Option<Callback> {
        self.callback.take()
    }
}

impl WatcherPtr {
    /// A watcher with one handle. Takes over a share of the side header.
    pub(crate) fn new(side: NonNull<Side>, callback: Callback) -> WatcherPtr {
        let watcher = Watcher {
            side,
            handles: Cell::new(1),
            cleared: Cell::new(false),
            callback: Cell::new(Some(callback)),
        };
        WatcherPtr(NonNull::from(Box::leak(Box::new(watcher))))
    }

    /// # Safety
    /// Invariant 1 of [`WatcherPtr`].
    pub(crate) unsafe fn from_ptr(ptr: NonNull<Watcher>) -> WatcherPtr {
        WatcherPtr(ptr)
    }

    pub(crate) fn as_ptr(self) -> NonNull<Watcher> {
        self.0
    }

    pub(crate) fn addr(self) -> usize {
        self.0.addr().get()
    }

    pub(crate) fn retain(self) {
        self.handles.set(self.handles.get() + 1);
    }

    /// Gives one handle up; with the last one the watcher is freed.
    ///
    /// # Safety
    /// The handle is the caller's. If it is the last one, the watcher is not registered any more.
    pub(crate) unsafe fn release(self) {
        let left = self.handles.get() - 1;
        self.handles.set(left);
        if left == 0 {
            // SAFETY: made by `new` from a box, and nobody has a handle any more.
            let watcher = unsafe { Box::from_raw(self.0.as_ptr()) };
            // SAFETY: the share that `new` took over; side headers of objects come from `Global`.
            unsafe { Side::release(watcher.side, &Global) };
        }
    }
}

/// The watchers of one heap, by the address of the object that they watch.
///
/// # Invariants
/// 1. Every watcher in it has a handle and is not cleared.
#[derive(Default, Debug)]
pub(crate) struct Watchers(RefCell<HashMap<usize, Vec<WatcherPtr>>>);

impl Watchers {
    pub(crate) fn register(&self, object: usize, watcher: WatcherPtr) {
        self.0.borrow_mut().entry(object).or_default().push(watcher);
    }

    pub(crate) fn unregister(&self, object: usize, watcher: WatcherPtr) {
        if let Some(watchers) = self.0.borrow_mut().get_mut(&object) {
            watchers.retain(|&other| other != watcher);
        }
    }

    /// The watchers of an object, last registered first, all cleared; the caller owns a handle on each.
    pub(crate) fn clear(&self, object: usize) -> Vec<WatcherPtr> {
        let mut watchers = self.0.borrow_mut().remove(&object).unwrap_or_default();
        watchers.reverse();
        for watcher in &watchers {
            watcher.clear();
            watcher.retain();
        }
        watchers
    }
}
