//! The equations of the docs, asserted; and random operations against a slow, obvious oracle.

use crate::arenas::Arenas;
use crate::block::Link;
use crate::pool_meta::{PoolList, PoolPtr};
use crate::protocol::budget::Budget;
use crate::size_class::SizeClass;
use crate::source::ArenaSource;
use crate::stats::Stats;

/// The partial list of a class holds pools of that class that have a block to lend, or none lent.
pub(crate) fn partial(list: &PoolList, class: SizeClass) {
    for pool in list.iter() {
        assert_eq!(pool.class.get() as usize, class.index());
        assert_eq!(pool.recip_or_slack.get(), 0);
    }
}

/// Pools account for their blocks, arenas are in address order, the budget for everything.
pub(crate) fn arenas<S: ArenaSource, const SHIFT: u32>(
    arenas: &Arenas<S, SHIFT>,
    budget: &Budget,
    link: Link,
    lent: impl Fn(PoolPtr) -> usize,
) {
    let (mut count, mut units, mut runs, mut last) = (0, 0, 0, 0);
    for arena in arenas.iter() {
        assert!(arena.start().addr().get() > last);
        last = arena.start().addr().get();
        count += 1;
        if arena.is_run() {
            runs += arena.run_bytes();
            continue;
        }
        units += 1 + Arenas::<S, SHIFT>::dirty_units(arena);
        for pool in Arenas::<S, SHIFT>::pools_of(arena) {
            assert!(pool.carved.get() <= pool.capacity.get());
            assert_eq!(pool.carved.get() as usize - pool.free.count(link), lent(pool));
        }
    }
    assert_eq!(count, arenas.count());
    assert_eq!(units * Arenas::<S, SHIFT>::UNIT + runs, budget.held_bytes());
}

/// The two equations of [`Stats`].
pub(crate) fn stats(stats: &Stats) {
    assert_eq!(
        stats.arena_bytes(),
        stats.bytes_in_use()
            + stats.bytes_cached()
            + stats.bytes_available()
            + stats.pool_tail_bytes()
            + stats.run_bytes()
            + stats.unused_unit_bytes()
            + stats.header_bytes()
    );
    assert_eq!(stats.held_bytes(), stats.header_bytes() + stats.touched_bytes() + stats.mapped_bytes());
}

mod model {
    #![allow(unsafe_code, reason = "the test drives the unsafe interface of the heap")]

    use core::alloc::Layout;
    use core::ptr::NonNull;

    use proptest::prelude::*;

    use crate::Heap;

    #[derive(Clone, Debug)]
    enum Op {
        Alloc { size: usize, align_log2: u32 },
        Free { which: usize },
        Realloc { which: usize, size: usize },
        Purge,
    }

    fn size() -> impl Strategy<Value = usize> {
        prop_oneof![8 => 0usize..=600, 2 => 0usize..=20_000, 1 => 0usize..=300_000, 1 => (1usize << 20) - 10..(1 << 20) + 10, 1 => Just(512), 1 => Just(513)]
    }

    fn op() -> impl Strategy<Value = Op> {
        prop_oneof![
            60 => (size(), 0u32..=9).prop_map(|(size, align_log2)| Op::Alloc { size, align_log2 }),
            45 => any::<usize>().prop_map(|which| Op::Free { which }),
            20 => (any::<usize>(), size()).prop_map(|(which, size)| Op::Realloc { which, size }),
            1 => Just(Op::Purge),
        ]
    }

    /// A block with the byte that fills it.
    struct Held {
        ptr: NonNull<u8>,
        layout: Layout,
        fill: u8,
    }

    impl Held {
        fn bytes(&self, size: usize) -> &[u8] {
            // SAFETY: the block is live and was filled over its whole layout.
            unsafe { core::slice::from_raw_parts(self.ptr.as_ptr(), size) }
        }

        fn write(&self) {
            // SAFETY: the block is live and has `layout.size()` bytes.
            unsafe { self.ptr.write_bytes(self.fill, self.layout.size()) }
        }

        fn check(&self) {
            assert!(self.bytes(self.layout.size()).iter().all(|&b| b == self.fill), "clobbered");
            assert_eq!(self.ptr.addr().get() % self.layout.align(), 0, "misaligned");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]
        #[test]
        fn blocks_keep_their_content_and_the_books_balance(
            ops in prop::collection::vec(op(), 1..3000),
            limited in any::<bool>(),
        ) {
            let heap = if limited { Heap::with_limit(4 << 20) } else { Heap::new() };
            let mut held: Vec<Held> = Vec::new();
            for (step, op) in ops.into_iter().enumerate() {
                let fill = step as u8;
                match op {
                    Op::Alloc { size, align_log2 } => {
                        let layout = Layout::from_size_align(size, 1 << align_log2).unwrap();
                        let Some(ptr) = heap.alloc(layout) else {
                            assert!(limited);
                            continue;
                        };
                        let block = Held { ptr, layout, fill };
                        block.write();
                        held.push(block);
                    }
                    Op::Free { which } if !held.is_empty() => {
                        let block = held.swap_remove(which % held.len());
                        block.check();
                        // SAFETY: allocated with this layout and out of the list.
                        unsafe { heap.dealloc(block.ptr, block.layout) };
                    }
                    Op::Realloc { which, size } if !held.is_empty() => {
                        let index = which % held.len();
                        let block = &mut held[index];
                        block.check();
                        // SAFETY: allocated with this layout; the old pointer is replaced on success.
                        match unsafe { heap.realloc(block.ptr, block.layout, size) } {
                            Some(ptr) => {
                                let kept = block.layout.size().min(size);
                                block.ptr = ptr;
                                assert!(block.bytes(kept).iter().all(|&b| b == block.fill), "lost");
                                block.layout = Layout::from_size_align(size, block.layout.align()).unwrap();
                                block.fill = fill;
                                block.write();
                            }
                            None => assert!(limited),
                        }
                    }
                    Op::Purge => {
                        let held = heap.held_bytes();
                        assert_eq!(held - heap.purge(), heap.held_bytes());
                    }
                    _ => {}
                }
                assert!(!limited || heap.held_bytes() <= 4 << 20);
            }
            heap.check();
            assert_eq!(heap.stats().blocks_in_use(), held.len());
            for block in held.drain(..) {
                block.check();
                // SAFETY: allocated with this layout and out of the list.
                unsafe { heap.dealloc(block.ptr, block.layout) };
            }
            heap.check();
            heap.purge();
            assert_eq!(heap.held_bytes(), 0);
            assert_eq!(heap.stats().arenas(), 0);
        }
    }
}
