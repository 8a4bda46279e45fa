//! [`Weak`]: a reference that does not keep its object alive.
#![allow(unsafe_code, reason = "a weak reference owns a share of a side header")]

use core::fmt;
use core::ptr::NonNull;

use allocator_api2::alloc::Global;
use cpymem_refcount::raw::Side;

use crate::gc::{Gc, write_value};
use crate::heap::HeapPtr;
use crate::object::ObjPtr;
use crate::trace::{Clearer, Trace, Visitor};
use crate::vtable::GcBox;

/// A reference to an object that neither keeps it alive nor is followed by a collection.
///
/// The first weak reference to an object moves its count to a side header of 16 bytes; objects without weak
/// references pay nothing. The memory of the object itself goes when the object dies, whatever weak
/// references remain.
///
/// A collection kills the weak references to all garbage that it found before it takes any of it apart.
pub struct Weak<T: ?Sized + 'static> {
    /// A share of the side header; `None` for a reference that never had an object.
    side: Option<NonNull<Side>>,
    /// The object, valid while `side` says that it is alive.
    ptr: NonNull<GcBox<T>>,
}

impl<T: 'static> Weak<T> {
    /// A weak reference to nothing: [`upgrade`](Self::upgrade) gives `None`. Allocates nothing.
    pub const fn new() -> Weak<T> {
        Weak { side: None, ptr: NonNull::dangling() }
    }
}

impl<T: 'static> Default for Weak<T> {
    fn default() -> Weak<T> {
        Weak::new()
    }
}

impl<T: ?Sized + 'static> Weak<T> {
    /// A handle on the object if it is alive and not garbage that a collection has found.
    pub fn upgrade(&self) -> Option<Gc<T>> {
        // SAFETY: the share that this reference owns keeps the side header.
        let alive = unsafe { self.side?.as_ref() }.upgrade();
        // SAFETY: a successful upgrade is a reference of ours to the live object.
        alive.then(|| unsafe { Gc::from_owned(self.ptr) })
    }

    /// Number of `Gc`s to the object; 0 if it is dead.
    pub fn strong_count(&self) -> usize {
        // SAFETY: as in `upgrade`.
        self.side.map_or(0, |side| unsafe { side.as_ref() }.count().get() as usize)
    }

    /// Number of weak references to the object, dead or alive; 0 for [`Weak::new`].
    pub fn weak_count(&self) -> usize {
        // SAFETY: as in `upgrade`.
        self.side.map_or(0, |side| unsafe { side.as_ref() }.weak_count() as usize)
    }

    /// True if both point to the same object, dead or alive, or both to none.
    pub fn ptr_eq(&self, other: &Weak<T>) -> bool {
        self.side == other.side
    }

    /// A weak reference to the object at `ptr`.
    pub(crate) fn to_object(object: ObjPtr, ptr: NonNull<GcBox<T>>) -> Weak<T> {
        let Ok(side) = object.header().side_or_insert(&Global) else {
            std::alloc::handle_alloc_error(core::alloc::Layout::new::<Side>());
        };
        // SAFETY: the object is alive, so its side header is.
        unsafe { side.as_ref() }.retain();
        Weak { side: Some(side), ptr }
    }
}

impl<T: ?Sized + 'static> Clone for Weak<T> {
    fn clone(&self) -> Weak<T> {
        if let Some(side) = self.side {
            // SAFETY: the share that this reference owns keeps the side header.
            unsafe { side.as_ref() }.retain();
        }
        Weak { side: self.side, ptr: self.ptr }
    }
}

impl<T: ?Sized + 'static> Drop for Weak<T> {
    fn drop(&mut self) {
        if let Some(side) = self.side {
            // SAFETY: the share is ours and ends here; side headers of objects come from `Global`.
            unsafe { Side::release(side, &Global) };
        }
    }
}

impl<T: ?Sized + 'static> fmt::Debug for Weak<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(Weak)")
    }
}

// SAFETY: a weak reference owns no `Gc`.
unsafe impl<T: ?Sized + 'static> Trace for Weak<T> {
    fn visit(&self, _: &mut Visitor<'_>) {}

    fn clear(&mut self, _: &mut Clearer<'_>) {}

    fn needs_trace() -> bool {
        false
    }
}

/// See [`Gc::new_cyclic`].
pub(crate) fn new_cyclic<T: Trace + 'static>(heap: HeapPtr, make: impl FnOnce(&Weak<T>) -> T) -> Gc<T> {
    /// Frees the object without a value if `make` panics.
    struct Unfinished(ObjPtr);
    impl Drop for Unfinished {
        fn drop(&mut self) {
            let (heap, layout) = (self.0.heap(), self.0.vtable().layout);
            // SAFETY: side headers of objects come from `Global`.
            unsafe { self.0.header().release_side(&Global) };
            // SAFETY: allocated below with this layout; nobody else has a reference, as upgrades failed.
            unsafe { heap.dealloc(self.0.block(), layout) };
        }
    }
    let ptr = heap.alloc::<T>();
    // SAFETY: the object has a header that counts our reference, and is untracked: its value is not looked at.
    let object = unsafe { ObjPtr::new(ptr.cast()) };
    let unfinished = Unfinished(object);
    let weak = Weak::to_object(object, ptr);
    if let Some(side) = object.side() {
        side.kill();
    }
    let value = make(&weak);
    core::mem::forget(unfinished);
    // SAFETY: the object was allocated above and its value not written yet.
    unsafe { write_value(ptr, value) };
    if let Some(side) = object.side() {
        side.revive();
    }
    // SAFETY: the reference that the header has counted since `alloc`.
    unsafe { Gc::from_owned(ptr) }
}
