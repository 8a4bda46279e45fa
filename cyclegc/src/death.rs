//! How references go: purple objects, and the destruction of an object whose count fell to zero.
//!
//! The order is that of CPython's `subtype_dealloc`: the finalizer, which may resurrect; weak references with a
//! callback; the value; the memory.
#![allow(unsafe_code, reason = "an object whose count is zero is destroyed by hand")]

use allocator_api2::alloc::Global;
use cpymem_refcount::raw::trashcan::{self, Dispose};

use crate::checked;
use crate::heap::{HeapPtr, PURPLE_WORD};
use crate::listing::Listing;
use crate::object::ObjPtr;
use crate::vtable::VTable;
use crate::watcher::WatcherPtr;

/// Flags of a pool in [`Heap::purple`](crate::heap::Heap::purple).
pub(crate) const HAS_PURPLE: u8 = 1;
pub(crate) const HAS_TRIED: u8 = 2;

/// Makes a tracked object purple: it lost a reference and lives on, so it may be part of garbage that holds itself.
#[cold]
#[inline(never)]
pub(crate) fn note_decrement(object: ObjPtr) {
    object.set_meta(object.meta().purple());
    let side = object.side_ptr();
    debug_assert!(!side.get().is_candidate(), "no count moves while a pass looks for garbage");
    side.set(side.get().with_purple(true));
    let pool = object.pool();
    // The pool knows; the heap, whose address lies elsewhere, need not be asked.
    if Listing::flags_in(pool, PURPLE_WORD) & HAS_PURPLE == 0 {
        HeapPtr::of(object).purple.add(pool, HAS_PURPLE);
    }
}

/// Gives up a reference that the caller owns; destroys the object if it was the last.
#[inline]
pub(crate) fn release(object: ObjPtr) {
    if object.header().decrement() {
        dispose(object);
    } else if object.meta().turns_purple() {
        note_decrement(object);
    }
}

/// As [`release`], but keeps an object whose last reference it was for later.
#[inline]
pub(crate) fn give_up(object: ObjPtr, released: &mut Vec<ObjPtr>) {
    if object.header().decrement() {
        released.push(object);
    } else if object.meta().turns_purple() {
        note_decrement(object);
    }
}

/// Destroys an object whose count has just fallen to zero, at bounded depth.
pub(crate) fn dispose(object: ObjPtr) {
    // SAFETY: the count is zero, and the decrement that made it so says so once. Objects are `'static`,
    // so their destruction may wait for the outermost one of the thread.
    unsafe { trashcan::dispose(Dead(object)) }
}

/// Destroys an object whose count has just fallen to zero, on the spot.
///
/// # Safety
/// The caller has just made the count zero.
#[inline]
pub(crate) unsafe fn destroy(object: ObjPtr) {
    // SAFETY: the caller's promise.
    unsafe { Dead(object).dispose() }
}

/// An object whose count is zero.
struct Dead(ObjPtr);

// SAFETY: what an object owns is `'static`; the heap waits for its last object.
unsafe impl Dispose for Dead {
    fn is_deferrable(&self) -> bool {
        true
    }

    #[inline]
    unsafe fn dispose(self) {
        let meta = self.0.meta();
        if meta.is_eventful() && !last_rites(self.0) {
            return;
        }
        let vtable = meta.vtable();
        let _memory = Memory(self.0, vtable);
        // SAFETY: the object is dead: its value is dropped once, here.
        checked::dropping(self.0, || unsafe { (vtable.drop)(self.0.as_ptr()) });
    }
}

/// Frees the memory, also when the value's destructor panics.
struct Memory(ObjPtr, &'static VTable);

impl Drop for Memory {
    #[inline]
    fn drop(&mut self) {
        let heap = HeapPtr::of(self.0);
        // SAFETY: `Global` is what every side header of an object comes from.
        unsafe { self.0.header().release_side(&Global) };
        if self.0.meta().is_tracked() {
            heap.schedule.freed(1);
        }
        // SAFETY: the object was allocated on this heap with its type's layout; it is dead.
        unsafe { heap.dealloc(self.0.block(), self.1.layout) };
    }
}

/// Runs the finalizer and the callbacks of a dead object; `false` if it was resurrected.
#[cold]
#[inline(never)]
fn last_rites(object: ObjPtr) -> bool {
    if object.meta().is_to_finalize() {
        object.header().resurrect();
        run_finalizer(object);
        if !object.header().decrement() {
            if object.meta().turns_purple() {
                note_decrement(object);
            }
            return false;
        }
    }
    if object.meta().is_watched() {
        let heap = HeapPtr::of(object);
        call_back(heap, heap.watchers.clear(object.addr()));
    }
    true
}

/// Runs the finalizer of an object, once in its life. The caller owns a reference to it.
pub(crate) fn run_finalizer(object: ObjPtr) {
    object.set_meta(object.meta().finalized());
    let finalize = object.vtable().finalize;
    // SAFETY: the object is alive, and the caller's reference keeps it so.
    HeapPtr::of(object).events.guard(|| unsafe { finalize(object.as_ptr()) });
}

/// Calls the callbacks of cleared watchers and gives up a handle on each, which the caller owns.
pub(crate) fn call_back(heap: HeapPtr, watchers: Vec<WatcherPtr>) {
    for watcher in watchers {
        heap.events.guard(|| {
            if let Some(callback) = watcher.take_callback() {
                callback(watcher);
            }
        });
        // SAFETY: the caller's handle; a cleared watcher is not registered.
        heap.events.guard(|| unsafe { watcher.release() });
    }
}
