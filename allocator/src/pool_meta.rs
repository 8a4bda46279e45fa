//! A pool: blocks of one size in a unit of an arena, and its metadata, which lies in the arena's header.
//!
//! ```text
//!   unit:   | block | block | block | . . . . . . . |      blocks 0..carved were handed out at least once,
//!           0       ^ carved                  capacity      the rest was never touched
//! ```
//!
//! The header is out of band: with the header at the start of the pool, as pymalloc has it, the headers of
//! all pools compete for a few cache sets, which cost 28 to 53 % on heaps that exceed the cache.
#![allow(unsafe_code, reason = "pool metadata lies in mapped memory and is reached by address")]

use core::cell::Cell;
use core::ptr::NonNull;
use core::sync::atomic::{AtomicU8, AtomicU16, AtomicU32, AtomicUsize};

use crate::arena::{ARENA_SIZE, ArenaPtr};
use crate::block::{Block, FreeList, Link};
use crate::relaxed::Relaxed;

/// The metadata of one pool. All zeros is a pool that was never used.
///
/// ```text
///   carved - length(free) == live blocks   handed out, to the user or to a bin
///   capacity - carved     == virgin blocks
///   live blocks           == live          in walkable pools, and in runs
///                         == live + slack  in pools of a heap: see `crate::lending`
/// ```
#[repr(C, align(64))]
#[derive(Debug)]
pub(crate) struct PoolMeta {
    pub(crate) free: FreeList,
    next: Cell<Option<PoolPtr>>,
    prev: Cell<Option<PoolPtr>>,
    /// Bytes of a block; of a run: all its bytes.
    pub(crate) block_size: Relaxed<AtomicUsize>,
    /// Blocks handed out, less the slack.
    pub(crate) live: Relaxed<AtomicU16>,
    /// Blocks that were ever handed out; those above are untouched.
    pub(crate) carved: Relaxed<AtomicU16>,
    /// Blocks the pool has room for.
    pub(crate) capacity: Relaxed<AtomicU16>,
    /// Index of the size class; [`RUN`] for a run.
    pub(crate) class: Relaxed<AtomicU8>,
    /// Units between the first unit of the pool and this one.
    lead: Relaxed<AtomicU8>,
    /// Of walkable pools `ceil(2^32 / block_size)`: offset to index by one multiplication. Of the pools of a heap
    /// the slack.
    pub(crate) recip_or_slack: Relaxed<AtomicU32>,
    /// Offset of block 0 from the start of the pool.
    pub(crate) first: Cell<u32>,
    /// Words for the owner of the heap.
    pub(crate) user: [Cell<usize>; 2],
}

const _: () = assert!(size_of::<PoolMeta>() == 64);

/// The class of a pool that is one block.
pub(crate) const RUN: u8 = u8::MAX;

/// A pool, by the address of its metadata.
///
/// # Invariants
/// 1. It points into the `pools` array of the header of an arena that is mapped for as long as the pointer
///    is used: arenas are only unmapped when none of their pools is in a list, a bin or a caller's hands.
/// 2. It carries the provenance of the whole arena.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(transparent)]
pub(crate) struct PoolPtr(NonNull<PoolMeta>);

impl core::ops::Deref for PoolPtr {
    type Target = PoolMeta;

    #[inline(always)]
    fn deref(&self) -> &PoolMeta {
        // SAFETY: invariant 1; all fields are cells, so shared references are all there ever is.
        unsafe { self.0.as_ref() }
    }
}

impl PoolPtr {
    /// # Safety
    /// The invariants of [`PoolPtr`] must hold.
    #[inline(always)]
    pub(crate) unsafe fn new(meta: NonNull<PoolMeta>) -> PoolPtr {
        PoolPtr(meta)
    }

    /// The pool that holds the block at `ptr`, in arenas of units of `1 << shift` bytes.
    ///
    /// # Safety
    /// `ptr` is the address of a block, handed out or free, of a heap with such arenas.
    #[inline(always)]
    pub(crate) unsafe fn of_block(ptr: NonNull<u8>, shift: u32) -> PoolPtr {
        // SAFETY: the block lies in the first `ARENA_SIZE` bytes of its arena.
        let arena = unsafe { ArenaPtr::of_address(ptr.addr()) };
        let unit = (ptr.addr().get() & (ARENA_SIZE - 1)) >> shift;
        arena.pool(unit - arena.pool(unit).lead.get() as usize)
    }

    /// As [`of_block`](Self::of_block), for a block whose pool is one unit.
    ///
    /// # Safety
    /// As said.
    #[inline(always)]
    pub(crate) unsafe fn of_small_block(ptr: NonNull<u8>, shift: u32) -> PoolPtr {
        // SAFETY: the block lies in the first `ARENA_SIZE` bytes of its arena.
        let arena = unsafe { ArenaPtr::of_address(ptr.addr()) };
        arena.pool((ptr.addr().get() & (ARENA_SIZE - 1)) >> shift)
    }

    /// The arena that the pool lies in.
    #[inline(always)]
    pub(crate) fn arena(self) -> ArenaPtr {
        // SAFETY: invariant 1: the metadata lies at the start of the arena; invariant 2 keeps the provenance.
        unsafe { ArenaPtr::of_pool(self.0.cast()) }
    }

    /// A number that differs between most pools.
    #[inline(always)]
    pub(crate) fn hash(self) -> usize {
        let addr = self.0.addr().get();
        (addr / size_of::<PoolMeta>()) ^ (addr / ARENA_SIZE)
    }

    /// The first byte of the pool's unit.
    #[inline(always)]
    pub(crate) fn base(self, shift: u32) -> NonNull<u8> {
        self.arena().unit(self.index(), shift)
    }

    /// Units that lie in front of this one in the same pool: 0 for the first.
    pub(crate) fn lead(self) -> usize {
        self.lead.get() as usize
    }

    /// Index of the pool's first unit in its arena.
    #[inline(always)]
    pub(crate) fn index(self) -> usize {
        self.arena().index_of(self.0.cast())
    }

    /// Makes `units` units a pool of blocks of `block_size` bytes, the first one `first` bytes into the first
    /// unit. What the memory holds does not matter.
    pub(crate) fn format(self, class: u8, units: usize, block_size: usize, first: usize, capacity: usize) {
        let arena = self.arena();
        for lead in 0..units {
            arena.pool(self.index() + lead).lead.set(lead as u8);
        }
        self.free.forget();
        self.next.set(None);
        self.prev.set(None);
        self.block_size.set(block_size);
        self.live.set(0);
        self.carved.set(0);
        self.capacity.set(capacity as u16);
        self.class.set(class);
        self.recip_or_slack.set((1u64 << 32).div_ceil(block_size as u64).min(u32::MAX as u64) as u32);
        self.first.set(first as u32);
        self.user.iter().for_each(|word| word.set(0));
    }

    /// Index of the block that starts `offset` bytes into the unit.
    ///
    /// Exact for blocks of at least 8 bytes in units of at most 64 KiB: the reciprocal is less than
    /// `block_size` too large in units of 2^-32, and `offset * block_size < 2^32`. A run has only block 0.
    #[inline(always)]
    pub(crate) fn index_of_offset(self, offset: usize) -> usize {
        if self.capacity.get() == 1 {
            return 0;
        }
        (((offset as u64 - self.first.get() as u64) * self.recip_or_slack.get() as u64) >> 32) as usize
    }

    /// Address of block `index`, which must be below the capacity.
    #[inline(always)]
    pub(crate) fn block_at(self, index: usize, shift: u32) -> NonNull<u8> {
        debug_assert!(index < self.capacity.get() as usize);
        let offset = self.first.get() as usize + index * self.block_size.get();
        // SAFETY: blocks below the capacity lie inside the unit, or inside the run.
        unsafe { self.base(shift).add(offset) }
    }

    /// True if there is no block to hand out.
    #[inline(always)]
    pub(crate) fn is_exhausted(self) -> bool {
        self.free.is_empty() && self.carved.get() == self.capacity.get()
    }

    /// Hands out the block that was freed last, or the next virgin one.
    #[inline]
    pub(crate) fn pop(self, link: Link, shift: u32) -> Option<Block> {
        let block = match self.free.pop(link) {
            Some(block) => block,
            None => self.carve(shift)?,
        };
        self.live.set(self.live.get() + 1);
        Some(block)
    }

    fn carve(self, shift: u32) -> Option<Block> {
        let index = self.carved.get();
        if index == self.capacity.get() {
            return None;
        }
        self.carved.set(index + 1);
        // SAFETY: a virgin block of this pool, now carved, so it is never made again: it is ours alone.
        Some(unsafe { Block::new(self.block_at(index as usize, shift)) })
    }

    /// Takes a block of this pool back.
    #[inline]
    pub(crate) fn push(self, link: Link, block: Block) {
        debug_assert!(self.live.get() > 0);
        self.live.set(self.live.get() - 1);
        self.free.push(link, block);
    }
}

/// A doubly linked list of pools, threaded through their metadata.
#[derive(Debug, Default)]
pub(crate) struct PoolList {
    head: Cell<Option<PoolPtr>>,
}

impl PoolList {
    pub(crate) const fn new() -> PoolList {
        PoolList { head: Cell::new(None) }
    }

    #[inline(always)]
    pub(crate) fn front(&self) -> Option<PoolPtr> {
        self.head.get()
    }

    /// The pools of the list; one that was handed out may be taken out of the list before the next step.
    pub(crate) fn iter(&self) -> impl Iterator<Item = PoolPtr> + use<> {
        let mut at = self.head.get();
        core::iter::from_fn(move || {
            let pool = at?;
            at = pool.next.get();
            Some(pool)
        })
    }

    /// Puts a pool that is in no list at the front, as pymalloc's `insert_to_usedpool` does.
    pub(crate) fn push_front(&self, pool: PoolPtr) {
        let old = self.head.replace(Some(pool));
        pool.prev.set(None);
        pool.next.set(old);
        if let Some(old) = old {
            old.prev.set(Some(pool));
        }
    }

    /// Takes a pool of this list out of it.
    pub(crate) fn remove(&self, pool: PoolPtr) {
        let (prev, next) = (pool.prev.take(), pool.next.take());
        match prev {
            Some(prev) => prev.next.set(next),
            None => self.head.set(next),
        }
        if let Some(next) = next {
            next.prev.set(prev);
        }
    }

    /// Takes the first pool out of the list.
    pub(crate) fn pop_front(&self) -> Option<PoolPtr> {
        let pool = self.head.get()?;
        self.remove(pool);
        Some(pool)
    }

    /// True if the list is this pool and no other.
    pub(crate) fn is_only(&self, pool: PoolPtr) -> bool {
        self.head.get() == Some(pool) && pool.next.get().is_none()
    }
}
