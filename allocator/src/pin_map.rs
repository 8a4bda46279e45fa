//! Which pools and arenas are how full: what keeps memory from going back.

use core::fmt;

use crate::arena::{ARENA_SIZE, ArenaPtr};
use crate::arenas::Arenas;
use crate::pool_meta::RUN;
use crate::route::{SHIFT, UNIT};
use crate::size_class::SizeClass;
use crate::source::ArenaSource;

/// Units of an arena, its header's left out.
const UNITS: usize = ARENA_SIZE / UNIT - 1;

/// A pool of an arena, or a run of its units.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PoolFill {
    /// Address of the pool.
    pub address: usize,
    /// Bytes of the pool.
    pub bytes: usize,
    /// Bytes of a block; of a run, all its bytes.
    pub block_size: usize,
    /// Blocks that the pool has room for.
    pub capacity: usize,
    /// Blocks that are handed out: to the user, or into the bin of the class.
    pub live: usize,
}

/// An arena with its pools at one moment.
#[derive(Clone)]
pub struct ArenaFill {
    address: usize,
    touched_units: usize,
    pools: [PoolFill; UNITS],
    count: usize,
}

impl ArenaFill {
    /// The fill of an arena, with the others kept away.
    pub(crate) fn of<S: ArenaSource>(arena: ArenaPtr) -> ArenaFill {
        let mut fill = ArenaFill {
            address: arena.start().addr().get(),
            touched_units: Arenas::<S, SHIFT>::dirty_units(arena),
            pools: [PoolFill::default(); UNITS],
            count: 0,
        };
        for pool in Arenas::<S, SHIFT>::pools_of(arena) {
            let (block_size, capacity) = (pool.block_size.get(), pool.capacity.get() as usize);
            let (bytes, live) = match pool.class.get() {
                RUN => (block_size, pool.live.get() as usize),
                class => (SizeClass::from_index(class as usize).units() * UNIT, pool.lent()),
            };
            let address = pool.base(SHIFT).addr().get();
            fill.pools[fill.count] = PoolFill { address, bytes, block_size, capacity, live };
            fill.count += 1;
        }
        fill
    }

    /// Address of the arena, a multiple of 2 MiB.
    pub fn address(&self) -> usize {
        self.address
    }

    /// Bytes of the arena that were touched and not purged since, its header included.
    pub fn held_bytes(&self) -> usize {
        (self.touched_units + 1) * UNIT
    }

    /// Bytes of the arena's units that belong to no pool.
    pub fn free_bytes(&self) -> usize {
        // The owner may be taking units while another thread looks: never below 0.
        (UNITS * UNIT).saturating_sub(self.pools().iter().map(|pool| pool.bytes).sum())
    }

    /// The pools and runs, by address. The emptiest are what pins the arena at the least use.
    pub fn pools(&self) -> &[PoolFill] {
        &self.pools[..self.count]
    }
}

impl fmt::Debug for ArenaFill {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ArenaFill")
            .field("address", &format_args!("{:#x}", self.address))
            .field("held_bytes", &self.held_bytes())
            .field("pools", &self.pools())
            .finish()
    }
}
