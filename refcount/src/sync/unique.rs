//! Exclusive access: `get_mut`, `make_mut`, and their twins for values with a borrow in them.
#![allow(unsafe_code, reason = "a `&mut T` out of a shared pointer")]

use super::policy::Policy;
use super::strong::Arc;
use crate::clone_value::CloneValue;
use crate::object::{DEFERRABLE, Storage};
use crate::raw::SharedSide;
use allocator_api2::alloc::Allocator;

impl<T: ?Sized + 'static, A: Allocator, P: Policy> Arc<T, A, P> {
    /// The value, if this is the only reference, strong or weak.
    #[inline]
    pub fn get_mut(this: &mut Arc<T, A, P>) -> Option<&mut T> {
        // SAFETY: `is_unique`. `T` is `'static`, so nothing shorter can be stored through the reference.
        Arc::is_unique(this).then(|| unsafe { Arc::value_mut(this) })
    }
}

impl<T: CloneValue + ?Sized + 'static, A: Allocator + Clone + 'static, P: Policy> Arc<T, A, P> {
    /// The value, after it has been made this `Arc`'s alone: cloned if there are other strong references. Weak references are left
    /// behind without moving the value, and their callbacks are called.
    pub fn make_mut(this: &mut Arc<T, A, P>) -> &mut T {
        if !Arc::seize(this) {
            *this = Arc::clone_of_value(this, DEFERRABLE);
        }
        // SAFETY: the only strong reference, and no weak one can be upgraded. `T` is `'static`.
        unsafe { Arc::value_mut(this) }
    }
}

impl<T: ?Sized, A: Allocator, P: Policy> Arc<T, A, P> {
    /// [`Arc::get_mut`] for a value that may borrow. The object loses its deferrable bit: see [the module](crate::rc).
    #[inline]
    pub fn get_mut_borrowed(this: &mut Arc<T, A, P>) -> Option<&mut T> {
        if !Arc::is_unique(this) {
            return None;
        }
        Arc::clear_deferrable(this);
        // SAFETY: `is_unique`, and the object is not deferrable.
        Some(unsafe { Arc::value_mut(this) })
    }

    fn is_unique(this: &mut Arc<T, A, P>) -> bool {
        this.header().is_unique()
    }

    fn clear_deferrable(this: &mut Arc<T, A, P>) {
        let header = this.header();
        header.set_meta(header.meta() & !DEFERRABLE);
    }

    /// Makes this the only reference that can ever reach the value, if no other `Arc` does.
    fn seize(this: &mut Arc<T, A, P>) -> bool {
        let seized = this.header().seize();
        if let Some(side) = this.header().side().filter(|_| seized) {
            // SAFETY: the header's share keeps it until it is detached below.
            unsafe { SharedSide::call_watches(side) };
            // SAFETY: just seized; invariant 2 of `Arc`: the allocator of the side header.
            unsafe { this.header().detach_side(Arc::allocator(this)) };
        }
        seized
    }

    /// # Safety
    ///
    /// There is no other strong reference, no weak one that can be upgraded while the result is used, and the object is not
    /// deferrable unless `T` is `'static`.
    unsafe fn value_mut(this: &mut Arc<T, A, P>) -> &mut T {
        // SAFETY: invariant 1 of `Arc`.
        let mut value = unsafe { this.object.value() };
        // SAFETY: the caller's promise; the borrow of `this` keeps it from being cloned or downgraded.
        unsafe { value.as_mut() }
    }
}

impl<T: CloneValue + ?Sized, A: Allocator + Clone, P: Policy> Arc<T, A, P> {
    /// [`Arc::make_mut`] for a value that may borrow. The object is or becomes one that is not deferrable.
    pub fn make_mut_borrowed(this: &mut Arc<T, A, P>) -> &mut T {
        if Arc::seize(this) {
            Arc::clear_deferrable(this);
        } else {
            *this = Arc::clone_of_value(this, 0);
        }
        // SAFETY: the only strong reference, no weak one can be upgraded, and the object is not deferrable.
        unsafe { Arc::value_mut(this) }
    }

    /// A new object with a clone of the value.
    ///
    /// With [`DEFERRABLE`] as its meta, value and allocator are `'static`: invariant 3 of `Arc`.
    fn clone_of_value(this: &Arc<T, A, P>, meta: u32) -> Arc<T, A, P> {
        let storage = Storage::for_value(&**this, meta, Arc::allocator(this).clone());
        // SAFETY: the storage is for a value like this one.
        let (object, alloc) = unsafe { storage.init_clone(&**this) };
        // SAFETY: a new object with its one reference.
        unsafe { Arc::from_object(object, alloc) }
    }
}
