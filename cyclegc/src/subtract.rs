//! Trial deletion: how many references to each object come from outside the heap.
//!
//! `gc_refs` starts as the count of an object; every edge that an object of the heap reports takes one off
//! its target. What is left counts references from outside: from the stack, from values that are not
//! traced, from other heaps. (CPython's `update_refs` and `subtract_refs`, `Python/gc.c`; here `gc_refs` lies
//! in the side bytes of the pools.)
#![allow(unsafe_code, reason = "blocks and their side bytes are walked by address")]

use std::collections::HashMap;

use crate::heap::HeapPtr;
use crate::object::ObjPtr;
use crate::trace::{Pass, Visitor};

/// `gc_refs` of an object whose count does not fit 16 bits, or that is immortal. The former have an entry in
/// [`Subtraction::large`].
const SATURATED: u16 = u16::MAX;

/// The state of a trial deletion.
pub(crate) struct Subtraction {
    heap: HeapPtr,
    /// `gc_refs` of objects with 65535 references or more, by address.
    large: HashMap<usize, u32>,
    /// An edge was reported that its target does not count.
    underflow: bool,
}

impl Subtraction {
    /// Sets `gc_refs` of every object to its count.
    pub(crate) fn update_refs(heap: HeapPtr) -> Subtraction {
        let mut subtraction = Subtraction { heap, large: HashMap::new(), underflow: false };
        for object in heap.objects() {
            let count = object.header().count();
            let refs = match u16::try_from(count.get()) {
                Ok(refs) if refs < SATURATED => refs,
                _ => {
                    if !count.is_immortal() {
                        subtraction.large.insert(object.block().addr().get(), count.get());
                    }
                    SATURATED
                }
            };
            subtraction.set_gc_refs(object, refs);
        }
        subtraction
    }

    /// Takes one off `gc_refs` of the target of every edge. `false` if the reported edges contradict the
    /// counts.
    #[must_use]
    pub(crate) fn subtract_refs(&mut self) -> bool {
        let heap = self.heap;
        for object in heap.objects().filter(|object| object.meta().is_tracked()) {
            // SAFETY: the object is alive and tracked; `visit` runs no code that frees it.
            unsafe { (object.vtable().visit)(object.as_ptr(), &mut Visitor(Pass::Subtract(self))) }
        }
        !self.underflow
    }

    /// True if something outside the heap refers to the object.
    #[inline]
    pub(crate) fn is_referenced_from_outside(&self, object: ObjPtr) -> bool {
        match self.gc_refs(object) {
            SATURATED => self.large.get(&object.block().addr().get()).is_none_or(|&refs| refs > 0),
            refs => refs > 0,
        }
    }

    #[inline]
    pub(crate) fn edge(&mut self, target: ObjPtr) {
        if target.heap() != self.heap {
            return;
        }
        match self.gc_refs(target) {
            0 => self.underflow = true,
            SATURATED => self.large_edge(target),
            refs => self.set_gc_refs(target, refs - 1),
        }
    }

    #[cold]
    fn large_edge(&mut self, target: ObjPtr) {
        match self.large.get_mut(&target.block().addr().get()) {
            Some(0) => self.underflow = true,
            Some(refs) => *refs -= 1,
            None => {} // immortal
        }
    }

    #[inline]
    fn gc_refs(&self, object: ObjPtr) -> u16 {
        // SAFETY: the side bytes of an allocated block; only a pass, which is one at a time, touches them.
        unsafe { object.gc_refs(&self.heap.pools).read() }
    }

    #[inline]
    fn set_gc_refs(&mut self, object: ObjPtr, refs: u16) {
        // SAFETY: as in `gc_refs`.
        unsafe { object.gc_refs(&self.heap.pools).write(refs) }
    }
}
