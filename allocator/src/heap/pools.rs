//! The slow paths of a heap: how bins are filled and emptied, and what becomes of pools.
#![allow(unsafe_code, reason = "blocks come back by address")]

use core::ptr::NonNull;

use super::{CHARGED, Heap, TAG};
use crate::block::{Block, FreeList};
use crate::inbox::Bundle;
use crate::pool_meta::{PoolPtr, RUN};
use crate::route::{LINK, SHIFT, UNIT};
use crate::size_class::{CLASSES, SizeClass};
use crate::source::ArenaSource;

impl<S: ArenaSource> Heap<S> {
    /// Fills an empty bin from a pool and hands out the first block.
    #[cold]
    #[inline(never)]
    pub(crate) fn refill(&self, class: SizeClass) -> Option<NonNull<u8>> {
        let (blocks, count) = self.lend(class).or_else(|| {
            self.purge();
            self.lend(class)
        })?;
        let first = blocks.pop(LINK)?;
        let bin = &self.bins[class.index()];
        bin.list.replace(blocks);
        bin.filled.set(count - 1);
        Some(first.into_ptr())
    }

    /// Blocks for an empty bin: what came back to the current pool, virgin blocks of it, or the same of another
    /// pool, which is the current one then. `None` if nothing can be had within the limit.
    fn lend(&self, class: SizeClass) -> Option<(FreeList, u32)> {
        let bin = &self.bins[class.index()];
        loop {
            let pool = match bin.pool.get() {
                Some(pool) => pool,
                None => self.next_current(class)?,
            };
            if let Some(lent) = pool.lend_free() {
                return Some(lent);
            }
            if let Some(reach) = pool.reach() {
                self.touch(pool, reach)?;
                return Some(pool.lend_virgin());
            }
            bin.pool.set(None);
            self.set_aside(class, pool);
        }
    }

    /// A partial pool or a new one, as the current one of its class.
    fn next_current(&self, class: SizeClass) -> Option<PoolPtr> {
        let pool = match self.partial[class.index()].pop_front() {
            Some(pool) => {
                pool.make_current();
                pool
            }
            None => self.new_pool(class)?,
        };
        self.bins[class.index()].pool.set(Some(pool));
        Some(pool)
    }

    /// Charges the units that the first `reach` bytes of a pool take, as they are about to be touched.
    fn touch(&self, pool: PoolPtr, reach: usize) -> Option<()> {
        let (charged, needed) = (pool.user[CHARGED].get(), reach.div_ceil(UNIT));
        if needed > charged {
            self.arenas.touch_units(&self.budget, pool, charged, needed - charged)?;
            pool.user[CHARGED].set(needed);
        }
        Some(())
    }

    /// An empty pool of which nothing is charged yet.
    fn new_pool(&self, class: SizeClass) -> Option<PoolPtr> {
        let units = class.units();
        let (pool, _) = self.arenas.take_units(&self.budget, self.tag, units, 0)?;
        pool.format(class.index() as u8, units, class.size(), 0, units * UNIT / class.size());
        pool.user[TAG].set(self.tag);
        pool.start();
        Some(pool)
    }

    /// A pool has become empty, or a full one has free blocks.
    pub(super) fn settle(&self, pool: PoolPtr) {
        let class = SizeClass::from_index(pool.class.get() as usize);
        let partial = &self.partial[class.index()];
        if pool.wake_up() {
            partial.push_front(pool);
        }
        // One empty pool a class stays, so that a class that goes up and down by a block costs no arena work.
        if pool.is_empty() && !partial.is_only(pool) {
            self.retire(class, pool);
        }
    }

    /// The tag of the heap that a block belongs to, and its pool.
    ///
    /// # Safety
    /// `ptr` is a block of a pool or a run of some heap.
    pub(crate) unsafe fn home_of(ptr: NonNull<u8>) -> (usize, PoolPtr) {
        // SAFETY: the caller's promise.
        let pool = unsafe { PoolPtr::of_block(ptr, SHIFT) };
        (pool.arena().tag.get(), pool)
    }

    /// Takes back what others have freed of this heap: bundles, each by its last block.
    pub(crate) fn receive(&self, bundles: &FreeList) {
        while let Some(last) = bundles.pop(LINK) {
            let ptr = last.into_ptr();
            // SAFETY: a free block of this heap.
            let pool = unsafe { PoolPtr::of_block(ptr, SHIFT) };
            if pool.class.get() == RUN {
                // SAFETY: as said.
                unsafe { self.dealloc_large(ptr, 1) };
                continue;
            }
            // SAFETY: the block that was just taken apart.
            let last = unsafe { Block::new(ptr) };
            // SAFETY: it is the last one of a bundle.
            let (first, count) = unsafe { Bundle::unpack(pool, &last) };
            // SAFETY: the bundle is of this pool, and was delivered to this heap.
            if unsafe { pool.take_back_list(first, last, count) } {
                self.settle(pool);
            }
        }
    }

    /// Empties the bins and returns every free pool and arena to the source. Returns the bytes that went
    /// back. What remains is what pools with live blocks need.
    pub fn purge(&self) -> usize {
        let before = self.budget.held_bytes();
        self.retire_all();
        self.arenas.purge(&self.budget);
        before.saturating_sub(self.budget.held_bytes())
    }

    /// Empties the bins and returns every free pool to its arena.
    fn retire_all(&self) {
        for class in (0..CLASSES).map(SizeClass::from_index) {
            self.empty_bin(class);
            for pool in self.partial[class.index()].iter().filter(|pool| pool.is_empty()) {
                self.retire(class, pool);
            }
        }
    }

    /// Gives the blocks of a bin back to the current pool, which is not the current one any more.
    fn empty_bin(&self, class: SizeClass) {
        let bin = &self.bins[class.index()];
        let Some(pool) = bin.pool.take() else { return };
        while let Some(block) = bin.list.pop(LINK) {
            pool.take_back(block);
        }
        bin.filled.set(0);
        self.set_aside(class, pool);
    }

    /// Puts the pool that was the current one where it belongs.
    fn set_aside(&self, class: SizeClass, pool: PoolPtr) {
        if pool.end_current() {
            self.partial[class.index()].push_front(pool);
        }
    }

    /// Returns every free unit and arena to the source, as any thread may if the arenas have a lock.
    pub(crate) fn purge_arenas(&self) -> usize {
        self.arenas.purge(&self.budget)
    }

    /// The lock of the arenas, for the handlers of a `fork`.
    pub(crate) fn arenas_lock(&self) -> &crate::protocol::lock::RawLock {
        self.arenas.raw_lock()
    }

    /// Empties the bins, returns free pools to their arenas and delivers all blocks of other heaps.
    pub(crate) fn flush(&self) {
        self.retire_all();
        self.outbox.flush();
    }

    /// Delivers all blocks of other heaps.
    pub(crate) fn send_all(&self) {
        self.outbox.flush();
    }

    /// Asks the owner of the heap to empty its bins when it comes by.
    pub(crate) fn ask_to_flush(&self) {
        self.asked_to_flush.ask();
    }

    /// Does what was asked, as the owner.
    #[inline]
    pub(crate) fn flush_if_asked(&self) {
        if self.asked_to_flush.take() {
            self.flush();
        }
    }

    /// Returns the unit of an empty pool to its arena.
    fn retire(&self, class: SizeClass, pool: PoolPtr) {
        self.partial[class.index()].remove(pool);
        self.arenas.return_units(&self.budget, pool, class.units());
    }
}
