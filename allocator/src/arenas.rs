//! All arenas of one heap: which units are free, and what goes back when.
#![allow(unsafe_code, reason = "maps, purges and unmaps memory")]

use core::cell::Cell;
use core::sync::atomic::AtomicUsize;

use crate::arena::{ARENA_SIZE, ArenaPtr, MAX_UNITS, range};
use crate::clock;
use crate::mode::Mode;
use crate::pool_meta::PoolPtr;
use crate::protocol::budget::Budget;
use crate::protocol::lock::{RawGuard, RawLock};
use crate::relaxed::Relaxed;
use crate::source::{ArenaSource, Purged};

mod runs;

/// Milliseconds after which a part of the units that were missed is forgotten.
const FORGET_AFTER: u64 = 500;

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
    /// Units that were given back too early, a part of them forgotten each time.
    units_missed: Cell<usize>,
    /// When a part of them was forgotten last, in milliseconds.
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
            let missed = self.units_missed.get();
            // A shared heap is purged by the clock as well, whatever it has missed.
            self.units_missed.set(if self.shared { missed - missed.div_ceil(8) } else { missed / 2 });
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
        let header = unsafe { start.add(lead) };
        // SAFETY: mapped above, reading 0, and aligned because `align` and `lead` are multiples of an arena.
        let arena = unsafe { ArenaPtr::new(header) };
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
