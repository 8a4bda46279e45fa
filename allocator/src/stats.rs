//! What a heap holds, in CPython's vocabulary.

use core::fmt;

use crate::arena::ARENA_SIZE;
use crate::size_class::{SMALL_CLASSES, SizeClass};

/// Pools and blocks of one size class.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ClassStats {
    /// Bytes of a block.
    pub block_size: usize,
    /// Pools of this class.
    pub pools: usize,
    /// Blocks that the user holds.
    pub blocks_in_use: usize,
    /// Free blocks in the bin, ready to hand out.
    pub blocks_cached: usize,
    /// Other free blocks of the class's pools, virgin ones included.
    pub blocks_available: usize,
}

/// Bytes and counts of a heap at one moment.
///
/// ```text
/// arena_bytes == bytes_in_use + bytes_cached + bytes_available + pool_tail_bytes
///              + unused_pools * pool_bytes + header_bytes
/// held_bytes  == header_bytes + (pools + unused pools that were touched) * pool_bytes + large_bytes
/// ```
///
/// [`Display`](fmt::Display) prints the table of CPython's `sys._debugmallocstats()`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stats {
    pool_bytes: usize,
    pools_per_arena: usize,
    cached: [usize; SMALL_CLASSES],
    pools: [usize; SMALL_CLASSES],
    live: [usize; SMALL_CLASSES],
    arenas: usize,
    arenas_highwater: usize,
    arenas_mapped: usize,
    held_bytes: usize,
    peak_held_bytes: usize,
    unused_touched: usize,
    large_blocks: usize,
    large_bytes: usize,
}

impl Stats {
    pub(crate) fn new(pool_bytes: usize, pools_per_arena: usize) -> Stats {
        Stats {
            pool_bytes,
            pools_per_arena,
            cached: [0; SMALL_CLASSES],
            pools: [0; SMALL_CLASSES],
            live: [0; SMALL_CLASSES],
            arenas: 0,
            arenas_highwater: 0,
            arenas_mapped: 0,
            held_bytes: 0,
            peak_held_bytes: 0,
            unused_touched: 0,
            large_blocks: 0,
            large_bytes: 0,
        }
    }

    pub(crate) fn add_cached(&mut self, class: usize, blocks: usize) {
        self.cached[class] += blocks;
    }

    pub(crate) fn add_pool(&mut self, class: usize, live: usize) {
        self.pools[class] += 1;
        self.live[class] += live;
    }

    pub(crate) fn set_arenas(&mut self, now: usize, highwater: usize, mapped: usize) {
        (self.arenas, self.arenas_highwater, self.arenas_mapped) = (now, highwater, mapped);
    }

    pub(crate) fn set_held(&mut self, held: usize, peak: usize, unused_touched: usize) {
        (self.held_bytes, self.peak_held_bytes, self.unused_touched) = (held, peak, unused_touched);
    }

    pub(crate) fn set_large(&mut self, blocks: usize, bytes: usize) {
        (self.large_blocks, self.large_bytes) = (blocks, bytes);
    }

    /// Every size class that has pools, smallest first.
    pub fn classes(&self) -> impl Iterator<Item = ClassStats> + '_ {
        (0..SMALL_CLASSES).filter(|&class| self.pools[class] > 0).map(|class| {
            let block_size = SizeClass::from_index(class).size();
            let capacity = self.pools[class] * (self.pool_bytes / block_size);
            ClassStats {
                block_size,
                pools: self.pools[class],
                blocks_in_use: self.live[class] - self.cached[class],
                blocks_cached: self.cached[class],
                blocks_available: capacity - self.live[class],
            }
        })
    }

    /// Blocks that the user holds, large ones included.
    pub fn blocks_in_use(&self) -> usize {
        self.classes().map(|class| class.blocks_in_use).sum::<usize>() + self.large_blocks
    }

    /// Bytes of the pool blocks that the user holds, each rounded up to its class.
    pub fn bytes_in_use(&self) -> usize {
        self.classes().map(|class| class.blocks_in_use * class.block_size).sum()
    }

    /// Bytes of the free blocks in bins.
    pub fn bytes_cached(&self) -> usize {
        self.classes().map(|class| class.blocks_cached * class.block_size).sum()
    }

    /// Bytes of the other free blocks of pools.
    pub fn bytes_available(&self) -> usize {
        self.classes().map(|class| class.blocks_available * class.block_size).sum()
    }

    /// Bytes at the ends of pools that are too short for a block ("lost to quantization").
    pub fn pool_tail_bytes(&self) -> usize {
        self.classes().map(|class| class.pools * (self.pool_bytes % class.block_size)).sum()
    }

    /// Pools that hold blocks of a class.
    pub fn pools(&self) -> usize {
        self.pools.iter().sum()
    }

    /// Pools of mapped arenas that hold nothing.
    pub fn unused_pools(&self) -> usize {
        self.arenas * self.pools_per_arena - self.pools()
    }

    /// Bytes of a pool.
    pub fn pool_bytes(&self) -> usize {
        self.pool_bytes
    }

    /// Arenas mapped now.
    pub fn arenas(&self) -> usize {
        self.arenas
    }

    /// Most arenas mapped at one time.
    pub fn arenas_highwater(&self) -> usize {
        self.arenas_highwater
    }

    /// Bytes of address space of the arenas mapped now.
    pub fn arena_bytes(&self) -> usize {
        self.arenas * ARENA_SIZE
    }

    /// Bytes of arena headers, which hold the metadata of all pools.
    pub fn header_bytes(&self) -> usize {
        self.arenas * self.pool_bytes
    }

    /// Bytes that the heap keeps from the rest of the machine: headers, pools, touched unused pools, large
    /// blocks. Address space that was mapped but never touched does not count.
    pub fn held_bytes(&self) -> usize {
        self.held_bytes
    }

    /// Most bytes held at one time.
    pub fn peak_held_bytes(&self) -> usize {
        self.peak_held_bytes
    }

    /// Unused pools that were touched and not purged since.
    pub fn unused_touched_pools(&self) -> usize {
        self.unused_touched
    }

    /// Blocks above 512 bytes.
    pub fn large_blocks(&self) -> usize {
        self.large_blocks
    }

    /// Bytes asked of the system for large blocks, their headers included.
    pub fn large_bytes(&self) -> usize {
        self.large_bytes
    }
}

impl fmt::Display for Stats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "class   size   num pools   blocks in use  avail blocks")?;
        writeln!(f, "-----   ----   ---------   -------------  ------------")?;
        for (index, class) in self.classes().enumerate() {
            let available = class.blocks_available + class.blocks_cached;
            writeln!(
                f,
                "{index:5} {:6} {:11} {:15} {available:13}",
                class.block_size, class.pools, class.blocks_in_use
            )?;
        }
        writeln!(f)?;
        let mut line = |what: &str, value: usize| writeln!(f, "{what:<42} = {value:20}");
        line("# arenas allocated total", self.arenas_mapped)?;
        line("# arenas reclaimed", self.arenas_mapped - self.arenas)?;
        line("# arenas highwater mark", self.arenas_highwater)?;
        line("# arenas allocated current", self.arenas)?;
        line(&format!("{} arenas * {ARENA_SIZE} bytes/arena", self.arenas), self.arena_bytes())?;
        line("# bytes in allocated blocks", self.bytes_in_use())?;
        line("# bytes in available blocks", self.bytes_available() + self.bytes_cached())?;
        let unused = self.unused_pools();
        line(&format!("{unused} unused pools * {} bytes", self.pool_bytes), unused * self.pool_bytes)?;
        line("# bytes lost to arena headers", self.header_bytes())?;
        line("# bytes lost to quantization", self.pool_tail_bytes())?;
        line("Total", self.arena_bytes())?;
        line("# large blocks", self.large_blocks)?;
        line("# bytes in large blocks", self.large_bytes)?;
        line("# bytes held", self.held_bytes)
    }
}
