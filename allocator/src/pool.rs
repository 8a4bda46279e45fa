//! Walkable pools, for collectors: every allocated block can be found by walking memory in address order.
//!
//! ```text
//!   pool of 64 KiB:  | side bytes | block 0 | block 1 | block 2 | . . . |
//!                     n per block   ^ first word 0: free (the free list's link lies further in)
//! ```
//!
//! CPython's default build threads all tracked objects on a linked list; its free-threaded build walks
//! mimalloc's pages instead (`Python/gc_free_threading.c`). Walking pools needs no link in each object, keeps
//! the objects in address order however often they are collected, and keeps what a collection computes
//! about an object, such as CPython's `gc_refs`, in a dense array beside them.
//!
//! ```
//! use core::alloc::Layout;
//! use cpymem_allocator::pool::{PoolConfig, PoolHeap};
//!
//! let heap = PoolHeap::new(PoolConfig { link_offset: 8, side_bytes_per_block: 2, tag: 0 });
//! let block = heap.alloc(Layout::new::<[u64; 3]>()).unwrap().cast::<u64>();
//! unsafe { block.write(42) }; // whoever allocates makes the first word something else than 0
//!
//! let allocated: usize = heap.pools().map(|pool| pool.allocated_blocks().count()).sum();
//! assert_eq!(allocated, 1);
//! unsafe { heap.dealloc(block.cast(), Layout::new::<[u64; 3]>()) };
//! assert_eq!(heap.pools().count(), 0);
//! ```
#![allow(unsafe_code, reason = "blocks and side bytes are reached by address")]

use core::alloc::Layout;
use core::cell::Cell;
use core::marker::PhantomData;
use core::ptr::NonNull;

use crate::arena::{ARENA_SIZE, ArenaPtr, RUN_SIDE_OFFSET};
use crate::arenas::Arenas;
use crate::block::{Block, Link};
use crate::pool_meta::{PoolList, PoolPtr};
use crate::protocol::budget::Budget;
use crate::size_class::{SizeClass, WALKABLE_CLASSES as CLASSES, WALKABLE_MAX};
use crate::source::{ArenaSource, Os};

/// log2 of the bytes of a walkable pool.
const SHIFT: u32 = 16;
const UNIT: usize = 1 << SHIFT;
/// Side bytes a block may have, so that they always fit in front of the blocks of a pool.
const MAX_SIDE_BYTES: usize = 64;

/// How the pools of a [`PoolHeap`] are laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolConfig {
    /// Where in a free block the link of the free list lies, in bytes: a multiple of 8, at least 8, since the
    /// first word of a free block reads 0. The smallest block is `link_offset + 8` bytes.
    pub link_offset: usize,
    /// Bytes beside each block for the owner's use, at most 64; they read 0 when a pool is made and are never
    /// touched by the heap afterwards.
    pub side_bytes_per_block: usize,
    /// A word of the owner's that every pool of the heap shows, for instance the address of a collector.
    pub tag: usize,
}

/// A heap whose blocks can be walked in address order. Blocks are never cached outside their pools.
///
/// Requests to 8 KiB are served from 64 KiB pools of one block size, larger ones get a run: a mapping of
/// their own that the walk shows as a pool of one block. [`Send`] and not `Sync`; dropping the heap frees
/// everything.
///
/// # Cost
/// An allocation touches the metadata of one pool and the block; a free touches the same two and zeroes the
/// block's first word. Side bytes cost what they are; metadata 64 bytes a pool.
#[derive(Debug)]
pub struct PoolHeap<S: ArenaSource = Os> {
    config: PoolConfig,
    partial: [PoolList; CLASSES],
    live: Cell<usize>,
    budget: Budget,
    arenas: Arenas<S, SHIFT>,
}

// SAFETY: as for `Heap`: all memory belongs to this heap alone and nothing is tied to a thread.
unsafe impl<S: ArenaSource + Send> Send for PoolHeap<S> {}

impl PoolHeap {
    /// A heap on memory of the operating system.
    ///
    /// # Panics
    /// If the configuration is out of the bounds that [`PoolConfig`] states.
    pub const fn new(config: PoolConfig) -> PoolHeap {
        PoolHeap::new_in(Os, config)
    }
}

impl<S: ArenaSource> PoolHeap<S> {
    /// A heap on the memory of `source`.
    ///
    /// # Panics
    /// If the configuration is out of the bounds that [`PoolConfig`] states.
    pub const fn new_in(source: S, config: PoolConfig) -> PoolHeap<S> {
        assert!(config.link_offset.is_multiple_of(8) && config.link_offset >= 8, "link_offset");
        assert!(config.link_offset <= WALKABLE_MAX - 8, "link_offset");
        assert!(config.side_bytes_per_block <= MAX_SIDE_BYTES, "side_bytes_per_block");
        PoolHeap {
            config,
            partial: [const { PoolList::new() }; CLASSES],
            live: Cell::new(0),
            budget: Budget::new(usize::MAX),
            arenas: Arenas::new(source, false),
        }
    }

    /// A block for `layout`, whose first word reads 0 and whose other bytes are uninitialised; `None` if
    /// there is no memory or the alignment is above 1 MiB.
    ///
    /// The block counts as allocated in a walk as soon as its first word is not 0.
    #[inline]
    pub fn alloc(&self, layout: Layout) -> Option<NonNull<u8>> {
        self.alloc_in_pool(layout).map(|(_, block)| block)
    }

    /// As [`alloc`](Self::alloc), with the pool that the block lies in.
    #[inline]
    pub fn alloc_in_pool(&self, layout: Layout) -> Option<(Pool<'_>, NonNull<u8>)> {
        let (meta, block) = self.take_block(layout)?;
        Some((Pool { meta, side_bytes: self.config.side_bytes_per_block, heap: PhantomData }, block))
    }

    #[inline(always)]
    fn take_block(&self, layout: Layout) -> Option<(PoolPtr, NonNull<u8>)> {
        let layout = self.widen(layout)?;
        let Some(class) = SizeClass::of(layout, WALKABLE_MAX).filter(|_| layout.align() <= 4096) else {
            return self.alloc_run(layout);
        };
        let list = &self.partial[class.index()];
        let pool = match list.front() {
            Some(pool) => pool,
            None => self.new_pool(class)?,
        };
        let mut block = pool.pop(self.link(), SHIFT)?;
        block.clear_first_word();
        if pool.is_exhausted() {
            list.remove(pool);
        }
        self.live.set(self.live.get() + 1);
        Some((pool, block.into_ptr()))
    }

    /// Frees a block: its first word reads 0 from now on.
    ///
    /// # Safety
    /// `ptr` was allocated by this heap with `layout`, was not freed since, and is not used again; neither is
    /// a [`Pool`] that it was the last block of, nor an iterator that showed that pool last.
    #[inline]
    pub unsafe fn dealloc(&self, ptr: NonNull<u8>, layout: Layout) {
        debug_assert!(self.widen(layout).is_some());
        self.live.set(self.live.get() - 1);
        // SAFETY: a block of this heap.
        let pool = unsafe { PoolPtr::of_block(ptr, SHIFT) };
        // SAFETY: the caller gives the block up.
        let mut block = unsafe { Block::new(ptr) };
        if pool.arena().is_run() {
            pool.live.set(0);
            return self.arenas.return_run(&self.budget, pool);
        }
        block.clear_first_word();
        let list = &self.partial[pool.class.get() as usize];
        if pool.is_exhausted() {
            list.push_front(pool);
        }
        pool.push(self.link(), block);
        if pool.live.get() == 0 {
            list.remove(pool);
            self.arenas.return_units(&self.budget, pool, 1);
        }
    }

    /// Frees all blocks of a pool at once, without touching them.
    ///
    /// # Safety
    /// The pool is one of this heap's. Neither its blocks are used again, nor the pool, nor an iterator that showed it last.
    pub unsafe fn dealloc_pool(&self, pool: Pool<'_>) {
        let pool = pool.meta;
        self.live.set(self.live.get() - pool.live.get() as usize);
        if pool.arena().is_run() {
            pool.live.set(0);
            return self.arenas.return_run(&self.budget, pool);
        }
        if !pool.is_exhausted() {
            self.partial[pool.class.get() as usize].remove(pool);
        }
        pool.live.set(0);
        self.arenas.return_units(&self.budget, pool, 1);
    }

    /// Every pool that holds an allocated block, in ascending address; runs show as pools of one block.
    /// Pools made while the iterator is used may or may not be shown.
    pub fn pools(&self) -> Pools<'_, S> {
        let arena = self.arenas.iter().next();
        Pools { heap: self, arena, used: arena.map_or(0, Arenas::<S, SHIFT>::used_units) }
    }

    /// The pool that holds a block.
    ///
    /// # Safety
    /// `ptr` is the address of a block of this heap that is allocated.
    #[inline(always)]
    pub unsafe fn pool_of(&self, ptr: NonNull<u8>) -> Pool<'_> {
        // SAFETY: the caller's promise.
        let meta = unsafe { PoolPtr::of_block(ptr, SHIFT) };
        Pool { meta, side_bytes: self.config.side_bytes_per_block, heap: PhantomData }
    }

    /// The tag of whichever heap holds a block.
    ///
    /// # Safety
    /// `ptr` is the address of a block of some `PoolHeap` that is allocated.
    #[inline(always)]
    pub unsafe fn tag_of(ptr: NonNull<u8>) -> usize {
        // SAFETY: the caller's promise; all walkable pools have units of the same size.
        unsafe { PoolPtr::of_block(ptr, SHIFT) }.arena().tag.get()
    }

    /// Blocks allocated now.
    pub fn live_blocks(&self) -> usize {
        self.live.get()
    }

    /// Bytes held: arena headers, pools, touched free pools, runs.
    pub fn held_bytes(&self) -> usize {
        self.budget.held_bytes()
    }

    /// Returns every free pool and arena to the source. Returns the bytes that went back.
    pub fn purge(&self) -> usize {
        self.arenas.purge(&self.budget)
    }

    const fn link(&self) -> Link {
        Link(self.config.link_offset)
    }

    /// The layout with room for the link, aligned to 8 or more.
    #[inline(always)]
    fn widen(&self, layout: Layout) -> Option<Layout> {
        let size = layout.size().max(self.config.link_offset + 8);
        Layout::from_size_align(size, layout.align().max(8)).ok()
    }

    #[cold]
    #[inline(never)]
    fn alloc_run(&self, layout: Layout) -> Option<(PoolPtr, NonNull<u8>)> {
        if layout.align() > ARENA_SIZE / 2 {
            return None; // `pool_of` finds the header of no farther block
        }
        let pool = self.arenas.take_run(&self.budget, self.config.tag, layout.size(), layout.align())?;
        let block = pool.pop(self.link(), SHIFT)?;
        self.live.set(self.live.get() + 1);
        Some((pool, block.into_ptr())) // of a fresh mapping, which reads 0
    }

    #[cold]
    #[inline(never)]
    fn new_pool(&self, class: SizeClass) -> Option<PoolPtr> {
        let size = class.size();
        // Blocks are aligned to the largest power of two that divides their size, up to a page.
        let align = (1 << size.trailing_zeros().min(12)).max(8);
        let per_block = size + self.config.side_bytes_per_block;
        let mut capacity = UNIT / per_block;
        let mut first = (capacity * self.config.side_bytes_per_block).next_multiple_of(align);
        while first + capacity * size > UNIT {
            capacity -= 1;
            first = (capacity * self.config.side_bytes_per_block).next_multiple_of(align);
        }
        let (pool, _) = self.arenas.take_units(&self.budget, self.config.tag, 1, 1)?;
        pool.format(class.index() as u8, 1, size, first, capacity);
        // SAFETY: the side bytes lie at the start of the unit, which is ours.
        unsafe { pool.base(SHIFT).write_bytes(0, capacity * self.config.side_bytes_per_block) };
        self.partial[class.index()].push_front(pool);
        Some(pool)
    }
}

/// The pools of a [`PoolHeap`], from [`PoolHeap::pools`].
///
/// # Invariants
/// 1. `arena` is mapped: it was the first one, or the iterator has just shown one of its pools, whose blocks
///    keep it mapped (see [`PoolHeap::dealloc`]), or it was just reached from such an arena.
#[derive(Debug)]
pub struct Pools<'a, S: ArenaSource = Os> {
    heap: &'a PoolHeap<S>,
    arena: Option<ArenaPtr>,
    /// Bit i: unit i of `arena` holds a pool that was not shown yet.
    used: u128,
}

impl<'a, S: ArenaSource> Iterator for Pools<'a, S> {
    type Item = Pool<'a>;

    #[inline]
    fn next(&mut self) -> Option<Pool<'a>> {
        let mut arena = self.arena?;
        while self.used == 0 {
            self.arena = arena.next();
            arena = self.arena?;
            self.used = Arenas::<S, SHIFT>::used_units(arena);
        }
        let index = self.used.trailing_zeros() as usize;
        self.used &= self.used - 1;
        let side_bytes = self.heap.config.side_bytes_per_block;
        Some(Pool { meta: arena.pool(index), side_bytes, heap: PhantomData })
    }
}

/// A pool of a [`PoolHeap`]: blocks of one size, side bytes, two words for the owner.
#[derive(Clone, Copy, Debug)]
pub struct Pool<'a> {
    meta: PoolPtr,
    side_bytes: usize,
    heap: PhantomData<&'a ()>,
}

impl<'a> Pool<'a> {
    /// The pool that holds a block, whichever heap it belongs to, for as long as the caller says.
    ///
    /// # Safety
    /// `ptr` is the address of a block of a [`PoolHeap`] whose side bytes are `side_bytes_per_block` a block. The
    /// pool must not be used any more once its last block was freed.
    #[inline(always)]
    pub unsafe fn holding(ptr: NonNull<u8>, side_bytes_per_block: usize) -> Pool<'a> {
        // SAFETY: the caller's promise: the block lies in the first bytes of a mapped arena.
        let arena = unsafe { ArenaPtr::of_address(ptr.addr()) };
        // A walkable pool is one unit, and the block of a run starts in the unit of its pool.
        let meta = arena.pool((ptr.addr().get() & (ARENA_SIZE - 1)) >> SHIFT);
        Pool { meta, side_bytes: side_bytes_per_block, heap: PhantomData }
    }

    /// True if the pool is a run, one block with a mapping of its own.
    #[inline(always)]
    pub fn is_run(self) -> bool {
        self.meta.capacity.get() == 1 // any other pool has at least seven
    }

    /// The side bytes of the block at `ptr`, which must lie in this pool; otherwise the result means nothing.
    #[inline(always)]
    pub fn side_at(self, ptr: NonNull<u8>) -> NonNull<u8> {
        if self.is_run() {
            return self.side();
        }
        let unit = ptr.addr().get() & !(UNIT - 1);
        let side = unit + self.index_of(ptr) * self.side_bytes;
        let side = core::ptr::with_exposed_provenance_mut(side);
        // SAFETY: no unit lies at address 0.
        unsafe { NonNull::new_unchecked(side) }
    }

    /// Every carved block, allocated or free, with its side bytes, in ascending order.
    #[inline(always)]
    pub fn blocks(self) -> Blocks<'a> {
        let block = self.meta.block_at(0, SHIFT);
        let size = self.block_size();
        Blocks {
            block,
            side: self.side(),
            left: self.carved(),
            size,
            side_bytes: self.side_bytes,
            pool: PhantomData,
        }
    }

    /// Bytes of a block; of a run, the bytes that were asked for.
    #[inline(always)]
    pub fn block_size(self) -> usize {
        self.meta.block_size.get()
    }

    /// Blocks that were ever handed out; a walk need not look further.
    #[inline(always)]
    pub fn carved(self) -> usize {
        self.meta.carved.get() as usize
    }

    /// Blocks allocated now.
    #[inline(always)]
    pub fn live(self) -> usize {
        self.meta.live.get() as usize
    }

    /// Address of block `index`.
    ///
    /// # Panics
    /// If `index` is not below [`carved`](Self::carved).
    #[inline(always)]
    pub fn block(self, index: usize) -> NonNull<u8> {
        assert!(index < self.carved());
        self.meta.block_at(index, SHIFT)
    }

    /// Index of the block at `ptr`, which must lie in this pool; otherwise the result means nothing.
    #[inline(always)]
    pub fn index_of(self, ptr: NonNull<u8>) -> usize {
        self.meta.index_of_offset(ptr.addr().get() & (UNIT - 1))
    }

    /// The first side byte of the pool; those of block `i` start `i * side_bytes_per_block` bytes further.
    /// Aligned to 16.
    #[inline(always)]
    pub fn side(self) -> NonNull<u8> {
        if self.is_run() {
            // SAFETY: the header unit of a run has room for the side bytes of its one block there.
            return unsafe { self.meta.arena().start().add(RUN_SIDE_OFFSET) };
        }
        self.meta.base(SHIFT)
    }

    /// The side bytes of block `index`.
    ///
    /// # Panics
    /// If `index` is not below [`carved`](Self::carved).
    #[inline(always)]
    pub fn side_of(self, index: usize) -> NonNull<u8> {
        assert!(index < self.carved());
        // SAFETY: carved blocks are below the capacity, for which the side bytes were laid out.
        unsafe { self.side().add(index * self.side_bytes) }
    }

    /// One of the two words of the pool that are the owner's; 0 when the pool is made.
    ///
    /// # Panics
    /// If `index` is above 1.
    #[inline(always)]
    pub fn user_word(self, index: usize) -> usize {
        self.meta.user[index].get()
    }

    /// Sets one of the two words of the pool that are the owner's.
    ///
    /// # Panics
    /// If `index` is above 1.
    #[inline(always)]
    pub fn set_user_word(self, index: usize, value: usize) {
        self.meta.user[index].set(value);
    }

    /// The tag of the heap.
    #[inline(always)]
    pub fn tag(self) -> usize {
        self.meta.arena().tag.get()
    }

    /// Index and address of every block whose first word is not 0, in ascending order.
    #[inline]
    pub fn allocated_blocks(self) -> impl Iterator<Item = (usize, NonNull<u8>)> {
        (0..self.carved()).map(move |index| (index, self.meta.block_at(index, SHIFT))).filter(|(_, block)| {
            // SAFETY: a carved block: its first 8 bytes were zeroed when it was made or freed, or written by
            // whoever has it; nobody else writes while the heap, which is not `Sync`, is walked.
            unsafe { block.cast::<u64>().read() != 0 }
        })
    }
}

/// The carved blocks of a [`Pool`], from [`Pool::blocks`].
#[derive(Debug)]
pub struct Blocks<'a> {
    block: NonNull<u8>,
    side: NonNull<u8>,
    left: usize,
    size: usize,
    side_bytes: usize,
    pool: PhantomData<&'a ()>,
}

impl Iterator for Blocks<'_> {
    /// Block and side bytes.
    type Item = (NonNull<u8>, NonNull<u8>);

    #[inline(always)]
    fn next(&mut self) -> Option<(NonNull<u8>, NonNull<u8>)> {
        self.left = self.left.checked_sub(1)?;
        let at = (self.block, self.side);
        // The addresses after the last block's are not used.
        self.block = NonNull::new(self.block.as_ptr().wrapping_add(self.size))?;
        self.side = NonNull::new(self.side.as_ptr().wrapping_add(self.side_bytes))?;
        Some(at)
    }
}
