//! What a collector relies on: the walk, side bytes, runs, tags.
#![allow(unsafe_code, clippy::multiple_unsafe_ops_per_block, reason = "the interface under test is unsafe")]

use std::alloc::Layout;
use std::collections::BTreeMap;
use std::ptr::NonNull;

use cpymem_allocator::pool::{Pool, PoolConfig, PoolHeap};
use proptest::prelude::*;

const CONFIG: PoolConfig = PoolConfig { link_offset: 8, side_bytes_per_block: 2, tag: 77 };

fn layout(size: usize) -> Layout {
    Layout::from_size_align(size, 8).unwrap()
}

/// Allocates a block and makes its first word `word`, as a collector writes its header.
fn make(heap: &PoolHeap, layout: Layout, word: u64) -> NonNull<u8> {
    let ptr = heap.alloc(layout).unwrap();
    // SAFETY: a block has at least 16 bytes.
    unsafe {
        assert_eq!(ptr.cast::<u64>().read(), 0, "the first word of a new block reads 0");
    }
    // SAFETY: as above.
    unsafe { ptr.cast::<u64>().write(word) };
    ptr
}

/// Every allocated block of the heap, by walking it: address to first word.
fn walk(heap: &PoolHeap) -> BTreeMap<usize, u64> {
    let mut seen = BTreeMap::new();
    let mut last = 0;
    for pool in heap.pools() {
        assert_eq!(pool.tag(), 77);
        for (index, block) in pool.allocated_blocks() {
            assert!(block.addr().get() > last, "ascending");
            last = block.addr().get();
            assert_eq!(pool.index_of(block), index);
            assert_eq!(pool.block(index), block);
            assert_eq!(pool.blocks().nth(index), Some((block, pool.side_of(index))));
            // SAFETY: an allocated block of a heap with two side bytes.
            let held = unsafe { Pool::holding(block, 2) };
            assert_eq!((held.side_at(block), held.block_size()), (pool.side_of(index), pool.block_size()));
            assert!(!held.is_run() || pool.carved() == 1);
            // SAFETY: an allocated block of this heap.
            assert_eq!(unsafe { heap.pool_of(block) }.block_size(), pool.block_size());
            // SAFETY: as above.
            assert_eq!(unsafe { PoolHeap::<cpymem_allocator::Os>::tag_of(block) }, 77);
            // SAFETY: as above: its first word is there.
            seen.insert(last, unsafe { block.cast::<u64>().read() });
        }
    }
    seen
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn a_walk_shows_exactly_the_allocated_blocks(
        ops in prop::collection::vec((any::<bool>(), any::<usize>(), 0usize..600, 0u32..40), 1..2000),
    ) {
        let heap = PoolHeap::new(CONFIG);
        let mut live: Vec<(NonNull<u8>, Layout)> = Vec::new();
        let mut expected = BTreeMap::new();
        for (step, (free, which, size, scale)) in ops.into_iter().enumerate() {
            if free && !live.is_empty() {
                let (ptr, layout) = live.swap_remove(which % live.len());
                expected.remove(&ptr.addr().get());
                // SAFETY: allocated with this layout.
                unsafe { heap.dealloc(ptr, layout) };
            } else {
                // Mostly small, sometimes in the larger classes, seldom a run.
                let size = match scale { 0 => size * 100, 1..5 => size * 12, _ => size };
                let layout = layout(size);
                let word = step as u64 + 1;
                let ptr = make(&heap, layout, word);
                // The rest of the block is ours as well.
                // SAFETY: inside the block.
                unsafe { ptr.add(8).write_bytes(0xff, size.max(16) - 8) };
                live.push((ptr, layout));
                expected.insert(ptr.addr().get(), word);
            }
        }
        prop_assert_eq!(walk(&heap), expected);
        prop_assert_eq!(heap.live_blocks(), live.len());
        for (ptr, layout) in live {
            // SAFETY: allocated with this layout.
            unsafe { heap.dealloc(ptr, layout) };
        }
        prop_assert!(walk(&heap).is_empty());
        heap.purge();
        prop_assert_eq!(heap.held_bytes(), 0);
    }
}

#[test]
fn side_bytes_are_apart_from_blocks_and_start_at_zero() {
    for side in [1, 2, 4, 64] {
        let heap = PoolHeap::new(PoolConfig { side_bytes_per_block: side, ..CONFIG });
        for size in [16, 24, 40, 256, 1000, 8192, 8193, 100_000] {
            let blocks: Vec<_> = (0..300).map(|_| make(&heap, layout(size), 1)).collect();
            for (n, &block) in blocks.iter().enumerate() {
                // SAFETY: an allocated block of this heap.
                let pool = unsafe { heap.pool_of(block) };
                let at = pool.side_of(pool.index_of(block));
                // SAFETY: the block's own side bytes; `fill` for the next block comes later.
                let bytes = unsafe { std::slice::from_raw_parts_mut(at.as_ptr(), side) };
                assert!(bytes.iter().all(|&b| b == 0));
                bytes.fill(n as u8 | 1);
            }
            for (n, &block) in blocks.iter().enumerate() {
                // SAFETY: an allocated block of this heap.
                let pool = unsafe { heap.pool_of(block) };
                // SAFETY: the side bytes of this block.
                assert_eq!(unsafe { pool.side_of(pool.index_of(block)).read() }, n as u8 | 1);
                // SAFETY: as above; the first word is what was written, so no side byte overlaps it.
                assert_eq!(unsafe { block.cast::<u64>().read() }, 1);
            }
            for block in blocks {
                // SAFETY: allocated above with this layout.
                unsafe { heap.dealloc(block, layout(size)) };
            }
        }
    }
}

#[test]
fn alignments_up_to_a_megabyte() {
    let heap = PoolHeap::new(CONFIG);
    for align in (3..=20).map(|log2| 1usize << log2) {
        for size in [1, align, 3 * align] {
            let at = Layout::from_size_align(size, align).unwrap();
            let blocks: Vec<_> = (0..3).map(|_| make(&heap, at, 9)).collect();
            assert!(blocks.iter().all(|block| block.addr().get() % align == 0), "size {size} align {align}");
            assert_eq!(walk(&heap).len(), 3);
            for block in blocks {
                // SAFETY: allocated above with this layout.
                unsafe { heap.dealloc(block, at) };
            }
        }
    }
    assert!(heap.alloc(Layout::from_size_align(8, 2 << 20).unwrap()).is_none());
    assert!(heap.alloc(layout(isize::MAX as usize - 7)).is_none());
}

#[test]
fn owner_words_belong_to_the_pool() {
    let heap = PoolHeap::new(CONFIG);
    let block = make(&heap, layout(32), 5);
    // SAFETY: an allocated block of this heap.
    let pool = unsafe { heap.pool_of(block) };
    assert_eq!((pool.user_word(0), pool.user_word(1)), (0, 0));
    pool.set_user_word(1, 12);
    assert_eq!(heap.pools().next().unwrap().user_word(1), 12);
}

#[test]
fn a_purge_in_the_middle_of_a_walk_takes_nothing_that_is_shown() {
    let heap = PoolHeap::new(CONFIG);
    // Three arenas' worth of pools, then all but the first and the last block freed.
    let blocks: Vec<_> = (0..90).map(|_| make(&heap, layout(8192), 3)).collect();
    let big: Vec<_> = (0..500).map(|_| make(&heap, layout(8000), 3)).collect();
    for &block in &big {
        // SAFETY: allocated above with this layout.
        unsafe { heap.dealloc(block, layout(8000)) };
    }
    let mut seen = 0;
    for pool in heap.pools() {
        heap.purge();
        seen += pool.allocated_blocks().count();
    }
    assert_eq!(seen, blocks.len());
}

/// Pools go as a whole, whatever is free, full or a run of its own, and their memory serves again.
#[test]
fn a_pool_is_freed_at_once() {
    let heap = PoolHeap::new(CONFIG);
    for (size, count) in [(48, 3), (48, 1400), (48, 5000), (1024, 200), (40_000, 3)] {
        let blocks: Vec<_> = (0..count).map(|i| make(&heap, layout(size), i + 1)).collect();
        for block in blocks.iter().step_by(3).filter(|_| size < 40_000) {
            // SAFETY: allocated above with this layout.
            unsafe { heap.dealloc(*block, layout(size)) };
        }
        let other = make(&heap, layout(2000), 9);
        let held = heap.held_bytes();
        loop {
            let pool = heap.pools().find(|pool| pool.block_size() != 2048 || pool.is_run());
            let Some(pool) = pool else { break };
            // SAFETY: a pool of the heap; its blocks are not used again.
            unsafe { heap.dealloc_pool(pool) };
        }
        assert_eq!(heap.live_blocks(), 1);
        assert_eq!(walk(&heap).into_values().collect::<Vec<_>>(), [9]);
        let again: Vec<_> = (0..count).map(|i| make(&heap, layout(size), i + 1)).collect();
        assert_eq!(walk(&heap).len() as u64, count + 1);
        assert!(heap.held_bytes() <= held, "{size}: freed pools are used again");
        for block in again {
            // SAFETY: as above.
            unsafe { heap.dealloc(block, layout(size)) };
        }
        // SAFETY: as above.
        unsafe { heap.dealloc(other, layout(2000)) };
        assert_eq!((heap.live_blocks(), heap.pools().count()), (0, 0));
    }
}
