//! `Watch`: a weak reference that tells of its object's death.
#![allow(unsafe_code, reason = "a callback is linked to a side header")]

use super::strong::Rc;
use super::weak::Weak;
use crate::raw;
use crate::watch::watch;
use allocator_api2::alloc::{AllocError, Allocator, Global, handle_alloc_error};
use core::alloc::Layout;
use core::fmt;
use core::mem::ManuallyDrop;
use core::ops::Deref;
use core::ptr;

/// A [`Weak`] with a callback, made by [`Rc::downgrade_with`]: `weakref.ref(object, callback)`.
///
/// The callback is called when the object dies, if the `Watch` is still there; dropping it cancels the callback. `Weak`s that are cloned from
/// it have nothing to do with the callback.
///
/// ```
/// use cpymem_refcount::rc::Rc;
/// use std::cell::RefCell;
/// use std::rc::Rc as StdRc;
///
/// let log = StdRc::new(RefCell::new(Vec::new()));
/// let told = |name: &'static str| {
///     let log = log.clone();
///     move |weak: &cpymem_refcount::rc::Weak<u64>| {
///         assert!(weak.upgrade().is_none());
///         log.borrow_mut().push(name);
///     }
/// };
///
/// let object = Rc::new(1_u64);
/// let first = Rc::downgrade_with(&object, told("first"));
/// let cancelled = Rc::downgrade_with(&object, told("cancelled"));
/// let last = Rc::downgrade_with(&object, told("last"));
/// drop(cancelled);
/// drop(object);
/// assert_eq!(*log.borrow(), ["last", "first"]);
/// ```
///
/// Like `Rc` it stays on its thread:
///
/// ```compile_fail,E0277
/// fn sendable<T: Send>(_: T) {}
/// sendable(cpymem_refcount::rc::Rc::downgrade_with(&cpymem_refcount::rc::Rc::new(1), |_| {}));
/// ```
/// ```
/// fn sendable<T: Send>(_: T) {}
/// sendable(cpymem_refcount::sync::Arc::downgrade_with(&cpymem_refcount::sync::Arc::new(1), |_| {}));
/// ```
///
/// A callback may be called long after the scope in which it was made:
///
/// ```compile_fail,E0597
/// use cpymem_refcount::rc::Rc;
/// let object = Rc::new(1);
/// let local = String::from("x");
/// let watch = Rc::downgrade_with(&object, |_| println!("{local}"));
/// ```
/// ```
/// use cpymem_refcount::rc::Rc;
/// let object = Rc::new(1);
/// let local = String::from("x");
/// let watch = Rc::downgrade_with(&object, move |_| println!("{local}"));
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
pub struct Watch<T: ?Sized, A: Allocator = Global> {
    weak: Weak<T, A>,
    callback: ManuallyDrop<raw::Watch>,
}

watch!(Rc);
