//! `BiasedRc`: making, sharing and dropping objects.
#![allow(unsafe_code, reason = "a `BiasedRc` owns an object through a pointer")]

use crate::checked::Origin;
use crate::object::{DEFERRABLE, Dead, ObjectPtr, Storage, move_out};
use crate::owner::owner;
use crate::raw::BiasedHeader;
use crate::raw::biased::header::Drop as Dropped;
use crate::raw::biased::{left, thread};
use allocator_api2::alloc::{AllocError, Allocator, Global};
use core::marker::PhantomData;
use core::mem::{ManuallyDrop, MaybeUninit};
use core::ops::Deref;
use core::pin::Pin;

/// A reference-counted pointer to a `T` that one thread owns and others share.
///
/// Names and meanings are those of [`std::sync::Arc`]; the [module](crate::biased) says when an object dies.
///
/// ```
/// use cpymem_refcount::biased::BiasedRc;
///
/// let a = BiasedRc::new(5);
/// let b = BiasedRc::clone(&a);
/// assert_eq!((*b, BiasedRc::strong_count(&a)), (5, 2));
/// drop(a);
/// assert_eq!(BiasedRc::into_inner(b), Some(5));
/// ```
///
/// # Invariants
///
/// 1. The object is allocated, has its value, and counts this `BiasedRc`.
/// 2. The object came from `alloc`, or from an allocator that `alloc` can stand for.
/// 3. Value and allocator are `'static`, so that the object is deferrable.
///
/// # What may cross threads
///
/// As for `std`'s `Arc`: the value is shared, and destroyed by whatever thread finds the last reference gone.
///
/// ```compile_fail,E0277
/// fn sendable<T: Send>(_: T) {}
/// sendable(cpymem_refcount::biased::BiasedRc::new(std::cell::Cell::new(1)));
/// ```
/// ```
/// fn sendable<T: Send>(_: T) {}
/// sendable(cpymem_refcount::biased::BiasedRc::new(1));
/// ```
///
/// Covariance does not let a shorter borrow in:
///
/// ```compile_fail
/// use cpymem_refcount::biased::BiasedRc;
/// fn smuggle<'a>(mut object: BiasedRc<Option<&'a str>>, local: &'a str) {
///     *BiasedRc::get_mut(&mut object).unwrap() = Some(local);
/// }
/// smuggle(BiasedRc::new(None), &String::from("x"));
/// ```
/// ```
/// use cpymem_refcount::biased::BiasedRc;
/// fn assign(mut object: BiasedRc<Option<&'static str>>, text: &'static str) {
///     *BiasedRc::get_mut(&mut object).unwrap() = Some(text);
/// }
/// assign(BiasedRc::new(None), "x");
/// ```
pub struct BiasedRc<T: ?Sized + 'static, A: Allocator + 'static = Global> {
    pub(super) object: ObjectPtr<BiasedHeader, T>,
    alloc: ManuallyDrop<A>,
    origin: Origin,
    owns: PhantomData<T>,
}

#[cfg(not(feature = "checked"))]
const _: () = assert!(size_of::<Option<BiasedRc<u64>>>() == size_of::<usize>());

owner!(BiasedRc, BiasedHeader; 'static);

// SAFETY: whoever has a `BiasedRc` may read the value (`T: Sync`); and whatever thread merges the last reference, or takes the value out, drops it or has
// it (`T: Send`). The allocator goes along. The header is made for many threads.
unsafe impl<T: ?Sized + Sync + Send, A: Allocator + Send> Send for BiasedRc<T, A> {}
// SAFETY: as above; through a shared `BiasedRc` others can be made, and the allocator be used.
unsafe impl<T: ?Sized + Sync + Send, A: Allocator + Sync> Sync for BiasedRc<T, A> {}

impl<T: 'static, A: Allocator + 'static> BiasedRc<T, A> {
    /// The value, if this is the only strong reference; otherwise the `BiasedRc` back. Weak references are left behind, as if the
    /// value had been dropped.
    ///
    /// # Errors
    ///
    /// There are other strong references, one that waits in the owner's queue among them; or the object is immortal.
    #[inline]
    #[cfg_attr(feature = "checked", track_caller)]
    pub fn try_unwrap(this: BiasedRc<T, A>) -> Result<T, BiasedRc<T, A>> {
        if !this.header().seize() {
            return Err(this);
        }
        this.origin.died(this.object.address());
        let (object, alloc) = this.into_parts();
        // SAFETY: the only reference was ours, and weak references can no longer be upgraded.
        Ok(unsafe { move_out(object, alloc) })
    }

    /// The value, if this was the last strong reference. Otherwise the reference is dropped. Of threads that all call it on the
    /// same object, at most one gets the value: none does if the last reference is one that waits in the owner's queue, which then drops the
    /// value. (With `std`'s `Arc` it is exactly one.)
    #[inline]
    #[cfg_attr(feature = "checked", track_caller)]
    pub fn into_inner(this: BiasedRc<T, A>) -> Option<T> {
        if this.header().decrement_fast() {
            drop(this.into_parts().1);
            return None;
        }
        match this.header().decrement_slow() {
            Dropped::Last => {
                this.origin.died(this.object.address());
                let (object, alloc) = this.into_parts();
                // SAFETY: the last reference was ours.
                Some(unsafe { move_out(object, alloc) })
            }
            Dropped::Gone => {
                drop(this.into_parts().1);
                None
            }
            Dropped::Unsure => {
                let origin = this.origin;
                let (object, alloc) = this.into_parts();
                // SAFETY: ours.
                unsafe { left::leave(Dead { object, alloc }, origin) };
                None
            }
        }
    }

    /// The value, cloned if there are other references to it.
    #[inline]
    #[cfg_attr(feature = "checked", track_caller)]
    pub fn unwrap_or_clone(this: BiasedRc<T, A>) -> T
    where
        T: Clone,
    {
        BiasedRc::try_unwrap(this).unwrap_or_else(|shared| T::clone(&shared))
    }
}

impl<T: ?Sized + 'static, A: Allocator + 'static> BiasedRc<T, A> {
    /// The number of `BiasedRc`s to the object, exact if nobody is counting meanwhile; `u32::MAX` if it is immortal, as CPython 3.12's
    /// `sys.getrefcount` answers.
    #[inline]
    pub fn strong_count(this: &BiasedRc<T, A>) -> usize {
        this.header().count() as usize
    }

    /// The number of `Weak`s to the object; `u32::MAX` once that number has saturated.
    #[inline]
    pub fn weak_count(this: &BiasedRc<T, A>) -> usize {
        this.header().weak_count() as usize
    }

    /// Whether this thread owns the object, so that it counts without atomic read-modify-writes.
    ///
    /// ```
    /// use cpymem_refcount::biased::BiasedRc;
    ///
    /// let object = BiasedRc::new(1);
    /// assert!(BiasedRc::is_owned(&object));
    /// let elsewhere = object.clone();
    /// assert!(!std::thread::spawn(move || BiasedRc::is_owned(&elsewhere)).join().unwrap());
    /// ```
    #[inline]
    pub fn is_owned(this: &BiasedRc<T, A>) -> bool {
        this.header().is_mine()
    }

    /// Gives the object up, if this thread owns it: from now on all threads count in the atomic word, and whichever drops the last
    /// reference destroys the object at once. For objects that are handed to several threads.
    ///
    /// ```
    /// use cpymem_refcount::biased::{BiasedRc, poll};
    /// use std::thread;
    ///
    /// let object = BiasedRc::new(5);
    /// BiasedRc::disown(&object);
    /// let clones = [object.clone(), object.clone()];
    /// thread::spawn(move || drop(clones)).join().unwrap();
    /// assert_eq!(poll(), 0, "nothing had to wait for this thread");
    /// ```
    #[inline]
    pub fn disown(this: &BiasedRc<T, A>) {
        this.header().disown();
    }

    /// Makes this thread the owner of the object, if this is the only reference to it, strong or weak; returns whether it is the owner
    /// now. For objects that move on and live with their new thread.
    ///
    /// ```
    /// use cpymem_refcount::biased::BiasedRc;
    ///
    /// let mut object = std::thread::spawn(|| BiasedRc::new(1)).join().unwrap();
    /// assert!(!BiasedRc::is_owned(&object));
    /// assert!(BiasedRc::adopt(&mut object) && BiasedRc::is_owned(&object));
    /// ```
    ///
    /// # Panics
    ///
    /// As [`new`](BiasedRc::new): it may be the first thing this thread owns, and looks into the queue.
    pub fn adopt(this: &mut BiasedRc<T, A>) -> bool {
        this.header().adopt()
    }

    /// Makes the object immortal (PEP 683): it is never destroyed, and [`strong_count`](BiasedRc::strong_count) is `u32::MAX`. There is no way
    /// back: the memory is leaked.
    ///
    /// Nothing is stored to its header any more; but if the thread that does this does not own the object, the owner goes on counting.
    ///
    /// An object with 2^31 references of its owner, or 2^30 of others, becomes immortal by itself.
    ///
    /// ```
    /// use cpymem_refcount::biased::BiasedRc;
    ///
    /// let none = BiasedRc::new("None");
    /// BiasedRc::immortalize(&none);
    /// assert!(BiasedRc::is_immortal(&none));
    /// drop(none.clone());
    /// assert_eq!(BiasedRc::strong_count(&none), u32::MAX as usize);
    /// ```
    pub fn immortalize(this: &BiasedRc<T, A>) {
        this.header().immortalize();
    }

    /// Whether the object is immortal, by request or because its count has saturated.
    #[inline]
    pub fn is_immortal(this: &BiasedRc<T, A>) -> bool {
        this.header().is_immortal()
    }

    /// The owner's last reference, or one of another thread.
    #[cold]
    #[inline(never)]
    fn drop_slow(&mut self) {
        match self.header().decrement_slow() {
            Dropped::Last => self.destroy(),
            Dropped::Gone => self.drop_alloc(),
            Dropped::Unsure => self.leave(),
        }
        if thread::has_work() {
            thread::drain();
        }
    }

    #[cold]
    fn leave(&mut self) {
        // SAFETY: `drop` is the last to use the allocator.
        let reference = Dead { object: self.object, alloc: unsafe { ManuallyDrop::take(&mut self.alloc) } };
        // SAFETY: the reference and the allocator are ours.
        unsafe { left::leave(reference, self.origin) };
    }
}

impl<T: ?Sized + 'static, A: Allocator + Clone + 'static> Clone for BiasedRc<T, A> {
    #[inline]
    #[cfg_attr(feature = "checked", track_caller)]
    fn clone(&self) -> BiasedRc<T, A> {
        // First, because it may panic.
        let alloc = A::clone(&self.alloc);
        self.header().increment();
        // SAFETY: the new reference is counted; a clone of an allocator can stand for it.
        unsafe { BiasedRc::from_object(self.object, alloc) }
    }
}

impl<T: ?Sized + 'static, A: Allocator + 'static> Drop for BiasedRc<T, A> {
    #[inline]
    fn drop(&mut self) {
        if !self.origin.may_drop(self.object.address()) {
            return;
        }
        if self.header().decrement_fast() {
            self.drop_alloc();
        } else {
            self.drop_slow();
        }
    }
}
