//! `Arc`: making, sharing and dropping objects.
#![allow(unsafe_code, reason = "an `Arc` owns an object through a pointer")]

use super::policy::{CheckFirst, Policy};
use crate::checked::Origin;
use crate::object::{DEFERRABLE, Dead, ObjectPtr, Storage, move_out};
use crate::owner::{borrowed, owner};
use crate::raw::SharedHeader;
use allocator_api2::alloc::{AllocError, Allocator, Global};
use core::marker::PhantomData;
use core::mem::{ManuallyDrop, MaybeUninit};
use core::ops::Deref;
use core::pin::Pin;

/// A reference-counted pointer to a `T`, for many threads.
///
/// Names and meanings are those of [`std::sync::Arc`]; the [module](crate::sync) lists what differs. `P` decides whether a clone or
/// drop looks for immortality before it counts: see [`Policy`].
///
/// ```
/// use cpymem_refcount::sync::Arc;
///
/// let a = Arc::new(vec![1, 2, 3]);
/// let b = Arc::clone(&a);
/// let sum = std::thread::spawn(move || b.iter().sum::<i32>()).join().unwrap();
/// assert_eq!((sum, Arc::strong_count(&a)), (6, 1));
/// ```
///
/// # Invariants
///
/// 1. The object is allocated, has its value, and counts this `Arc`.
/// 2. The object came from `alloc`, or from an allocator that `alloc` can stand for.
/// 3. The deferrable bit is set only while the value and the allocator are `'static`: it is written by constructors with that bound,
///    and cleared before a `&mut T` leaves through a method without it.
///
/// # What may cross threads
///
/// As for `std`: an `Arc` shares its value, and the last one to go destroys it, wherever that is.
///
/// ```compile_fail,E0277
/// fn sendable<T: Send>(_: T) {}
/// sendable(cpymem_refcount::sync::Arc::new(std::cell::Cell::new(1)));
/// ```
/// ```
/// fn sendable<T: Send>(_: T) {}
/// sendable(cpymem_refcount::sync::Arc::new(1));
/// ```
///
/// # Borrows
///
/// `new` wants a `'static` value, `new_borrowed` does not:
///
/// ```compile_fail,E0597
/// let local = String::from("x");
/// let arc = cpymem_refcount::sync::Arc::new(&local);
/// ```
/// ```
/// let local = String::from("x");
/// let arc = cpymem_refcount::sync::Arc::new_borrowed(&local);
/// ```
///
/// Covariance does not open a way around that:
///
/// ```compile_fail
/// use cpymem_refcount::sync::Arc;
/// fn smuggle<'a>(mut arc: Arc<Option<&'a str>>, local: &'a str) {
///     *Arc::get_mut(&mut arc).unwrap() = Some(local);
/// }
/// smuggle(Arc::new(None), &String::from("x"));
/// ```
/// ```
/// use cpymem_refcount::sync::Arc;
/// fn smuggle<'a>(mut arc: Arc<Option<&'a str>>, local: &'a str) {
///     *Arc::get_mut_borrowed(&mut arc).unwrap() = Some(local);
/// }
/// smuggle(Arc::new(None), &String::from("x"));
/// ```
pub struct Arc<T: ?Sized, A: Allocator = Global, P: Policy = CheckFirst> {
    pub(super) object: ObjectPtr<SharedHeader, T>,
    alloc: ManuallyDrop<A>,
    origin: Origin,
    owns: PhantomData<T>,
    policy: PhantomData<fn() -> P>,
}

#[cfg(not(feature = "checked"))]
const _: () = assert!(size_of::<Option<Arc<u64>>>() == size_of::<usize>());

owner!(Arc, SharedHeader, P: Policy);
borrowed!(Arc);

// SAFETY: whoever has an `Arc` may read the value (`T: Sync`) and, as the last one, drop it or take it out (`T: Send`); the
// allocator goes along. The header is made for many threads.
unsafe impl<T: ?Sized + Sync + Send, A: Allocator + Send, P: Policy> Send for Arc<T, A, P> {}
// SAFETY: as above; through a shared `Arc` others can be made, and the allocator be used.
unsafe impl<T: ?Sized + Sync + Send, A: Allocator + Sync, P: Policy> Sync for Arc<T, A, P> {}

impl<T, A: Allocator, P: Policy> Arc<T, A, P> {
    /// The value, if this is the only strong reference; otherwise the `Arc` back. Weak references are left behind, as if the value
    /// had been dropped.
    ///
    /// # Errors
    ///
    /// There are other strong references, or the object is immortal.
    #[inline]
    #[cfg_attr(feature = "checked", track_caller)]
    pub fn try_unwrap(this: Arc<T, A, P>) -> Result<T, Arc<T, A, P>> {
        if !this.header().seize() {
            return Err(this);
        }
        this.origin.died(this.object.address());
        let (object, alloc) = this.into_parts();
        // SAFETY: the only reference was ours, and weak references can no longer be upgraded.
        Ok(unsafe { move_out(object, alloc) })
    }

    /// The value, if this was the last strong reference. Otherwise the reference is dropped. Of threads that all call it on the
    /// same object, exactly one gets the value.
    #[inline]
    #[cfg_attr(feature = "checked", track_caller)]
    pub fn into_inner(this: Arc<T, A, P>) -> Option<T> {
        let last = this.header().decrement(P::CHECK_FIRST);
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
    pub fn unwrap_or_clone(this: Arc<T, A, P>) -> T
    where
        T: Clone,
    {
        Arc::try_unwrap(this).unwrap_or_else(|shared| T::clone(&shared))
    }
}

impl<T: ?Sized, A: Allocator, P: Policy> Arc<T, A, P> {
    /// The number of `Arc`s to the object; `u32::MAX` if it is immortal, as CPython 3.12's `sys.getrefcount` answers.
    #[inline]
    pub fn strong_count(this: &Arc<T, A, P>) -> usize {
        this.header().count() as usize
    }

    /// The number of `Weak`s to the object; `u32::MAX` once that number has saturated.
    #[inline]
    pub fn weak_count(this: &Arc<T, A, P>) -> usize {
        this.header().weak_count() as usize
    }

    /// The same reference under another policy: policies are a matter of the pointer, not of the object.
    ///
    /// ```
    /// use cpymem_refcount::sync::{Arc, CountFirst};
    ///
    /// let arc = Arc::new(1);
    /// let hot = Arc::with_policy::<CountFirst>(arc.clone());
    /// assert_eq!(Arc::strong_count(&hot), 2);
    /// ```
    #[inline]
    pub fn with_policy<Q: Policy>(this: Arc<T, A, P>) -> Arc<T, A, Q> {
        let (object, alloc) = this.into_parts();
        // SAFETY: the parts of an `Arc`, with the reference that it counted.
        unsafe { Arc::from_object(object, alloc) }
    }

    /// Makes the object immortal (PEP 683): it is never destroyed, its header is not stored to by pointers that
    /// [`CheckFirst`], and [`strong_count`](Arc::strong_count) is `u32::MAX`. There is no way back: the memory is leaked.
    ///
    /// An object with 2^31 references becomes immortal by itself.
    ///
    /// ```
    /// use cpymem_refcount::sync::Arc;
    ///
    /// let none = Arc::new("None");
    /// Arc::immortalize(&none);
    /// assert!(Arc::is_immortal(&none));
    /// drop(none.clone());
    /// assert_eq!(Arc::strong_count(&none), u32::MAX as usize);
    /// ```
    pub fn immortalize(this: &Arc<T, A, P>) {
        this.header().immortalize();
    }

    /// Whether the object is immortal, by request or because its count has saturated.
    #[inline]
    pub fn is_immortal(this: &Arc<T, A, P>) -> bool {
        this.header().count() == u32::MAX
    }
}

impl<T: ?Sized, A: Allocator + Clone, P: Policy> Clone for Arc<T, A, P> {
    #[inline]
    #[cfg_attr(feature = "checked", track_caller)]
    fn clone(&self) -> Arc<T, A, P> {
        // First, because it may panic.
        let alloc = A::clone(&self.alloc);
        self.header().increment(P::CHECK_FIRST);
        // SAFETY: the new reference is counted; a clone of an allocator can stand for it.
        unsafe { Arc::from_object(self.object, alloc) }
    }
}

impl<T: ?Sized, A: Allocator, P: Policy> Drop for Arc<T, A, P> {
    #[inline]
    fn drop(&mut self) {
        if !self.origin.may_drop(self.object.address()) {
            return;
        }
        if self.header().decrement(P::CHECK_FIRST) {
            self.destroy();
        } else {
            self.drop_alloc();
        }
    }
}
