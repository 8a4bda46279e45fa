//! `Rc`: making, sharing and dropping objects.
#![allow(unsafe_code, reason = "an `Rc` owns an object through a pointer")]

use crate::checked::Origin;
use crate::object::{DEFERRABLE, Dead, ObjectPtr, Storage, move_out};
use crate::owner::{borrowed, owner};
use crate::raw::{Decrement, Header, Increment};
use allocator_api2::alloc::{AllocError, Allocator, Global};
use core::marker::PhantomData;
use core::mem::{ManuallyDrop, MaybeUninit};
use core::ops::Deref;
use core::pin::Pin;

/// A reference-counted pointer to a `T`, for one thread.
///
/// Names and meanings are those of [`std::rc::Rc`]; the [module](crate::rc) lists what differs. Cloning and dropping a clone each cost
/// one addition in memory and one test of the result's sign.
///
/// ```
/// use cpymem_refcount::rc::Rc;
///
/// let a = Rc::new(vec![1, 2, 3]);
/// let b = Rc::clone(&a);
/// assert_eq!(Rc::strong_count(&a), 2);
/// drop(a);
/// assert_eq!(Rc::try_unwrap(b), Ok(vec![1, 2, 3]));
/// ```
///
/// # Invariants
///
/// 1. The object is allocated, has its value, and counts this `Rc`.
/// 2. The object came from `alloc`, or from an allocator that `alloc` can stand for.
/// 3. The deferrable bit is set only while the value and the allocator are `'static`: it is written by constructors with that bound,
///    and cleared before a `&mut T` leaves through a method without it.
///
/// # One thread only
///
/// ```compile_fail,E0277
/// fn sendable<T: Send>(_: T) {}
/// sendable(cpymem_refcount::rc::Rc::new(1));
/// ```
/// ```
/// fn sendable<T: Send>(_: T) {}
/// sendable(std::sync::Arc::new(1));
/// ```
/// ```compile_fail,E0277
/// fn shareable<T: Sync>(_: T) {}
/// shareable(cpymem_refcount::rc::Rc::new(1));
/// ```
/// ```
/// fn shareable<T: Sync>(_: T) {}
/// shareable(std::sync::Arc::new(1));
/// ```
///
/// # Borrows
///
/// `new` wants a `'static` value, `new_borrowed` does not:
///
/// ```compile_fail,E0597
/// let local = String::from("x");
/// let rc = cpymem_refcount::rc::Rc::new(&local);
/// ```
/// ```
/// let local = String::from("x");
/// let rc = cpymem_refcount::rc::Rc::new_borrowed(&local);
/// ```
///
/// Covariance does not open a way around that:
///
/// ```compile_fail
/// use cpymem_refcount::rc::Rc;
/// fn smuggle<'a>(mut rc: Rc<Option<&'a str>>, local: &'a str) {
///     *Rc::get_mut(&mut rc).unwrap() = Some(local);
/// }
/// smuggle(Rc::new(None), &String::from("x"));
/// ```
/// ```
/// use cpymem_refcount::rc::Rc;
/// fn smuggle<'a>(mut rc: Rc<Option<&'a str>>, local: &'a str) {
///     *Rc::get_mut_borrowed(&mut rc).unwrap() = Some(local);
/// }
/// smuggle(Rc::new(None), &String::from("x"));
/// ```
pub struct Rc<T: ?Sized, A: Allocator = Global> {
    pub(super) object: ObjectPtr<Header, T>,
    alloc: ManuallyDrop<A>,
    origin: Origin,
    owns: PhantomData<T>,
}

#[cfg(not(feature = "checked"))]
const _: () = assert!(size_of::<Option<Rc<u64>>>() == size_of::<usize>());

owner!(Rc, Header);
borrowed!(Rc);

impl<T, A: Allocator> Rc<T, A> {
    /// The value, if this is the only strong reference; otherwise the `Rc` back. Weak references are left behind, as if the value
    /// had been dropped.
    ///
    /// # Errors
    ///
    /// There are other strong references, or the object is immortal.
    #[inline]
    #[cfg_attr(feature = "checked", track_caller)]
    pub fn try_unwrap(this: Rc<T, A>) -> Result<T, Rc<T, A>> {
        if !this.header().count().is_one() {
            return Err(this);
        }
        let last = this.header().decrement();
        debug_assert!(last);
        this.origin.died(this.object.address());
        let (object, alloc) = this.into_parts();
        // SAFETY: the only reference was ours, and weak references can no longer be upgraded.
        Ok(unsafe { move_out(object, alloc) })
    }

    /// The value, if this was the last strong reference. Otherwise the reference is dropped.
    #[inline]
    #[cfg_attr(feature = "checked", track_caller)]
    pub fn into_inner(this: Rc<T, A>) -> Option<T> {
        let last = this.header().decrement();
        if last {
            this.origin.died(this.object.address());
        }
        let (object, alloc) = this.into_parts();
        // SAFETY: the last reference was ours; if it was not, ours is no longer counted and `object` is not used.
        last.then(|| unsafe { move_out(object, alloc) })
    }

    /// The value, cloned if there are other references to it.
    #[inline]
    #[cfg_attr(feature = "checked", track_caller)]
    pub fn unwrap_or_clone(this: Rc<T, A>) -> T
    where
        T: Clone,
    {
        Rc::try_unwrap(this).unwrap_or_else(|shared| T::clone(&shared))
    }
}

impl<T: ?Sized, A: Allocator> Rc<T, A> {
    /// The number of `Rc`s to the object; `u32::MAX` if it is immortal, as CPython 3.12's `sys.getrefcount` answers.
    #[inline]
    pub fn strong_count(this: &Rc<T, A>) -> usize {
        this.header().count().get() as usize
    }

    /// The number of `Weak`s to the object; `u32::MAX` once that number has saturated.
    #[inline]
    pub fn weak_count(this: &Rc<T, A>) -> usize {
        // SAFETY: the object lives, so its side header is allocated.
        this.header().side().map_or(0, |side| unsafe { side.as_ref() }.weak_count() as usize)
    }

    /// Makes the object immortal (PEP 683): it is never destroyed, its count does not move any more, and
    /// [`strong_count`](Rc::strong_count) is `u32::MAX`. There is no way back: the memory is leaked.
    ///
    /// Clones and drops still write to the header, and take it back: counting first is what makes them as cheap as `std`'s for all
    /// other objects, and on one thread it harms nobody. ([`sync`](crate::sync) looks first and does not write.)
    ///
    /// An object with more than 2^30 references becomes immortal by itself.
    ///
    /// ```
    /// use cpymem_refcount::rc::Rc;
    ///
    /// let none = Rc::new("None");
    /// Rc::immortalize(&none);
    /// assert!(Rc::is_immortal(&none));
    /// drop(none.clone());
    /// assert_eq!(Rc::strong_count(&none), u32::MAX as usize);
    /// ```
    pub fn immortalize(this: &Rc<T, A>) {
        this.header().immortalize();
    }

    /// Whether the object is immortal, by request or because its count has saturated.
    #[inline]
    pub fn is_immortal(this: &Rc<T, A>) -> bool {
        this.header().count().is_immortal()
    }

    /// An immortal object, or one with a side header. A function of each type, so that it is called directly and no caller keeps its
    /// address in a register; `extern "C"` as in [`Header`].
    #[cold]
    #[inline(never)]
    #[allow(improper_ctypes_definitions, reason = "called by Rust only")]
    extern "C" fn clone_slow(&self) {
        self.header().increment_slow();
    }

    /// The last reference, or an object with a side header. Small, so that the latter needs no stack frame.
    #[cold]
    #[inline(never)]
    fn drop_slow(&mut self) {
        if self.header().decrement_slow() {
            self.destroy();
        } else {
            self.drop_alloc();
        }
    }
}

impl<T: ?Sized, A: Allocator + Clone> Clone for Rc<T, A> {
    #[inline]
    #[cfg_attr(feature = "checked", track_caller)]
    fn clone(&self) -> Rc<T, A> {
        // First, because it may panic.
        let alloc = A::clone(&self.alloc);
        if self.header().increment_fast() == Increment::Unsure {
            self.clone_slow();
        }
        // SAFETY: the new reference is counted; a clone of an allocator can stand for it.
        unsafe { Rc::from_object(self.object, alloc) }
    }
}

impl<T: ?Sized, A: Allocator> Drop for Rc<T, A> {
    #[inline]
    fn drop(&mut self) {
        if !self.origin.may_drop(self.object.address()) {
            return;
        }
        match self.header().decrement_fast() {
            Decrement::Done => self.drop_alloc(),
            Decrement::Unsure => self.drop_slow(),
        }
    }
}
