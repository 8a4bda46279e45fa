//! What a user of [`Heap`] relies on: routes, limits, failing sources, drop.
#![allow(unsafe_code, clippy::multiple_unsafe_ops_per_block, reason = "the interface under test is unsafe")]

use std::alloc::Layout;
use std::cell::Cell;
use std::ptr::NonNull;
use std::rc::Rc;

use allocator_api2::boxed::Box;
use allocator_api2::vec::Vec as HeapVec;
use cpymem_allocator::{
    ArenaSource, Budget, Exceeded, FixedRegion, FromAllocator, Heap, Os, Purged, SharedHeap,
};

fn layout(size: usize, align: usize) -> Layout {
    Layout::from_size_align(size, align).unwrap()
}

/// The system's memory, with a count of what is mapped and a number of mappings after which it fails.
#[derive(Clone, Default)]
struct Counted {
    mapped: Rc<Cell<usize>>,
    calls: Rc<Cell<usize>>,
    fail_at: Option<usize>,
}

// SAFETY: everything is passed on to `Os`.
unsafe impl ArenaSource for Counted {
    fn map(&self, size: usize, align: usize) -> Option<NonNull<u8>> {
        let call = self.calls.get();
        self.calls.set(call + 1);
        if self.fail_at.is_some_and(|n| call >= n) {
            return None;
        }
        let ptr = Os.map(size, align)?;
        self.mapped.set(self.mapped.get() + size);
        Some(ptr)
    }

    unsafe fn unmap(&self, ptr: NonNull<u8>, size: usize, align: usize) {
        self.mapped.set(self.mapped.get() - size);
        // SAFETY: the caller's promise.
        unsafe { Os.unmap(ptr, size, align) }
    }

    unsafe fn purge(&self, ptr: NonNull<u8>, size: usize) -> Purged {
        // SAFETY: the caller's promise.
        unsafe { Os.purge(ptr, size) }
    }
}

#[test]
fn dropping_a_heap_returns_every_arena_whatever_was_not_freed() {
    let source = Counted::default();
    let heap = Heap::new_in(source.clone(), usize::MAX);
    for i in 0..200_000usize {
        let ptr = heap.alloc(layout(i % 700, 8)).unwrap();
        if i % 3 == 0 {
            // SAFETY: allocated above with this layout.
            unsafe { heap.dealloc(ptr, layout(i % 700, 8)) };
        }
    }
    assert!(source.mapped.get() >= 16 << 20);
    assert!(source.mapped.get() >= heap.stats().arena_bytes());
    drop(heap);
    assert_eq!(source.mapped.get(), 0);
}

#[test]
fn a_heap_that_was_never_used_maps_nothing() {
    let source = Counted::default();
    let heap = Heap::new_in(source.clone(), usize::MAX);
    assert_eq!((heap.purge(), heap.held_bytes(), source.calls.get()), (0, 0, 0));
}

#[test]
fn a_source_that_fails_at_any_call_gives_none_and_keeps_what_there_is() {
    for fail_at in 0..6 {
        let heap = Heap::new_in(Counted { fail_at: Some(fail_at), ..Counted::default() }, usize::MAX);
        let mut blocks = Vec::new();
        while let Some(ptr) = heap.alloc(layout(512, 8)) {
            // SAFETY: the block has 512 bytes.
            unsafe { ptr.write_bytes(blocks.len() as u8, 512) };
            blocks.push(ptr);
        }
        assert_eq!(blocks.len(), fail_at * 127 * 32, "every unit of every arena is used before `None`");
        for (i, ptr) in blocks.into_iter().enumerate() {
            // SAFETY: allocated and filled above.
            unsafe { assert_eq!(ptr.add(511).read(), i as u8) };
            // SAFETY: allocated above with this layout.
            unsafe { heap.dealloc(ptr, layout(512, 8)) };
        }
        heap.purge();
        assert_eq!(heap.held_bytes(), 0);
    }
}

#[test]
fn a_limit_holds_and_memory_that_was_freed_can_be_used_again() {
    let limit = 256 << 10;
    let heap = Heap::with_limit(limit);
    let small = layout(64, 8);
    let mut blocks = Vec::new();
    while let Some(ptr) = heap.alloc(small) {
        blocks.push(ptr);
    }
    // A header and fifteen pools fit into sixteen units.
    assert_eq!(blocks.len(), 15 * (16384 / 64));
    assert!(heap.held_bytes() <= limit);
    assert!(heap.alloc(layout(100_000, 8)).is_none(), "runs are charged too");
    assert!(heap.alloc(layout(2 << 20, 8)).is_none(), "mappings are charged too");
    for ptr in blocks.drain(..) {
        // SAFETY: allocated above with this layout.
        unsafe { heap.dealloc(ptr, small) };
    }
    // The pools of 64 bytes lie in bins and lists; the limit makes the heap purge them by itself.
    let large = layout(200_000, 8);
    let ptr = heap.alloc(large).expect("a purge makes room");
    assert!(heap.stats().peak_held_bytes() <= limit);
    // SAFETY: allocated above with this layout.
    unsafe { heap.dealloc(ptr, large) };
    assert!(Heap::with_limit(0).alloc(layout(8, 8)).is_none());
    assert!(Heap::with_limit(20_000).alloc(layout(8, 8)).is_none(), "a header without a pool is no use");
}

#[test]
fn sizes_that_no_machine_has_are_none() {
    let heap = Heap::new();
    let most = isize::MAX as usize;
    for align in [1, 8, 4096, 1 << 20] {
        assert!(heap.alloc(layout(most / align * align - align + 1, align)).is_none());
    }
    let block = heap.alloc(layout(40, 8)).unwrap();
    // SAFETY: allocated above; the call fails and leaves the block alone.
    assert!(unsafe { heap.realloc(block, layout(40, 8), most - 7) }.is_none());
    // SAFETY: as above.
    assert!(unsafe { heap.realloc(block, layout(40, 8), usize::MAX) }.is_none());
    assert_eq!(heap.stats().blocks_in_use(), 1);
}

#[test]
fn every_alignment_is_kept_on_every_route() {
    let heap = Heap::new();
    for align in (0..=26).map(|log2| 1usize << log2) {
        for size in [0, 1, 8, 24, 100, 512, 513, 5000, 32768, 32769, 1 << 20, (1 << 20) + 1] {
            let at = layout(size, align);
            let ptrs: Vec<_> = (0..5).map(|_| heap.alloc(at).unwrap()).collect();
            for ptr in ptrs {
                assert_eq!(ptr.addr().get() % align, 0, "size {size} align {align}");
                assert!(heap.owns(ptr.as_ptr()));
                // SAFETY: allocated above with this layout.
                unsafe { heap.dealloc(ptr, at) };
            }
        }
    }
}

#[test]
fn realloc_keeps_the_content_across_every_route() {
    let heap = Heap::new();
    let sizes = [
        0,
        1,
        8,
        9,
        120,
        129,
        300,
        512,
        513,
        1024,
        1025,
        8192,
        8193,
        32768,
        32769,
        49152,
        49153,
        1 << 20,
        (1 << 20) + 1,
        3 << 20,
    ];
    for align in [1, 16, 1024, 1 << 16, 2 << 20, 8 << 20] {
        for &from in &sizes {
            for &to in &sizes {
                let ptr = heap.alloc(layout(from, align)).unwrap();
                for i in 0..from {
                    // SAFETY: inside the block.
                    unsafe { ptr.add(i).write(i as u8 ^ 0x5a) };
                }
                // SAFETY: allocated above with this layout.
                let ptr = unsafe { heap.realloc(ptr, layout(from, align), to) }.unwrap();
                assert_eq!(ptr.addr().get() % align, 0);
                for i in 0..from.min(to) {
                    // SAFETY: inside the block.
                    assert_eq!(unsafe { ptr.add(i).read() }, i as u8 ^ 0x5a, "{from} -> {to} at {i}");
                }
                // SAFETY: the block has the new layout now.
                unsafe { heap.dealloc(ptr, layout(to, align)) };
            }
        }
    }
    assert_eq!(heap.stats().blocks_in_use(), 0);
}

#[test]
fn owns_tells_its_own_blocks_from_others() {
    let (a, b) = (Heap::new(), Heap::new());
    for size in [16, 2000] {
        let block = a.alloc(layout(size, 8)).unwrap();
        assert!(a.owns(block.as_ptr()) && !b.owns(block.as_ptr()));
    }
    let local = 0u8;
    assert!(!a.owns(&local) && !a.owns(std::ptr::null()));
}

#[test]
fn memory_goes_back_when_most_of_it_was_freed() {
    let heap = Heap::new();
    let at = layout(96, 8);
    let blocks: Vec<_> = (0..300_000).map(|_| heap.alloc(at).unwrap()).collect();
    let full = heap.held_bytes();
    assert!(full >= 300_000 * 96);
    for ptr in blocks {
        // SAFETY: allocated above with this layout.
        unsafe { heap.dealloc(ptr, at) };
    }
    assert!(heap.held_bytes() <= 2 << 20, "without a call: {} of {full} bytes", heap.held_bytes());
    heap.purge();
    assert_eq!(heap.held_bytes(), 0);
}

#[test]
fn a_heap_moves_to_another_thread_with_its_blocks() {
    let heap = Heap::new();
    let blocks: Vec<usize> =
        (0..1000).map(|i| heap.alloc(layout(8 + i % 500, 8)).unwrap().as_ptr().expose_provenance()).collect();
    std::thread::spawn(move || {
        for (i, addr) in blocks.into_iter().enumerate() {
            let ptr = NonNull::new(std::ptr::with_exposed_provenance_mut(addr)).unwrap();
            // SAFETY: allocated by this heap with this layout, on another thread.
            unsafe { heap.dealloc(ptr, layout(8 + i % 500, 8)) };
        }
        assert_eq!(heap.stats().blocks_in_use(), 0);
    })
    .join()
    .unwrap();
}

#[test]
fn collections_live_on_a_heap() {
    let heap = Heap::new();
    let mut grid: HeapVec<HeapVec<u32, &Heap>, &Heap> = HeapVec::new_in(&heap);
    for i in 0..500 {
        let mut row = HeapVec::new_in(&heap);
        row.extend(0..i);
        row.shrink_to_fit();
        grid.push(row);
    }
    assert!(grid.iter().enumerate().all(|(i, row)| row.iter().copied().eq(0..i as u32)));
    let empty: Box<(), &Heap> = Box::new_in((), &heap);
    drop((grid, empty));
    assert_eq!(heap.stats().blocks_in_use(), 0);
}

#[test]
fn stats_print_the_table_of_cpython() {
    let heap = Heap::new();
    for _ in 0..10 {
        heap.alloc(layout(48, 8)).unwrap();
    }
    heap.alloc(layout(100_000, 8)).unwrap();
    let table = heap.stats().to_string();
    assert!(table.contains("class   size   num pools   blocks in use  avail blocks"));
    assert!(table.lines().any(|line| line.split_whitespace().eq(["0", "48", "1", "10", "331"])), "{table}");
    assert!(table.contains("# arenas allocated current"));
    let stats = heap.stats();
    assert_eq!((stats.blocks_in_use(), stats.large_blocks(), stats.pools()), (11, 1, 1));
    assert_eq!(stats.bytes_in_use(), 480);
}

#[test]
fn zeroed_blocks_read_zero_also_when_they_were_used_before() {
    let heap = Heap::new();
    for size in [1, 24, 512, 5000, 30_000, 40_000, 3 << 20] {
        for round in 0..3 {
            let at = layout(size, 8);
            let ptr = heap.alloc_zeroed(at).unwrap();
            // SAFETY: the block has `size` bytes.
            let bytes = unsafe { std::slice::from_raw_parts_mut(ptr.as_ptr(), size) };
            assert!(bytes.iter().all(|&b| b == 0), "size {size} round {round}");
            bytes.fill(0xee);
            // SAFETY: allocated above with this layout.
            unsafe { heap.dealloc(ptr, at) };
        }
    }
}

/// Random operations on every route; `None` is an answer, and nothing else may go wrong.
fn exercise<S: ArenaSource>(heap: &Heap<S>, seed: u64, steps: usize) -> usize {
    struct Held(NonNull<u8>, Layout, u8);
    let filled = |held: &Held| {
        // SAFETY: a live block that was filled over its whole layout.
        let bytes = unsafe { std::slice::from_raw_parts(held.0.as_ptr(), held.1.size()) };
        assert!(bytes.iter().all(|&byte| byte == held.2), "clobbered");
    };
    let (mut state, mut refused, mut held) = (seed, 0, Vec::new());
    for step in 0..steps {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        let number = (state >> 16) as usize;
        let size = [number % 600, number % 20_000, number % 300_000, number % 3_000_000]
            [[0, 0, 0, 0, 1, 1, 2, 3][number >> 40 & 7]];
        match state % 3 {
            0 | 1 if held.len() < 200 => {
                let at = layout(size, 1 << (number % 13));
                let Some(block) = heap.alloc(at) else {
                    refused += 1;
                    continue;
                };
                // SAFETY: the block has that many bytes.
                unsafe { block.write_bytes(step as u8, size) };
                held.push(Held(block, at, step as u8));
            }
            0 if !held.is_empty() => {
                let place = number % held.len();
                let Held(block, at, fill) = &mut held[place];
                // SAFETY: a live block with this layout.
                if let Some(moved) = unsafe { heap.realloc(*block, *at, size) } {
                    let kept = at.size().min(size);
                    // SAFETY: the block has `size` bytes now.
                    let bytes = unsafe { std::slice::from_raw_parts(moved.as_ptr(), kept) };
                    assert!(bytes.iter().all(|byte| byte == fill), "lost");
                    (*block, *at, *fill) = (moved, layout(size, at.align()), step as u8);
                    // SAFETY: as above.
                    unsafe { moved.write_bytes(step as u8, size) };
                } else {
                    refused += 1;
                }
                filled(&held[place]);
            }
            _ if !held.is_empty() => {
                let gone: Held = held.swap_remove(number % held.len());
                filled(&gone);
                // SAFETY: a live block with this layout.
                unsafe { heap.dealloc(gone.0, gone.1) };
            }
            _ => {}
        }
    }
    for gone in held {
        filled(&gone);
        // SAFETY: a live block with this layout.
        unsafe { heap.dealloc(gone.0, gone.1) };
    }
    assert_eq!(heap.stats().blocks_in_use(), 0);
    heap.purge();
    assert_eq!(heap.held_bytes(), 0);
    refused
}

#[test]
fn a_mapping_that_fails_at_any_call_of_a_run_is_an_answer() {
    let counted = Counted::default();
    let heap = Heap::new_in(counted.clone(), usize::MAX);
    assert_eq!(exercise(&heap, 77, 800), 0);
    let calls = counted.calls.get();
    assert!(calls > 30, "{calls}");
    for fail_at in 0..calls {
        let source = Counted { fail_at: Some(fail_at), ..Counted::default() };
        let heap = Heap::new_in(source.clone(), usize::MAX);
        assert!(exercise(&heap, 77, 800) > 0, "call {fail_at} of {calls}");
        drop(heap);
        assert_eq!(source.mapped.get(), 0);
    }
}

#[test]
fn a_limit_refuses_and_is_never_passed_whatever_is_asked() {
    for limit in [100_000, 1 << 20, 5_000_000, 400 << 20] {
        let heap = Heap::with_limit(limit);
        let refused = exercise(&heap, limit as u64 | 1, 5_000);
        assert!(heap.peak_held_bytes() <= limit);
        assert_eq!(refused > 0, limit < 400 << 20, "limit {limit}: {refused} refused");
    }
}

#[test]
fn a_heap_on_a_region_uses_nothing_else_and_gives_it_back() {
    let mut memory: Vec<std::mem::MaybeUninit<u8>> = Vec::with_capacity(24 << 20);
    // SAFETY: `MaybeUninit` needs no initialisation.
    unsafe { memory.set_len(24 << 20) };
    let bounds = memory.as_ptr_range();
    let region = FixedRegion::new(&mut memory);
    let heap = Heap::new_in(region, usize::MAX);
    let block = heap.alloc(layout(3 << 20, 8)).unwrap();
    assert!((bounds.start.addr()..bounds.end.addr()).contains(&block.addr().get()));
    // SAFETY: allocated above with this layout.
    unsafe { heap.dealloc(block, layout(3 << 20, 8)) };
    for seed in 1..4 {
        assert!(exercise(&heap, seed * 991, 5_000) > 0, "24 MiB are too little");
    }
}

#[test]
fn a_heap_on_another_allocator_gives_everything_back() {
    let outer = SharedHeap::new();
    let heap = Heap::new_in(FromAllocator(&outer), usize::MAX);
    assert_eq!(exercise(&heap, 5, 3_000), 0);
    let kept = heap.alloc(layout(40, 8)).unwrap();
    assert!(outer.owns(kept.as_ptr()));
    drop(heap);
    assert_eq!(outer.stats().blocks_in_use(), 0);
}

#[test]
fn a_large_block_grows_without_being_copied() {
    let heap = Heap::new();
    let mut at = layout(2 << 20, 64);
    let mut block = heap.alloc(at).unwrap();
    // SAFETY: the block has as many bytes.
    unsafe { block.write_bytes(0x3c, at.size()) };
    let neighbour = heap.alloc(layout(2 << 20, 64)).unwrap();
    for megabytes in [3, 64, 200, 1000, 1500, 5] {
        // SAFETY: a live block with this layout.
        block = unsafe { heap.realloc(block, at, megabytes << 20) }.unwrap();
        at = layout(megabytes << 20, 64);
        // SAFETY: the block has at least 2 MiB.
        let kept = unsafe { std::slice::from_raw_parts(block.as_ptr(), 2 << 20) };
        assert!(kept.iter().all(|&byte| byte == 0x3c));
        assert!(heap.owns(block.as_ptr()) && heap.owns(neighbour.as_ptr()));
        // SAFETY: the last byte of the block.
        assert_eq!(unsafe { block.add(at.size() - 1).read() }, 0, "new bytes are fresh");
        let held = heap.held_bytes();
        assert!(held >= (megabytes + 2) << 20 && held < (megabytes + 3) << 20, "{held}");
    }
    // SAFETY: both are live blocks.
    unsafe { heap.dealloc(block, at) };
    // SAFETY: as above.
    unsafe { heap.dealloc(neighbour, layout(2 << 20, 64)) };
    assert_eq!(heap.held_bytes(), 0);
}

#[test]
fn heaps_within_a_budget_share_it_and_its_callback_may_allocate() {
    static OUTER: Budget = Budget::new(6 << 20);
    static INNER: Budget = Budget::within(&OUTER, 4 << 20);
    static SHARED: SharedHeap = SharedHeap::within(&INNER);
    static SEEN: std::sync::Mutex<Vec<Exceeded>> = std::sync::Mutex::new(Vec::new());
    INNER.set_soft_limit(2 << 20, |exceeded| {
        // The very heap whose allocation is under way.
        let row = HeapVec::<u8, _>::with_capacity_in(100, &SHARED);
        assert!(SHARED.owns(row.as_ptr()));
        SEEN.lock().unwrap().push(exceeded);
    });
    let heap = Heap::within(&INNER);
    let megabyte = layout(1_500_000, 8);
    let mut rows: Vec<_> = (0..2).map(|_| HeapVec::<u8, _>::with_capacity_in(900_000, &SHARED)).collect();
    assert_eq!(SEEN.lock().unwrap().len(), 0);
    rows.push(HeapVec::with_capacity_in(900_000, &SHARED));
    assert_eq!(SEEN.lock().unwrap().len(), 1);
    assert!(SEEN.lock().unwrap()[0].held_bytes > 2 << 20 && SEEN.lock().unwrap()[0].soft_limit == 2 << 20);
    assert!(heap.alloc(megabyte).is_none(), "3 of 4 MiB are used, and headers");
    rows.clear();
    SHARED.purge();
    let block = heap.alloc(megabyte).expect("room again");
    assert_eq!(INNER.held_bytes(), OUTER.held_bytes());
    assert!(INNER.peak_held_bytes() <= 4 << 20);
    // SAFETY: allocated above with this layout.
    unsafe { heap.dealloc(block, megabyte) };
    drop(heap);
    assert_eq!(INNER.held_bytes(), SHARED.held_bytes(), "a heap that is dropped is refunded");
}

#[test]
fn the_pin_map_shows_what_keeps_which_arena() {
    let heap = Heap::new();
    let at = layout(64, 8);
    let blocks: Vec<_> = (0..100_000).map(|_| heap.alloc(at).unwrap()).collect();
    let full: Vec<_> = heap.arenas().collect();
    assert_eq!(full.len(), heap.stats().arenas());
    assert!(full.is_sorted_by_key(|arena| arena.address()));
    let live = |arenas: &[cpymem_allocator::ArenaFill]| -> usize {
        arenas.iter().flat_map(|arena| arena.pools()).map(|pool| pool.live).sum()
    };
    assert!(live(&full) >= 100_000 && live(&full) < 100_000 + 256);
    // One survivor in each tenth pool.
    for (i, &block) in blocks.iter().enumerate() {
        if i % 2560 != 0 {
            // SAFETY: allocated above with this layout.
            unsafe { heap.dealloc(block, at) };
        }
    }
    heap.purge();
    let pinned: Vec<_> = heap.arenas().collect();
    assert_eq!(live(&pinned), 40);
    let pools: Vec<_> = pinned.iter().flat_map(|arena| arena.pools()).collect();
    assert!(pools.iter().all(|pool| pool.live == 1 && pool.capacity == 256 && pool.block_size == 64));
    assert_eq!(pinned.iter().map(|arena| arena.held_bytes()).sum::<usize>(), heap.held_bytes());
    for arena in &pinned {
        let used: usize = arena.pools().iter().map(|pool| pool.bytes).sum();
        assert_eq!(used + arena.free_bytes() + (16 << 10), 2 << 20);
    }
}
