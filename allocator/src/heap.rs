//! [`Heap`]: an explicit heap for one thread at a time.
//!
//! An allocation, one room after the other: the class of the layout, the class's bin, and on a miss the free
//! list of a partly used pool, its virgin blocks, a unit of the fullest arena, a new arena from the source.
#![allow(unsafe_code, reason = "blocks come back by address")]

use core::alloc::Layout;
use core::cell::Cell;
use core::ptr::NonNull;
use core::sync::atomic::AtomicU32;

use crate::arenas::Arenas;
use crate::block::{Block, FreeList};
use crate::inbox::{Chain, Outbox};
use crate::pool_meta::{PoolList, PoolPtr, RUN};
use crate::protocol::budget::Budget;
use crate::protocol::request::Request;
use crate::relaxed::Relaxed;
use crate::route::{LINK, Route, SHIFT, UNIT};
use crate::size_class::{CLASSES, SizeClass};
use crate::source::{ArenaSource, Os};

mod pools;
mod report;

/// The word of a pool that counts its charged units.
const CHARGED: usize = 0;
/// The word of a pool that has the tag of its heap.
pub(crate) const TAG: usize = 1;
/// The word of a run that has a bit for each unit with old content.
const OLD_UNITS: usize = 1;

/// The free blocks of one class that are ready to hand out, and the pool that they are from.
#[derive(Debug)]
struct Bin {
    list: FreeList,
    /// The current pool of the class.
    pool: Cell<Option<PoolPtr>>,
    /// Blocks in the list when it was filled last.
    filled: Relaxed<AtomicU32>,
}

impl Bin {
    const fn new() -> Bin {
        Bin { list: FreeList::new(), pool: Cell::new(None), filled: Relaxed::<AtomicU32>::zero() }
    }
}

/// What a heap among others calls. An explicit heap is alone.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Neighbours {
    /// Brings a chain to the heap with a tag.
    pub(crate) deliver: fn(usize, Chain),
    /// Called with the heap's own tag after a free that was slow, when nothing is under way.
    pub(crate) slow_free: fn(usize),
}

impl Neighbours {
    const NONE: Neighbours = {
        fn deliver(_: usize, _: Chain) {}
        fn slow_free(_: usize) {}
        Neighbours { deliver, slow_free }
    };
}

/// A heap of its own: arenas, pools and blocks, used by one thread at a time.
///
/// Requests to 32 KiB are served from pools of blocks of one size, those to 1 MiB get a run of an arena's units,
/// larger ones a mapping of their own. Dropping the heap frees everything that it holds, whether or not the blocks were freed
/// one by one; no destructor of a value runs.
///
/// The heap is [`Send`] and not `Sync`. `&Heap` is an `Allocator`, so that collections can live on it:
///
/// ```
/// use allocator_api2::vec::Vec;
/// use cpymem_allocator::Heap;
///
/// let heap = Heap::new();
/// let mut names = Vec::new_in(&heap);
/// names.extend(["arena", "pool", "block"]);
/// assert!(heap.owns(names.as_ptr().cast()));
/// assert!(heap.stats().blocks_in_use() > 0);
/// ```
///
/// ```compile_fail
/// # use cpymem_allocator::Heap;
/// fn shared<T: Sync>(_: T) {}
/// shared(Heap::new()); // a heap takes no locks
/// ```
///
/// ```
/// # use cpymem_allocator::Heap;
/// fn moved<T: Send>(_: T) {}
/// moved(Heap::new());
/// ```
///
/// # Cost
/// An allocation takes a block from the bin of its class; a free puts it on the list of its pool, whose metadata
/// is one cache line in the arena's header. A heap maps nothing before its first allocation and at least one
/// 2 MiB arena after it, of which only what is used becomes resident.
///
/// # Invariants
/// 1. The blocks of `bins[c]` are free blocks of its current pool, which counts them as lent.
/// 2. `partial[c]` lists exactly the pools of class `c` that are partial: see `crate::lending`.
/// 3. Word `TAG` of a pool is the tag of its heap; runs have it in their arena.
#[derive(Debug)]
pub struct Heap<S: ArenaSource = Os> {
    bins: [Bin; CLASSES],
    partial: [PoolList; CLASSES],
    budget: Budget,
    /// What the arenas of this heap are tagged with; 0 for an explicit heap.
    tag: usize,
    /// Blocks of other heaps. An explicit heap never has any.
    outbox: Outbox,
    neighbours: Neighbours,
    asked_to_flush: Request,
    arenas: Arenas<S, SHIFT>,
}

// SAFETY: everything a heap points to belongs to it alone and none of it is tied to a thread; `&Heap` is not
// `Send` because `Heap` is not `Sync`, so a heap can only move when nobody uses its blocks through it.
unsafe impl<S: ArenaSource + Send> Send for Heap<S> {}

impl Heap {
    /// A heap on memory of the operating system.
    pub const fn new() -> Heap {
        Heap::new_in(Os, usize::MAX)
    }

    /// A heap that never holds more than `bytes` bytes, its own headers included: an allocation that would
    /// pass the limit first purges the heap and, if that is not enough, returns `None`.
    ///
    /// Memory is charged by pool (16 KiB) and large block, when it is first touched and not when it is
    /// mapped; see [`Stats::held_bytes`](crate::Stats::held_bytes).
    pub const fn with_limit(bytes: usize) -> Heap {
        Heap::new_in(Os, bytes)
    }

    /// A heap whose bytes also count in `budget`, whose limits hold for all heaps within it together.
    pub const fn within(budget: &'static Budget) -> Heap {
        Heap::new_within(Os, usize::MAX, budget)
    }
}

impl Default for Heap {
    fn default() -> Heap {
        Heap::new()
    }
}

impl<S: ArenaSource> Heap<S> {
    /// A heap on the memory of `source` that holds at most `limit` bytes.
    pub const fn new_in(source: S, limit: usize) -> Heap<S> {
        Heap::assemble(source, Budget::new(limit), 0, Neighbours::NONE, false)
    }

    /// A heap on the memory of `source` that holds at most `limit` bytes, which also count in `budget`.
    pub const fn new_within(source: S, limit: usize, budget: &'static Budget) -> Heap<S> {
        Heap::assemble(source, Budget::within(budget, limit), 0, Neighbours::NONE, false)
    }

    /// A heap among others, which may be given blocks of theirs: it delivers them by tag.
    pub(crate) const fn tagged(
        source: S,
        budget: &'static Budget,
        tag: usize,
        neighbours: Neighbours,
    ) -> Heap<S> {
        Heap::assemble(source, Budget::within(budget, usize::MAX), tag, neighbours, true)
    }

    const fn assemble(
        source: S,
        budget: Budget,
        tag: usize,
        neighbours: Neighbours,
        shared: bool,
    ) -> Heap<S> {
        Heap {
            bins: [const { Bin::new() }; CLASSES],
            partial: [const { PoolList::new() }; CLASSES],
            budget,
            tag,
            outbox: Outbox::new(neighbours.deliver),
            neighbours,
            asked_to_flush: Request::new(),
            arenas: Arenas::new(source, shared),
        }
    }

    /// A block of a class that is ready in its bin.
    #[inline(always)]
    pub(crate) fn pop(&self, class: SizeClass) -> Option<NonNull<u8>> {
        Some(self.bins[class.index()].list.pop(LINK)?.into_ptr())
    }

    /// A block for `layout`, uninitialised, or `None` if the limit or the source refuses. A size of 0 gets a
    /// block too. Never panics.
    #[inline]
    pub fn alloc(&self, layout: Layout) -> Option<NonNull<u8>> {
        if let Some(class) = SizeClass::of_small(layout)
            && let Some(block) = self.pop(class)
        {
            return Some(block);
        }
        self.alloc_slow(layout)
    }

    #[inline(never)]
    fn alloc_slow(&self, layout: Layout) -> Option<NonNull<u8>> {
        if let Route::Class(class) = Route::of(layout)
            && let Some(block) = self.pop(class)
        {
            return Some(block);
        }
        let block = self.alloc_unrung(layout);
        self.budget.ring();
        block
    }

    /// As [`alloc`](Self::alloc), for a caller that holds a lock: no callback of a budget is called. The caller
    /// calls those of [`budget`](Self::budget) afterwards.
    pub(crate) fn alloc_unrung(&self, layout: Layout) -> Option<NonNull<u8>> {
        match Route::of(layout) {
            Route::Class(class) => self.pop(class).or_else(|| self.refill(class)),
            route => self.alloc_large(route, layout),
        }
    }

    /// The budget around the heap, whose callbacks may be due.
    pub(crate) fn budget(&self) -> Option<&'static Budget> {
        self.budget.parent()
    }

    /// As [`alloc`](Self::alloc), with every byte 0. Pages that come fresh from the source are not written for
    /// blocks above 32 KiB.
    pub fn alloc_zeroed(&self, layout: Layout) -> Option<NonNull<u8>> {
        let block = self.alloc(layout)?;
        // SAFETY: the block was just made with this layout.
        unsafe { Self::clear(block, layout) };
        Some(block)
    }

    /// Makes a new block read 0.
    ///
    /// # Safety
    /// `block` was just allocated by a heap with `layout`, and nothing was written to it.
    pub(crate) unsafe fn clear(block: NonNull<u8>, layout: Layout) {
        match Route::of(layout) {
            // SAFETY: the block has `layout.size()` bytes and is the caller's.
            Route::Class(_) => unsafe { block.write_bytes(0, layout.size()) },
            Route::Run(units) => {
                // SAFETY: a run of a heap.
                let pool = unsafe { PoolPtr::of_block(block, SHIFT) };
                let old = pool.user[OLD_UNITS].get();
                for unit in (0..units).filter(|unit| old >> unit & 1 != 0) {
                    // SAFETY: the run has `units` units.
                    let start = unsafe { block.add(unit * UNIT) };
                    // SAFETY: the run has as many whole units.
                    unsafe { start.write_bytes(0, UNIT) };
                }
            }
            Route::Mapping => {}
        }
    }

    /// Frees a block.
    ///
    /// # Safety
    /// `ptr` was allocated by this heap with `layout`, was not freed since, and is not used again.
    #[inline]
    pub unsafe fn dealloc(&self, ptr: NonNull<u8>, layout: Layout) {
        if SizeClass::is_in_one_unit(layout) {
            // SAFETY: the caller's promise.
            unsafe { self.dealloc_small(ptr) }
        } else {
            // SAFETY: the caller's promise.
            unsafe { self.dealloc_other(ptr, layout) }
        }
    }

    /// Frees a block of a pool of one unit.
    ///
    /// # Safety
    /// The caller gives up such a block, of this heap or, if this is one of the thread heaps, of any of those.
    #[inline(always)]
    pub(crate) unsafe fn dealloc_small(&self, ptr: NonNull<u8>) {
        // SAFETY: the caller's promise.
        let pool = unsafe { PoolPtr::of_small_block(ptr, SHIFT) };
        // SAFETY: the caller gives the block up.
        self.give_back(pool, unsafe { Block::new(ptr) });
    }

    /// As [`dealloc`](Self::dealloc), for blocks of larger pools, runs and mappings.
    ///
    /// # Safety
    /// As there.
    #[inline(never)]
    unsafe fn dealloc_other(&self, ptr: NonNull<u8>, layout: Layout) {
        // SAFETY: the caller's promise.
        unsafe { self.dealloc_by(Route::of(layout), ptr, layout.align()) }
    }

    /// Frees a block whose layout has this route and alignment.
    ///
    /// # Safety
    /// As [`dealloc`](Self::dealloc).
    #[inline(always)]
    pub(crate) unsafe fn dealloc_by(&self, route: Route, ptr: NonNull<u8>, align: usize) {
        match route {
            Route::Class(class) => {
                // SAFETY: a block of this class.
                let pool = unsafe { PoolPtr::of_block(ptr, SHIFT) };
                debug_assert_eq!(pool.class.get() as usize, class.index(), "freed with the wrong layout");
                // SAFETY: the caller gives the block up.
                self.give_back(pool, unsafe { Block::new(ptr) });
            }
            // SAFETY: the caller's promise; the layout took another route in `alloc` too.
            _ => unsafe { self.dealloc_large(ptr, align) },
        }
    }

    /// Puts a block on the list of its pool, or sends it home.
    #[inline(always)]
    fn give_back(&self, pool: PoolPtr, block: Block) {
        if pool.user[TAG].get() != self.tag {
            self.send(pool, block);
        } else if pool.take_back(block) {
            self.slow_free(pool);
        }
    }

    /// Sends a block home.
    #[cold]
    #[inline(never)]
    fn send(&self, pool: PoolPtr, block: Block) {
        self.outbox.add(pool, block);
    }

    /// What has to be done after a free: see `crate::lending`.
    #[cold]
    #[inline(never)]
    fn slow_free(&self, pool: PoolPtr) {
        self.settle(pool);
        (self.neighbours.slow_free)(self.tag);
    }

    /// Changes the size of a block, keeping the content up to the smaller of both sizes. The block stays in
    /// place if the new size takes the same class, the same number of units, or fits the same mapping. `None`
    /// leaves the old block as it was.
    ///
    /// CPython's rule is another one (a block stays if at most a quarter would be wasted); a block here must
    /// be freed with its new layout, so it may only stay where that layout leads.
    ///
    /// # Safety
    /// `ptr` was allocated by this heap with `layout` and not freed since; after `Some` it is not used again
    /// and the block's layout is `new_size` at the same alignment, after `None` nothing has changed.
    pub unsafe fn realloc(&self, ptr: NonNull<u8>, layout: Layout, new_size: usize) -> Option<NonNull<u8>> {
        // SAFETY: the caller's promise.
        let moved = unsafe { self.realloc_unrung(ptr, layout, new_size) };
        self.budget.ring();
        moved
    }

    /// As [`realloc`](Self::realloc), for a caller that holds a lock: see `alloc_unrung`.
    ///
    /// # Safety
    /// As said there.
    pub(crate) unsafe fn realloc_unrung(
        &self,
        ptr: NonNull<u8>,
        layout: Layout,
        new_size: usize,
    ) -> Option<NonNull<u8>> {
        let new = Layout::from_size_align(new_size, layout.align()).ok()?;
        let route = Route::of(new);
        if Route::of(layout) == route {
            if route != Route::Mapping {
                return Some(ptr);
            }
            // SAFETY: a mapping of this heap, by the caller's promise.
            if let Some(moved) = unsafe { self.resize_mapping(ptr, layout, new_size) } {
                return Some(moved);
            }
        }
        let moved = self.alloc_unrung(new)?;
        let bytes = layout.size().min(new_size);
        // SAFETY: both blocks have at least `bytes` bytes and are distinct.
        unsafe { ptr.copy_to_nonoverlapping(moved, bytes) };
        // SAFETY: the caller's promise.
        unsafe { self.dealloc(ptr, layout) };
        Some(moved)
    }

    /// # Safety
    /// `ptr` is a mapping of this heap with this layout, and the new size makes one, too.
    unsafe fn resize_mapping(
        &self,
        ptr: NonNull<u8>,
        layout: Layout,
        new_size: usize,
    ) -> Option<NonNull<u8>> {
        // SAFETY: the caller's promise.
        let pool = unsafe { Arenas::<S, SHIFT>::run_of(ptr, layout.align()) };
        Some(self.arenas.resize_run(&self.budget, pool, new_size)?.block_at(0, SHIFT))
    }

    /// True if `ptr` lies in memory of this heap. Walks its arenas: for checks, not for routing.
    pub fn owns(&self, ptr: *const u8) -> bool {
        self.arenas.iter().any(|arena| arena.contains(ptr))
    }

    #[cold]
    #[inline(never)]
    fn alloc_large(&self, route: Route, layout: Layout) -> Option<NonNull<u8>> {
        let take = || match route {
            Route::Run(units) => {
                let (pool, old) = self.arenas.take_units(&self.budget, self.tag, units, units)?;
                pool.format(RUN, units, units * UNIT, 0, 1);
                pool.user[OLD_UNITS].set(old as u64 as usize);
                Some(pool)
            }
            _ => self.arenas.take_run(&self.budget, self.tag, layout.size(), layout.align()),
        };
        let pool = take().or_else(|| {
            self.purge();
            take()
        })?;
        Some(pool.pop(LINK, SHIFT)?.into_ptr())
    }

    /// # Safety
    /// `ptr` is a run or mapping of this heap at this alignment, which the caller gives up.
    #[cold]
    #[inline(never)]
    unsafe fn dealloc_large(&self, ptr: NonNull<u8>, align: usize) {
        // SAFETY: the caller's promise; runs have small alignments.
        let pool = unsafe { Arenas::<S, SHIFT>::run_of(ptr, align) };
        debug_assert_eq!(pool.class.get(), RUN, "freed with the wrong layout");
        let tag = pool.arena().tag.get();
        if tag != self.tag {
            // SAFETY: a block that the caller gives up.
            return self.outbox.send_now(tag, pool, unsafe { Block::new(ptr) });
        }
        pool.live.set(0);
        if pool.arena().is_run() {
            self.arenas.return_run(&self.budget, pool);
        } else {
            self.arenas.return_units(&self.budget, pool, pool.block_size.get() / UNIT);
        }
    }
}
