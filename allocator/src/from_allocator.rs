//! [`FromAllocator`]: arenas out of another allocator.
#![allow(unsafe_code, reason = "hands out raw memory")]

use core::alloc::Layout;
use core::ptr::NonNull;

use allocator_api2::alloc::Allocator;

use crate::source::ArenaSource;

/// A source that asks another allocator for arenas of 2 MiB, aligned to 2 MiB, and for each block above 1 MiB.
///
/// ```
/// use allocator_api2::alloc::Global;
/// use cpymem_allocator::{FromAllocator, Heap};
///
/// let heap = Heap::new_in(FromAllocator(Global), usize::MAX);
/// let mut row = allocator_api2::vec::Vec::new_in(&heap);
/// row.extend(0..1000);
/// assert!(heap.owns(row.as_ptr().cast()));
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct FromAllocator<A>(
    /// The allocator that is asked.
    pub A,
);

// SAFETY: an allocator's blocks are valid, aligned and disjoint until they are freed, also when the allocator
// is moved.
unsafe impl<A: Allocator> ArenaSource for FromAllocator<A> {
    fn map(&self, size: usize, align: usize) -> Option<NonNull<u8>> {
        let layout = Layout::from_size_align(size, align).ok()?;
        self.0.allocate_zeroed(layout).ok().map(NonNull::cast)
    }

    unsafe fn unmap(&self, ptr: NonNull<u8>, size: usize, align: usize) {
        if let Ok(layout) = Layout::from_size_align(size, align) {
            // SAFETY: the caller's promise: the layout that `map` was asked for.
            unsafe { self.0.deallocate(ptr, layout) }
        }
    }

    unsafe fn remap(
        &self,
        ptr: NonNull<u8>,
        old_size: usize,
        new_size: usize,
        align: usize,
    ) -> Option<NonNull<u8>> {
        let old = Layout::from_size_align(old_size, align).ok()?;
        let new = Layout::from_size_align(new_size, align).ok()?;
        let moved = if new_size >= old_size {
            // SAFETY: the caller's promise.
            unsafe { self.0.grow_zeroed(ptr, old, new) }
        } else {
            // SAFETY: the caller's promise.
            unsafe { self.0.shrink(ptr, old, new) }
        };
        moved.ok().map(NonNull::cast)
    }
}
