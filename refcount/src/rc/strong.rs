//! `Rc`: making, sharing and dropping objects.
#![allow(unsafe_code, reason = "an `Rc` owns an object through a pointer")]

use crate::object::{DEFERRABLE, Dead, ObjectPtr, Storage, move_out};
use crate::raw::{Decrement, Header};
use allocator_api2::alloc::{AllocError, Allocator, Global};
use core::borrow::Borrow;
use core::marker::PhantomData;
use core::mem::ManuallyDrop;
use core::ops::Deref;
use core::panic::{RefUnwindSafe, UnwindSafe};

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
    owns: PhantomData<T>,
}

const _: () = assert!(size_of::<Option<Rc<u64>>>() == size_of::<usize>());

impl<T: 'static> Rc<T> {
    /// Moves `value` to the heap.
    #[inline]
    pub fn new(value: T) -> Rc<T> {
        Rc::new_in(value, Global)
    }

    /// Moves `value` to the heap.
    ///
    /// # Errors
    ///
    /// There is no memory; `value` is dropped.
    #[inline]
    pub fn try_new(value: T) -> Result<Rc<T>, AllocError> {
        Rc::try_new_in(value, Global)
    }
}

impl<T> Rc<T> {
    /// [`Rc::new`] for a value with a borrow in it: its destruction is never deferred, so a deep structure of such values recurses.
    #[inline]
    pub fn new_borrowed(value: T) -> Rc<T> {
        Rc::new_borrowed_in(value, Global)
    }
}

impl<T: 'static, A: Allocator + 'static> Rc<T, A> {
    /// Moves `value` to memory from `alloc`.
    #[inline]
    pub fn new_in(value: T, alloc: A) -> Rc<T, A> {
        // SAFETY: the storage is for a `T`.
        let (object, alloc) = unsafe { Storage::new::<T>(DEFERRABLE, alloc).init(value) };
        // SAFETY: a new object with its one reference; `T` and `A` are `'static`.
        unsafe { Rc::from_object(object, alloc) }
    }

    /// Moves `value` to memory from `alloc`.
    ///
    /// # Errors
    ///
    /// There is no memory; `value` and `alloc` are dropped.
    #[inline]
    pub fn try_new_in(value: T, alloc: A) -> Result<Rc<T, A>, AllocError> {
        // SAFETY: the storage is for a `T`.
        let (object, alloc) = unsafe { Storage::try_new::<T>(DEFERRABLE, alloc)?.init(value) };
        // SAFETY: a new object with its one reference; `T` and `A` are `'static`.
        Ok(unsafe { Rc::from_object(object, alloc) })
    }
}

impl<T, A: Allocator> Rc<T, A> {
    /// [`Rc::new_in`] for a value or an allocator with a borrow in it: see [`Rc::new_borrowed`].
    #[inline]
    pub fn new_borrowed_in(value: T, alloc: A) -> Rc<T, A> {
        // SAFETY: the storage is for a `T`.
        let (object, alloc) = unsafe { Storage::new::<T>(0, alloc).init(value) };
        // SAFETY: a new object with its one reference, not deferrable.
        unsafe { Rc::from_object(object, alloc) }
    }

    /// The value, if this is the only strong reference; otherwise the `Rc` back. Weak references are left behind, as if the value
    /// had been dropped.
    ///
    /// # Errors
    ///
    /// There are other strong references, or the object is immortal.
    #[inline]
    pub fn try_unwrap(this: Rc<T, A>) -> Result<T, Rc<T, A>> {
        if !this.header().count().is_one() {
            return Err(this);
        }
        let last = this.header().decrement();
        debug_assert!(last);
        let (object, alloc) = this.into_parts();
        // SAFETY: the only reference was ours, and weak references can no longer be upgraded.
        Ok(unsafe { move_out(object, alloc) })
    }

    /// The value, if this was the last strong reference. Otherwise the reference is dropped.
    #[inline]
    pub fn into_inner(this: Rc<T, A>) -> Option<T> {
        let last = this.header().decrement();
        let (object, alloc) = this.into_parts();
        // SAFETY: the last reference was ours; if it was not, ours is no longer counted and `object` is not used.
        last.then(|| unsafe { move_out(object, alloc) })
    }

    /// The value, cloned if there are other references to it.
    #[inline]
    pub fn unwrap_or_clone(this: Rc<T, A>) -> T
    where
        T: Clone,
    {
        Rc::try_unwrap(this).unwrap_or_else(|shared| T::clone(&shared))
    }
}

impl<T: ?Sized, A: Allocator> Rc<T, A> {
    /// # Safety
    ///
    /// The invariants of [`Rc`] hold for the new one; the caller hands over one counted reference.
    #[inline]
    pub(super) unsafe fn from_object(object: ObjectPtr<Header, T>, alloc: A) -> Rc<T, A> {
        Rc { object, alloc: ManuallyDrop::new(alloc), owns: PhantomData }
    }

    /// The parts, still counting one reference.
    #[inline]
    pub(super) fn into_parts(self) -> (ObjectPtr<Header, T>, A) {
        let mut this = ManuallyDrop::new(self);
        // SAFETY: `this` is never dropped, so the allocator is taken once.
        (this.object, unsafe { ManuallyDrop::take(&mut this.alloc) })
    }

    #[inline]
    pub(super) fn header(&self) -> &Header {
        // SAFETY: invariant 1; the reference cannot outlive `self`.
        unsafe { self.object.header() }
    }

    /// The allocator.
    #[inline]
    pub fn allocator(this: &Rc<T, A>) -> &A {
        &this.alloc
    }

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

    /// Whether both point to the same object.
    #[inline]
    pub fn ptr_eq(this: &Rc<T, A>, other: &Rc<T, A>) -> bool {
        core::ptr::eq(this.object.address(), other.object.address())
    }

    /// The value's address.
    #[inline]
    pub fn as_ptr(this: &Rc<T, A>) -> *const T {
        // SAFETY: invariant 1.
        unsafe { this.object.value() }.as_ptr()
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

    /// The value's address and the allocator, still counting this reference: [`Rc::from_raw_in`] takes both back.
    #[inline]
    #[must_use = "losing the pointer leaks the object"]
    pub fn into_raw_with_allocator(this: Rc<T, A>) -> (*const T, A) {
        let pointer = Rc::as_ptr(&this);
        (pointer, this.into_parts().1)
    }

    /// The inverse of [`Rc::into_raw_with_allocator`].
    ///
    /// # Safety
    ///
    /// `pointer` came from `into_raw_with_allocator` of an `Rc<U, A>`, which counted a reference that is handed over here. `U` is
    /// `T`, or has its size and alignment and its values are valid as a `T`, or `pointer` was unsized from it. `alloc` is the
    /// allocator that came with it, or one that can free its memory and lives as long.
    #[inline]
    pub unsafe fn from_raw_in(pointer: *const T, alloc: A) -> Rc<T, A> {
        // SAFETY: the caller's promise; the object is alive, as it counts the reference.
        let object = unsafe { ObjectPtr::from_value(pointer) };
        // SAFETY: the caller's promise.
        unsafe { Rc::from_object(object, alloc) }
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

    /// The count has become zero.
    #[inline(never)]
    fn destroy(&mut self) {
        // SAFETY: `drop` is the last to use the allocator.
        let dead = Dead { object: self.object, alloc: unsafe { ManuallyDrop::take(&mut self.alloc) } };
        // SAFETY: the last reference is gone.
        unsafe { dead.destroy() }
    }

    #[inline]
    fn drop_alloc(&mut self) {
        // SAFETY: called by `drop` only, and by nothing after it.
        unsafe { ManuallyDrop::drop(&mut self.alloc) }
    }
}

impl<T: ?Sized> Rc<T> {
    /// The value's address, still counting this reference: [`Rc::from_raw`] takes it back.
    #[inline]
    #[must_use = "losing the pointer leaks the object"]
    pub fn into_raw(this: Rc<T>) -> *const T {
        Rc::into_raw_with_allocator(this).0
    }

    /// The inverse of [`Rc::into_raw`].
    ///
    /// # Safety
    ///
    /// That of [`Rc::from_raw_in`].
    #[inline]
    pub unsafe fn from_raw(pointer: *const T) -> Rc<T> {
        // SAFETY: the caller's promise is the same.
        unsafe { Rc::from_raw_in(pointer, Global) }
    }
}

impl<T: ?Sized, A: Allocator + Clone> Clone for Rc<T, A> {
    #[inline]
    fn clone(&self) -> Rc<T, A> {
        // First, because it may panic.
        let alloc = A::clone(&self.alloc);
        self.header().increment();
        // SAFETY: the new reference is counted; a clone of an allocator can stand for it.
        unsafe { Rc::from_object(self.object, alloc) }
    }
}

impl<T: ?Sized, A: Allocator> Drop for Rc<T, A> {
    #[inline]
    fn drop(&mut self) {
        match self.header().decrement_fast() {
            Decrement::Done => self.drop_alloc(),
            Decrement::Unsure => self.drop_slow(),
        }
    }
}

impl<T: ?Sized, A: Allocator> Deref for Rc<T, A> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: invariant 1.
        let value = unsafe { self.object.value() };
        // SAFETY: it has its value, and a `&mut T` is only made from a `&mut Rc` that is the only reference.
        unsafe { value.as_ref() }
    }
}

impl<T: ?Sized, A: Allocator> AsRef<T> for Rc<T, A> {
    #[inline]
    fn as_ref(&self) -> &T {
        self
    }
}

impl<T: ?Sized, A: Allocator> Borrow<T> for Rc<T, A> {
    #[inline]
    fn borrow(&self) -> &T {
        self
    }
}

// Moving an `Rc` does not move its value.
impl<T: ?Sized, A: Allocator> Unpin for Rc<T, A> {}
// As for `std`: what a panic can leave behind is what a shared reference shows; the counts are never left half done.
impl<T: RefUnwindSafe + ?Sized, A: Allocator + UnwindSafe> UnwindSafe for Rc<T, A> {}
impl<T: RefUnwindSafe + ?Sized, A: Allocator + RefUnwindSafe> RefUnwindSafe for Rc<T, A> {}
