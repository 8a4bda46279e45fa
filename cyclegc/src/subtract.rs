//! Trial deletion: how many references to each candidate come from elsewhere.
//!
//! `gc_refs` starts as the count of an object; every edge that a candidate reports takes one off its target. What is
//! left counts references from outside: from the stack, from values that are not traced, from other heaps, from
//! older generations. (CPython's `subtract_refs`, `Python/gc.c`.)
#![allow(unsafe_code, reason = "edges lead to objects by address")]

use std::collections::HashMap;

use crate::candidates::Candidates;
use crate::heap::HeapPtr;
use crate::object::ObjPtr;
use crate::side_word::{SidePtr, SideWord};
use crate::visitor::{EdgeSink, Target, Visitor};

/// Takes the edges of candidates.
struct Subtraction<'a> {
    large: &'a mut HashMap<usize, u32>,
    /// An edge was reported that its target does not count.
    underflow: bool,
    /// Something was borrowed, and its edges not seen.
    pinned: bool,
}

/// Takes one off `gc_refs` of the target of every edge. `false` if the reported edges contradict the counts.
#[must_use]
pub(crate) fn subtract_refs(heap: HeapPtr, candidates: &mut Candidates) -> bool {
    let Candidates { slots, large, .. } = candidates;
    let mut subtraction = Subtraction { large, underflow: false, pinned: false };
    for slot in slots {
        slot.object.visit(&mut Visitor::new(&mut subtraction));
    }
    if subtraction.pinned {
        heap.leftover.set(true);
    }
    !subtraction.underflow
}

impl EdgeSink for Subtraction<'_> {
    #[inline]
    fn edge(&mut self, target: Target) {
        // SAFETY: an edge leads to a live object.
        let side = unsafe { ObjPtr::new(target) }.side_ptr();
        let word = side.get();
        match word.less_one() {
            Some(less) => side.set(less),
            None => self.edge_slow(side, word),
        }
    }

    fn pinned(&mut self) {
        self.pinned = true;
    }
}

impl Subtraction<'_> {
    fn edge_slow(&mut self, side: SidePtr, word: SideWord) {
        match word {
            SideWord::EXPLAINED => self.underflow = true,
            SideWord::SATURATED => match self.large.get_mut(&side.addr()) {
                Some(0) => self.underflow = true,
                Some(refs) => *refs -= 1,
                None => {} // immortal
            },
            _ => {} // no candidate
        }
    }
}
