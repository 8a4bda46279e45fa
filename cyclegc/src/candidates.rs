//! The objects that a pass over a part of the heap may find to be garbage, and their `gc_refs`.
//!
//! Such a pass lists its few candidates and keeps their `gc_refs` in their side words, so its cost does not depend on the rest of
//! the heap. A full one does it differently: see [`full`](crate::full).
#![allow(unsafe_code, reason = "blocks and their side bytes are walked by address")]

use std::collections::HashMap;

use crate::doomed::Doomed;
use crate::heap::{HAS_MIDDLE, HAS_YOUNG, HeapPtr};
use crate::mark::{Claim, Marking};
use crate::object::ObjPtr;
use crate::side_word::{SidePtr, SideWord};
use crate::visitor::Target;

/// A candidate and its side bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Slot {
    pub(crate) object: ObjPtr,
    pub(crate) side: SidePtr,
}

/// The candidates of one pass. Their side words are out of rest until [`settle`](Self::settle); dropped before, by a
/// panic or because the counts contradict the edges, they go to rest without anything being found.
pub(crate) struct Candidates {
    heap: HeapPtr,
    pub(crate) slots: Vec<Slot>,
    /// Counts of candidates that do not fit a side word, by the address of the side word; immortal ones have none.
    pub(crate) large: HashMap<usize, u32>,
    /// Where survivors go.
    survivors_are: SideWord,
    settled: bool,
}

/// What a pass found.
#[derive(Default)]
pub(crate) struct Found {
    /// Objects that nothing outside reaches. The pass owns a reference to each, and all are purple, so that a
    /// reference between them can go without being noted.
    pub(crate) unreachable: Vec<ObjPtr>,
    /// One of them has a finalizer to run, or a weak reference with a callback.
    pub(crate) eventful: bool,
    /// One of them has a side header, so perhaps weak references.
    pub(crate) weak: bool,
    pub(crate) survivors: usize,
    /// More such objects, which need not be listed: nothing runs when they die. The pass owns no references to them.
    pub(crate) doomed: Option<Doomed>,
}

impl Found {
    /// Adds an object, whose side word is old and at rest.
    #[inline(always)]
    pub(crate) fn add(&mut self, object: ObjPtr) {
        let meta = object.meta();
        object.header().increment();
        object.set_meta(meta.purple());
        self.eventful |= meta.is_eventful();
        self.weak |= object.header().is_outlined();
        self.unreachable.push(object);
    }
}

impl Candidates {
    /// Takes the young objects as candidates, or the young and the middle ones, and sets `gc_refs` of each to its count
    /// (CPython's `update_refs`).
    pub(crate) fn young(heap: HeapPtr) -> Candidates {
        Self::recent(heap, HAS_YOUNG, SideWord::MIDDLE)
    }

    /// As [`young`](Self::young), with the middle ones.
    pub(crate) fn young_and_middle(heap: HeapPtr) -> Candidates {
        Self::recent(heap, HAS_YOUNG | HAS_MIDDLE, SideWord::OLD)
    }

    fn new(heap: HeapPtr, survivors_are: SideWord, capacity: usize) -> Candidates {
        let slots = Vec::with_capacity(capacity);
        Candidates { heap, slots, large: HashMap::new(), survivors_are, settled: false }
    }

    /// The given objects, to each of which the caller owns one reference that does not count.
    pub(crate) fn listed(heap: HeapPtr, objects: &[ObjPtr]) -> Candidates {
        let mut this = Self::new(heap, SideWord::OLD, objects.len());
        for &object in objects {
            let count = object.header().count();
            // An immortal object's count says nothing and never comes to 0.
            let left = if count.is_immortal() { u32::MAX } else { count.get() - 1 };
            this.enter(Slot { object, side: object.side_ptr() }, left, count.is_immortal());
        }
        this
    }

    fn recent(heap: HeapPtr, flags: u8, survivors_are: SideWord) -> Candidates {
        let mut this = Self::new(heap, survivors_are, heap.schedule.counts()[0] as usize);
        for pool in (0..heap.recent.len()).filter_map(|place| heap.recent.get(place)) {
            if heap.recent.flags(pool) & flags == 0 {
                continue;
            }
            for (block, side) in pool.blocks() {
                // SAFETY: the side bytes of a carved block of a pool that holds objects.
                let side = unsafe { SidePtr::new(side) };
                let is_candidate = match side.get().generation() {
                    SideWord::YOUNG => flags & HAS_YOUNG != 0,
                    SideWord::MIDDLE => flags & HAS_MIDDLE != 0,
                    _ => false,
                };
                if !is_candidate {
                    continue;
                }
                // SAFETY: a carved block of the heap's pools.
                match unsafe { ObjPtr::in_block(block) } {
                    Some(object) if object.meta().is_tracked() => {
                        let count = object.header().count();
                        this.enter(Slot { object, side }, count.get(), count.is_immortal());
                    }
                    _ => side.set(SideWord::OLD), // freed, or used by an untracked object
                }
            }
        }
        this
    }

    #[inline(always)]
    fn enter(&mut self, slot: Slot, count: u32, immortal: bool) {
        let word = SideWord::candidate(count);
        slot.side.set(word);
        if word == SideWord::SATURATED && !immortal {
            self.large.insert(slot.side.addr(), count);
        }
        self.slots.push(slot);
    }

    /// Marks every candidate that is reached from outside.
    pub(crate) fn mark_reachable(&self) {
        let mut marking = Marking::new(BySideWord);
        for slot in &self.slots {
            if self.is_referenced_from_outside(slot) {
                slot.side.set(SideWord::REACHED);
                marking.push(slot.object);
            }
        }
        marking.propagate();
    }

    /// True if something that is no candidate refers to the object.
    fn is_referenced_from_outside(&self, slot: &Slot) -> bool {
        match slot.side.get() {
            SideWord::EXPLAINED | SideWord::REACHED => false,
            SideWord::SATURATED => self.large.get(&slot.side.addr()).is_none_or(|&refs| refs > 0),
            _ => true,
        }
    }

    /// Puts all side words to rest and takes out the candidates that were not reached.
    pub(crate) fn settle(mut self) -> Found {
        self.settled = true;
        let mut found = Found::default();
        for &Slot { object, side } in &self.slots {
            if side.get() == SideWord::REACHED {
                side.set(self.survivors_are.with_purple(object.meta().is_purple()));
                found.survivors += 1;
            } else {
                side.set(SideWord::OLD);
                found.add(object);
            }
        }
        found
    }

    /// As [`settle`](Self::settle), for candidates that the caller already owns references to: those that were
    /// reached, and those that were not.
    pub(crate) fn split(mut self) -> (Vec<ObjPtr>, Vec<ObjPtr>) {
        self.settled = true;
        let (mut reached, mut unreachable) = (Vec::new(), Vec::new());
        for &Slot { object, side } in &self.slots {
            let list = if side.get() == SideWord::REACHED { &mut reached } else { &mut unreachable };
            side.set(SideWord::OLD);
            list.push(object);
        }
        (reached, unreachable)
    }
}

impl Drop for Candidates {
    fn drop(&mut self) {
        if self.settled {
            return;
        }
        self.heap.leftover.set(true); // nothing was concluded
        for &Slot { object, side } in &self.slots {
            side.set(self.survivors_are.with_purple(object.meta().is_purple()));
        }
    }
}

/// Claims by the side word of an object.
struct BySideWord;

impl Claim for BySideWord {
    #[inline]
    fn claim(&mut self, target: Target) -> bool {
        // SAFETY: an edge leads to a live object.
        let side = unsafe { ObjPtr::new(target) }.side_ptr();
        let word = side.get();
        let is_new = word.is_candidate() && word != SideWord::REACHED;
        if is_new {
            side.set(SideWord::REACHED);
        }
        is_new
    }
}
