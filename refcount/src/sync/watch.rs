//! `Watch`: a weak reference that tells of its object's death.
#![allow(unsafe_code, reason = "a callback is linked to a side header")]

use super::policy::{CheckFirst, Policy};
use super::strong::Arc;
use super::weak::Weak;
use crate::raw;
use crate::watch::watch;
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
/// A callback is called by whatever thread drops the object, so that it must be `Send`:
///
/// ```compile_fail,E0277
/// use cpymem_refcount::sync::Arc;
/// let local = std::rc::Rc::new(1);
/// let watch = Arc::downgrade_with(&Arc::new(1), move |_| drop(local));
/// ```
/// ```
/// use cpymem_refcount::sync::Arc;
/// let shared = std::sync::Arc::new(1);
/// let watch = Arc::downgrade_with(&Arc::new(1), move |_| drop(shared));
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
/// As in CPython it is reported (the panic hook prints it) and goes no further than the
/// [hook for such cases](crate::set_unraisable_hook): the next callback is called, and the object is destroyed. Without the feature `std` it
/// aborts.
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

watch!(Arc, P: Policy => Send);
