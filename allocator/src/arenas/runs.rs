//! Mappings of their own for large blocks, with the header of an arena.
#![allow(unsafe_code, reason = "maps and remaps memory")]

use core::ptr::NonNull;

use super::{Arenas, Extent};
use crate::arena::{ARENA_SIZE, ArenaPtr};
use crate::pool_meta::{PoolPtr, RUN};
use crate::protocol::budget::Budget;
use crate::source::ArenaSource;

const PAGE: usize = 4096;
/// The pool of a mapping whose block begins one arena behind the header.
const FAR_INDEX: usize = 1;

impl<S: ArenaSource, const SHIFT: u32> Arenas<S, SHIFT> {
    /// A mapping of its own for one block of `size` bytes at alignment `align`. `None` if the budget or the
    /// source refuses, or the size overflows.
    ///
    /// ```text
    ///   | header | . . up to the alignment | block |            alignments to half an arena
    ///   | lead . . . . | header | . . . one arena | block |     larger ones: the header is one arena in front
    /// ```
    pub(crate) fn take_run(&self, budget: &Budget, tag: usize, size: usize, align: usize) -> Option<PoolPtr> {
        let room = size.max(1).checked_next_multiple_of(PAGE)?;
        let charge = room.checked_add(Self::UNIT)?;
        if charge > isize::MAX as usize {
            return None;
        }
        let _alone = self.lock();
        let (offset, lead) = if align <= ARENA_SIZE / 2 {
            (align.max(Self::UNIT), 0)
        } else {
            (ARENA_SIZE, align - ARENA_SIZE)
        };
        let bytes = room.checked_add(lead)?.checked_add(offset)?;
        let extent = Extent { size: bytes, align: align.max(ARENA_SIZE), lead, huge: false };
        let arena = self.map(budget, tag, extent, charge)?;
        let index = if lead == 0 && offset < ARENA_SIZE { offset >> SHIFT } else { FAR_INDEX };
        arena.run_charge.set(charge);
        arena.run_index.set(index);
        let pool = arena.pool(index);
        pool.format(RUN, 1, size.max(1), offset - (index << SHIFT), 1);
        Some(pool)
    }

    /// The pool of the mapping whose block is at `ptr`.
    ///
    /// # Safety
    /// [`take_run`](Self::take_run) made the block with this alignment.
    pub(crate) unsafe fn run_of(ptr: NonNull<u8>, align: usize) -> PoolPtr {
        if align <= ARENA_SIZE / 2 {
            // SAFETY: the block begins in the first `ARENA_SIZE` bytes behind the header.
            return unsafe { PoolPtr::of_block(ptr, SHIFT) };
        }
        // SAFETY: the header is one arena in front of the block.
        let header = unsafe { ptr.sub(ARENA_SIZE) };
        // SAFETY: it is the first byte of the arena.
        unsafe { ArenaPtr::of_address(header.addr()) }.pool(FAR_INDEX)
    }

    /// Makes the mapping of a block larger or smaller, moving its pages and not its bytes: the pool that the
    /// block is in now, or `None` with everything as it was.
    pub(crate) fn resize_run(&self, budget: &Budget, pool: PoolPtr, size: usize) -> Option<PoolPtr> {
        let _alone = self.lock();
        let arena = pool.arena();
        let (old, old_charge) = (arena.size.get(), arena.run_charge.get());
        let charge = size.max(1).checked_next_multiple_of(PAGE)?.checked_add(Self::UNIT)?;
        // What is in front of the block stays.
        let new = (old - old_charge).checked_add(charge).filter(|&new| new <= isize::MAX as usize)?;
        if pool.first.get() != 0 {
            return None; // the alignment would be lost
        }
        if charge == old_charge {
            pool.block_size.set(size.max(1));
            return Some(pool);
        }
        budget.charge(charge.saturating_sub(old_charge))?;
        self.unlink(arena);
        // SAFETY: a mapping of this source, with nobody but the caller in it.
        let moved = unsafe { self.source.remap(arena.start(), old, new, ARENA_SIZE) };
        let now = moved.map_or(arena, |start| {
            let _ = start.as_ptr().expose_provenance();
            // SAFETY: the header moved with the mapping, and is aligned as it was.
            unsafe { ArenaPtr::new(start) }
        });
        self.insert_by_address(now);
        if moved.is_none() {
            budget.release(charge.saturating_sub(old_charge));
            return None;
        }
        budget.release(old_charge.saturating_sub(charge));
        now.size.set(new);
        now.run_charge.set(charge);
        let pool = now.pool(now.run_index.get());
        pool.block_size.set(size.max(1));
        Some(pool)
    }

    /// Unmaps a mapping whose block is free.
    pub(crate) fn return_run(&self, budget: &Budget, pool: PoolPtr) {
        let _alone = self.lock();
        let arena = pool.arena();
        let charge = arena.run_charge.get();
        self.unmap(arena);
        budget.release(charge);
    }
}
