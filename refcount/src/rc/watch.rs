//! `Watch`: a weak reference that tells of its object's death.
#![allow(unsafe_code, reason = "a callback is linked to a side header")]

use super::strong::Rc;
use super::weak::Weak;
use crate::raw;
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
pub struct Watch<T: ?Sized, A: Allocator = Global> {
    weak: Weak<T, A>,
    callback: ManuallyDrop<raw::Watch>,
}

impl<T: ?Sized, A: Allocator> Rc<T, A> {
    /// Makes a [`Watch`]: a [`Weak`] to the object, and a callback for its death.
    ///
    /// The first one allocates a record of the object's callbacks, each of them a block of its own.
    pub fn downgrade_with(this: &Rc<T, A>, callback: impl FnOnce(&Weak<T, A>) + 'static) -> Watch<T, A>
    where
        A: Clone,
    {
        let weak = Rc::downgrade(this);
        let seed = weak.seed();
        // The `Weak` that the callback sees is made when it is called, so that it does not count until then.
        // SAFETY: a callback is called by the object's last owner, before the object gives back its share of the side header.
        let call = move || callback(&unsafe { seed.grow() });
        // SAFETY: our weak reference has the side header; its allocator. The callback is `'static`; what else is captured stays valid
        // as long as the object does.
        match unsafe { weak.watched_side().watch(call, weak.allocator()) } {
            Ok(callback) => Watch { weak, callback: ManuallyDrop::new(callback) },
            Err(AllocError) => handle_alloc_error(Layout::new::<[usize; 8]>()),
        }
    }
}

impl<T: ?Sized, A: Allocator> Watch<T, A> {
    /// Whether the callback is still to be called. (In CPython: whether `__callback__` is not `None`.)
    pub fn is_waiting(this: &Watch<T, A>) -> bool {
        // SAFETY: invariant 1.
        unsafe { this.weak.watched_side().is_waiting(&this.callback) }
    }

    /// Lets the callback wait without the `Watch`: nothing can cancel it any more. Returns the weak reference.
    ///
    /// Unlike the `Watch` it is not a weak reference that [`Rc::get_mut`] would mind.
    pub fn detach(this: Watch<T, A>) -> Weak<T, A> {
        let mut this = ManuallyDrop::new(this);
        // SAFETY: `this` is never dropped, so the callback is taken once.
        let callback = unsafe { ManuallyDrop::take(&mut this.callback) };
        // SAFETY: invariant 1; the weak reference has a share.
        unsafe { this.weak.watched_side().detach_watch(callback) };
        // SAFETY: as above, taken once.
        unsafe { ptr::read(&this.weak) }
    }
}

impl<T: ?Sized, A: Allocator> Drop for Watch<T, A> {
    fn drop(&mut self) {
        // SAFETY: taken once, here.
        let callback = unsafe { ManuallyDrop::take(&mut self.callback) };
        // SAFETY: invariant 1; the weak reference, which has a share, is dropped afterwards.
        unsafe { self.weak.watched_side().cancel_watch(callback) };
    }
}

impl<T: ?Sized, A: Allocator> Deref for Watch<T, A> {
    type Target = Weak<T, A>;

    fn deref(&self) -> &Weak<T, A> {
        &self.weak
    }
}

impl<T: ?Sized, A: Allocator> fmt::Debug for Watch<T, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watch").field("waiting", &Watch::is_waiting(self)).finish_non_exhaustive()
    }
}

// Moving it moves neither the object nor the callback.
impl<T: ?Sized, A: Allocator> Unpin for Watch<T, A> {}
