//! `Allocator`, in every version of the trait that there is, for everything that hands out blocks.
#![allow(unsafe_code, reason = "Allocator is an unsafe trait")]

use core::alloc::Layout;
use core::num::NonZeroUsize;
use core::ptr::NonNull;

use crate::global::Global;
use crate::heap::Heap;
use crate::shared_heap::SharedHeap;
use crate::source::ArenaSource;

/// What hands out blocks.
///
/// # Safety
/// A block has the bytes and the alignment of its layout, overlaps no other, and stays until it is given back or
/// what handed it out is dropped. Nothing unwinds.
pub(crate) unsafe trait Blocks {
    /// A block, uninitialised.
    fn take(&self, layout: Layout) -> Option<NonNull<u8>>;

    /// A block that reads 0.
    fn take_zeroed(&self, layout: Layout) -> Option<NonNull<u8>>;

    /// Frees a block.
    ///
    /// # Safety
    /// It was made here with `layout` and is not used again.
    unsafe fn give_back(&self, block: NonNull<u8>, layout: Layout);

    /// Changes the size of a block; `None` leaves it as it was.
    ///
    /// # Safety
    /// It was made here with `layout`; after `Some` it is not used again.
    unsafe fn resize(&self, block: NonNull<u8>, layout: Layout, new_size: usize) -> Option<NonNull<u8>>;
}

// SAFETY: see `Heap`.
unsafe impl<S: ArenaSource> Blocks for Heap<S> {
    #[inline]
    fn take(&self, layout: Layout) -> Option<NonNull<u8>> {
        self.alloc(layout)
    }

    fn take_zeroed(&self, layout: Layout) -> Option<NonNull<u8>> {
        self.alloc_zeroed(layout)
    }

    #[inline]
    unsafe fn give_back(&self, block: NonNull<u8>, layout: Layout) {
        // SAFETY: the caller's promise.
        unsafe { self.dealloc(block, layout) }
    }

    unsafe fn resize(&self, block: NonNull<u8>, layout: Layout, new_size: usize) -> Option<NonNull<u8>> {
        // SAFETY: the caller's promise.
        unsafe { self.realloc(block, layout, new_size) }
    }
}

/// A pointer for a block of no bytes, which is never freed.
fn dangling(layout: Layout) -> NonNull<u8> {
    // An alignment is never 0.
    NonNull::without_provenance(NonZeroUsize::new(layout.align()).unwrap_or(NonZeroUsize::MIN))
}

fn sized(block: NonNull<u8>, layout: Layout) -> NonNull<[u8]> {
    NonNull::slice_from_raw_parts(block, layout.size())
}

#[inline]
fn allocate(blocks: &impl Blocks, layout: Layout) -> Option<NonNull<[u8]>> {
    let block = if layout.size() == 0 { dangling(layout) } else { blocks.take(layout)? };
    Some(sized(block, layout))
}

fn allocate_zeroed(blocks: &impl Blocks, layout: Layout) -> Option<NonNull<[u8]>> {
    let block = if layout.size() == 0 { dangling(layout) } else { blocks.take_zeroed(layout)? };
    Some(sized(block, layout))
}

/// # Safety
/// As `Allocator::deallocate`.
#[inline]
unsafe fn deallocate(blocks: &impl Blocks, block: NonNull<u8>, layout: Layout) {
    if layout.size() != 0 {
        // SAFETY: the caller's promise; only blocks of no bytes are dangling.
        unsafe { blocks.give_back(block, layout) }
    }
}

/// Grows or shrinks a block of any size, 0 included, to any layout.
///
/// # Safety
/// As `Allocator::grow` and `Allocator::shrink`.
unsafe fn change(
    blocks: &impl Blocks,
    block: NonNull<u8>,
    old: Layout,
    new: Layout,
) -> Option<NonNull<[u8]>> {
    if old.align() == new.align() && old.size() != 0 && new.size() != 0 {
        // SAFETY: the caller's promise; the block is not of size 0, so it is no dangling one.
        let moved = unsafe { blocks.resize(block, old, new.size()) }?;
        return Some(sized(moved, new));
    }
    let moved = allocate(blocks, new)?;
    let bytes = old.size().min(new.size());
    // SAFETY: both blocks have at least `bytes` bytes and are distinct.
    unsafe { block.copy_to_nonoverlapping(moved.cast(), bytes) };
    // SAFETY: the caller's promise.
    unsafe { deallocate(blocks, block, old) };
    Some(moved)
}

/// # Safety
/// As `Allocator::grow_zeroed`.
unsafe fn grow_zeroed(
    blocks: &impl Blocks,
    block: NonNull<u8>,
    old: Layout,
    new: Layout,
) -> Option<NonNull<[u8]>> {
    // SAFETY: the caller's promise.
    let grown = unsafe { change(blocks, block, old, new) }?;
    // SAFETY: the new block has `new.size() >= old.size()` bytes.
    let tail = unsafe { grown.cast::<u8>().add(old.size()) };
    // SAFETY: the tail lies in the new block, which is ours until it is returned.
    unsafe { tail.write_bytes(0, new.size() - old.size()) };
    Some(grown)
}

macro_rules! allocator {
    ($api:ident::$module:ident, [$($generics:tt)*] $type:ty, |$this:ident| $blocks:expr) => {
        // SAFETY: `Blocks`; moving or copying the reference or the unit changes nothing. A request for no bytes
        // gets a dangling pointer that is never freed.
        unsafe impl<$($generics)*> $api::$module::Allocator for $type {
            #[inline]
            fn allocate(&self, layout: Layout) -> Result<NonNull<[u8]>, $api::$module::AllocError> {
                let $this = self;
                allocate($blocks, layout).ok_or($api::$module::AllocError)
            }

            fn allocate_zeroed(&self, layout: Layout) -> Result<NonNull<[u8]>, $api::$module::AllocError> {
                let $this = self;
                allocate_zeroed($blocks, layout).ok_or($api::$module::AllocError)
            }

            #[inline]
            unsafe fn deallocate(&self, ptr: NonNull<u8>, layout: Layout) {
                let $this = self;
                // SAFETY: the caller's promise.
                unsafe { deallocate($blocks, ptr, layout) }
            }

            unsafe fn grow(
                &self,
                ptr: NonNull<u8>,
                old: Layout,
                new: Layout,
            ) -> Result<NonNull<[u8]>, $api::$module::AllocError> {
                let $this = self;
                // SAFETY: the caller's promise.
                unsafe { change($blocks, ptr, old, new) }.ok_or($api::$module::AllocError)
            }

            unsafe fn grow_zeroed(
                &self,
                ptr: NonNull<u8>,
                old: Layout,
                new: Layout,
            ) -> Result<NonNull<[u8]>, $api::$module::AllocError> {
                let $this = self;
                // SAFETY: the caller's promise.
                unsafe { grow_zeroed($blocks, ptr, old, new) }.ok_or($api::$module::AllocError)
            }

            unsafe fn shrink(
                &self,
                ptr: NonNull<u8>,
                old: Layout,
                new: Layout,
            ) -> Result<NonNull<[u8]>, $api::$module::AllocError> {
                let $this = self;
                // SAFETY: the caller's promise.
                unsafe { change($blocks, ptr, old, new) }.ok_or($api::$module::AllocError)
            }
        }
    };
}

macro_rules! allocators {
    ($api:ident::$module:ident) => {
        allocator!($api::$module, [] Global, |this| this);
        allocator!($api::$module, [S: ArenaSource] &Heap<S>, |this| *this);
        allocator!($api::$module, [S: ArenaSource] &SharedHeap<S>, |this| *this);
    };
}

#[cfg(feature = "allocator-api2-02")]
allocators!(allocator_api2::alloc);
#[cfg(feature = "allocator-api2-03")]
allocators!(allocator_api2_03::alloc);
#[cfg(feature = "allocator-api2-04")]
allocators!(allocator_api2_04::alloc);
#[cfg(feature = "nightly")]
allocators!(core::alloc);
