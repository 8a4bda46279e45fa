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

use std::sync::Arc;

use cpymem_allocator::pool::Pool;

use crate::candidates::Found;
use crate::heap::{Heap, HeapPtr};
use crate::numbers::Numbers;
use crate::parallel::{Helpers, Phase, usual_threads};
use crate::recent;
use crate::schedule::Generation;
use crate::shard::{Later, Nowhere, Shard};
use crate::side_word::{SidePtr, SideWord};

/// The candidates that nothing outside reaches; `None` if the reported edges contradict the counts.
pub(crate) fn find(heap: HeapPtr) -> Option<Found> {
    heap.leftover.set(true); // until something is concluded
    let shards = reach(&heap)?;
    heap.leftover.set(shards.iter().any(|shard| shard.pinned));
    // The pass has looked at everything that was purple.
    heap.purple.drain(|pool| each_side_word(pool, |word| word.with_purple(false)));
    recent::forget(heap, Generation::Old);
    Some(settle(&shards))
}

/// Objects whose `gc_refs` exceed the caches.
const LARGE: usize = 3 << 20;

/// Weighs and marks, with helpers if the heap is big.
fn reach(heap: &Heap) -> Option<Vec<Shard>> {
    let helpers = Helpers::hire(threads(heap) - 1);
    let (numbers, groups) = Numbers::of(heap, helpers.len() + 1)?;
    let numbers = &Arc::new(numbers);
    let shard = |(own, groups)| Shard::new(own, Arc::clone(numbers), groups);
    let mut shards: Vec<Shard> = groups.into_iter().enumerate().map(shard).collect();
    let some_frozen = heap.frozen.get() > 0;
    if let [only] = &mut shards[..] {
        match heap.pools.live_blocks() < LARGE {
            true => only.weigh(some_frozen, &mut Nowhere),
            false => only.weigh(some_frozen, &mut Later::default()),
        }
        if !only.finish_weighing() {
            return None;
        }
        only.mark(&mut Nowhere);
        return Some(shards);
    }
    shards = helpers.run(shards, if some_frozen { WEIGH_SOME_FROZEN } else { WEIGH });
    if !shards.iter_mut().all(Shard::finish_weighing) {
        return None;
    }
    Some(helpers.run(shards, MARK))
}

const WEIGH: Phase = Phase {
    start: |shard, elsewhere| shard.weigh(false, elsewhere),
    receive: |shard, targets, _| shard.take_off(targets),
};
const WEIGH_SOME_FROZEN: Phase = Phase { start: |shard, elsewhere| shard.weigh(true, elsewhere), ..WEIGH };
const MARK: Phase = Phase {
    start: |shard, elsewhere| shard.mark(elsewhere),
    receive: |shard, targets, elsewhere| shard.mark_from(targets, elsewhere),
};

/// How many threads a pass has.
fn threads(heap: &Heap) -> usize {
    match heap.collecting_threads.get() {
        _ if heap.pools.live_blocks() < heap.parallel_from.get() => 1,
        0 => usual_threads(),
        threads => threads,
    }
}

fn settle(shards: &[Shard]) -> Found {
    let mut found = Found::default();
    shards.iter().for_each(|shard| shard.each_unreached(|object| found.add(object)));
    found.survivors = shards.iter().map(|shard| shard.candidates).sum::<usize>() - found.unreachable.len();
    found
}

/// Changes the side words of a pool, which are at rest.
fn each_side_word(pool: Pool<'_>, change: impl Fn(SideWord) -> SideWord) {
    for (_, side) in pool.blocks() {
        // SAFETY: the side bytes of a carved block of a heap's pools.
        let side = unsafe { SidePtr::new(side) };
        side.set(change(side.get()));
    }
}
