//! [`Heap`]: an explicit heap for one thread at a time.
//!
//! An allocation, one room after the other: the class of the layout, the class's bin, and on a miss the free
//! list of a partly used pool, its virgin blocks, a unit of the fullest arena, a new arena from the source.
#![allow(unsafe_code, reason = "blocks come back by address")]

use core::alloc::Layout;
use core::cell::Cell;
use core::ptr::NonNull;
use core::sync::atomic::AtomicU32;

use crate::arena::Arenas;
use crate::block::{Block, FreeList};
use crate::inbox::{Bundle, Chain, Outbox};
use crate::pin_map::ArenaFill;
use crate::pool_meta::{PoolList, PoolPtr, RUN};
use crate::protocol::budget::Budget;
use crate::protocol::request::Request;
use crate::relaxed::Relaxed;
use crate::route::{LINK, Route, SHIFT, UNIT};
use crate::size_class::{CLASSES, SizeClass};
use crate::source::{ArenaSource, Os};
use crate::stats::Stats;

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
/// The heap is [`Send`] and not `Sync`. `&Heap` is an [`Allocator`], so that collections can live on it:
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
/// 3. Word [`TAG`] of a pool is the tag of its heap; runs have it in their arena.
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
    /// mapped; see [`Stats::held_bytes`].
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
    pub(crate) unsafe fn dealloc_other(&self, ptr: NonNull<u8>, layout: Layout) {
        match Route::of(layout) {
            Route::Class(class) => {
                // SAFETY: a block of this class.
                let pool = unsafe { PoolPtr::of_block(ptr, SHIFT) };
                debug_assert_eq!(pool.class.get() as usize, class.index(), "freed with the wrong layout");
                // SAFETY: the caller gives the block up.
                self.give_back(pool, unsafe { Block::new(ptr) });
            }
            // SAFETY: the caller's promise; the layout took another route in `alloc` too.
            _ => unsafe { self.dealloc_large(ptr, layout.align()) },
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

    /// A pool has become empty, or a full one has free blocks.
    fn settle(&self, pool: PoolPtr) {
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

    /// Bytes and counts of the heap now, found by walking its pools: no counter is kept on the fast path.
    /// Costs about 2 ns a pool.
    pub fn stats(&self) -> Stats {
        let mut stats = Stats::empty();
        for (class, bin) in self.bins.iter().enumerate() {
            stats.add_cached(class, bin.list.count(LINK));
        }
        self.add_pools(&mut stats);
        stats
    }

    /// Adds what a heap holds that another thread may own.
    pub(crate) fn add_from_outside(&self, stats: &mut Stats) {
        for (class, bin) in self.bins.iter().enumerate() {
            stats.add_perhaps_cached(class, bin.filled.get() as usize);
        }
        self.add_pools(stats);
    }

    fn add_pools(&self, stats: &mut Stats) {
        let _arenas_stay = self.arenas.lock();
        for arena in self.arenas.iter() {
            if arena.is_run() {
                let pool = Arenas::<S, SHIFT>::pools_of(arena).next();
                stats.add_mapping(pool.map_or(0, |pool| pool.block_size.get()), arena.run_bytes());
                continue;
            }
            stats.add_arena(Arenas::<S, SHIFT>::dirty_units(arena));
            for pool in Arenas::<S, SHIFT>::pools_of(arena) {
                match pool.class.get() {
                    RUN => stats.add_run(pool.block_size.get()),
                    class => stats.add_pool(class as usize, pool.lent()),
                }
            }
        }
        stats.add_arenas(self.arenas.highwater(), self.arenas.mapped_in_all());
        stats.add_held(self.budget.held_bytes(), self.budget.peak_held_bytes());
    }

    /// Every arena of pools, by address, with the fill of its pools: which blocks keep what memory from going
    /// back. Each is copied when the iterator reaches it; items are about 4 KiB.
    pub fn arenas(&self) -> impl Iterator<Item = ArenaFill> {
        let mut last = 0;
        core::iter::from_fn(move || {
            let _arenas_stay = self.arenas.lock();
            let mut rest = self.arenas.iter().filter(|arena| !arena.is_run());
            let arena = rest.find(|arena| arena.start().addr().get() > last)?;
            last = arena.start().addr().get();
            Some(ArenaFill::of::<S>(arena))
        })
    }

    /// Bytes that the heap holds, as [`Stats::held_bytes`], without a walk.
    pub fn held_bytes(&self) -> usize {
        self.budget.held_bytes()
    }

    /// Most bytes that the heap ever held, as [`Stats::peak_held_bytes`], without a walk.
    pub fn peak_held_bytes(&self) -> usize {
        self.budget.peak_held_bytes()
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

    /// True if `ptr` lies in memory of this heap. Walks its arenas: for checks, not for routing.
    pub fn owns(&self, ptr: *const u8) -> bool {
        self.arenas.iter().any(|arena| arena.contains(ptr))
    }

    /// Asserts the invariants and every equation that the docs of the parts state.
    #[cfg(test)]
    pub(crate) fn check(&self) {
        for class in (0..CLASSES).map(SizeClass::from_index) {
            let bin = &self.bins[class.index()];
            assert!(bin.list.count(LINK) <= bin.filled.get() as usize);
            assert!(bin.pool.get().is_some() || bin.list.is_empty());
            crate::check::partial(&self.partial[class.index()], class);
        }
        crate::check::arenas(&self.arenas, &self.budget, LINK, |pool| match pool.class.get() {
            RUN => pool.live.get() as usize,
            _ => pool.lent(),
        });
        crate::check::stats(&self.stats());
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

    /// Empties the bins, returns free pools to their arenas and delivers all blocks of other heaps.
    pub(crate) fn flush(&self) {
        self.retire_all();
        self.outbox.flush();
    }

    /// Delivers all blocks of other heaps that are not in bins.
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
        pool.live.set(0);
        self.arenas.return_units(&self.budget, pool, class.units());
    }
}
