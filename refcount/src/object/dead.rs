//! The way out: dead objects, and values that are moved out.
#![allow(unsafe_code, reason = "objects are destroyed through raw pointers")]

use super::{DEFERRABLE, ObjectHeader, ObjectPtr};
use crate::raw::contain;
use crate::raw::trashcan::{self, Dispose};
use allocator_api2::alloc::Allocator;
use core::mem;

/// An object without references, on its way through the trashcan.
pub(crate) struct Dead<H: ObjectHeader, T: ?Sized, A: Allocator> {
    pub(crate) object: ObjectPtr<H, T>,
    pub(crate) alloc: A,
}

// SAFETY: the header says deferrable only if the value and the allocator are `'static` (invariant 3 of `Rc` and of `Arc`).
unsafe impl<H: ObjectHeader, T: ?Sized, A: Allocator> Dispose for Dead<H, T, A> {
    #[inline]
    fn is_deferrable(&self) -> bool {
        // SAFETY: a dead object is still allocated.
        unsafe { self.object.header() }.meta() & DEFERRABLE != 0
    }

    #[inline]
    unsafe fn dispose(self) {
        // SAFETY: a dead object is still allocated.
        if unsafe { self.object.header() }.is_outlined() {
            // SAFETY: the caller's promise is the same.
            return unsafe { self.dispose_outlined() };
        }
        // SAFETY: the caller's promise is the same.
        unsafe { self.dispose_value() }
    }
}

impl<H: ObjectHeader, T: ?Sized, A: Allocator> Dead<H, T, A> {
    /// An object that has or had weak references.
    ///
    /// # Safety
    ///
    /// That of [`Dispose::dispose`].
    #[cold]
    #[inline(never)]
    unsafe fn dispose_outlined(self) {
        // SAFETY: a dead object is still allocated.
        let header = unsafe { self.object.header() };
        // SAFETY: its side header came from the same allocator.
        unsafe { header.bury(&self.alloc) };
        // SAFETY: the caller's promise is the same.
        unsafe { self.dispose_value() }
    }

    /// # Safety
    ///
    /// That of [`Dispose::dispose`]; and there is no side header.
    #[inline]
    unsafe fn dispose_value(self) {
        // SAFETY: a dead object still has its value and belongs to this `Dead`.
        let storage = unsafe { self.object.into_storage(self.alloc) };
        if mem::needs_drop::<T>() {
            // SAFETY: the storage is freed below.
            let value = unsafe { self.object.value() };
            // SAFETY: the last reference is gone, so the value is dropped once; if it panics, `storage` is freed all the same.
            unsafe { value.drop_in_place() };
        }
        drop(storage);
    }

    /// Destroys the object, at bounded depth if it is deferrable.
    ///
    /// # Safety
    ///
    /// The last reference is gone, and the object and its allocator are the caller's to destroy.
    #[inline]
    pub(crate) unsafe fn destroy(self) {
        if mem::needs_drop::<T>() {
            // SAFETY: the caller's promise.
            return unsafe { trashcan::dispose(self) };
        }
        // SAFETY: a dead object is still allocated.
        if unsafe { self.object.header() }.is_outlined() {
            // SAFETY: the caller's promise.
            return unsafe { self.destroy_for_callbacks() };
        }
        // SAFETY: the caller's promise, and there is no side header.
        unsafe { self.dispose_value() }
    }

    /// An object without drop glue that has or had weak references: only their callbacks can run, and nest. Whatever panics there is
    /// theirs. `extern "C"`, because such a function cannot unwind: callers keep their values in registers across a drop.
    ///
    /// # Safety
    ///
    /// That of [`Dead::destroy`].
    #[cold]
    #[allow(improper_ctypes_definitions, reason = "called by Rust only")]
    unsafe extern "C" fn destroy_for_callbacks(self) {
        // SAFETY: the caller's promise.
        contain(|| unsafe { trashcan::dispose(self) });
    }
}

/// Moves the value out and frees the object.
///
/// # Safety
///
/// The object is dead, it has its value, and it is the caller's to free with `alloc`.
#[inline]
pub(crate) unsafe fn move_out<H: ObjectHeader, T, A: Allocator>(object: ObjectPtr<H, T>, alloc: A) -> T {
    // SAFETY: the caller's promise.
    let storage = unsafe { object.into_storage(alloc) };
    // SAFETY: the object is freed when `storage` goes.
    let value = unsafe { object.value() };
    // SAFETY: it has its value, which nobody reads again.
    let value = unsafe { value.read() };
    if storage.header().is_outlined() {
        // SAFETY: dead, and its side header came from the same allocator.
        unsafe { storage.header().bury(storage.alloc()) };
    }
    value
}
