//! Marking: every candidate that is reached from one with references from outside.
//!
//! Objects wait on an explicit stack, so a chain of any length needs no stack of the thread's. They are taken from it a
//! few at a time: the side words at the ends of all their edges are asked for together, and then the objects that were
//! reached first.
#![allow(unsafe_code, reason = "edges lead to objects by address")]

use crate::candidates::Candidates;
use crate::heap::HeapPtr;
use crate::object::ObjPtr;
use crate::side_word::{SideWord, prefetch};
use crate::visitor::{EdgeSink, PerEdge, Target, Visitor};

/// Objects that are visited together.
const TOGETHER: usize = 32;

/// The state of a marking: objects that are reached and whose edges were not looked at yet.
#[derive(Default)]
pub(crate) struct Marking {
    stack: Vec<ObjPtr>,
}

/// Marks every candidate that is reached from outside.
pub(crate) fn mark_reachable(heap: HeapPtr, candidates: &Candidates) {
    let mut marking = Marking::default();
    Candidates::for_each_but_reached(
        &heap,
        &candidates.which,
        |quad| quad,
        |slot| {
            if Candidates::is_referenced_from_outside(slot.side.get(), slot.side, &candidates.large) {
                slot.side.set(SideWord::REACHED);
                marking.stack.push(slot.object);
                if marking.stack.len() >= TOGETHER {
                    marking.propagate();
                }
            }
        },
    );
    marking.propagate();
}

impl Marking {
    /// Follows the edges of everything on the stack.
    fn propagate(&mut self) {
        while !self.stack.is_empty() {
            let mut batch = [None; TOGETHER];
            let from = self.stack.len().saturating_sub(TOGETHER);
            for (place, object) in batch.iter_mut().zip(self.stack.drain(from..)) {
                *place = Some(object);
            }
            let mut visitor = Visitor::new(self);
            for object in batch.into_iter().flatten() {
                object.visit(&mut visitor);
            }
        }
    }
}

impl EdgeSink for Marking {
    fn take(&mut self, targets: &[Target]) {
        // SAFETY: an edge leads to a live object.
        let sides = PerEdge::new(targets, |target| unsafe { ObjPtr::new(target) }.prefetched_side_ptr());
        for (side, &target) in sides.iter().zip(targets) {
            let word = side.get();
            if word.is_candidate() && word != SideWord::REACHED {
                side.set(SideWord::REACHED);
                // Most objects end in the next line, if not in the same.
                prefetch(target.as_ptr().cast_const().cast());
                prefetch(target.as_ptr().cast_const().cast::<u8>().wrapping_add(32));
                // SAFETY: as above.
                self.stack.push(unsafe { ObjPtr::new(target) });
            }
        }
    }
}
