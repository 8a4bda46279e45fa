//! From a type to its [`VTable`], and from a value to an object.
#![allow(unsafe_code, reason = "the operations of a type take an object by address")]

use core::alloc::Layout;
use core::any::TypeId;
use core::mem::ManuallyDrop;
use core::ptr::NonNull;

use allocator_api2::alloc::Global;
use cpymem_allocator::pool::Pool;

use crate::checked;
use crate::gc_ptr::Gc;
use crate::heap::HeapPtr;
use crate::inquiry::Inquiry;
use crate::object::ObjPtr;
use crate::trace::Trace;
use crate::visitor::Clearer;
use crate::vtable::{GcBox, VTable};
use crate::weak::Weak;

impl<T: Trace + 'static> GcBox<T> {
    const VTABLE: &'static VTable = &VTable {
        visit: |object, visitor| {
            // SAFETY: the caller's promise: the object is alive, and of this type since it has this table.
            unsafe { object.cast::<GcBox<T>>().as_ref() }.value.visit(visitor);
        },
        clear: |object, clearer| {
            // SAFETY: as above, and nobody else has a reference to it.
            unsafe { object.cast::<GcBox<T>>().as_mut() }.value.clear(clearer);
        },
        drop: |object| {
            // SAFETY: as above.
            let value = unsafe { &raw mut (*object.cast::<GcBox<T>>().as_ptr()).value };
            // SAFETY: the value is valid and, as the caller says, not used again.
            unsafe { value.drop_in_place() }
        },
        dismantle: |object, clearer| {
            // SAFETY: as above.
            let value = unsafe { &raw mut (*object.cast::<GcBox<T>>().as_ptr()).value };
            // SAFETY: the value is valid, nobody else has a reference to it and, as the caller says, it is not used again.
            unsafe { dismantle(value, clearer) }
        },
        teardown: Inquiry::ask::<T>,
        finalize: |object| {
            if let Some(finalize) = T::finalizer() {
                // SAFETY: the object is alive; the handle owns nothing, as it is never dropped.
                let handle = ManuallyDrop::new(unsafe { Gc::from_owned(object.cast::<GcBox<T>>()) });
                finalize(&handle);
            }
        },
        layout: Layout::new::<GcBox<T>>(),
        type_id: TypeId::of::<T>,
        type_name: core::any::type_name::<T>,
    };
}

/// Up to so many bytes a value is dismantled in registers.
const SMALL: usize = 128;

/// Severs the edges of a value and drops it.
///
/// # Safety
/// The value is valid, the caller's alone, and not used again.
#[inline(always)]
unsafe fn dismantle<T: Trace>(value: *mut T, clearer: &mut Clearer<'_>) {
    if size_of::<T>() <= SMALL {
        // What is severed is not written back to memory that is about to be freed.
        // SAFETY: the caller's promise: the value is moved out.
        let mut value = unsafe { value.read() };
        value.clear(clearer);
        return drop(value);
    }
    // SAFETY: the caller's promise.
    unsafe { &mut *value }.clear(clearer);
    // SAFETY: as above.
    unsafe { value.drop_in_place() }
}

/// Memory for an object; see [`HeapPtr::alloc`].
#[inline(always)]
fn alloc<T: Trace + 'static>(heap: HeapPtr) -> (Pool<'static>, ObjPtr) {
    heap.alloc(GcBox::<T>::VTABLE, Layout::new::<GcBox<T>>())
}

/// Completes an object: writes the value and, if it can own a `Gc`, tracks the object.
///
/// # Safety
/// `object` is fresh from [`alloc`], with its pool; nobody looks at its value yet.
#[inline(always)]
unsafe fn complete<T: Trace + 'static>(heap: HeapPtr, pool: Pool<'static>, object: ObjPtr, value: T) {
    let ptr = object.as_ptr().cast::<GcBox<T>>();
    // SAFETY: the caller's promise: the block is allocated and has the layout of the object.
    let at = unsafe { &raw mut (*ptr.as_ptr()).value };
    // SAFETY: there is no value yet, so none is overwritten.
    unsafe { at.write(value) };
    if T::finalizer().is_some() {
        object.set_meta(object.meta().to_finalize());
    }
    if T::needs_trace() {
        heap.track(pool, object);
    }
}

/// A new object. The caller has asked the schedule for the collection that may be due.
#[inline(always)]
pub(crate) fn new_object<T: Trace + 'static>(heap: HeapPtr, value: T) -> Gc<T> {
    let (pool, object) = alloc::<T>(heap);
    // SAFETY: the block is ours and has room for the value.
    unsafe { complete(heap, pool, object, value) };
    checked::acquired(object);
    // SAFETY: the reference that the header has counted since `alloc`.
    unsafe { Gc::from_owned(object.as_ptr().cast()) }
}

/// See [`Gc::new_cyclic`].
pub(crate) fn new_cyclic<T: Trace + 'static>(heap: HeapPtr, make: impl FnOnce(&Weak<T>) -> T) -> Gc<T> {
    /// Frees the object without a value if `make` panics.
    struct Unfinished(ObjPtr, Layout);
    impl Drop for Unfinished {
        fn drop(&mut self) {
            let heap = HeapPtr::of(self.0);
            // SAFETY: side headers of objects come from `Global`.
            unsafe { self.0.header().release_side(&Global) };
            // SAFETY: allocated below with this layout; nobody else has a reference, as upgrades failed.
            unsafe { heap.dealloc(self.0.block(), self.1) };
        }
    }
    let (pool, object) = alloc::<T>(heap);
    let ptr: NonNull<GcBox<T>> = object.as_ptr().cast();
    let unfinished = Unfinished(object, Layout::new::<GcBox<T>>());
    let weak = Weak::to_object(object, ptr);
    if let Some(side) = object.side() {
        side.kill();
    }
    let value = make(&weak);
    core::mem::forget(unfinished);
    // SAFETY: the object was allocated above and its value not written yet.
    unsafe { complete(heap, pool, object, value) };
    if let Some(side) = object.side() {
        side.revive();
    }
    checked::acquired(object);
    // SAFETY: the reference that the header has counted since `alloc`.
    unsafe { Gc::from_owned(ptr) }
}
