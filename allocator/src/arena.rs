//! Arenas: 2 MiB from the source, cut into units.
//!
//! ```text
//!   2 MiB, aligned to 2 MiB
//!   +----------------+--------+--------+-- - - --+--------+
//!   | unit 0: header | unit 1 | unit 2 |         | unit n |      n = 127 units of 16 KiB for heaps,
//!   +----------------+--------+--------+-- - - --+--------+      31 of 64 KiB for walkable pools
//!     metadata of every pool, bitmaps of free and dirty units
//! ```
//!
//! CPython's arena has 1 MiB (`ARENA_BITS` 20) and goes back only as a whole; here units go back one by one.
#![allow(unsafe_code, reason = "arena headers lie in mapped memory and are reached by address")]

use core::cell::Cell;
use core::num::NonZeroUsize;
use core::ptr::NonNull;
use core::sync::atomic::AtomicUsize;

use crate::clock;
use crate::mode::Mode;
use crate::pool_meta::{PoolMeta, PoolPtr, RUN};
use crate::protocol::budget::Budget;
use crate::protocol::lock::{RawGuard, RawLock};
use crate::relaxed::Relaxed;
use crate::source::{ArenaSource, Purged};

/// Bytes of an arena, and its alignment.
pub(crate) const ARENA_SIZE: usize = 2 << 20;
/// Most units an arena can have.
const MAX_UNITS: usize = 128;
const PAGE: usize = 4096;
/// Milliseconds after which half of the units that were missed are forgotten.
const FORGET_AFTER: u64 = 500;
/// The pool of a mapping whose block begins one arena behind the header.
const FAR_INDEX: usize = 1;
/// A set of units of an arena, in two halves that other threads may read.
#[derive(Debug)]
struct Units([Relaxed<AtomicUsize>; 2]);

impl Units {
    fn get(&self) -> u128 {
        (self.0[0].get() as u128) | (self.0[1].get() as u128) << 64
    }

    fn set(&self, units: u128) {
        self.0[0].set(units as u64 as usize);
        self.0[1].set((units >> 64) as u64 as usize);
    }
}

const _: () = assert!(usize::BITS == 64, "the sets of units are kept in two words");

/// The units `start..start + count`.
const fn range(start: usize, count: usize) -> u128 {
    if count == 0 { 0 } else { (u128::MAX >> (MAX_UNITS - count)) << start }
}

/// What stands at the start of an arena. All zeros is valid.
#[repr(C)]
#[derive(Debug)]
pub(crate) struct ArenaHeader {
    pools: [PoolMeta; MAX_UNITS],
    /// Neighbours in address order.
    next: Cell<Option<ArenaPtr>>,
    prev: Cell<Option<ArenaPtr>>,
    /// Neighbours among the arenas with the same number of free units.
    next_equal: Cell<Option<ArenaPtr>>,
    prev_equal: Cell<Option<ArenaPtr>>,
    /// Bit i: unit i holds no pool.
    free: Units,
    /// Bit i: unit i was touched since it was mapped or purged.
    dirty: Units,
    /// Bytes mapped from `lead` bytes in front of the header on: `ARENA_SIZE`, or more for a mapping.
    size: Cell<usize>,
    /// Bytes of the mapping in front of the header; not 0 only for a mapping of a large alignment.
    lead: Cell<usize>,
    /// Bytes charged to the budget for a mapping; 0 for an arena of pools.
    run_charge: Relaxed<AtomicUsize>,
    /// Index of the mapping's one pool.
    run_index: Cell<usize>,
    /// Whether the arena is one huge page, and so all of it is touched at once.
    huge: Cell<bool>,
    /// A word for the owner of the heap.
    pub(crate) tag: Cell<usize>,
}

/// Offset in the header of a run where its side bytes lie.
pub(crate) const RUN_SIDE_OFFSET: usize = 32 << 10;

const _: () = assert!(size_of::<ArenaHeader>() <= 16 << 10);

/// An arena, by address.
///
/// # Invariants
/// 1. It points to the start of a mapped arena, aligned to `ARENA_SIZE`, for as long as it is used.
/// 2. It carries the provenance of the whole mapping.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(transparent)]
pub(crate) struct ArenaPtr(NonNull<ArenaHeader>);

impl core::ops::Deref for ArenaPtr {
    type Target = ArenaHeader;

    #[inline(always)]
    fn deref(&self) -> &ArenaHeader {
        // SAFETY: invariant 1; zeros are a valid header and all fields are cells.
        unsafe { self.0.as_ref() }
    }
}

impl ArenaPtr {
    /// The arena around an address.
    ///
    /// # Safety
    /// The address lies in the first `ARENA_SIZE` bytes of a mapped arena.
    #[inline(always)]
    pub(crate) unsafe fn of_address(addr: NonZeroUsize) -> ArenaPtr {
        // The provenance of a user's pointer may cover no more than the value in the block; `Arenas::map`
        // exposed that of the mapping.
        let ptr = core::ptr::with_exposed_provenance_mut(addr.get() & !(ARENA_SIZE - 1));
        // SAFETY: an arena never starts at address 0.
        ArenaPtr(unsafe { NonNull::new_unchecked(ptr) })
    }

    /// The arena whose header `ptr` points into, with the provenance of the whole mapping.
    ///
    /// # Safety
    /// As said.
    #[inline(always)]
    pub(crate) unsafe fn of_pool(ptr: NonNull<u8>) -> ArenaPtr {
        let start = ptr.as_ptr().map_addr(|addr| addr & !(ARENA_SIZE - 1));
        // SAFETY: an arena never starts at address 0.
        ArenaPtr(unsafe { NonNull::new_unchecked(start) }.cast())
    }

    /// The first byte of the arena.
    #[inline(always)]
    pub(crate) fn start(self) -> NonNull<u8> {
        self.0.cast()
    }

    /// The pool of unit `index`.
    #[inline(always)]
    pub(crate) fn pool(self, index: usize) -> PoolPtr {
        debug_assert!(index < MAX_UNITS);
        // SAFETY: the array of `MAX_UNITS` pools is the first field of the header.
        let meta = unsafe { self.0.cast::<PoolMeta>().add(index) };
        // SAFETY: it points into a mapped arena and keeps the provenance of the mapping.
        unsafe { PoolPtr::new(meta) }
    }

    /// Index of the unit whose metadata is at `meta`.
    #[inline(always)]
    pub(crate) fn index_of(self, meta: NonNull<u8>) -> usize {
        (meta.addr().get() - self.0.addr().get()) / size_of::<PoolMeta>()
    }

    /// The first byte of unit `index`.
    #[inline(always)]
    pub(crate) fn unit(self, index: usize, shift: u32) -> NonNull<u8> {
        // SAFETY: invariant 1: the arena has `ARENA_SIZE >> shift` units and the index is one of them.
        unsafe { self.start().add(index << shift) }
    }

    /// Bytes charged for the one large block of the arena; 0 for an arena of pools.
    pub(crate) fn run_bytes(self) -> usize {
        self.run_charge.get()
    }

    /// True if the arena holds one large block instead of pools.
    pub(crate) fn is_run(self) -> bool {
        self.run_charge.get() != 0
    }

    /// True if `ptr` lies in the mapping.
    pub(crate) fn contains(self, ptr: *const u8) -> bool {
        ptr.addr().wrapping_sub(self.mapping().addr().get()) < self.size.get()
    }

    /// The first byte of the mapping.
    fn mapping(self) -> NonNull<u8> {
        // SAFETY: invariant 1: the mapping begins `lead` bytes in front of the header.
        unsafe { self.start().sub(self.lead.get()) }
    }

    /// The neighbour with the next higher address.
    pub(crate) fn next(self) -> Option<ArenaPtr> {
        self.next.get()
    }
}

/// What is mapped for an arena.
struct Extent {
    /// Bytes, and their alignment.
    size: usize,
    align: usize,
    /// Bytes in front of the header.
    lead: usize,
    /// Whether it is one huge page, if the source agrees.
    huge: bool,
}

/// All arenas of one heap, of units of `1 << SHIFT` bytes.
///
/// Units come from the fullest arena that has a free one, so that the emptiest arenas can run empty and go
/// back (CPython keeps `usable_arenas` sorted for the same end). Free units stay as they are until there are
/// more than [`Mode::units_kept`]; then wholly free arenas are unmapped, all but one, which stays as pymalloc's
/// does since bpo-37257, and the free units of the others are purged. A heap that soon touches as much again as
/// it gave back has given it back too early, and may keep as much the next time.
///
/// # Invariants
/// 1. If the heap is shared, all fields and the bits and links in the headers are touched only by who holds
///    `lock`; otherwise by one thread.
#[derive(Debug)]
pub(crate) struct Arenas<S: ArenaSource, const SHIFT: u32> {
    source: S,
    lock: RawLock,
    /// Whether threads other than the owner walk and purge these arenas.
    shared: bool,
    /// The arena with the lowest address.
    first: Cell<Option<ArenaPtr>>,
    /// Arenas by number of free units.
    by_free: [Cell<Option<ArenaPtr>>; MAX_UNITS],
    /// Bit n: `by_free[n]` is not empty.
    some_free: Cell<u128>,
    units_used: Cell<usize>,
    units_dirty_free: Cell<usize>,
    /// Units that were given back since `ticked`, and not touched again.
    units_given: Cell<usize>,
    /// Units that were given back too early, half of them forgotten each time.
    units_missed: Cell<usize>,
    /// When half of them were forgotten last, in milliseconds.
    ticked: Cell<u64>,
    count: Cell<usize>,
    highwater: Relaxed<AtomicUsize>,
    mapped_in_all: Relaxed<AtomicUsize>,
}

impl<S: ArenaSource, const SHIFT: u32> Arenas<S, SHIFT> {
    /// Bytes of a unit.
    pub(crate) const UNIT: usize = 1 << SHIFT;
    /// Units of an arena that can hold a pool.
    pub(crate) const UNITS: usize = (ARENA_SIZE >> SHIFT) - 1;
    /// The `free` bitmap of an empty arena: every unit but the header's.
    const ALL_FREE: u128 = (u128::MAX >> (MAX_UNITS - (ARENA_SIZE >> SHIFT))) & !1;

    /// No arenas yet. If `shared`, other threads may walk and purge them.
    pub(crate) const fn new(source: S, shared: bool) -> Self {
        Arenas {
            source,
            lock: RawLock::new(),
            shared,
            first: Cell::new(None),
            by_free: [const { Cell::new(None) }; MAX_UNITS],
            some_free: Cell::new(0),
            units_used: Cell::new(0),
            units_dirty_free: Cell::new(0),
            units_given: Cell::new(0),
            units_missed: Cell::new(0),
            ticked: Cell::new(0),
            count: Cell::new(0),
            highwater: Relaxed::<AtomicUsize>::zero(),
            mapped_in_all: Relaxed::<AtomicUsize>::zero(),
        }
    }

    /// Keeps other threads out, if there are any.
    #[inline]
    pub(crate) fn lock(&self) -> Option<RawGuard<'_>> {
        self.shared.then(|| self.lock.lock())
    }

    /// The lock itself, for the handlers of a `fork`.
    pub(crate) fn raw_lock(&self) -> &RawLock {
        &self.lock
    }

    /// `count` neighbouring units for a pool, from the fullest arena that has them or a new one, of which the
    /// first `touched` may be touched at once. `None` if the budget or the source refuses. The caller must
    /// `format` them. Bit i of the number: unit i of the pool has old content; the others read 0.
    pub(crate) fn take_units(
        &self,
        budget: &Budget,
        tag: usize,
        count: usize,
        touched: usize,
    ) -> Option<(PoolPtr, u128)> {
        debug_assert!(count >= 1 && count <= Self::UNITS);
        let _alone = self.lock();
        let (arena, index) = match self.find_units(count) {
            Some(found) => found,
            None => (self.map_arena(budget, tag)?, 1),
        };
        let units = range(index, count);
        let dirty = units & arena.dirty.get();
        self.touch(budget, arena, range(index, touched))?;
        self.units_dirty_free.set(self.units_dirty_free.get() - dirty.count_ones() as usize);
        self.set_free(arena, arena.free.get() & !units);
        self.units_used.set(self.units_used.get() + count);
        Some((arena.pool(index), dirty >> index))
    }

    /// Charges the units of a pool from `first` on, `count` of them, which are about to be touched.
    pub(crate) fn touch_units(
        &self,
        budget: &Budget,
        pool: PoolPtr,
        first: usize,
        count: usize,
    ) -> Option<()> {
        let _alone = self.lock();
        self.touch(budget, pool.arena(), range(pool.index() + first, count))
    }

    fn touch(&self, budget: &Budget, arena: ArenaPtr, units: u128) -> Option<()> {
        let clean = units & !arena.dirty.get();
        let count = clean.count_ones() as usize;
        budget.charge(count * Self::UNIT)?;
        arena.dirty.set(arena.dirty.get() | clean);
        let missed = count.min(self.units_given.get());
        self.units_given.set(self.units_given.get() - missed);
        self.units_missed.set(self.units_missed.get() + missed);
        Some(())
    }

    /// The fullest arena with `count` neighbouring free units, and the first of them: those that were touched
    /// before come first, then the lowest.
    fn find_units(&self, count: usize) -> Option<(ArenaPtr, usize)> {
        let mut classes = self.some_free.get() & !range(0, count);
        while classes != 0 {
            let free_units = classes.trailing_zeros() as usize;
            let arenas =
                core::iter::successors(self.by_free[free_units].get(), |arena| arena.next_equal.get());
            for arena in arenas {
                let free = arena.free.get();
                let starts = |units: u128| {
                    // Bit i of the result: units i..i + count are all in the set.
                    let (mut starts, mut have) = (units, 1);
                    while have < count {
                        let step = have.min(count - have);
                        starts &= starts >> step;
                        have += step;
                    }
                    starts
                };
                let best = starts(free & arena.dirty.get());
                let best = if best != 0 { best } else { starts(free) };
                if best != 0 {
                    return Some((arena, best.trailing_zeros() as usize));
                }
            }
            classes &= classes - 1;
        }
        None
    }

    /// Takes back the `count` units of a pool that has no live block and is in no list.
    pub(crate) fn return_units(&self, budget: &Budget, pool: PoolPtr, count: usize) {
        debug_assert_eq!(pool.live.get(), 0);
        let _alone = self.lock();
        let arena = pool.arena();
        let units = range(pool.index(), count);
        let dirty = (units & arena.dirty.get()).count_ones() as usize;
        self.units_used.set(self.units_used.get() - count);
        self.units_dirty_free.set(self.units_dirty_free.get() + dirty);
        self.set_free(arena, arena.free.get() | units);
        self.forget_by_the_clock();
        let kept = self.mode().units_kept(self.units_used.get(), self.units_missed.get());
        if self.units_dirty_free.get() > kept {
            self.give_back(budget);
        }
    }

    fn forget_by_the_clock(&self) {
        let now = clock::now();
        if now.saturating_sub(self.ticked.get()) >= FORGET_AFTER {
            self.ticked.set(now);
            self.units_given.set(0);
            self.units_missed.set(self.units_missed.get() / 2);
        }
    }

    /// Gives back the wholly free arenas but one, and the free units of the others.
    #[cold]
    fn give_back(&self, budget: &Budget) {
        let before = self.units_dirty_free.get();
        while let Some(arena) =
            self.by_free[Self::UNITS].get().filter(|arena| arena.next_equal.get().is_some())
        {
            self.unmap_arena(budget, arena);
        }
        self.purge_units(budget);
        self.units_given.set(self.units_given.get() + before - self.units_dirty_free.get());
    }

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
            ArenaPtr(start.cast())
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

    /// Gives back every free unit and every wholly free arena. Returns the bytes that went back.
    pub(crate) fn purge(&self, budget: &Budget) -> usize {
        let _alone = self.lock();
        let before = budget.held_bytes();
        while let Some(arena) = self.by_free[Self::UNITS].get() {
            self.unmap_arena(budget, arena);
        }
        self.purge_units(budget);
        // What was given back because it was asked for, was not given back too early.
        self.units_given.set(0);
        before.saturating_sub(budget.held_bytes())
    }

    /// Arenas, runs included, in ascending address.
    pub(crate) fn iter(&self) -> impl Iterator<Item = ArenaPtr> {
        core::iter::successors(self.first.get(), |arena| arena.next())
    }

    /// Bit i: unit i of the arena holds a pool, or its run.
    pub(crate) fn used_units(arena: ArenaPtr) -> u128 {
        if arena.is_run() { 1 << arena.run_index.get() } else { Self::ALL_FREE & !arena.free.get() }
    }

    /// Pools in use of one arena, in ascending address.
    pub(crate) fn pools_of(arena: ArenaPtr) -> impl Iterator<Item = PoolPtr> {
        let mut used = Self::used_units(arena);
        let units = core::iter::from_fn(move || {
            let index = used.trailing_zeros() as usize;
            used &= used.wrapping_sub(1);
            (index < MAX_UNITS).then(|| arena.pool(index))
        });
        units.filter(|pool| pool.lead() == 0)
    }

    /// Arenas mapped now, runs included.
    #[cfg(test)]
    pub(crate) fn count(&self) -> usize {
        self.count.get()
    }

    /// Most arenas mapped at one time.
    pub(crate) fn highwater(&self) -> usize {
        self.highwater.get()
    }

    /// Arenas ever mapped.
    pub(crate) fn mapped_in_all(&self) -> usize {
        self.mapped_in_all.get()
    }

    /// Units of an arena that were touched and not purged since.
    pub(crate) fn dirty_units(arena: ArenaPtr) -> usize {
        arena.dirty.get().count_ones() as usize
    }

    fn map_arena(&self, budget: &Budget, tag: usize) -> Option<ArenaPtr> {
        // A budget that has no room for the whole arena at once may have some for a few units.
        let units = Self::UNITS * Self::UNIT;
        let huge = self.count.get() >= self.mode().arenas_of_small_pages() && budget.charge(units).is_some();
        let arena =
            self.map(budget, tag, Extent { size: ARENA_SIZE, align: ARENA_SIZE, lead: 0, huge }, Self::UNIT);
        let is_huge = arena.is_some_and(|arena| arena.huge.get());
        if huge && !is_huge {
            budget.release(units);
        }
        let arena = arena?;
        self.set_free(arena, Self::ALL_FREE);
        if is_huge {
            arena.dirty.set(Self::ALL_FREE);
            self.units_dirty_free.set(self.units_dirty_free.get() + Self::UNITS);
        }
        Some(arena)
    }

    /// An explicit heap is balanced.
    fn mode(&self) -> Mode {
        if self.shared { Mode::now() } else { Mode::Balanced }
    }

    /// Maps an extent, charges `charge` for it and enters its arena in the address order.
    fn map(&self, budget: &Budget, tag: usize, extent: Extent, charge: usize) -> Option<ArenaPtr> {
        let Extent { size, align, lead, huge } = extent;
        budget.charge(charge)?;
        let Some(start) = self.source.map(size, align) else {
            budget.release(charge);
            return None;
        };
        debug_assert_eq!(start.addr().get() % align, 0);
        // Before anything is touched: a huge page comes with the first touch or not at all.
        // SAFETY: the range that was just mapped.
        let huge = huge && unsafe { self.source.prefer_huge_page(start, size, true) };
        // Blocks come back by address alone; see `ArenaPtr::of_address`.
        let _ = start.as_ptr().expose_provenance();
        // SAFETY: `lead < size`.
        let arena = ArenaPtr(unsafe { start.add(lead) }.cast());
        arena.size.set(size);
        arena.lead.set(lead);
        arena.huge.set(huge);
        arena.tag.set(tag);
        self.insert_by_address(arena);
        self.count.set(self.count.get() + 1);
        self.highwater.set(self.highwater.get().max(self.count.get()));
        self.mapped_in_all.set(self.mapped_in_all.get() + 1);
        Some(arena)
    }

    /// Unmaps a wholly free arena.
    fn unmap_arena(&self, budget: &Budget, arena: ArenaPtr) {
        debug_assert_eq!(arena.free.get(), Self::ALL_FREE);
        let dirty = arena.dirty.get().count_ones() as usize;
        self.units_dirty_free.set(self.units_dirty_free.get() - dirty);
        self.set_free(arena, 0);
        self.unmap(arena);
        budget.release((dirty + 1) * Self::UNIT);
    }

    fn unmap(&self, arena: ArenaPtr) {
        self.unlink(arena);
        self.count.set(self.count.get() - 1);
        // SAFETY: mapped by `map` with this size and alignment, taken out of every list; no pool of it is in use.
        unsafe { self.source.unmap(arena.mapping(), arena.size.get(), ARENA_SIZE + arena.lead.get()) }
    }

    /// Takes an arena out of the address order.
    fn unlink(&self, arena: ArenaPtr) {
        let (next, prev) = (arena.next.get(), arena.prev.get());
        match prev {
            Some(prev) => prev.next.set(next),
            None => self.first.set(next),
        }
        if let Some(next) = next {
            next.prev.set(prev);
        }
    }

    /// Purges the free dirty units of all arenas, neighbours in one call.
    fn purge_units(&self, budget: &Budget) {
        for arena in self.iter() {
            let mut rest = arena.free.get() & arena.dirty.get();
            if rest != 0 && arena.huge.take() {
                // Or the kernel would put the page together again.
                // SAFETY: a mapped arena.
                unsafe { self.source.prefer_huge_page(arena.start(), ARENA_SIZE, false) };
            }
            while rest != 0 {
                let start = rest.trailing_zeros();
                let count = (!(rest >> start)).trailing_zeros();
                let range = range(start as usize, count as usize);
                rest &= !range;
                let bytes = (count as usize) << SHIFT;
                // SAFETY: units without a pool, inside the arena, page aligned at both ends.
                let purged = unsafe { self.source.purge(arena.unit(start as usize, SHIFT), bytes) };
                if purged == Purged::Returned {
                    arena.dirty.set(arena.dirty.get() & !range);
                    self.units_dirty_free.set(self.units_dirty_free.get() - count as usize);
                    budget.release(bytes);
                }
            }
        }
    }

    /// Sets the free units of an arena and moves it to the list of arenas with that many. An arena with none
    /// is in no such list.
    fn set_free(&self, arena: ArenaPtr, free: u128) {
        let (old, new) = (arena.free.get().count_ones() as usize, free.count_ones() as usize);
        arena.free.set(free);
        if old != 0 {
            let (next, prev) = (arena.next_equal.take(), arena.prev_equal.take());
            match prev {
                Some(prev) => prev.next_equal.set(next),
                None => self.by_free[old].set(next),
            }
            if let Some(next) = next {
                next.prev_equal.set(prev);
            }
            if self.by_free[old].get().is_none() {
                self.some_free.set(self.some_free.get() & !(1 << old));
            }
        }
        if new != 0 {
            let head = self.by_free[new].replace(Some(arena));
            arena.next_equal.set(head);
            if let Some(head) = head {
                head.prev_equal.set(Some(arena));
            }
            self.some_free.set(self.some_free.get() | 1 << new);
        }
    }

    /// Enters an arena in the address order. The kernel hands out descending addresses, so this is one step
    /// nearly always.
    fn insert_by_address(&self, arena: ArenaPtr) {
        let mut before: Option<ArenaPtr> = None;
        let mut after = self.first.get();
        while let Some(at) = after.filter(|at| at.start() < arena.start()) {
            before = Some(at);
            after = at.next.get();
        }
        arena.prev.set(before);
        arena.next.set(after);
        match before {
            Some(before) => before.next.set(Some(arena)),
            None => self.first.set(Some(arena)),
        }
        if let Some(after) = after {
            after.prev.set(Some(arena));
        }
    }
}

impl<S: ArenaSource, const SHIFT: u32> Drop for Arenas<S, SHIFT> {
    fn drop(&mut self) {
        while let Some(arena) = self.first.get() {
            self.unmap(arena);
        }
    }
}
