//! A full pass: which objects of a whole heap nothing outside reaches.
//!
//! ```text
//!   weigh    one walk over all objects, in address order: gc_refs += count, and -= 1 for each edge
//!   mark     from gc_refs > 0 along the edges
//!   settle   who was not reached is garbage
//! ```
//!
//! What the pass computes lies in arrays by [number](crate::numbers); objects and their side words are as they were if it ends early.
#![allow(unsafe_code, reason = "blocks are walked by address")]

use cpymem_allocator::pool::Pool;

use crate::candidates::Found;
use crate::gc_refs::GcRefs;
use crate::heap::{Heap, HeapPtr};
use crate::mark::{Claim, Marking};
use crate::numbers::{Numbers, numbered_pools};
use crate::object::ObjPtr;
use crate::reached::{GROUP, Reached};
use crate::recent;
use crate::schedule::Generation;
use crate::side_word::{SidePtr, SideWord};
use crate::visitor::{EdgeSink, Target, Visitor};

/// The candidates that nothing outside reaches, in address order; `None` if the reported edges contradict the counts.
pub(crate) fn find(heap: HeapPtr) -> Option<Found> {
    heap.leftover.set(true); // until something is concluded
    let numbers = Numbers::of(&heap);
    let mut weighed = weigh(&heap, &numbers);
    if !mark(&numbers, &mut weighed) {
        return None;
    }
    heap.leftover.set(weighed.pinned);
    // The pass has looked at everything that was purple.
    heap.purple.drain(|pool| each_side_word(pool, |word| word.with_purple(false)));
    recent::forget(heap, Generation::Old);
    Some(settle(&numbers, &weighed))
}

/// What the walk over all objects found out.
struct Weighed {
    /// The signs of `gc_refs`, by number.
    refs: Vec<i16>,
    reached: Reached,
    candidates: usize,
    /// Something was borrowed, and its edges not seen.
    pinned: bool,
}

fn weigh(heap: &Heap, numbers: &Numbers) -> Weighed {
    let mut reached = Reached::without_candidates(numbers.groups());
    let mut weighing = Weighing { numbers, refs: GcRefs::new(numbers.len()), pinned: false };
    let some_frozen = heap.frozen.get() > 0;
    let mut candidates = 0;
    for (pool, base) in numbered_pools(heap) {
        let mut group = Candidates { base, bits: 0 };
        for (number, (block, side)) in (base..).zip(pool.blocks()) {
            if number == group.base + GROUP {
                candidates += group.enter(&mut reached);
                group = Candidates { base: number, bits: 0 };
            }
            // SAFETY: a carved block of the heap's pools.
            let Some(object) = (unsafe { ObjPtr::in_block(block) }) else { continue };
            let meta = object.meta();
            // SAFETY: the side bytes of the block.
            let is_frozen = || unsafe { SidePtr::new(side) }.get().generation() == SideWord::FROZEN;
            if !meta.is_tracked() || (some_frozen && is_frozen()) {
                continue;
            }
            if meta.is_purple() {
                object.set_meta(meta.not_purple());
            }
            let count = object.header().count();
            match count.is_immortal() {
                true => weighing.refs.add_immortal(number),
                false => weighing.refs.add(number, count.get()),
            }
            group.bits |= 1 << (number - group.base);
            object.visit(&mut Visitor::new(&mut weighing));
        }
        candidates += group.enter(&mut reached);
    }
    Weighed { refs: weighing.refs.finish(), reached, candidates, pinned: weighing.pinned }
}

/// The candidates of one group of numbers.
struct Candidates {
    base: usize,
    bits: u64,
}

impl Candidates {
    /// How many there are.
    fn enter(self, reached: &mut Reached) -> usize {
        reached.set_candidates(self.base / GROUP, self.bits);
        self.bits.count_ones() as usize
    }
}

/// Takes the edges of all objects.
struct Weighing<'a> {
    numbers: &'a Numbers,
    refs: GcRefs,
    pinned: bool,
}

impl EdgeSink for Weighing<'_> {
    #[inline]
    fn edge(&mut self, target: Target) {
        self.refs.less_one(self.numbers.of_target(target));
    }

    fn pinned(&mut self) {
        self.pinned = true;
    }
}

/// Reaches everything that is referenced from outside. `false` if the reported edges contradict the counts.
fn mark(numbers: &Numbers, weighed: &mut Weighed) -> bool {
    let Weighed { refs, reached, .. } = weighed;
    let refs_of = |group: usize| &refs[group * GROUP..][..GROUP];
    let is_contradiction = |group: usize| {
        let refs = refs_of(group);
        refs.iter().fold(0, |least, &refs| least.min(refs)) < 0
            && (0..GROUP).any(|i| refs[i] < 0 && reached.unreached(group) & (1 << i) != 0)
    };
    if (0..numbers.groups()).any(is_contradiction) {
        return false;
    }
    let mut marking = Marking::new(ByNumber { numbers, reached });
    for group in 0..numbers.groups() {
        let unreached = marking.claim.reached.unreached(group);
        if unreached == 0 || refs_of(group).iter().fold(0, |any, &refs| any | refs) == 0 {
            continue;
        }
        for place in (0..GROUP).filter(|place| unreached & (1 << place) != 0 && refs_of(group)[*place] > 0) {
            marking.claim.reached.reach(group * GROUP + place);
            // SAFETY: a candidate is a live object.
            marking.push(unsafe { numbers.object(group, place) });
        }
        if marking.len() >= GROUP {
            marking.propagate();
        }
    }
    marking.propagate();
    true
}

/// Claims by the number of an object.
struct ByNumber<'a> {
    numbers: &'a Numbers,
    reached: &'a mut Reached,
}

impl Claim for ByNumber<'_> {
    #[inline(always)]
    fn claim(&mut self, target: Target) -> bool {
        self.reached.reach(self.numbers.of_target(target))
    }
}

fn settle(numbers: &Numbers, weighed: &Weighed) -> Found {
    let mut found = Found::default();
    for group in 0..numbers.groups() {
        each_bit(weighed.reached.unreached(group), |place| {
            // SAFETY: a candidate is a live object.
            found.add(unsafe { numbers.object(group, place) });
        });
    }
    found.survivors = weighed.candidates - found.unreachable.len();
    found
}

/// The places of the bits that are set, in ascending order.
#[inline(always)]
fn each_bit(mut bits: u64, mut each: impl FnMut(usize)) {
    while bits != 0 {
        each(bits.trailing_zeros() as usize);
        bits &= bits - 1;
    }
}

/// Changes the side words of a pool, which are at rest.
fn each_side_word(pool: Pool<'_>, change: impl Fn(SideWord) -> SideWord) {
    for (_, side) in pool.blocks() {
        // SAFETY: the side bytes of a carved block of a heap's pools.
        let side = unsafe { SidePtr::new(side) };
        side.set(change(side.get()));
    }
}
