//! `Weak`: references that do not keep the object alive, and the constructor that needs them.
#![allow(unsafe_code, reason = "a `Weak` shares a side header and remembers its object")]

use super::policy::{CheckFirst, Policy};
use super::strong::Arc;
use crate::object::{DEFERRABLE, ObjectPtr, Storage, Unborn};
use crate::raw::{SharedHeader, SharedSide};
use crate::unsize::TakeApart;
use crate::weak::weak;
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

weak!(Arc, SharedHeader, SharedSide, P: Policy);

impl<T: ?Sized, A: Allocator, P: Policy> Weak<T, A, P> {
    /// The number of `Arc`s to the object; zero if it is dead, `u32::MAX` if it is immortal.
    pub fn strong_count(&self) -> usize {
        self.side().map_or(0, |side| side.count() as usize)
    }
}
