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

use crate::pool_meta::{PoolMeta, PoolPtr};
use crate::relaxed::Relaxed;

/// Bytes of an arena, and its alignment.
pub(crate) const ARENA_SIZE: usize = 2 << 20;
/// Most units an arena can have.
pub(crate) const MAX_UNITS: usize = 128;
/// A set of units of an arena, in two halves that other threads may read.
#[derive(Debug)]
pub(crate) struct Units([Relaxed<AtomicUsize>; 2]);

impl Units {
    pub(crate) fn get(&self) -> u128 {
        (self.0[0].get() as u128) | (self.0[1].get() as u128) << 64
    }

    pub(crate) fn set(&self, units: u128) {
        self.0[0].set(units as u64 as usize);
        self.0[1].set((units >> 64) as u64 as usize);
    }
}

const _: () = assert!(usize::BITS == 64, "the sets of units are kept in two words");

/// The units `start..start + count`.
pub(crate) const fn range(start: usize, count: usize) -> u128 {
    if count == 0 { 0 } else { (u128::MAX >> (MAX_UNITS - count)) << start }
}

/// What stands at the start of an arena. All zeros is valid.
#[repr(C)]
#[derive(Debug)]
pub(crate) struct ArenaHeader {
    pools: [PoolMeta; MAX_UNITS],
    /// Neighbours in address order.
    pub(crate) next: Cell<Option<ArenaPtr>>,
    pub(crate) prev: Cell<Option<ArenaPtr>>,
    /// Neighbours among the arenas with the same number of free units.
    pub(crate) next_equal: Cell<Option<ArenaPtr>>,
    pub(crate) prev_equal: Cell<Option<ArenaPtr>>,
    /// Bit i: unit i holds no pool.
    pub(crate) free: Units,
    /// Bit i: unit i was touched since it was mapped or purged.
    pub(crate) dirty: Units,
    /// Bytes mapped from `lead` bytes in front of the header on: `ARENA_SIZE`, or more for a mapping.
    pub(crate) size: Cell<usize>,
    /// Bytes of the mapping in front of the header; not 0 only for a mapping of a large alignment.
    pub(crate) lead: Cell<usize>,
    /// Bytes charged to the budget for a mapping; 0 for an arena of pools.
    pub(crate) run_charge: Relaxed<AtomicUsize>,
    /// Index of the mapping's one pool.
    pub(crate) run_index: Cell<usize>,
    /// Whether the arena is one huge page, and so all of it is touched at once.
    pub(crate) huge: Cell<bool>,
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
    /// # Safety
    /// The invariants of [`ArenaPtr`] must hold; `start` is aligned to `ARENA_SIZE`.
    pub(crate) unsafe fn new(start: NonNull<u8>) -> ArenaPtr {
        ArenaPtr(start.cast())
    }

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
    pub(crate) fn mapping(self) -> NonNull<u8> {
        // SAFETY: invariant 1: the mapping begins `lead` bytes in front of the header.
        unsafe { self.start().sub(self.lead.get()) }
    }

    /// The neighbour with the next higher address.
    pub(crate) fn next(self) -> Option<ArenaPtr> {
        self.next.get()
    }
}
