//! Exclusive access: `get_mut`, `make_mut`.
#![allow(unsafe_code, reason = "a `&mut T` out of a shared pointer")]

use super::strong::BiasedRc;
use crate::clone_value::CloneValue;
use crate::object::{DEFERRABLE, Storage};
use crate::raw::BiasedSide;
use allocator_api2::alloc::Allocator;

impl<T: ?Sized + 'static, A: Allocator + 'static> BiasedRc<T, A> {
    /// The value, if this is the only reference, strong or weak. A reference that waits in the owner's queue is another one.
    #[inline]
    pub fn get_mut(this: &mut BiasedRc<T, A>) -> Option<&mut T> {
        // SAFETY: `is_unique`.
        this.header().is_unique().then(|| unsafe { BiasedRc::value_mut(this) })
    }

    /// Makes this the only reference that can ever reach the value, if no other `BiasedRc` does.
    fn seize(this: &mut BiasedRc<T, A>) -> bool {
        let seized = this.header().seize();
        if let Some(side) = this.header().side().filter(|_| seized) {
            // SAFETY: the header's share keeps it until it is detached below.
            unsafe { BiasedSide::call_watches(side) };
            // SAFETY: just seized; invariant 2 of `BiasedRc`: the allocator of the side header.
            unsafe { this.header().detach_side(BiasedRc::allocator(this)) };
        }
        seized
    }

    /// # Safety
    ///
    /// There is no other strong reference, and no weak one that can be upgraded while the result is used.
    unsafe fn value_mut(this: &mut BiasedRc<T, A>) -> &mut T {
        // SAFETY: invariant 1 of `BiasedRc`.
        let mut value = unsafe { this.object.value() };
        // SAFETY: the caller's promise; the borrow of `this` keeps it from being cloned or downgraded.
        unsafe { value.as_mut() }
    }
}

impl<T: CloneValue + ?Sized + 'static, A: Allocator + Clone + 'static> BiasedRc<T, A> {
    /// The value, after it has been made this `BiasedRc`'s alone: cloned if there are other strong references. Weak references are left
    /// behind without moving the value, and their callbacks are called.
    pub fn make_mut(this: &mut BiasedRc<T, A>) -> &mut T {
        if !BiasedRc::seize(this) {
            let storage = Storage::for_value(&**this, DEFERRABLE, BiasedRc::allocator(this).clone());
            // SAFETY: the storage is for a value like this one.
            let (object, alloc) = unsafe { storage.init_clone(&**this) };
            // SAFETY: a new object with its one reference.
            *this = unsafe { BiasedRc::from_object(object, alloc) };
        }
        // SAFETY: the only strong reference, and no weak one can be upgraded.
        unsafe { BiasedRc::value_mut(this) }
    }
}
