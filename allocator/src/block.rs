//! A block that nobody uses, and the last-in first-out list of such blocks.
#![allow(unsafe_code, reason = "the link of a free list lies inside the free block itself")]

use core::cell::Cell;
use core::ptr::NonNull;

/// Ownership of a block that holds no value.
///
/// # Invariants
/// 1. The address is the start of a block of a mapped pool, aligned to 8, of at least `link + 8` bytes.
/// 2. Whoever has the `Block` is the only one who may read or write those bytes.
#[must_use]
#[derive(Debug, PartialEq, Eq)]
#[repr(transparent)]
pub(crate) struct Block(NonNull<u8>);

/// Where in a free block the link to the next free block lies, in bytes from its start: 0 for
/// [`Heap`](crate::Heap), 8 or more where the first word must read 0 (see [`crate::pool`]).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Link(pub(crate) usize);

impl Block {
    /// Takes ownership of the block at `ptr`.
    ///
    /// # Safety
    /// The invariants of [`Block`] must hold from now on.
    #[inline(always)]
    pub(crate) unsafe fn new(ptr: NonNull<u8>) -> Block {
        Block(ptr)
    }

    /// Gives the block to the user.
    #[inline(always)]
    pub(crate) fn into_ptr(self) -> NonNull<u8> {
        self.0
    }

    /// The address.
    pub(crate) fn address(&self) -> NonNull<u8> {
        self.0
    }

    /// Sets the first 8 bytes to 0.
    #[inline(always)]
    pub(crate) fn clear_first_word(&mut self) {
        // SAFETY: invariants 1 and 2: at least 8 writable, aligned bytes that nobody else looks at.
        unsafe { self.0.cast::<u64>().write(0) }
    }

    #[inline(always)]
    fn set_next(&self, link: Link, next: Option<NonNull<u8>>) {
        // SAFETY: invariant 1: the block reaches 8 bytes past `link`.
        let at = unsafe { self.0.add(link.0) }.cast::<Option<NonNull<u8>>>();
        // SAFETY: invariant 2: the bytes are ours; `link` is a multiple of 8, so they are aligned.
        unsafe { at.write(next) }
    }

    #[inline(always)]
    fn next(&self, link: Link) -> Option<NonNull<u8>> {
        // SAFETY: invariant 1: the block reaches 8 bytes past `link`.
        let at = unsafe { self.0.add(link.0) }.cast::<Option<NonNull<u8>>>();
        // SAFETY: only blocks on a `FreeList` are asked, and `push` wrote the link.
        unsafe { at.read() }
    }
}

impl Block {
    /// Writes into the second word of the last block of a list where the list begins and how long it is.
    ///
    /// # Safety
    /// The block has at least 16 bytes, and is on no list but that one.
    pub(crate) unsafe fn set_list(&self, first: NonNull<u8>, count: u16) {
        let word = first.as_ptr().expose_provenance() as u64 | u64::from(count) << ADDRESS_BITS;
        // SAFETY: the caller's promise.
        let second = unsafe { self.0.cast::<u64>().add(1) };
        // SAFETY: as above, and aligned to 8.
        unsafe { second.write(word) }
    }

    /// What [`set_list`](Self::set_list) wrote.
    ///
    /// # Safety
    /// It was written since the block was freed.
    pub(crate) unsafe fn list(&self) -> (*mut u8, u16) {
        // SAFETY: the caller's promise: the block has a second word.
        let second = unsafe { self.0.cast::<u64>().add(1) };
        // SAFETY: as above.
        let word = unsafe { second.read() };
        let first = word & ((1 << ADDRESS_BITS) - 1);
        (core::ptr::with_exposed_provenance_mut(first as usize), (word >> ADDRESS_BITS) as u16)
    }
}

/// Bits of an address in user space: 47 on x86-64 and 48 on aarch64, unless a program asks for more with a hint
/// that is given to `mmap`.
const ADDRESS_BITS: u32 = 48;

/// Last-in first-out list of free blocks of one size. All zeros is the empty list.
///
/// # Invariants
/// 1. The address, if any, is that of a [`Block`] which the list owns, with the others linked behind it.
#[derive(Default)]
#[repr(transparent)]
pub(crate) struct FreeList(Cell<Option<NonNull<u8>>>);

impl core::fmt::Debug for FreeList {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(if self.is_empty() { "FreeList(empty)" } else { "FreeList(..)" })
    }
}

impl FreeList {
    pub(crate) const fn new() -> FreeList {
        FreeList(Cell::new(None))
    }

    /// The list that begins with a block which carries the links of the others.
    pub(crate) fn of(first: Block) -> FreeList {
        FreeList(Cell::new(Some(first.0)))
    }

    /// The first block, with the others linked behind it.
    pub(crate) fn into_first(self) -> Option<Block> {
        self.0.into_inner().map(Block)
    }

    #[inline(always)]
    pub(crate) fn push(&self, link: Link, block: Block) {
        block.set_next(link, self.0.get());
        self.0.set(Some(block.0));
    }

    #[inline(always)]
    pub(crate) fn pop(&self, link: Link) -> Option<Block> {
        let block = Block(self.0.get()?);
        self.0.set(block.next(link));
        Some(block)
    }

    /// Puts another list in front, of which `last` is the last block and `first` the first.
    ///
    /// # Safety
    /// The blocks from `first` to `last` are linked and the caller's, and of the size of this list's.
    pub(crate) unsafe fn prepend(&self, link: Link, first: NonNull<u8>, last: Block) {
        last.set_next(link, self.0.get());
        self.0.set(Some(first));
    }

    /// Moves the whole list out.
    #[inline(always)]
    pub(crate) fn take(&self) -> FreeList {
        FreeList(Cell::new(self.0.take()))
    }

    /// Empties the list; its blocks are no blocks any more.
    pub(crate) fn forget(&self) {
        self.0.set(None);
    }

    /// Replaces the list by `other`, whose blocks must be of the same size.
    #[inline(always)]
    pub(crate) fn replace(&self, other: FreeList) {
        debug_assert!(self.is_empty(), "blocks would be lost");
        self.0.set(other.0.take());
    }

    /// Length of the list, which it walks.
    pub(crate) fn count(&self, link: Link) -> usize {
        let (turned, mut count) = (FreeList::new(), 0);
        while let Some(block) = self.pop(link) {
            turned.push(link, block);
            count += 1;
        }
        while let Some(block) = turned.pop(link) {
            self.push(link, block);
        }
        count
    }

    #[inline(always)]
    pub(crate) fn is_empty(&self) -> bool {
        self.0.get().is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_last_in_first_out_at_either_link() {
        let mut memory = [[0u64; 4]; 8];
        for link in [Link(0), Link(8)] {
            let list = FreeList::new();
            for row in &mut memory {
                // SAFETY: each row is a distinct block of 32 aligned bytes that only the list uses.
                let mut block = unsafe { Block::new(NonNull::from(row).cast()) };
                block.clear_first_word();
                list.push(link, block);
            }
            let mut seen = Vec::new();
            while let Some(block) = list.pop(link) {
                seen.push(block.into_ptr().addr().get());
            }
            assert!(list.is_empty());
            assert_eq!(seen.len(), 8);
            assert!(seen.is_sorted_by(|a, b| a == &(b + 32)));
        }
    }
}
