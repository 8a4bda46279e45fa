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
use crate::doomed::{Doomed, DoomedShard};
use crate::events::Debug;
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
    Some(settle(&heap, shards))
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

fn settle(heap: &Heap, mut shards: Vec<Shard>) -> Found {
    let candidates: usize = shards.iter().map(|shard| shard.candidates).sum();
    let unreached: usize = shards.iter().map(Shard::unreached).sum();
    let mut found = Found { survivors: candidates - unreached, ..Found::default() };
    if unreached > 0 && may_be_doomed(heap) && shards.iter_mut().all(Shard::severs_quietly) {
        let numbers = shards[0].numbers();
        let shards: Vec<DoomedShard> = shards.into_iter().map(Shard::into_doomed).collect();
        shards.iter().for_each(|shard| shard.each_other(|object| found.add(object)));
        // SAFETY: the pass has found them so, and the caller lets no code of the program's run before they are taken apart.
        found.doomed = Some(unsafe { Doomed::new(numbers, shards) });
    } else {
        found.unreachable.reserve_exact(unreached);
        shards.iter().for_each(|shard| shard.each_unreached(|object| found.add(object)));
    }
    found
}

/// Garbage can be taken apart in a stream, unless somebody wants to see each object.
fn may_be_doomed(heap: &Heap) -> bool {
    let shown = Debug::COLLECTABLE.bits() | Debug::SAVEALL.bits();
    heap.events.debug.get().bits() & shown == 0 && !cfg!(feature = "checked")
}

/// Changes the side words of a pool, which are at rest.
fn each_side_word(pool: Pool<'_>, change: impl Fn(SideWord) -> SideWord) {
    for (_, side) in pool.blocks() {
        // SAFETY: the side bytes of a carved block of a heap's pools.
        let side = unsafe { SidePtr::new(side) };
        side.set(change(side.get()));
    }
}

#[cfg(all(test, not(feature = "checked")))]
mod tests {
    use core::cell::RefCell;
    use std::collections::HashMap;

    use cpymem_cyclegc_derive::Trace;

    use super::*;
    use crate::collect::destroy;
    use crate::collector::Collector;
    use crate::gc_ptr::Gc;
    use crate::inquiry::{Inquiry, Teardown};
    use crate::trace::Trace;
    use crate::visitor::{Clearer, Visitor};
    use crate::weak::Weak;

    #[derive(Trace)]
    struct Ring<T: 'static>(RefCell<Option<Gc<Ring<T>>>>, T);

    #[derive(Trace, PartialEq, Eq, PartialOrd, Ord)]
    #[trace(drop)]
    struct Noisy(u8);

    impl Drop for Noisy {
        fn drop(&mut self) {
            self.0 = 0;
        }
    }

    struct Unknown;

    // SAFETY: it owns no `Gc`.
    #[allow(unsafe_code, reason = "Trace is an unsafe trait")]
    unsafe impl Trace for Unknown {
        fn visit(&self, _: &mut Visitor<'_>) {}

        fn clear(&mut self, _: &mut Clearer<'_>) {}
    }

    #[derive(Trace)]
    enum Deep {
        More(Vec<Deep>),
        End(Gc<u8>),
    }

    #[derive(Trace)]
    struct Skips<T>(#[trace(skip)] T);

    #[test]
    fn what_types_say() {
        assert_eq!(
            Inquiry::ask::<Ring<(String, [Weak<u8>; 2], HashMap<String, Vec<Gc<u8>>>)>>(),
            Teardown::Plain
        );
        assert_eq!(Inquiry::ask::<Ring<(Box<str>, Skips<u64>)>>(), Teardown::Plain);
        assert_eq!(Inquiry::ask::<Ring<Option<Noisy>>>(), Teardown::Severs);
        assert_eq!(Inquiry::ask::<Skips<Gc<u8>>>(), Teardown::Severs);
        assert_eq!(Inquiry::ask::<Ring<Vec<Unknown>>>(), Teardown::Unknown);
        assert_eq!(Inquiry::ask::<Box<Gc<u8>>>(), Teardown::Unknown);
        // Emptied when they are severed, so their elements' destructors run then.
        assert_eq!(Inquiry::ask::<std::collections::BTreeSet<String>>(), Teardown::Plain);
        assert_eq!(Inquiry::ask::<std::collections::BTreeSet<Noisy>>(), Teardown::Unknown);
        assert_eq!(Inquiry::ask::<HashMap<String, Noisy>>(), Teardown::Unknown);
        assert_eq!(Inquiry::ask::<HashMap<u8, Noisy>>(), Teardown::Severs);
        // Types that are parts of themselves.
        assert_eq!(Inquiry::ask::<Deep>(), Teardown::Unknown);
        let _ = (Deep::More(Vec::new()), Deep::End(Gc::new(1)));
    }

    /// How many objects of a ring of three are doomed, and how many are listed. They are taken apart.
    fn found<T: Trace + 'static>(collector: &Collector, value: impl Fn() -> T) -> (usize, usize) {
        let nodes: [Gc<Ring<T>>; 3] =
            core::array::from_fn(|_| collector.alloc(Ring(RefCell::default(), value())));
        for (i, node) in nodes.iter().enumerate() {
            *node.0.borrow_mut() = Some(nodes[(i + 1) % 3].clone());
        }
        let heap = HeapPtr::of(nodes[0].object().expect("alive"));
        drop(nodes);
        let found = find(heap).expect("no contradiction");
        let counts = (found.doomed.as_ref().map_or(0, |doomed| doomed.len), found.unreachable.len());
        assert_eq!(destroy(heap, found), 3);
        assert_eq!(collector.objects(), 0);
        counts
    }

    #[test]
    fn who_is_doomed() {
        let collector = Collector::new();
        collector.disable();
        assert_eq!(found(&collector, || 5), (3, 0));
        assert_eq!(found(&collector, || vec![String::from("a")]), (3, 0));
        assert_eq!(found(&collector, || Noisy(1)), (0, 3));
        assert_eq!(found(&collector, || Unknown), (0, 3));
        assert_eq!(found(&collector, Weak::<u8>::new), (3, 0));
        let borrowed = || {
            let cell = RefCell::new(1);
            core::mem::forget(cell.borrow_mut());
            cell
        };
        assert_eq!(found(&collector, borrowed), (0, 3), "nobody knows what is in there");
        collector.set_debug(Debug::COLLECTABLE);
        assert_eq!(found(&collector, || 5), (0, 3));
    }

    #[test]
    fn who_holds_a_callback_is_not() {
        let (collector, other) = (Collector::new(), Collector::new());
        collector.disable();
        let watched = other.alloc(1);
        let counts = found(&collector, || Gc::downgrade_with(&watched, |_| {}));
        assert_eq!(counts, (0, 3));
    }
}
