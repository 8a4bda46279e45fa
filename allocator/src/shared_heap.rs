//! [`SharedHeap`]: an explicit heap for any thread.
#![allow(unsafe_code, reason = "Allocator is an unsafe trait")]

use core::alloc::Layout;
use core::ptr::NonNull;

use allocator_api2::alloc::{AllocError, Allocator};

use crate::heap::Heap;
use crate::lock::Lock;
use crate::source::{ArenaSource, Os};
use crate::stats::Stats;

/// A [`Heap`] that any thread may use, under a lock.
///
/// `&SharedHeap` is an [`Allocator`] that is `Send` and `Sync`. Dropping the heap frees everything it holds. Threads
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

// SAFETY: the contract of `&Heap`, whose blocks are not tied to a thread; the lock lets one at a time use it.
unsafe impl<S: ArenaSource> Allocator for &SharedHeap<S> {
    fn allocate(&self, layout: Layout) -> Result<NonNull<[u8]>, AllocError> {
        (&*self.heap.lock()).allocate(layout)
    }

    fn allocate_zeroed(&self, layout: Layout) -> Result<NonNull<[u8]>, AllocError> {
        (&*self.heap.lock()).allocate_zeroed(layout)
    }

    unsafe fn deallocate(&self, ptr: NonNull<u8>, layout: Layout) {
        // SAFETY: the caller's promise.
        unsafe { (&*self.heap.lock()).deallocate(ptr, layout) }
    }

    unsafe fn grow(&self, ptr: NonNull<u8>, old: Layout, new: Layout) -> Result<NonNull<[u8]>, AllocError> {
        // SAFETY: the caller's promise.
        unsafe { (&*self.heap.lock()).grow(ptr, old, new) }
    }

    unsafe fn shrink(&self, ptr: NonNull<u8>, old: Layout, new: Layout) -> Result<NonNull<[u8]>, AllocError> {
        // SAFETY: the caller's promise.
        unsafe { (&*self.heap.lock()).shrink(ptr, old, new) }
    }
}
