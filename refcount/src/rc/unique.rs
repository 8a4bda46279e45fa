//! Exclusive access: `get_mut`, `make_mut`, and their twins for values with a borrow in them.
#![allow(unsafe_code, reason = "a `&mut T` out of a shared pointer")]

use super::strong::Rc;
use crate::clone_value::CloneValue;
use crate::object::{DEFERRABLE, Storage};
use crate::raw::Side;
use allocator_api2::alloc::Allocator;

impl<T: ?Sized + 'static, A: Allocator> Rc<T, A> {
    /// The value, if this is the only reference, strong or weak.
    #[inline]
    pub fn get_mut(this: &mut Rc<T, A>) -> Option<&mut T> {
        // SAFETY: `is_unique`. `T` is `'static`, so nothing shorter can be stored through the reference.
        Rc::is_unique(this).then(|| unsafe { Rc::value_mut(this) })
    }
}

impl<T: CloneValue + ?Sized + 'static, A: Allocator + Clone + 'static> Rc<T, A> {
    /// The value, after it has been made this `Rc`'s alone: cloned if there are other strong references. Weak references are left
    /// behind without moving the value, and their callbacks are called.
    pub fn make_mut(this: &mut Rc<T, A>) -> &mut T {
        if Rc::is_last(this) {
            Rc::leave_weak_behind(this);
        } else {
            *this = Rc::clone_of_value(this, DEFERRABLE);
        }
        // SAFETY: the only strong reference, and no weak one can be upgraded. `T` is `'static`.
        unsafe { Rc::value_mut(this) }
    }
}

impl<T: ?Sized, A: Allocator> Rc<T, A> {
    /// [`Rc::get_mut`] for a value that may borrow. The object loses its deferrable bit: see [the module](crate::rc).
    #[inline]
    pub fn get_mut_borrowed(this: &mut Rc<T, A>) -> Option<&mut T> {
        if !Rc::is_unique(this) {
            return None;
        }
        Rc::clear_deferrable(this);
        // SAFETY: `is_unique`, and the object is not deferrable.
        Some(unsafe { Rc::value_mut(this) })
    }

    fn is_last(this: &Rc<T, A>) -> bool {
        this.header().count().is_one()
    }

    fn is_unique(this: &Rc<T, A>) -> bool {
        Rc::is_last(this) && Rc::weak_count(this) == 0
    }

    fn clear_deferrable(this: &Rc<T, A>) {
        let header = this.header();
        header.set_meta(header.meta() & !DEFERRABLE);
    }

    /// Weak references see the object dead from now on; their callbacks are called.
    fn leave_weak_behind(this: &Rc<T, A>) {
        let Some(side) = this.header().side() else { return };
        // SAFETY: the header's share keeps it until it is detached below.
        unsafe { side.as_ref() }.kill();
        // SAFETY: as above.
        unsafe { Side::call_watches(side) };
        // SAFETY: invariant 2 of `Rc`: the side header came from an allocator that ours can stand for.
        unsafe { this.header().detach_side(Rc::allocator(this)) };
    }

    /// # Safety
    ///
    /// There is no other strong reference, no weak one that can be upgraded while the result is used, and the object is not
    /// deferrable unless `T` is `'static`.
    unsafe fn value_mut(this: &mut Rc<T, A>) -> &mut T {
        // SAFETY: invariant 1 of `Rc`.
        let mut value = unsafe { this.object.value() };
        // SAFETY: the caller's promise; the borrow of `this` keeps it from being cloned or downgraded.
        unsafe { value.as_mut() }
    }
}

impl<T: CloneValue + ?Sized, A: Allocator + Clone> Rc<T, A> {
    /// [`Rc::make_mut`] for a value that may borrow. The object is or becomes one that is not deferrable.
    pub fn make_mut_borrowed(this: &mut Rc<T, A>) -> &mut T {
        if Rc::is_last(this) {
            Rc::leave_weak_behind(this);
            Rc::clear_deferrable(this);
        } else {
            *this = Rc::clone_of_value(this, 0);
        }
        // SAFETY: the only strong reference, no weak one can be upgraded, and the object is not deferrable.
        unsafe { Rc::value_mut(this) }
    }

    /// A new object with a clone of the value.
    ///
    /// With [`DEFERRABLE`] as its meta, value and allocator are `'static`: invariant 3 of `Rc`.
    fn clone_of_value(this: &Rc<T, A>, meta: u32) -> Rc<T, A> {
        let storage = Storage::for_value(&**this, meta, Rc::allocator(this).clone());
        // SAFETY: the storage is for a value like this one.
        let (object, alloc) = unsafe { storage.init_clone(&**this) };
        // SAFETY: a new object with its one reference.
        unsafe { Rc::from_object(object, alloc) }
    }
}
