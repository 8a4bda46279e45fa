//! [`Heap`]: an explicit heap for one thread at a time.
//!
//! An allocation, one room after the other: the class of the layout, the class's bin, and on a miss the free
//! list of a partly used pool, its virgin blocks, a unit of the fullest arena, a new arena from the source.
#![allow(unsafe_code, reason = "blocks come back by address")]

use core::alloc::Layout;
use core::ptr::NonNull;

use crate::arena::Arenas;
use crate::block::{Block, FreeList};
use crate::inbox::{Chain, Outbox};
use crate::pin_map::ArenaFill;
use crate::pool_meta::{PoolList, PoolPtr, RUN};
use crate::protocol::bin::{BinLength, Overflow};
use crate::protocol::budget::Budget;
use crate::route::{LINK, Route, SHIFT, UNIT};
use crate::size_class::{CLASSES, SizeClass};
use crate::source::{ArenaSource, Os};
use crate::stats::Stats;

/// Virgin blocks are handed to a bin in portions of this many bytes, so that memory is touched when needed.
const CARVE_BYTES: usize = 4096;
/// The word of a pool that counts its charged units.
const CHARGED: usize = 0;
/// The word of a run that has a bit for each unit with old content.
const OLD_UNITS: usize = 1;

/// The free blocks of one class that are ready to hand out.
#[derive(Debug)]
struct Bin {
    list: FreeList,
    length: BinLength,
}

/// Most blocks that the bin of a class may hold: about one pool of bytes.
const fn longest(class: SizeClass) -> u32 {
    match UNIT / class.size() {
        0 => 1,
        blocks @ 1..=1024 => blocks as u32,
        _ => 1024,
    }
}

/// What a heap among others calls. An explicit heap is alone.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Neighbours {
    /// Brings a chain to the heap with a tag.
    pub(crate) deliver: fn(usize, Chain),
    /// Called with the heap's own tag after a bin overflowed, when nothing is under way.
    pub(crate) overflowed: fn(usize),
}

impl Neighbours {
    const NONE: Neighbours = {
        fn deliver(_: usize, _: Chain) {}
        fn overflowed(_: usize) {}
        Neighbours { deliver, overflowed }
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
/// A hit in the bin touches the bin and the block: no header, no page map. A heap maps nothing before its
/// first allocation and at least one 2 MiB arena after it, of which only what is used becomes resident.
///
/// # Invariants
/// 1. The blocks of `bins[c]` are free blocks of pools of class `c` of this heap; each pool counts them as
///    live, so the pool stays while one of its blocks is in a bin.
/// 2. `partial[c]` lists exactly the pools of class `c` that are not exhausted.
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
        const FIRST: SizeClass = SizeClass::from_index(0);
        let mut bins =
            [const { Bin { list: FreeList::new(), length: BinLength::new(longest(FIRST)) } }; CLASSES];
        let mut class = 0;
        while class < CLASSES {
            bins[class].length = BinLength::new(longest(SizeClass::from_index(class)));
            class += 1;
        }
        Heap {
            bins,
            partial: [const { PoolList::new() }; CLASSES],
            budget,
            tag,
            outbox: Outbox::new(neighbours.deliver),
            neighbours,
            arenas: Arenas::new(source, shared),
        }
    }

    /// A block of a class that is ready in its bin.
    #[inline(always)]
    pub(crate) fn pop(&self, class: SizeClass) -> Option<NonNull<u8>> {
        let bin = &self.bins[class.index()];
        let block = bin.list.pop(LINK)?;
        bin.length.leave();
        Some(block.into_ptr())
    }

    /// A block for `layout`, uninitialised, or `None` if the limit or the source refuses. A size of 0 gets a
    /// block too. Never panics.
    #[inline]
    pub fn alloc(&self, layout: Layout) -> Option<NonNull<u8>> {
        match Route::of(layout) {
            Route::Class(class) => self.pop(class).or_else(|| self.alloc_slow(layout)),
            _ => self.alloc_slow(layout),
        }
    }

    #[cold]
    #[inline(never)]
    fn alloc_slow(&self, layout: Layout) -> Option<NonNull<u8>> {
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
        let Route::Class(class) = Route::of(layout) else {
            // SAFETY: the caller's promise; the layout took another route in `alloc` too.
            return unsafe { self.dealloc_large(ptr, layout.align()) };
        };
        // SAFETY: a block of this class, which the caller gives up.
        let block = unsafe { Block::new(ptr) };
        let bin = &self.bins[class.index()];
        if bin.length.admit() {
            bin.list.push(LINK, block);
        } else {
            // SAFETY: as above.
            unsafe { self.overflow(class, block) }
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
        self.add_to(&mut stats);
        stats
    }

    /// Adds what the heap holds. It may belong to another thread, if its arenas have a lock.
    pub(crate) fn add_to(&self, stats: &mut Stats) {
        for (class, bin) in self.bins.iter().enumerate() {
            stats.add_cached(class, bin.length.count() as usize);
        }
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
                    class => stats.add_pool(class as usize, pool.live.get() as usize),
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
            self.shorten(class, 0);
            for pool in self.partial[class.index()].iter().filter(|pool| pool.live.get() == 0) {
                self.retire(class, pool);
            }
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
            crate::check::bin(&bin.list, bin.length.count(), LINK);
            crate::check::partial(&self.partial[class.index()], class);
        }
        crate::check::arenas(&self.arenas, &self.budget, LINK);
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
            return self.outbox.send_now(tag, unsafe { Block::new(ptr) });
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
        let (blocks, count) = self.take_blocks(class).or_else(|| {
            self.purge();
            self.take_blocks(class)
        })?;
        let first = blocks.pop(LINK)?;
        let bin = &self.bins[class.index()];
        // A new pool may have been paid for by a purge, and a purge leaves the bin empty.
        bin.list.replace(blocks);
        bin.length.refilled(count as u32 - 1, longest(class));
        Some(first.into_ptr())
    }

    /// Blocks for a bin: the free list of a partly used pool, or virgin blocks. `None` if neither can be had
    /// within the limit.
    fn take_blocks(&self, class: SizeClass) -> Option<(FreeList, u16)> {
        let partial = &self.partial[class.index()];
        let pool = match partial.front() {
            Some(pool) => pool,
            None => self.new_pool(class)?,
        };
        let mut taken = pool.pop_free();
        if taken.1 == 0 {
            self.touch(pool)?;
            taken = pool.pop_virgin(LINK, SHIFT, CARVE_BYTES);
        }
        if pool.is_exhausted() {
            partial.remove(pool);
        }
        Some(taken)
    }

    /// Charges what the next virgin blocks of a pool will touch.
    fn touch(&self, pool: PoolPtr) -> Option<()> {
        let (charged, needed) = (pool.user[CHARGED].get(), pool.reach(CARVE_BYTES).div_ceil(UNIT));
        if needed > charged {
            self.arenas.touch_units(&self.budget, pool, charged, needed - charged)?;
            pool.user[CHARGED].set(needed);
        }
        Some(())
    }

    /// An empty pool, entered in the list of its class. Nothing of it is charged yet.
    fn new_pool(&self, class: SizeClass) -> Option<PoolPtr> {
        let units = class.units();
        let (pool, _) = self.arenas.take_units(&self.budget, self.tag, units, 0)?;
        pool.format(class.index() as u8, units, class.size(), 0, units * UNIT / class.size());
        self.partial[class.index()].push_front(pool);
        Some(pool)
    }

    /// Frees a block whose bin is full.
    ///
    /// # Safety
    /// The block is a block of class `class` of this heap.
    #[cold]
    #[inline(never)]
    unsafe fn overflow(&self, class: SizeClass, block: Block) {
        // SAFETY: the caller's promise.
        unsafe { self.spill(class, block) };
        if let Overflow::Shorten(left) = self.bins[class.index()].length.overflowed(longest(class)) {
            self.shorten(class, left);
        }
        (self.neighbours.overflowed)(self.tag);
    }

    /// The tag of the heap that a block belongs to.
    ///
    /// # Safety
    /// `ptr` is a block of a pool or a run of some heap.
    pub(crate) unsafe fn tag_of(ptr: NonNull<u8>) -> usize {
        // SAFETY: the caller's promise.
        unsafe { PoolPtr::of_block(ptr, SHIFT) }.arena().tag.get()
    }

    /// Takes back blocks of this heap that others have freed.
    pub(crate) fn receive(&self, blocks: &FreeList) {
        while let Some(block) = blocks.pop(LINK) {
            let ptr = block.into_ptr();
            // SAFETY: a free block of this heap.
            let pool = unsafe { PoolPtr::of_block(ptr, SHIFT) };
            match pool.class.get() {
                // SAFETY: as said.
                RUN => unsafe { self.dealloc_large(ptr, 1) },
                class => {
                    let class = SizeClass::from_index(class as usize);
                    // SAFETY: the block that was just taken apart.
                    let block = unsafe { Block::new(ptr) };
                    // SAFETY: of the class that its pool has.
                    unsafe { self.spill(class, block) }
                }
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

    /// Asks the owner of the heap to empty its bins: each is emptied by the next free that it gets.
    pub(crate) fn ask_to_flush(&self) {
        self.bins.iter().for_each(|bin| bin.length.ask_to_flush());
    }

    /// Gives the blocks of a bin back to their pools until `length` are left.
    fn shorten(&self, class: SizeClass, length: u32) {
        let bin = &self.bins[class.index()];
        while bin.length.count() > length
            && let Some(block) = bin.list.pop(LINK)
        {
            bin.length.leave();
            // SAFETY: invariant 1: a free block of this class.
            unsafe { self.spill(class, block) };
        }
    }

    /// Gives a block back to its pool.
    ///
    /// # Safety
    /// The block is a block of class `class` of this heap.
    #[inline]
    unsafe fn spill(&self, class: SizeClass, block: Block) {
        let ptr = block.into_ptr();
        // SAFETY: the block lies in a pool of this heap.
        let pool = unsafe { PoolPtr::of_block(ptr, SHIFT) };
        debug_assert_eq!(pool.class.get() as usize, class.index(), "freed with the wrong layout");
        let tag = pool.arena().tag.get();
        if tag != self.tag {
            // SAFETY: still the caller's block.
            return self.outbox.add(tag, unsafe { Block::new(ptr) });
        }
        let was_exhausted = pool.is_exhausted();
        // SAFETY: still the caller's block.
        pool.push(LINK, unsafe { Block::new(ptr) });
        let partial = &self.partial[class.index()];
        if was_exhausted {
            partial.push_front(pool);
        }
        // One empty pool a class stays, so that a class that goes up and down by a block costs no arena work.
        if pool.live.get() == 0 && !partial.is_only(pool) {
            self.retire(class, pool);
        }
    }

    /// Returns the unit of an empty pool to its arena.
    fn retire(&self, class: SizeClass, pool: PoolPtr) {
        self.partial[class.index()].remove(pool);
        self.arenas.return_units(&self.budget, pool, class.units());
    }
}
