//! A full collection, as CPython's `gc_collect_main` does it (`Python/gc.c`), a phase a line.
//!
//! ```text
//!   update_refs      gc_refs := count                         every object
//!   subtract_refs    gc_refs -= 1 for each internal edge      what is left comes from outside
//!   mark_reachable   from gc_refs > 0 along the edges         the rest is unreachable
//!   weak references to the unreachable die
//!   sever            every Gc in it is dead from now on
//!   destroy          counts fall to zero, destructors run
//! ```
//!
//! No user code but [`Trace::visit`](crate::Trace::visit) runs before the first destructor.

use std::panic::resume_unwind;
use std::thread;

use crate::clear::{destroy_each, kill_weak_references, sever};
use crate::heap::HeapPtr;
use crate::mark::mark_reachable;
use crate::object::ObjPtr;
use crate::subtract::Subtraction;
use crate::vtable::Epoch;

/// Collects one heap; the number of tracked objects found unreachable. See
/// [`Collector::collect`](crate::Collector::collect).
pub(crate) fn collect(heap: HeapPtr) -> usize {
    if heap.collecting.replace(true) {
        return 0;
    }
    let pass = Running(heap);
    heap.collections.set(heap.collections.get() + 1);
    let Some(garbage) = find(heap) else {
        heap.inconsistent.set(heap.inconsistent.get() + 1);
        return 0;
    };
    let found = garbage.len();
    heap.collected.set(heap.collected.get() + found);

    garbage.iter().for_each(|object| object.header().increment());
    kill_weak_references(&garbage);
    let released = sever(&garbage);
    let panics = [destroy_each(released, ObjPtr::dispose), destroy_each(garbage, ObjPtr::release)];
    drop(pass);
    match panics.into_iter().flatten().next() {
        Some(panic) if !thread::panicking() => resume_unwind(panic),
        _ => found,
    }
}

/// The tracked objects that nothing outside reaches, in address order; `None` if the reported edges
/// contradict the counts.
fn find(heap: HeapPtr) -> Option<Vec<ObjPtr>> {
    let epoch = heap.epoch.get().next();
    let marks = Marks(heap);
    let mut refs = Subtraction::update_refs(heap);
    if !refs.subtract_refs() {
        return None;
    }
    mark_reachable(heap, &refs, epoch);
    core::mem::forget(marks);
    heap.epoch.set(epoch);
    Some(unreachable(heap, epoch))
}

/// Collects the objects without the mark, and marks them too: whatever survives its teardown must carry the
/// heap's epoch like everything else.
fn unreachable(heap: HeapPtr, epoch: Epoch) -> Vec<ObjPtr> {
    let mut found = Vec::new();
    for object in heap.objects().filter(|object| !object.meta().is_marked(epoch)) {
        object.set_meta(object.meta().marked(epoch));
        if object.meta().is_tracked() {
            found.push(object);
        }
    }
    found
}

/// Says that a pass is under way until it is dropped, also by a panic.
struct Running(HeapPtr);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.collecting.set(false);
        self.0.free_if_unused();
    }
}

/// Takes back the marks of a pass that does not come to its end.
struct Marks(HeapPtr);

impl Drop for Marks {
    fn drop(&mut self) {
        let epoch = self.0.epoch.get();
        self.0.objects().for_each(|object| object.set_meta(object.meta().marked(epoch)));
    }
}
