//! From the address of an object to its number in a full pass.
//!
//! A full pass keeps what it knows about the objects in arrays of its own. Objects are numbered in address order, pool by pool:
//!
//! ```text
//!   unit of 64 KiB:     | side bytes | block 0 | block 1 | . . . |        number = base + (offset - first) / block size
//!                                    ^ first
//!   entries:            | base, first, 2^32 / block size | . . . |        one a unit, by address
//! ```
//!
//! The entries of a heap of a million objects fit into the first level of the cache, which the metadata of as many pools do not:
//! those lie at the same place of each arena, 2 MiB apart, and compete for a few cache sets.
#![allow(unsafe_code, reason = "a number leads to an object again")]

use core::ptr::NonNull;
use std::collections::HashMap;

use cpymem_allocator::pool::Pool;

use crate::heap::Heap;
use crate::object::ObjPtr;
use crate::reached::GROUP;
use crate::visitor::Target;

/// log2 of the bytes of a unit, in which one pool lies, or the start of a run.
const UNIT_SHIFT: u32 = 16;
/// Entries for units without a pool that there may be for each one with a pool.
const SPARSE: usize = 16;

/// The number of what is no block of the heap's. Nothing else has it.
pub(crate) const NOBODY: usize = 0;

/// How the blocks in one unit are numbered.
///
/// # Invariants
/// 1. `base + (offset - first) * reciprocal / 2^32` is the number of the block that starts `offset` bytes into the unit. For
///    a unit without a pool all are 0, so everything in it is [`NOBODY`].
#[derive(Clone, Copy, Default)]
struct Entry {
    base: usize,
    first: u32,
    /// `ceil(2^32 / block size)`: exact, as it is less than the block size too large in units of 2^-32, and offset times
    /// block size is below 2^32. Of a run, which has only block 0, it is 0.
    reciprocal: u32,
}

impl Entry {
    #[inline(always)]
    fn number(self, addr: usize) -> usize {
        let offset = (addr as u32 & ((1 << UNIT_SHIFT) - 1)).wrapping_sub(self.first);
        self.base + ((u64::from(offset) * u64::from(self.reciprocal)) >> 32) as usize
    }
}

/// Neighbouring blocks of one pool: those with the numbers from `GROUP * i` on, if this is group i.
#[derive(Clone, Copy)]
struct Group {
    first: NonNull<u8>,
    block_size: usize,
}

/// The numbering of the blocks of a heap. The numbers of a pool start at a multiple of [`GROUP`], so a group lies in one pool. It holds
/// as long as no object is made or freed.
pub(crate) struct Numbers {
    /// The unit of the first entry.
    first_unit: usize,
    entries: Vec<Entry>,
    /// Entries of units that lie too far apart for `entries`; then that has none.
    scattered: HashMap<usize, Entry>,
    groups: Vec<Group>,
}

// SAFETY: addresses and numbers; what lies there is reached by other means.
unsafe impl Send for Numbers {}
// SAFETY: as above.
unsafe impl Sync for Numbers {}

impl Numbers {
    /// Numbers all carved blocks of a heap.
    pub(crate) fn of(heap: &Heap) -> Numbers {
        let units = || heap.pools.pools().map(unit_of);
        let (first_unit, pools) = (units().next().unwrap_or(0), units().count());
        let span = units().last().unwrap_or(0) - first_unit + 1;
        let dense = span <= SPARSE * (pools + GROUP);
        let mut this = Numbers {
            first_unit,
            entries: vec![Entry::default(); if dense { span } else { 0 }],
            scattered: HashMap::new(),
            // The first group is nobody's.
            groups: vec![Group { first: NonNull::dangling(), block_size: 0 }],
        };
        for pool in heap.pools.pools() {
            let base = this.len();
            let reciprocal = match pool.is_run() {
                true => 0,
                false => (1u64 << 32).div_ceil(pool.block_size() as u64) as u32,
            };
            let first = pool.block(0).addr().get() as u32 & ((1 << UNIT_SHIFT) - 1);
            let entry = Entry { base, first, reciprocal };
            match this.entries.get_mut(unit_of(pool) - first_unit) {
                Some(place) => *place = entry,
                None => drop(this.scattered.insert(unit_of(pool), entry)),
            }
            let block_size = pool.block_size();
            let firsts = (0..pool.carved()).step_by(GROUP).map(|index| pool.block(index));
            this.groups.extend(firsts.map(|first| Group { first, block_size }));
        }
        this
    }

    /// Numbers that are given, those of nobody and beyond the ends of pools included: all are below it.
    pub(crate) fn len(&self) -> usize {
        self.groups.len() * GROUP
    }

    /// The number of groups, each of [`GROUP`] numbers.
    pub(crate) fn groups(&self) -> usize {
        self.groups.len()
    }

    /// The object number `place` of a group.
    ///
    /// # Safety
    /// There is one, and the invariants of [`ObjPtr`] hold for it.
    #[inline(always)]
    pub(crate) unsafe fn object(&self, group: usize, place: usize) -> ObjPtr {
        let Group { first, block_size } = self.groups[group];
        // SAFETY: the caller says that the block is there, so the address lies in the same pool as that of the first.
        let block = unsafe { first.add(place * block_size) };
        // SAFETY: the caller's promise.
        unsafe { ObjPtr::new(block.cast()) }
    }

    /// The number of the object at the end of an edge; [`NOBODY`] if it is none of this heap's.
    #[inline(always)]
    pub(crate) fn of_target(&self, target: Target) -> usize {
        let addr = target.addr().get();
        match self.entries.get((addr >> UNIT_SHIFT).wrapping_sub(self.first_unit)) {
            Some(entry) => entry.number(addr),
            None => self.scattered_number(addr),
        }
    }

    #[cold]
    #[inline(never)]
    fn scattered_number(&self, addr: usize) -> usize {
        self.scattered.get(&(addr >> UNIT_SHIFT)).map_or(NOBODY, |entry| entry.number(addr))
    }
}

/// Every pool of a heap with the number of its first block, in ascending order.
pub(crate) fn numbered_pools(heap: &Heap) -> impl Iterator<Item = (Pool<'_>, usize)> {
    heap.pools.pools().scan(GROUP, |next, pool| {
        let base = *next;
        *next += pool.carved().next_multiple_of(GROUP);
        Some((pool, base))
    })
}

fn unit_of(pool: Pool<'_>) -> usize {
    pool.block(0).addr().get() >> UNIT_SHIFT
}
