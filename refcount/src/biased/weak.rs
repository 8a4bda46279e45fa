//! `Weak`: references that do not keep the object alive, and the constructor that needs them.
#![allow(unsafe_code, reason = "a `Weak` shares a side header and remembers its object")]

use super::strong::BiasedRc;
use crate::object::{DEFERRABLE, ObjectPtr, Storage, Unborn};
use crate::raw::{BiasedHeader, BiasedSide};
use crate::unsize::TakeApart;
use crate::weak::weak;
use allocator_api2::alloc::{AllocError, Allocator, Global, handle_alloc_error};
use core::alloc::Layout;
use core::fmt;
use core::mem::ManuallyDrop;
use core::panic::{RefUnwindSafe, UnwindSafe};
use core::ptr::{self, NonNull};

/// A reference that does not keep its object alive; [`upgrade`](Weak::upgrade) asks for one that does.
///
/// Names and meanings are those of [`std::sync::Weak`]. It holds the object's 32-byte side header, not the object's memory.
///
/// ```
/// use cpymem_refcount::biased::BiasedRc;
///
/// let strong = BiasedRc::new(5);
/// let weak = BiasedRc::downgrade(&strong);
/// assert_eq!(*weak.upgrade().unwrap(), 5);
/// drop(strong);
/// assert!(weak.upgrade().is_none());
/// ```
///
/// An upgrade costs one atomic exchange, on the owner's thread two: the reference is then counted locally, so that the object keeps its owner.
///
/// It crosses threads where a `BiasedRc` does:
///
/// ```compile_fail,E0277
/// fn sendable<T: Send>(_: T) {}
/// sendable(cpymem_refcount::biased::Weak::<std::cell::Cell<u64>>::new());
/// ```
/// ```
/// fn sendable<T: Send>(_: T) {}
/// sendable(cpymem_refcount::biased::Weak::<u64>::new());
/// ```
///
/// # Invariants
///
/// 1. `side` is the side header of `object`, and this `Weak` owns one share of it; or `None`, and there never was an object.
/// 2. `alloc` can stand for the allocator of both.
pub struct Weak<T: ?Sized + 'static, A: Allocator + 'static = Global> {
    side: Option<NonNull<BiasedSide>>,
    object: ObjectPtr<BiasedHeader, T>,
    alloc: A,
}

// SAFETY: as for `BiasedRc`, which `upgrade` makes of it; the side header is made for many threads.
unsafe impl<T: ?Sized + Sync + Send, A: Allocator + Send> Send for Weak<T, A> {}
// SAFETY: as above.
unsafe impl<T: ?Sized + Sync + Send, A: Allocator + Sync> Sync for Weak<T, A> {}

const _: () = assert!(size_of::<Weak<u64>>() == 2 * size_of::<usize>());

weak!(BiasedRc, BiasedHeader, BiasedSide; 'static);

impl<T: ?Sized + 'static, A: Allocator + Clone + 'static> Weak<T, A> {
    /// The number of `BiasedRc`s to the object; zero if it is dead, `u32::MAX` if it is immortal. It upgrades for that, as the owner's count is in
    /// the object.
    pub fn strong_count(&self) -> usize {
        match self.upgrade().as_ref().map(BiasedRc::strong_count) {
            None => 0,
            Some(immortal) if immortal == u32::MAX as usize => immortal,
            Some(count) => count - 1,
        }
    }
}
