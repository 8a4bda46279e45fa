//! The objects that a pass may find to be garbage, and their `gc_refs`.
//!
//! A young pass lists its few candidates; a full one walks the pools each time, as a list of all objects would be as
//! large as their side bytes four times over.
#![allow(unsafe_code, reason = "blocks and their side bytes are walked by address")]

use std::collections::HashMap;

use crate::heap::{HAS_MIDDLE, HAS_YOUNG, Heap, HeapPtr};
use crate::object::{ObjPtr, SIDE_BYTES};
use crate::schedule::Generation;
use crate::side_word::{Quad, SidePtr, SideWord};

/// A candidate and its side bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Slot {
    pub(crate) object: ObjPtr,
    pub(crate) side: SidePtr,
}

/// Which objects they are.
pub(crate) enum Which {
    Listed(Vec<Slot>),
    /// All whose side word says so.
    All,
}

/// The candidates of one pass. Their side words are out of rest until [`settle`](Self::settle); dropped before, by a
/// panic or because the counts contradict the edges, they go to rest without anything being found.
pub(crate) struct Candidates {
    heap: HeapPtr,
    pub(crate) which: Which,
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
}

impl Found {
    /// Adds an object.
    #[inline(always)]
    pub(crate) fn add(&mut self, object: ObjPtr, side: SidePtr) {
        side.set(SideWord::OLD);
        let meta = object.meta();
        object.header().increment();
        object.set_meta(meta.purple());
        self.eventful |= meta.is_eventful();
        self.weak |= object.header().is_outlined();
        self.unreachable.push(object);
    }
}

impl Candidates {
    /// Takes the objects of a generation and all younger ones as candidates and sets `gc_refs` of each to its count
    /// (CPython's `update_refs`).
    pub(crate) fn of_generation(heap: HeapPtr, generation: Generation) -> Candidates {
        match generation {
            Generation::Young => Self::recent(heap, HAS_YOUNG, SideWord::MIDDLE),
            Generation::Middle => Self::recent(heap, HAS_YOUNG | HAS_MIDDLE, SideWord::OLD),
            Generation::Old => Self::all(heap),
        }
    }

    fn new(heap: HeapPtr, which: Which, survivors_are: SideWord) -> Candidates {
        Candidates { heap, which, large: HashMap::new(), survivors_are, settled: false }
    }

    /// The given objects, to each of which the caller owns one reference that does not count.
    pub(crate) fn listed(heap: HeapPtr, objects: &[ObjPtr]) -> Candidates {
        let slots = objects.iter().map(|&object| Slot { object, side: object.side_ptr() }).collect();
        let mut this = Self::new(heap, Which::Listed(slots), SideWord::OLD);
        for &object in objects {
            let count = object.header().count();
            // An immortal object's count says nothing and never comes to 0.
            let left = if count.is_immortal() { u32::MAX } else { count.get() - 1 };
            this.enter(object, object.side_ptr(), left, count.is_immortal());
        }
        this
    }

    fn recent(heap: HeapPtr, flags: u8, survivors_are: SideWord) -> Candidates {
        let mut this = Self::new(heap, Which::All, survivors_are);
        let mut slots = Vec::with_capacity(heap.schedule.counts()[0] as usize);
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
                        this.enter(object, side, count.get(), count.is_immortal());
                        slots.push(Slot { object, side });
                    }
                    _ => side.set(SideWord::OLD), // freed, or used by an untracked object
                }
            }
        }
        this.which = Which::Listed(slots);
        this
    }

    fn all(heap: HeapPtr) -> Candidates {
        let mut this = Self::new(heap, Which::All, SideWord::OLD);
        // A full pass looks at everything that was purple.
        heap.purple.drain(|_| {});
        heap.for_each_block(|block, side| {
            // SAFETY: a carved block of the heap's pools.
            let Some(object) = (unsafe { ObjPtr::in_block(block) }) else {
                return side.set(SideWord::OLD);
            };
            let (meta, word) = (object.meta(), side.get());
            if !meta.is_tracked() {
                return side.set(SideWord::OLD);
            }
            if word.generation() == SideWord::FROZEN {
                return side.set(SideWord::FROZEN);
            }
            if meta.is_purple() {
                object.set_meta(meta.not_purple());
            }
            let count = object.header().count();
            this.enter(object, side, count.get(), count.is_immortal());
        });
        this
    }

    #[inline(always)]
    fn enter(&mut self, _object: ObjPtr, side: SidePtr, count: u32, immortal: bool) {
        let word = SideWord::candidate(count);
        side.set(word);
        if word == SideWord::SATURATED && !immortal {
            self.enter_large(side, count);
        }
    }

    #[cold]
    fn enter_large(&mut self, side: SidePtr, count: u32) {
        self.large.insert(side.addr(), count);
    }

    /// Every candidate with its side bytes. No user code runs meanwhile.
    #[inline(always)]
    pub(crate) fn for_each(heap: &Heap, which: &Which, mut each: impl FnMut(Slot)) {
        match which {
            Which::Listed(slots) => slots.iter().for_each(|&slot| each(slot)),
            Which::All => heap.for_each_block(|block, side| {
                if side.get().is_candidate() {
                    // SAFETY: only the blocks of live objects were made candidates, and nothing died since.
                    each(Slot { object: unsafe { ObjPtr::new(block.cast()) }, side });
                }
            }),
        }
    }

    /// As [`for_each`](Self::for_each), without most of those that were reached. `skipped` is told how many were left out
    /// of four neighbours that were all reached; their side words are then what it returns.
    #[inline(always)]
    pub(crate) fn for_each_but_reached(
        heap: &Heap,
        which: &Which,
        mut skipped: impl FnMut(Quad) -> Quad,
        mut each: impl FnMut(Slot),
    ) {
        let Which::All = which else { return Self::for_each(heap, which, each) };
        for pool in heap.pools.pools() {
            let (carved, side) = (pool.carved(), pool.side());
            let mut index = 0;
            while index < carved {
                // SAFETY: the side bytes of carved blocks lie one after the other.
                let at = unsafe { side.add(index * SIDE_BYTES) };
                // SAFETY: as above.
                let at = unsafe { SidePtr::new(at) };
                if index + 4 <= carved
                    && index % 4 == 0
                    && let Some(quad) = at.reached_quad()
                {
                    at.set_quad(skipped(quad));
                    index += 4;
                    continue;
                }
                if at.get().is_candidate() {
                    // SAFETY: only the blocks of live objects were made candidates, and nothing died since.
                    each(Slot { object: unsafe { ObjPtr::new(pool.block(index).cast()) }, side: at });
                }
                index += 1;
            }
        }
    }

    /// True if something that is no candidate refers to the object.
    #[inline(always)]
    pub(crate) fn is_referenced_from_outside(
        word: SideWord,
        side: SidePtr,
        large: &HashMap<usize, u32>,
    ) -> bool {
        match word {
            SideWord::EXPLAINED | SideWord::REACHED => false,
            SideWord::SATURATED => large.get(&side.addr()).is_none_or(|&refs| refs > 0),
            _ => true,
        }
    }

    /// Puts all side words to rest and takes out the candidates that were not reached.
    pub(crate) fn settle(mut self) -> Found {
        self.settled = true;
        let mut found = Found::default();
        let (survivors_are, heap) = (self.survivors_are, self.heap);
        let is_full = matches!(self.which, Which::All);
        let mut survivors = 0;
        let at_rest = |_| {
            survivors += 4;
            Quad::OLD
        };
        Self::for_each_but_reached(&heap, &self.which, at_rest, |Slot { object, side }| {
            if side.get() == SideWord::REACHED {
                // A full pass has taken back all purple; no header needs to be looked at.
                let purple = !is_full && object.meta().is_purple();
                side.set(survivors_are.with_purple(purple));
                found.survivors += 1;
                return;
            }
            found.add(object, side);
        });
        found.survivors += survivors;
        found
    }

    /// As [`settle`](Self::settle), for candidates that the caller already owns references to: those that were
    /// reached, and those that were not.
    pub(crate) fn split(mut self) -> (Vec<ObjPtr>, Vec<ObjPtr>) {
        self.settled = true;
        let (mut reached, mut unreachable) = (Vec::new(), Vec::new());
        Self::for_each(&self.heap, &self.which, |Slot { object, side }| {
            let list = if side.get() == SideWord::REACHED { &mut reached } else { &mut unreachable };
            side.set(SideWord::OLD);
            list.push(object);
        });
        (reached, unreachable)
    }
}

impl Drop for Candidates {
    fn drop(&mut self) {
        if self.settled {
            return;
        }
        self.heap.leftover.set(true); // purple was taken back and nothing concluded
        Self::for_each(&self.heap, &self.which, |Slot { object, side }| {
            side.set(self.survivors_are.with_purple(object.meta().is_purple()));
        });
    }
}
