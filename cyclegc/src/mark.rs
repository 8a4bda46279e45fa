//! Marking: everything that is reached from an object with references from outside.
//!
//! Objects are kept on an explicit stack, so a chain of any length needs no stack of the thread's.
#![allow(unsafe_code, reason = "the operations of a type take an object by address")]

use crate::heap::HeapPtr;
use crate::object::ObjPtr;
use crate::subtract::Subtraction;
use crate::trace::{Pass, Visitor};
use crate::vtable::Epoch;

/// The state of a marking.
pub(crate) struct Marking {
    heap: HeapPtr,
    epoch: Epoch,
    /// Objects that are marked and whose edges were not looked at yet.
    stack: Vec<ObjPtr>,
}

/// Marks every object that is reached from outside with `epoch`.
pub(crate) fn mark_reachable(heap: HeapPtr, refs: &Subtraction, epoch: Epoch) {
    let mut marking = Marking { heap, epoch, stack: Vec::new() };
    for object in heap.objects() {
        if refs.is_referenced_from_outside(object) {
            marking.reach(object);
            marking.propagate();
        }
    }
}

impl Marking {
    #[inline]
    pub(crate) fn edge(&mut self, target: ObjPtr) {
        if target.heap() == self.heap {
            self.reach(target);
        }
    }

    #[inline]
    fn reach(&mut self, object: ObjPtr) {
        let meta = object.meta();
        if !meta.is_marked(self.epoch) {
            object.set_meta(meta.marked(self.epoch));
            if meta.is_tracked() {
                self.stack.push(object);
            }
        }
    }

    fn propagate(&mut self) {
        while let Some(object) = self.stack.pop() {
            // SAFETY: the object is alive and tracked; `visit` runs no code that frees it.
            unsafe { (object.vtable().visit)(object.as_ptr(), &mut Visitor(Pass::Mark(self))) }
        }
    }
}
