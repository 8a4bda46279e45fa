//! `Watch`: a weak reference that tells of its object's death.
#![allow(unsafe_code, reason = "a callback is linked to a side header")]

use super::policy::{CheckFirst, Policy};
use super::strong::Arc;
use super::weak::Weak;
use crate::raw;
use allocator_api2::alloc::{AllocError, Allocator, Global, handle_alloc_error};
use core::alloc::Layout;
use core::fmt;
use core::mem::ManuallyDrop;
use core::ops::Deref;
use core::ptr;

/// A [`Weak`] with a callback, made by [`Arc::downgrade_with`]: `weakref.ref(object, callback)`.
///
/// The callback is called when the object dies, if the `Watch` is still there; dropping it cancels the callback. `Weak`s that are cloned from
/// it have nothing to do with the callback.
///
/// ```
/// use cpymem_refcount::sync::Arc;
/// use std::sync::Mutex;
/// use std::sync::Arc as StdArc;
///
/// let log = StdArc::new(Mutex::new(Vec::new()));
/// let told = |name: &'static str| {
///     let log = log.clone();
///     move |weak: &cpymem_refcount::sync::Weak<u64>| {
///         assert!(weak.upgrade().is_none());
///         log.lock().unwrap().push(name);
///     }
/// };
///
/// let object = Arc::new(1_u64);
/// let first = Arc::downgrade_with(&object, told("first"));
/// let cancelled = Arc::downgrade_with(&object, told("cancelled"));
/// let last = Arc::downgrade_with(&object, told("last"));
/// drop(cancelled);
/// drop(object);
/// assert_eq!(*log.lock().unwrap(), ["last", "first"]);
/// ```
///
/// # The order
///
/// As in CPython's `PyObject_ClearWeakRefs`: when the count falls to zero, all weak references are dead; then the callbacks are called,
/// the last registered first; then the value is dropped, and with it what it owns. A callback whose `Watch` another callback of the
/// same object drops is called all the same. (One thing cannot be as there: CPython calls `__del__` before the callbacks. Rust drops
/// a value and its fields in one, so the callbacks come before both.)
///
/// `make_mut`, `try_unwrap` and `into_inner` kill the weak references of an object whose value lives on: the callbacks are called then.
/// They are never called for an immortal object.
///
/// # Panics in callbacks
///
/// All callbacks are called, the value is dropped and its memory freed; then the first panic goes on, from whatever dropped the object.
/// Without the feature `std` it goes on at once: the callbacks left over are not called, and the object leaks.
///
/// # Invariants
///
/// 1. `callback` was registered with the side header of `weak`.
pub struct Watch<T: ?Sized, A: Allocator = Global, P: Policy = CheckFirst> {
    weak: Weak<T, A, P>,
    callback: ManuallyDrop<raw::Watch>,
}

// SAFETY: as for `Weak`; the callback is `Send`, and it is used under its list's lock.
unsafe impl<T: ?Sized + Sync + Send, A: Allocator + Send, P: Policy> Send for Watch<T, A, P> {}
// SAFETY: as above.
unsafe impl<T: ?Sized + Sync + Send, A: Allocator + Sync, P: Policy> Sync for Watch<T, A, P> {}

impl<T: ?Sized, A: Allocator, P: Policy> Arc<T, A, P> {
    /// Makes a [`Watch`]: a [`Weak`] to the object, and a callback for its death.
    ///
    /// The first one allocates a record of the object's callbacks, each of them a block of its own.
    pub fn downgrade_with(
        this: &Arc<T, A, P>,
        callback: impl FnOnce(&Weak<T, A, P>) + Send + 'static,
    ) -> Watch<T, A, P>
    where
        A: Clone,
    {
        let weak = Arc::downgrade(this);
        let seed = weak.seed();
        // The `Weak` that the callback sees is made when it is called, so that it does not count until then.
        // SAFETY: a callback is called by the object's last owner, before the object gives back its share of the side header.
        let call = move || callback(&unsafe { seed.grow() });
        // SAFETY: our weak reference has the side header; its allocator. The callback is `'static`; what else is captured stays valid
        // as long as the object does, and may go where the object may.
        match unsafe { weak.watched_side().watch(call, weak.allocator()) } {
            Ok(callback) => Watch { weak, callback: ManuallyDrop::new(callback) },
            Err(AllocError) => handle_alloc_error(Layout::new::<[usize; 8]>()),
        }
    }
}

impl<T: ?Sized, A: Allocator, P: Policy> Watch<T, A, P> {
    /// Whether the callback is still to be called. (In CPython: whether `__callback__` is not `None`.)
    pub fn is_waiting(this: &Watch<T, A, P>) -> bool {
        // SAFETY: invariant 1.
        unsafe { this.weak.watched_side().is_waiting(&this.callback) }
    }

    /// Lets the callback wait without the `Watch`: nothing can cancel it any more. Returns the weak reference.
    ///
    /// Unlike the `Watch` it is not a weak reference that [`Arc::get_mut`] would mind.
    pub fn detach(this: Watch<T, A, P>) -> Weak<T, A, P> {
        let mut this = ManuallyDrop::new(this);
        // SAFETY: `this` is never dropped, so the callback is taken once.
        let callback = unsafe { ManuallyDrop::take(&mut this.callback) };
        // SAFETY: invariant 1; the weak reference has a share.
        unsafe { this.weak.watched_side().detach_watch(callback) };
        // SAFETY: as above, taken once.
        unsafe { ptr::read(&this.weak) }
    }
}

impl<T: ?Sized, A: Allocator, P: Policy> Drop for Watch<T, A, P> {
    fn drop(&mut self) {
        // SAFETY: taken once, here.
        let callback = unsafe { ManuallyDrop::take(&mut self.callback) };
        // SAFETY: invariant 1; the weak reference, which has a share, is dropped afterwards.
        unsafe { self.weak.watched_side().cancel_watch(callback) };
    }
}

impl<T: ?Sized, A: Allocator, P: Policy> Deref for Watch<T, A, P> {
    type Target = Weak<T, A, P>;

    fn deref(&self) -> &Weak<T, A, P> {
        &self.weak
    }
}

impl<T: ?Sized, A: Allocator, P: Policy> fmt::Debug for Watch<T, A, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watch").field("waiting", &Watch::is_waiting(self)).finish_non_exhaustive()
    }
}

// Moving it moves neither the object nor the callback.
impl<T: ?Sized, A: Allocator, P: Policy> Unpin for Watch<T, A, P> {}
