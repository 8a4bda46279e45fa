//! Requests above the small classes: passed on to the system allocator, with a header in front so that the
//! heap can find and free them.
//!
//! ```text
//!   | padding to the alignment | header: next, prev, bytes | the block ...
//!   ^ base                                                 ^ pointer of the user
//! ```
#![allow(unsafe_code, reason = "block headers lie in front of the user's pointer")]

use core::alloc::{GlobalAlloc, Layout};
use core::cell::Cell;
use core::ptr::NonNull;
use std::alloc::System;

use crate::budget::Budget;

/// The header of a large block.
#[repr(C)]
struct Header {
    next: Cell<Option<LargePtr>>,
    prev: Cell<Option<LargePtr>>,
    /// Bytes asked of the system, header and padding included.
    bytes: Cell<usize>,
    /// Alignment asked of the system.
    align: usize,
}

impl Header {
    /// Bytes from the start of the allocation to the user's pointer.
    fn offset(&self) -> usize {
        self.align.max(HEADER)
    }
}

const HEADER: usize = size_of::<Header>();
const _: () = assert!(HEADER == 32);

/// A large block, by the address of its header.
///
/// # Invariants
/// 1. It points to the header of a block that was allocated by the [`LargeBlocks`] it is in and not freed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct LargePtr(NonNull<Header>);

impl core::ops::Deref for LargePtr {
    type Target = Header;

    fn deref(&self) -> &Header {
        // SAFETY: invariant 1; all fields are cells.
        unsafe { self.0.as_ref() }
    }
}

impl LargePtr {
    /// Returns the block to the system.
    ///
    /// # Safety
    /// The block is in no list and nobody uses it again.
    unsafe fn free(self) {
        let (offset, align, bytes) = (self.offset(), self.align, self.bytes.get());
        // SAFETY: the user's pointer lies `HEADER` bytes after the header and `offset >= HEADER` bytes after
        // the start of the allocation.
        let base = unsafe { self.0.cast::<u8>().sub(offset - HEADER) };
        // SAFETY: the layout that the block was allocated with was valid.
        let outer = unsafe { Layout::from_size_align_unchecked(bytes, align) };
        // SAFETY: allocated by `System` with this layout.
        unsafe { System.dealloc(base.as_ptr(), outer) }
    }
}

/// The large blocks of one heap: a doubly linked list through their headers.
#[derive(Debug, Default)]
pub(crate) struct LargeBlocks {
    head: Cell<Option<LargePtr>>,
    count: Cell<usize>,
    bytes: Cell<usize>,
}

/// The layout to ask of the system for a user's `layout`, and the offset of the user's pointer in it.
fn outer(layout: Layout) -> Option<(Layout, usize)> {
    let align = layout.align().max(align_of::<Header>());
    let offset = align.max(HEADER);
    let size = layout.size().checked_add(offset)?;
    Some((Layout::from_size_align(size, align).ok()?, offset))
}

impl LargeBlocks {
    pub(crate) const fn new() -> LargeBlocks {
        LargeBlocks { head: Cell::new(None), count: Cell::new(0), bytes: Cell::new(0) }
    }

    /// Blocks held.
    pub(crate) fn count(&self) -> usize {
        self.count.get()
    }

    /// Bytes asked of the system for them.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes.get()
    }

    pub(crate) fn alloc(&self, budget: &Budget, layout: Layout, zeroed: bool) -> Option<NonNull<u8>> {
        let (outer, offset) = outer(layout)?;
        budget.charge(outer.size())?;
        let base = if zeroed {
            // SAFETY: the size is at least `HEADER`, not 0.
            unsafe { System.alloc_zeroed(outer) }
        } else {
            // SAFETY: as above.
            unsafe { System.alloc(outer) }
        };
        let Some(base) = NonNull::new(base) else {
            budget.release(outer.size());
            return None;
        };
        // SAFETY: `offset` is at most the size that was allocated.
        let user = unsafe { base.add(offset) };
        self.link(user, outer);
        Some(user)
    }

    /// # Safety
    /// `ptr` was allocated here and is not used again.
    pub(crate) unsafe fn dealloc(&self, budget: &Budget, ptr: NonNull<u8>) {
        // SAFETY: the caller's promise: a header stands in front of `ptr`.
        let block = unsafe { Self::header(ptr) };
        self.unlink(block);
        budget.release(block.bytes.get());
        // SAFETY: out of the list and, as the caller says, not used again.
        unsafe { block.free() }
    }

    /// Grows or shrinks a block, in place if the system can.
    ///
    /// # Safety
    /// `ptr` was allocated here with `layout`; it is not used again if the result is `Some`.
    pub(crate) unsafe fn realloc(
        &self,
        budget: &Budget,
        ptr: NonNull<u8>,
        layout: Layout,
        new_size: usize,
    ) -> Option<NonNull<u8>> {
        let (old, offset) = outer(layout)?;
        let (new, _) = outer(Layout::from_size_align(new_size, layout.align()).ok()?)?;
        let growth = new.size().saturating_sub(old.size());
        budget.charge(growth)?;
        // SAFETY: the caller's promise: a header stands in front of `ptr`.
        let block = unsafe { Self::header(ptr) };
        self.unlink(block);
        // SAFETY: the base of the allocation lies `offset` bytes in front of the user's pointer.
        let base = unsafe { ptr.sub(offset) };
        // SAFETY: allocated by `System` with the layout `old`; the new size is not 0 and, with this
        // alignment, is a valid layout.
        let moved = NonNull::new(unsafe { System.realloc(base.as_ptr(), old, new.size()) });
        let Some(base) = moved else {
            self.link(ptr, old);
            budget.release(growth);
            return None;
        };
        budget.release(old.size().saturating_sub(new.size()));
        // SAFETY: `offset` depends on the alignment alone and is at most the new size.
        let user = unsafe { base.add(offset) };
        self.link(user, new);
        Some(user)
    }

    /// True if `ptr` lies in a block.
    pub(crate) fn contains(&self, ptr: *const u8) -> bool {
        core::iter::successors(self.head.get(), |block| block.next.get()).any(|block| {
            let user = block.0.addr().get() + HEADER;
            // A block of no bytes is found by its address all the same.
            ptr.addr().wrapping_sub(user) < (block.bytes.get() - block.offset()).max(1)
        })
    }

    /// # Safety
    /// `user` was returned by [`alloc`](Self::alloc) or [`realloc`](Self::realloc) and not freed.
    unsafe fn header(user: NonNull<u8>) -> LargePtr {
        // SAFETY: the header stands right in front of the user's pointer.
        LargePtr(unsafe { user.sub(HEADER) }.cast())
    }

    /// Writes the header of a block that was allocated as `outer` and enters it in the list.
    fn link(&self, user: NonNull<u8>, outer: Layout) {
        // SAFETY: at least `HEADER` bytes of the allocation stand in front of the user's pointer.
        let at = unsafe { user.sub(HEADER) }.cast::<Header>();
        let next = self.head.get();
        let header = Header {
            next: Cell::new(next),
            prev: Cell::new(None),
            bytes: Cell::new(outer.size()),
            align: outer.align(),
        };
        // SAFETY: those bytes are ours; they are aligned, since the user's pointer is aligned to 8 or more.
        unsafe { at.write(header) };
        let block = LargePtr(at);
        if let Some(next) = next {
            next.prev.set(Some(block));
        }
        self.head.set(Some(block));
        self.count.set(self.count.get() + 1);
        self.bytes.set(self.bytes.get() + outer.size());
    }

    fn unlink(&self, block: LargePtr) {
        match block.prev.get() {
            Some(prev) => prev.next.set(block.next.get()),
            None => self.head.set(block.next.get()),
        }
        if let Some(next) = block.next.get() {
            next.prev.set(block.prev.get());
        }
        self.count.set(self.count.get() - 1);
        self.bytes.set(self.bytes.get() - block.bytes.get());
    }
}

impl Drop for LargeBlocks {
    fn drop(&mut self) {
        while let Some(block) = self.head.get() {
            self.head.set(block.next.get());
            // SAFETY: out of the list; whoever had the block gave up its use when the heap was dropped.
            unsafe { block.free() }
        }
    }
}
