//! [`SharedHeap`]: an explicit heap for any thread.
#![allow(unsafe_code, reason = "hands out raw memory")]

use core::alloc::Layout;
use core::ptr::NonNull;

use crate::allocator_impl::Blocks;
use crate::heap::Heap;
use crate::protocol::budget::Budget;
use crate::protocol::lock::Lock;
use crate::source::{ArenaSource, Os};
use crate::stats::Stats;

/// A [`Heap`] that any thread may use, under a lock.
///
/// `&SharedHeap` is an `Allocator` that is `Send` and `Sync`. Dropping the heap frees everything it holds. Threads
/// that allocate much are better served by [`Global`](crate::Global), or by a `Heap` each.
///
/// ```
/// use allocator_api2::vec::Vec;
/// use cpymem_allocator::SharedHeap;
///
/// let heap = SharedHeap::with_limit(1 << 20);
/// std::thread::scope(|scope| {
///     for k in 0..4u8 {
///         let heap = &heap;
///         scope.spawn(move || {
///             let mut row = Vec::new_in(heap);
///             row.extend([k; 1000]);
///             assert!(row.iter().all(|&n| n == k));
///         });
///     }
/// });
/// assert_eq!(heap.stats().blocks_in_use(), 0);
/// ```
#[derive(Debug)]
pub struct SharedHeap<S: ArenaSource = Os> {
    heap: Lock<Heap<S>>,
}

impl SharedHeap {
    /// A heap on memory of the operating system.
    pub const fn new() -> SharedHeap {
        SharedHeap::new_in(Os, usize::MAX)
    }

    /// A heap that never holds more than `bytes` bytes: see [`Heap::with_limit`].
    pub const fn with_limit(bytes: usize) -> SharedHeap {
        SharedHeap::new_in(Os, bytes)
    }

    /// A heap whose bytes also count in `budget`: see [`Heap::within`].
    pub const fn within(budget: &'static Budget) -> SharedHeap {
        SharedHeap::new_within(Os, usize::MAX, budget)
    }
}

impl Default for SharedHeap {
    fn default() -> SharedHeap {
        SharedHeap::new()
    }
}

impl<S: ArenaSource> SharedHeap<S> {
    /// A heap on the memory of `source` that holds at most `limit` bytes.
    pub const fn new_in(source: S, limit: usize) -> SharedHeap<S> {
        SharedHeap { heap: Lock::new(Heap::new_in(source, limit)) }
    }

    /// A heap on the memory of `source` that holds at most `limit` bytes, which also count in `budget`.
    pub const fn new_within(source: S, limit: usize, budget: &'static Budget) -> SharedHeap<S> {
        SharedHeap { heap: Lock::new(Heap::new_within(source, limit, budget)) }
    }

    /// See [`Heap::stats`].
    pub fn stats(&self) -> Stats {
        self.heap.lock().stats()
    }

    /// See [`Heap::held_bytes`].
    pub fn held_bytes(&self) -> usize {
        self.heap.lock().held_bytes()
    }

    /// See [`Heap::purge`].
    pub fn purge(&self) -> usize {
        self.heap.lock().purge()
    }

    /// See [`Heap::owns`].
    pub fn owns(&self, ptr: *const u8) -> bool {
        self.heap.lock().owns(ptr)
    }
}

// SAFETY: as for `Heap`, whose blocks are not tied to a thread; the lock lets one at a time use it.
unsafe impl<S: ArenaSource> Blocks for SharedHeap<S> {
    fn take(&self, layout: Layout) -> Option<NonNull<u8>> {
        let heap = self.heap.lock();
        let (block, budget) = (heap.alloc_unrung(layout), heap.budget());
        drop(heap);
        // Outside the lock: a callback may use this very heap.
        budget.inspect(|budget| budget.ring());
        block
    }

    fn take_zeroed(&self, layout: Layout) -> Option<NonNull<u8>> {
        let block = self.take(layout)?;
        // SAFETY: the block was just made with this layout; its pool, which says what is old in it, is in use.
        unsafe { Heap::<S>::clear(block, layout) };
        Some(block)
    }

    unsafe fn give_back(&self, block: NonNull<u8>, layout: Layout) {
        // SAFETY: the caller's promise.
        unsafe { self.heap.lock().dealloc(block, layout) }
    }

    unsafe fn resize(&self, block: NonNull<u8>, layout: Layout, new_size: usize) -> Option<NonNull<u8>> {
        let heap = self.heap.lock();
        // SAFETY: the caller's promise.
        let resized = unsafe { heap.realloc_unrung(block, layout, new_size) };
        let budget = heap.budget();
        drop(heap);
        budget.inspect(|budget| budget.ring());
        resized
    }
}
