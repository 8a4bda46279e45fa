//! `Weak`: references that do not keep the object alive, and the constructor that needs them.
#![allow(unsafe_code, reason = "a `Weak` shares a side header and remembers its object")]

use super::policy::{CheckFirst, Policy};
use super::strong::Arc;
use crate::object::{DEFERRABLE, ObjectPtr, Storage, Unborn};
use crate::raw::{SharedHeader, SharedSide};
use crate::unsize::TakeApart;
use allocator_api2::alloc::{AllocError, Allocator, Global, handle_alloc_error};
use core::alloc::Layout;
use core::fmt;
use core::marker::PhantomData;
use core::mem::ManuallyDrop;
use core::panic::{RefUnwindSafe, UnwindSafe};
use core::ptr::{self, NonNull};

/// A reference that does not keep its object alive; [`upgrade`](Weak::upgrade) asks for one that does.
///
/// Names and meanings are those of [`std::sync::Weak`]. It holds the object's 16-byte side header, not the object's memory.
///
/// ```
/// use cpymem_refcount::sync::Arc;
///
/// let strong = Arc::new(5);
/// let weak = Arc::downgrade(&strong);
/// assert_eq!(*weak.upgrade().unwrap(), 5);
/// drop(strong);
/// assert!(weak.upgrade().is_none());
/// ```
///
/// It crosses threads where an `Arc` does:
///
/// ```compile_fail,E0277
/// fn sendable<T: Send>(_: T) {}
/// sendable(cpymem_refcount::sync::Weak::<std::cell::Cell<u64>>::new());
/// ```
/// ```
/// fn sendable<T: Send>(_: T) {}
/// sendable(cpymem_refcount::sync::Weak::<u64>::new());
/// ```
///
/// # Invariants
///
/// 1. `side` is the side header of `object`, and this `Weak` owns one share of it; or `None`, and there never was an object.
/// 2. `alloc` can stand for the allocator of both.
pub struct Weak<T: ?Sized, A: Allocator = Global, P: Policy = CheckFirst> {
    side: Option<NonNull<SharedSide>>,
    object: ObjectPtr<SharedHeader, T>,
    alloc: A,
    policy: PhantomData<fn() -> P>,
}

// SAFETY: as for `Arc`, which `upgrade` makes of it; the side header is made for many threads.
unsafe impl<T: ?Sized + Sync + Send, A: Allocator + Send, P: Policy> Send for Weak<T, A, P> {}
// SAFETY: as above.
unsafe impl<T: ?Sized + Sync + Send, A: Allocator + Sync, P: Policy> Sync for Weak<T, A, P> {}

const _: () = assert!(size_of::<Weak<u64>>() == 2 * size_of::<usize>());

impl<T> Weak<T> {
    /// A `Weak` without an object: it cannot be upgraded. Allocates nothing.
    pub const fn new() -> Weak<T> {
        Weak::new_in(Global)
    }
}

impl<T, A: Allocator, P: Policy> Weak<T, A, P> {
    /// A `Weak` without an object, with an allocator.
    pub const fn new_in(alloc: A) -> Weak<T, A, P> {
        Weak { side: None, object: ObjectPtr::dangling(), alloc, policy: PhantomData }
    }
}

impl<T, A: Allocator, P: Policy> Weak<T, A, P> {
    /// The value's address if the object is alive; otherwise an address that must not be looked at.
    pub fn as_ptr(&self) -> *const T {
        self.object.dangling_value()
    }
}

impl<T: ?Sized, A: Allocator, P: Policy> Weak<T, A, P> {
    fn side(&self) -> Option<&SharedSide> {
        // SAFETY: invariant 1: our share keeps it allocated.
        self.side.map(|side| unsafe { side.as_ref() })
    }

    /// Takes a strong reference, if the object is alive.
    #[inline]
    #[cfg_attr(feature = "checked", track_caller)]
    pub fn upgrade(&self) -> Option<Arc<T, A, P>>
    where
        A: Clone,
    {
        let side = self.side()?;
        // Before counting, because cloning the allocator may panic.
        let alloc = self.alloc.clone();
        if !side.upgrade() {
            return None;
        }
        // SAFETY: after a successful upgrade the object is alive and counts our reference; the allocator stands for its own.
        Some(unsafe { Arc::from_object(self.object, alloc) })
    }

    /// The number of `Arc`s to the object; zero if it is dead, `u32::MAX` if it is immortal.
    pub fn strong_count(&self) -> usize {
        self.side().map_or(0, |side| side.count() as usize)
    }

    /// The number of `Weak`s to the object; zero if it is dead.
    pub fn weak_count(&self) -> usize {
        self.side().filter(|_| self.strong_count() > 0).map_or(0, |side| side.weak_count() as usize)
    }

    /// Whether both belong to the same object, or neither ever had one.
    pub fn ptr_eq(&self, other: &Weak<T, A, P>) -> bool {
        // Objects come and go at the same address, side headers do not while there is a `Weak`.
        self.side == other.side
    }

    /// The allocator.
    pub fn allocator(&self) -> &A {
        &self.alloc
    }
}

impl<T: ?Sized, A: Allocator, P: Policy> Arc<T, A, P> {
    /// Makes a `Weak` to the object. The first one allocates the object's side header.
    #[inline]
    pub fn downgrade(this: &Arc<T, A, P>) -> Weak<T, A, P>
    where
        A: Clone,
    {
        let alloc = Arc::allocator(this).clone();
        match this.header().side_or_insert(&alloc) {
            // SAFETY: the object's own side header, just taken from its header; a clone of its allocator.
            Ok(side) => unsafe { Weak::first(side, this.object, alloc) },
            Err(AllocError) => handle_alloc_error(Layout::new::<SharedSide>()),
        }
    }
}

impl<T: ?Sized, A: Allocator, P: Policy> Weak<T, A, P> {
    /// A `Weak` made from an `Arc`.
    ///
    /// # Safety
    ///
    /// `side` is allocated and belongs to `object`; `alloc` can stand for the allocator of both.
    #[inline]
    unsafe fn first(
        side: NonNull<SharedSide>,
        object: ObjectPtr<SharedHeader, T>,
        alloc: A,
    ) -> Weak<T, A, P> {
        // SAFETY: the caller's promise.
        unsafe { side.as_ref() }.retain_locked();
        Weak { side: Some(side), object, alloc, policy: PhantomData }
    }

    /// A `Weak` made from another one.
    ///
    /// # Safety
    ///
    /// `side` is allocated and belongs to `object`; `alloc` can stand for the allocator of both.
    #[inline]
    unsafe fn retaining(
        side: NonNull<SharedSide>,
        object: ObjectPtr<SharedHeader, T>,
        alloc: A,
    ) -> Weak<T, A, P> {
        // SAFETY: the caller's promise.
        unsafe { side.as_ref() }.retain();
        Weak { side: Some(side), object, alloc, policy: PhantomData }
    }
}

/// What it takes to make a `Weak` later, without counting as one until then.
pub(super) struct Seed<T: ?Sized, A: Allocator, P: Policy> {
    side: Option<NonNull<SharedSide>>,
    object: ObjectPtr<SharedHeader, T>,
    alloc: A,
    policy: PhantomData<fn() -> P>,
}

impl<T: ?Sized, A: Allocator, P: Policy> Seed<T, A, P> {
    /// # Safety
    ///
    /// The side header is still allocated.
    pub(super) unsafe fn grow(self) -> Weak<T, A, P> {
        if let Some(side) = self.side {
            // SAFETY: the caller's promise.
            unsafe { side.as_ref() }.retain_locked();
        }
        Weak { side: self.side, object: self.object, alloc: self.alloc, policy: PhantomData }
    }
}

impl<T: ?Sized, A: Allocator, P: Policy> Weak<T, A, P> {
    pub(super) fn seed(&self) -> Seed<T, A, P>
    where
        A: Clone,
    {
        Seed { side: self.side, object: self.object, alloc: self.alloc.clone(), policy: PhantomData }
    }

    /// The side header of a `Weak` that was made from an object.
    pub(super) fn watched_side(&self) -> &SharedSide {
        self.side().expect("made from an object")
    }
}

/// All of a `Weak` but the address, for [`unsize!`](crate::unsize!).
#[doc(hidden)]
pub struct WeakRest<A: Allocator, P: Policy> {
    side: Option<NonNull<SharedSide>>,
    value_offset: usize,
    alloc: A,
    policy: PhantomData<fn() -> P>,
}

impl<T, A: Allocator, P: Policy> TakeApart for Weak<T, A, P> {
    type Value = T;
    type Rest = WeakRest<A, P>;

    fn take_apart(self) -> (*const T, Self::Rest) {
        let this = ManuallyDrop::new(self);
        let value_offset = ObjectPtr::<SharedHeader, T>::VALUE_OFFSET;
        // SAFETY: `this` is never dropped, so the allocator is taken once.
        let alloc = unsafe { ptr::read(&this.alloc) };
        (this.as_ptr(), WeakRest { side: this.side, value_offset, alloc, policy: PhantomData })
    }
}

impl<A: Allocator, P: Policy> WeakRest<A, P> {
    /// # Safety
    ///
    /// `pointer` came with this from `take_apart`, at most unsized since.
    #[doc(hidden)]
    pub unsafe fn put_together<T: ?Sized>(self, pointer: *const T) -> Weak<T, A, P> {
        // SAFETY: the caller's promise.
        let object = unsafe { ObjectPtr::from_dangling_value(pointer, self.value_offset) };
        Weak { side: self.side, object, alloc: self.alloc, policy: PhantomData }
    }
}

impl<T: 'static> Arc<T> {
    /// Makes a value that holds a `Weak` to itself. Until `make` has returned, that `Weak` cannot be upgraded.
    ///
    /// ```
    /// use cpymem_refcount::sync::{Arc, Weak};
    ///
    /// struct Node { me: Weak<Node> }
    /// let node = Arc::new_cyclic(|me| Node { me: me.clone() });
    /// assert!(Arc::ptr_eq(&node.me.upgrade().unwrap(), &node));
    /// ```
    #[cfg_attr(feature = "checked", track_caller)]
    pub fn new_cyclic(make: impl FnOnce(&Weak<T>) -> T) -> Arc<T> {
        Arc::new_cyclic_in(make, Global)
    }
}

impl<T: 'static, A: Allocator + Clone + 'static> Arc<T, A> {
    /// [`Arc::new_cyclic`] with an allocator.
    #[cfg_attr(feature = "checked", track_caller)]
    pub fn new_cyclic_in(make: impl FnOnce(&Weak<T, A>) -> T, alloc: A) -> Arc<T, A> {
        let unborn: Unborn<SharedHeader, A> = Unborn::new(Storage::new::<T>(DEFERRABLE, alloc));
        let storage = unborn.storage();
        let Ok(side) = storage.header().side_or_insert(storage.alloc()) else {
            handle_alloc_error(Layout::new::<SharedSide>())
        };
        // SAFETY: the header's share keeps it allocated until `unborn` is dropped or the object dies.
        let not_yet = unsafe { side.as_ref() };
        not_yet.set_count(0);
        // SAFETY: the storage is for a `T`.
        let object = unsafe { storage.object::<T>() };
        // SAFETY: the side header is the object's, and alive as above; a clone of its allocator.
        let weak = unsafe { Weak::first(side, object, storage.alloc().clone()) };
        // If `make` panics, `unborn` is dropped, and no clone of `weak` can be upgraded ever after.
        let value = make(&weak);
        // SAFETY: the storage is for a `T`.
        let (object, alloc) = unsafe { unborn.into_storage().init(value) };
        not_yet.set_count(1);
        // SAFETY: a new object with its one reference; `T` and `A` are `'static`.
        unsafe { Arc::from_object(object, alloc) }
    }
}

impl<T: ?Sized, A: Allocator + Clone, P: Policy> Clone for Weak<T, A, P> {
    #[inline]
    fn clone(&self) -> Weak<T, A, P> {
        let alloc = self.alloc.clone();
        match self.side {
            // SAFETY: invariants 1 and 2.
            Some(side) => unsafe { Weak::retaining(side, self.object, alloc) },
            None => Weak { side: None, object: self.object, alloc, policy: PhantomData },
        }
    }
}

impl<T: ?Sized, A: Allocator, P: Policy> Drop for Weak<T, A, P> {
    #[inline]
    fn drop(&mut self) {
        if let Some(side) = self.side {
            // SAFETY: invariants 1 and 2; our share goes with us.
            unsafe { SharedSide::release(side, &self.alloc) };
        }
    }
}

impl<T, A: Allocator + Default, P: Policy> Default for Weak<T, A, P> {
    fn default() -> Weak<T, A, P> {
        Weak::new_in(A::default())
    }
}

impl<T: ?Sized, A: Allocator, P: Policy> fmt::Debug for Weak<T, A, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(Weak)")
    }
}

// As for `Arc`.
impl<T: ?Sized, A: Allocator, P: Policy> Unpin for Weak<T, A, P> {}
impl<T: RefUnwindSafe + ?Sized, A: Allocator + UnwindSafe, P: Policy> UnwindSafe for Weak<T, A, P> {}
impl<T: RefUnwindSafe + ?Sized, A: Allocator + RefUnwindSafe, P: Policy> RefUnwindSafe for Weak<T, A, P> {}
