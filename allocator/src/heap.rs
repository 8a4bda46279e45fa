//! [`Heap`]: an explicit heap for one thread at a time.
//!
//! An allocation, one room after the other: the class of the layout, the class's bin, and on a miss the free
//! list of a partly used pool, its virgin blocks, a unit of the fullest arena, a new arena from the source.
#![allow(unsafe_code, reason = "blocks come back by address")]

use core::alloc::Layout;
use core::ptr::NonNull;
use core::sync::atomic::AtomicU32;

use allocator_api2::alloc::{AllocError, Allocator};

use crate::arena::{ARENA_SIZE, Arenas};
use crate::block::{Block, FreeList, Link};
use crate::budget::Budget;
use crate::inbox::{Chain, Outbox};
use crate::lock::Lock;
use crate::pool_meta::{PoolList, PoolPtr, RUN};
use crate::relaxed::Relaxed;
use crate::size_class::{CLASSES, POOLED_MAX, SizeClass};
use crate::source::{ArenaSource, Os};
use crate::stats::Stats;

/// log2 of the bytes of a pool, CPython's `POOL_BITS`.
const SHIFT: u32 = 14;
pub(crate) const UNIT: usize = 1 << SHIFT;
/// Virgin blocks are handed to a bin in portions of this many bytes, so that memory is touched when needed.
const CARVE_BYTES: usize = 4096;
/// Free blocks carry their link in the first word.
pub(crate) const LINK: Link = Link(0);
/// Largest run of units in bytes; larger blocks get a mapping of their own.
const RUN_MAX: usize = ARENA_SIZE / 2;

/// Where a layout leads: the same way when the block is made and when it is freed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Route {
    /// A block of a pool.
    Class(SizeClass),
    /// Neighbouring units of an arena.
    Run(usize),
    /// A mapping of its own.
    Mapping,
}

impl Route {
    #[inline]
    pub(crate) fn of(layout: Layout) -> Route {
        // Pools and runs start at multiples of a unit.
        match SizeClass::of(layout, POOLED_MAX) {
            Some(class) if layout.align() <= UNIT => Route::Class(class),
            _ if layout.align() <= UNIT && layout.size() <= RUN_MAX => {
                Route::Run(layout.size().div_ceil(UNIT).max(1))
            }
            _ => Route::Mapping,
        }
    }
}

/// The free blocks of one class that are ready to hand out.
///
/// A block in the bin keeps its pool in use, and after frees in random order each block of a bin may keep
/// another pool. So the limit adapts: a bin that overflows as often as it is long, without a refill between,
/// is halved, and each refill doubles it again. A program that deletes in bulk soon has short bins.
#[derive(Debug)]
struct Bin {
    list: FreeList,
    count: Relaxed<AtomicU32>,
    /// Most blocks the list may hold.
    limit: Relaxed<AtomicU32>,
    /// Frees since the last refill that found the bin full.
    overflows: Relaxed<AtomicU32>,
}

/// Fewest blocks that a bin may hold.
const SHORTEST_BIN: u32 = 4;

impl Bin {
    const fn new(class: SizeClass) -> Bin {
        let limit = Relaxed::new(Bin::longest(class));
        let [count, overflows] = [const { Relaxed::new(0) }; 2];
        Bin { list: FreeList::new(), count, limit, overflows }
    }

    /// Most blocks that a bin may hold: about one pool of bytes.
    const fn longest(class: SizeClass) -> u32 {
        match UNIT / class.size() {
            0 => 1,
            blocks @ 1..=1024 => blocks as u32,
            _ => 1024,
        }
    }

    /// Fewest blocks that a bin may be limited to.
    fn shortest(class: SizeClass) -> u32 {
        SHORTEST_BIN.min(Bin::longest(class))
    }
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
}

impl Default for Heap {
    fn default() -> Heap {
        Heap::new()
    }
}

impl<S: ArenaSource> Heap<S> {
    /// A heap on the memory of `source` that holds at most `limit` bytes.
    pub const fn new_in(source: S, limit: usize) -> Heap<S> {
        const fn nobody(_: usize, _: Chain) {}
        Heap::tagged(source, limit, 0, nobody, None)
    }

    /// A heap among others, which may be given blocks of theirs: it delivers them by tag. Its arenas can be
    /// walked under `lock`.
    pub(crate) const fn tagged(
        source: S,
        limit: usize,
        tag: usize,
        deliver: fn(usize, Chain),
        lock: Option<&'static Lock<()>>,
    ) -> Heap<S> {
        let mut bins = [const { Bin::new(SizeClass::from_index(0)) }; CLASSES];
        let mut class = 0;
        while class < CLASSES {
            bins[class] = Bin::new(SizeClass::from_index(class));
            class += 1;
        }
        Heap {
            bins,
            partial: [const { PoolList::new() }; CLASSES],
            budget: Budget::new(limit),
            tag,
            outbox: Outbox::new(deliver),
            arenas: Arenas::new(source, lock),
        }
    }

    /// A block of a class that is ready in its bin.
    #[inline(always)]
    pub(crate) fn pop(&self, class: SizeClass) -> Option<NonNull<u8>> {
        let bin = &self.bins[class.index()];
        let block = bin.list.pop(LINK)?;
        bin.count.set(bin.count.get() - 1);
        Some(block.into_ptr())
    }

    /// A block for `layout`, uninitialised, or `None` if the limit or the source refuses. A size of 0 gets a
    /// block too. Never panics.
    #[inline]
    pub fn alloc(&self, layout: Layout) -> Option<NonNull<u8>> {
        match Route::of(layout) {
            Route::Class(class) => self.pop(class).or_else(|| self.refill(class)),
            route => self.alloc_large(route, layout),
        }
    }

    /// As [`alloc`](Self::alloc), with every byte 0. Mappings, which come fresh from the source, are not
    /// written.
    pub fn alloc_zeroed(&self, layout: Layout) -> Option<NonNull<u8>> {
        let block = self.alloc(layout)?;
        if Route::of(layout) != Route::Mapping {
            // SAFETY: the block has `layout.size()` bytes and is ours until it is returned.
            unsafe { block.write_bytes(0, layout.size()) };
        }
        Some(block)
    }

    /// Frees a block.
    ///
    /// # Safety
    /// `ptr` was allocated by this heap with `layout`, was not freed since, and is not used again.
    #[inline]
    pub unsafe fn dealloc(&self, ptr: NonNull<u8>, layout: Layout) {
        let Route::Class(class) = Route::of(layout) else {
            // SAFETY: the caller's promise; the layout took another route in `alloc` too.
            return unsafe { self.dealloc_large(ptr) };
        };
        // SAFETY: a block of this class, which the caller gives up.
        let block = unsafe { Block::new(ptr) };
        let bin = &self.bins[class.index()];
        if bin.count.get() < bin.limit.get() {
            bin.count.set(bin.count.get() + 1);
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
        let new = Layout::from_size_align(new_size, layout.align()).ok()?;
        let route = Route::of(new);
        if Route::of(layout) == route {
            let stays = match route {
                Route::Class(_) | Route::Run(_) => true,
                Route::Mapping => {
                    // SAFETY: a mapping of this heap, by the caller's promise.
                    let room = unsafe { PoolPtr::of_block(ptr, SHIFT) }.block_size.get();
                    new_size <= room && new_size >= room / 2
                }
            };
            if stays {
                return Some(ptr);
            }
        }
        let moved = self.alloc(new)?;
        let bytes = layout.size().min(new_size);
        // SAFETY: both blocks have at least `bytes` bytes and are distinct.
        unsafe { ptr.copy_to_nonoverlapping(moved, bytes) };
        // SAFETY: the caller's promise.
        unsafe { self.dealloc(ptr, layout) };
        Some(moved)
    }

    /// Bytes and counts of the heap now, found by walking its pools: no counter is kept on the fast path.
    /// Costs about 2 ns a pool.
    pub fn stats(&self) -> Stats {
        let mut stats = Stats::empty();
        self.add_to(&mut stats);
        stats
    }

    /// Adds what the heap holds. If it belongs to another thread, under the lock of its arenas.
    pub(crate) fn add_to(&self, stats: &mut Stats) {
        for (class, bin) in self.bins.iter().enumerate() {
            stats.add_cached(class, bin.count.get() as usize);
        }
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
        stats.add_held(self.budget.held(), self.budget.peak());
    }

    /// Bytes that the heap holds, as [`Stats::held_bytes`], without a walk.
    pub fn held_bytes(&self) -> usize {
        self.budget.held()
    }

    /// Most bytes that the heap ever held, as [`Stats::peak_held_bytes`], without a walk.
    pub fn peak_held_bytes(&self) -> usize {
        self.budget.peak()
    }

    /// Empties the bins and returns every free pool and arena to the source. Returns the bytes that went
    /// back. What remains is what pools with live blocks need.
    pub fn purge(&self) -> usize {
        let before = self.budget.held();
        for class in (0..CLASSES).map(SizeClass::from_index) {
            self.shorten(class, 0);
            for pool in self.partial[class.index()].iter().filter(|pool| pool.live.get() == 0) {
                self.retire(class, pool);
            }
        }
        self.arenas.purge(&self.budget);
        before - self.budget.held()
    }

    /// True if `ptr` lies in memory of this heap. Walks its arenas: for checks, not for routing.
    pub fn owns(&self, ptr: *const u8) -> bool {
        self.arenas.iter().any(|arena| arena.contains(ptr))
    }

    /// Asserts the invariants and every equation that the docs of the parts state.
    #[cfg(test)]
    pub(crate) fn check(&self) {
        for class in (0..CLASSES).map(SizeClass::from_index) {
            crate::check::bin(&self.bins[class.index()].list, self.bins[class.index()].count.get(), LINK);
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
                let pool = self.arenas.take_units(&self.budget, self.tag, units, units)?;
                pool.format(RUN, units, units * UNIT, 0, 1);
                Some(pool)
            }
            _ => {
                let size = layout.size().max(1);
                let pool = self.arenas.take_run(&self.budget, self.tag, size, layout.align())?;
                pool.format(RUN, 1, size, 0, 1);
                Some(pool)
            }
        };
        let pool = take().or_else(|| {
            self.purge();
            take()
        })?;
        Some(pool.pop(LINK, SHIFT)?.into_ptr())
    }

    /// # Safety
    /// `ptr` is a run or mapping of this heap, which the caller gives up.
    #[cold]
    #[inline(never)]
    pub(crate) unsafe fn dealloc_large(&self, ptr: NonNull<u8>) {
        // SAFETY: the caller's promise.
        let pool = unsafe { PoolPtr::of_block(ptr, SHIFT) };
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
        bin.count.set(count as u32 - 1);
        bin.overflows.set(0);
        bin.limit.set((2 * bin.limit.get()).min(Bin::longest(class)));
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
        let (charged, needed) = (pool.user[0].get(), pool.reach(CARVE_BYTES).div_ceil(UNIT));
        if needed > charged {
            self.arenas.touch_units(&self.budget, pool, charged, needed - charged)?;
            pool.user[0].set(needed);
        }
        Some(())
    }

    /// An empty pool, entered in the list of its class. Nothing of it is charged yet.
    fn new_pool(&self, class: SizeClass) -> Option<PoolPtr> {
        let units = class.units();
        let pool = self.arenas.take_units(&self.budget, self.tag, units, 0)?;
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
        let bin = &self.bins[class.index()];
        let (limit, overflows) = (bin.limit.get(), bin.overflows.get() + 1);
        if limit == 0 {
            // Somebody wants the memory back: `ask_to_flush`.
            bin.limit.set(Bin::shortest(class));
            return self.shorten(class, 0);
        }
        bin.overflows.set(overflows);
        let shortest = Bin::shortest(class);
        if overflows >= limit && limit > shortest {
            bin.overflows.set(0);
            bin.limit.set((limit / 2).max(shortest));
            self.shorten(class, bin.limit.get());
        }
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
                RUN => unsafe { self.dealloc_large(ptr) },
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

    /// Empties the bins and delivers all blocks of other heaps.
    pub(crate) fn flush(&self) {
        (0..CLASSES).for_each(|class| self.shorten(SizeClass::from_index(class), 0));
        self.outbox.flush();
    }

    /// Delivers all blocks of other heaps that are not in bins.
    pub(crate) fn send_all(&self) {
        self.outbox.flush();
    }

    /// Asks the owner of the heap to empty its bins: each is flushed by the next free that it gets.
    pub(crate) fn ask_to_flush(&self) {
        self.bins.iter().for_each(|bin| bin.limit.set(0));
    }

    /// Gives the blocks of a bin back to their pools until `length` are left.
    fn shorten(&self, class: SizeClass, length: u32) {
        let bin = &self.bins[class.index()];
        while bin.count.get() > length
            && let Some(block) = bin.list.pop(LINK)
        {
            bin.count.set(bin.count.get() - 1);
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

// SAFETY: a block stays valid until it is freed or the heap is dropped, and the heap outlives every `&Heap`;
// moving or copying the reference changes nothing. A request for no bytes gets a dangling pointer that is
// never freed.
unsafe impl<S: ArenaSource> Allocator for &Heap<S> {
    #[inline]
    fn allocate(&self, layout: Layout) -> Result<NonNull<[u8]>, AllocError> {
        let ptr = match layout.size() {
            0 => dangling(layout),
            _ => self.alloc(layout).ok_or(AllocError)?,
        };
        Ok(NonNull::slice_from_raw_parts(ptr, layout.size()))
    }

    fn allocate_zeroed(&self, layout: Layout) -> Result<NonNull<[u8]>, AllocError> {
        let ptr = match layout.size() {
            0 => dangling(layout),
            _ => self.alloc_zeroed(layout).ok_or(AllocError)?,
        };
        Ok(NonNull::slice_from_raw_parts(ptr, layout.size()))
    }

    #[inline]
    unsafe fn deallocate(&self, ptr: NonNull<u8>, layout: Layout) {
        if layout.size() != 0 {
            // SAFETY: the caller's promise; only blocks of size 0 are dangling.
            unsafe { self.dealloc(ptr, layout) }
        }
    }

    unsafe fn grow(&self, ptr: NonNull<u8>, old: Layout, new: Layout) -> Result<NonNull<[u8]>, AllocError> {
        // SAFETY: the caller's promise.
        unsafe { change(self, ptr, old, new) }
    }

    unsafe fn grow_zeroed(
        &self,
        ptr: NonNull<u8>,
        old: Layout,
        new: Layout,
    ) -> Result<NonNull<[u8]>, AllocError> {
        // SAFETY: the caller's promise.
        let grown = unsafe { change(self, ptr, old, new) }?;
        // SAFETY: the new block has `new.size() >= old.size()` bytes.
        let tail = unsafe { grown.cast::<u8>().add(old.size()) };
        // SAFETY: the tail lies in the new block, which is ours until it is returned.
        unsafe { tail.write_bytes(0, new.size() - old.size()) };
        Ok(grown)
    }

    unsafe fn shrink(&self, ptr: NonNull<u8>, old: Layout, new: Layout) -> Result<NonNull<[u8]>, AllocError> {
        // SAFETY: the caller's promise.
        unsafe { change(self, ptr, old, new) }
    }
}

/// A pointer for a block of no bytes.
pub(crate) fn dangling(layout: Layout) -> NonNull<u8> {
    NonNull::without_provenance(core::num::NonZeroUsize::MIN.saturating_mul(
        // An alignment is never 0.
        core::num::NonZeroUsize::new(layout.align()).unwrap_or(core::num::NonZeroUsize::MIN),
    ))
}

/// Grows or shrinks a block of any size, 0 included, to any layout.
///
/// # Safety
/// As `Allocator::grow` and `Allocator::shrink`.
unsafe fn change<S: ArenaSource>(
    heap: &Heap<S>,
    ptr: NonNull<u8>,
    old: Layout,
    new: Layout,
) -> Result<NonNull<[u8]>, AllocError> {
    if old.align() == new.align() && old.size() != 0 && new.size() != 0 {
        // SAFETY: the caller's promise; the block is not of size 0, so it is a block of the heap.
        let moved = unsafe { heap.realloc(ptr, old, new.size()) }.ok_or(AllocError)?;
        return Ok(NonNull::slice_from_raw_parts(moved, new.size()));
    }
    let moved = heap.allocate(new)?;
    let bytes = old.size().min(new.size());
    // SAFETY: both blocks have at least `bytes` bytes and are distinct.
    unsafe { ptr.copy_to_nonoverlapping(moved.cast(), bytes) };
    // SAFETY: the caller's promise.
    unsafe { heap.deallocate(ptr, old) };
    Ok(moved)
}
