//! From the address of an object to its number in a full pass.
//!
//! A full pass keeps what it knows about the objects in arrays of its own, one for each [shard](crate::shard) of the heap. The objects of a
//! shard are numbered in address order, pool by pool:
//!
//! ```text
//!   unit of 64 KiB:     | side bytes | block 0 | block 1 | . . . |        number = base + (offset - first) / block size
//!                                    ^ first
//!   entries:            | shard, base, first, 2^32 / block size | . . .   one a unit, by address
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
use crate::side_word::prefetch;
use crate::visitor::Target;

/// log2 of the bytes of a unit, in which one pool lies, or the start of a run.
const UNIT_SHIFT: u32 = 16;
/// Entries for units without a pool that there may be for each one with a pool.
const SPARSE: usize = 16;

/// Which shard an object belongs to, and which number it has there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Place {
    /// [`Place::NOWHERE`] for what is no block of the heap's.
    pub(crate) shard: u32,
    pub(crate) number: usize,
}

impl Place {
    pub(crate) const NOWHERE: u32 = u32::MAX;
}

/// How the blocks in one unit are numbered.
///
/// # Invariants
/// 1. `base + (offset - first) * reciprocal / 2^32` is the number of the block that starts `offset` bytes into the unit.
#[derive(Clone, Copy)]
struct Entry {
    shard: u32,
    base: u32,
    first: u32,
    /// `ceil(2^32 / block size)`: exact, as it is less than the block size too large in units of 2^-32, and offset times
    /// block size is below 2^32. Of a run, which has only block 0, it is 0.
    reciprocal: u32,
}

impl Entry {
    const NOBODY: Entry = Entry { shard: Place::NOWHERE, base: 0, first: 0, reciprocal: 0 };

    #[inline(always)]
    fn place(self, addr: usize) -> Place {
        let offset = (addr as u32 & ((1 << UNIT_SHIFT) - 1)).wrapping_sub(self.first);
        let index = (u64::from(offset) * u64::from(self.reciprocal)) >> 32;
        Place { shard: self.shard, number: self.base as usize + index as usize }
    }
}

/// Neighbouring blocks of one pool: group `i` of a shard has the numbers from `GROUP * i` on.
///
/// # Invariants
/// 1. Blocks of `block_size` bytes lie one after the other from `first` on, `len` of them, at most [`GROUP`]. They are carved blocks of
///    a heap whose pools stay as they are while the group is used.
#[derive(Clone, Copy)]
pub(crate) struct Group {
    first: NonNull<u8>,
    /// Of a run, which has one block, it does not matter.
    block_size: u32,
    len: u32,
}

// SAFETY: addresses; what lies there is reached by other means.
unsafe impl Send for Group {}

impl Group {
    /// How many blocks there are.
    #[inline(always)]
    pub(crate) fn len(&self) -> usize {
        self.len as usize
    }

    /// True if both are groups of one pool.
    pub(crate) fn is_beside(&self, other: &Group) -> bool {
        self.first.addr().get() >> UNIT_SHIFT == other.first.addr().get() >> UNIT_SHIFT
    }

    /// A block.
    ///
    /// # Panics
    /// If there are no so many.
    #[inline(always)]
    pub(crate) fn block(&self, index: usize) -> NonNull<u8> {
        assert!(index < self.len());
        // SAFETY: invariant 1: it lies in the same pool.
        unsafe { self.first.add(index * self.block_size as usize) }
    }

    /// Asks for a block some way behind one of the group from memory.
    #[inline(always)]
    pub(crate) fn prefetch_behind(&self, index: usize) {
        const AHEAD: usize = 1024;
        prefetch(self.first.as_ptr().wrapping_add(index * self.block_size as usize + AHEAD));
    }

    /// The object in a block that is known to hold one.
    ///
    /// # Safety
    /// It does, and the invariants of [`ObjPtr`] hold for it.
    #[inline(always)]
    pub(crate) unsafe fn object(&self, index: usize) -> ObjPtr {
        // SAFETY: the caller's promise.
        unsafe { ObjPtr::new(self.block(index).cast()) }
    }
}

/// The numbering of the blocks of a heap. It holds as long as no object is made or freed.
pub(crate) struct Numbers {
    /// The unit of the first entry.
    first_unit: usize,
    entries: Vec<Entry>,
    /// Entries of units that lie too far apart for `entries`; then that has none.
    scattered: HashMap<usize, Entry>,
}

impl Numbers {
    /// Numbers all carved blocks of a heap and deals its pools to so many shards in turns. `None` if a shard would have more than
    /// 2^32 numbers.
    pub(crate) fn of(heap: &Heap, shards: usize) -> Option<(Numbers, Vec<Vec<Group>>)> {
        let units = || heap.pools.pools().map(unit_of);
        let (first_unit, pools) = (units().next().unwrap_or(0), units().count());
        let span = units().last().unwrap_or(0) - first_unit + 1;
        let dense = span <= SPARSE * (pools + GROUP);
        let entries = vec![Entry::NOBODY; if dense { span } else { 0 }];
        let mut this = Numbers { first_unit, entries, scattered: HashMap::new() };
        let mut groups: Vec<Vec<Group>> = (0..shards).map(|_| Vec::new()).collect();
        for (turn, pool) in heap.pools.pools().enumerate() {
            let shard = turn % shards;
            let groups = &mut groups[shard];
            let reciprocal = match pool.is_run() {
                true => 0,
                false => (1u64 << 32).div_ceil(pool.block_size() as u64) as u32,
            };
            let first = pool.block(0).addr().get() as u32 & ((1 << UNIT_SHIFT) - 1);
            let base = u32::try_from(groups.len() * GROUP).ok()?;
            let entry = Entry { shard: shard as u32, base, first, reciprocal };
            match this.entries.get_mut(unit_of(pool) - first_unit) {
                Some(place) => *place = entry,
                None => drop(this.scattered.insert(unit_of(pool), entry)),
            }
            let (carved, block_size) = (pool.carved(), pool.block_size());
            groups.extend((0..carved).step_by(GROUP).map(|index| Group {
                first: pool.block(index),
                block_size: block_size as u32,
                len: GROUP.min(carved - index) as u32,
            }));
        }
        Some((this, groups))
    }

    /// Where the object at the end of an edge is.
    #[inline(always)]
    pub(crate) fn place(&self, target: Target) -> Place {
        let addr = target.addr().get();
        match self.entries.get((addr >> UNIT_SHIFT).wrapping_sub(self.first_unit)) {
            Some(entry) => entry.place(addr),
            None => self.scattered_place(addr),
        }
    }

    #[cold]
    #[inline(never)]
    fn scattered_place(&self, addr: usize) -> Place {
        self.scattered.get(&(addr >> UNIT_SHIFT)).unwrap_or(&Entry::NOBODY).place(addr)
    }
}

fn unit_of(pool: Pool<'_>) -> usize {
    pool.block(0).addr().get() >> UNIT_SHIFT
}
