//! What a heap holds, in CPython's vocabulary.

use core::fmt;

use crate::arena::ARENA_SIZE;
use crate::route::UNIT;
use crate::size_class::{CLASSES, SizeClass};

/// Units of an arena, its header's left out.
const UNITS_PER_ARENA: usize = ARENA_SIZE / UNIT - 1;

/// Pools and blocks of one size class.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ClassStats {
    /// Bytes of a block.
    pub block_size: usize,
    /// Pools of this class.
    pub pools: usize,
    /// Bytes of a pool: 16, 64 or 256 KiB.
    pub pool_bytes: usize,
    /// Blocks that the user holds.
    pub blocks_in_use: usize,
    /// Free blocks in the bin, ready to hand out; of other running threads' bins none.
    pub blocks_cached: usize,
    /// Other free blocks of the class's pools, virgin ones included.
    pub blocks_available: usize,
}

/// Bytes and counts of a heap at one moment.
///
/// ```text
/// arena_bytes == bytes_in_use + bytes_cached + bytes_available + pool_tail_bytes
///              + run_bytes + unused_unit_bytes + header_bytes
/// held_bytes  == header_bytes + touched_bytes + mapped_bytes
/// ```
///
/// [`Display`](fmt::Display) prints the table of CPython's `sys._debugmallocstats()`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stats {
    cached: [usize; CLASSES],
    perhaps_cached: [usize; CLASSES],
    pools: [usize; CLASSES],
    live: [usize; CLASSES],
    arenas: usize,
    arenas_highwater: usize,
    arenas_mapped: usize,
    held_bytes: usize,
    peak_held_bytes: usize,
    units_touched: usize,
    runs: usize,
    run_bytes: usize,
    mappings: usize,
    mapping_bytes: usize,
    mapped_bytes: usize,
}

impl Stats {
    pub(crate) fn empty() -> Stats {
        Stats {
            cached: [0; CLASSES],
            perhaps_cached: [0; CLASSES],
            pools: [0; CLASSES],
            live: [0; CLASSES],
            arenas: 0,
            arenas_highwater: 0,
            arenas_mapped: 0,
            held_bytes: 0,
            peak_held_bytes: 0,
            units_touched: 0,
            runs: 0,
            run_bytes: 0,
            mappings: 0,
            mapping_bytes: 0,
            mapped_bytes: 0,
        }
    }

    pub(crate) fn add_cached(&mut self, class: usize, blocks: usize) {
        self.cached[class] += blocks;
    }

    /// Blocks that are in a bin of another thread, or were taken from it since it was filled.
    pub(crate) fn add_perhaps_cached(&mut self, class: usize, blocks: usize) {
        self.perhaps_cached[class] += blocks;
    }

    pub(crate) fn add_pool(&mut self, class: usize, live: usize) {
        self.pools[class] += 1;
        self.live[class] += live;
    }

    pub(crate) fn add_run(&mut self, bytes: usize) {
        self.runs += 1;
        self.run_bytes += bytes;
    }

    /// A block of `bytes` bytes in a mapping that is charged as `charge`.
    pub(crate) fn add_mapping(&mut self, bytes: usize, charge: usize) {
        self.mappings += 1;
        self.mapping_bytes += bytes;
        self.mapped_bytes += charge;
    }

    /// An arena of which `touched` units were touched and not purged since.
    pub(crate) fn add_arena(&mut self, touched: usize) {
        self.arenas += 1;
        self.units_touched += touched;
    }

    pub(crate) fn add_arenas(&mut self, highwater: usize, mapped: usize) {
        self.arenas_highwater += highwater;
        self.arenas_mapped += mapped;
    }

    pub(crate) fn add_held(&mut self, held: usize, peak: usize) {
        self.held_bytes += held;
        self.peak_held_bytes += peak;
    }

    /// Adds what another heap holds.
    pub(crate) fn add(&mut self, other: &Stats) {
        for class in 0..CLASSES {
            self.cached[class] += other.cached[class];
            self.perhaps_cached[class] += other.perhaps_cached[class];
            self.pools[class] += other.pools[class];
            self.live[class] += other.live[class];
        }
        self.arenas += other.arenas;
        self.units_touched += other.units_touched;
        self.runs += other.runs;
        self.run_bytes += other.run_bytes;
        self.mappings += other.mappings;
        self.mapping_bytes += other.mapping_bytes;
        self.mapped_bytes += other.mapped_bytes;
        self.add_arenas(other.arenas_highwater, other.arenas_mapped);
        self.add_held(other.held_bytes, other.peak_held_bytes);
    }

    /// Blocks above 1 MiB that belong to no heap.
    pub(crate) fn add_mappings(&mut self, count: usize, bytes: usize) {
        self.mappings += count;
        self.mapping_bytes += bytes;
        self.mapped_bytes += bytes;
        self.held_bytes += bytes;
    }

    /// Every size class that has pools, smallest first.
    pub fn classes(&self) -> impl Iterator<Item = ClassStats> + '_ {
        (0..CLASSES).filter(|&class| self.pools[class] > 0).map(|index| {
            let class = SizeClass::from_index(index);
            let pool_bytes = class.units() * UNIT;
            let capacity = self.pools[index] * (pool_bytes / class.size());
            ClassStats {
                block_size: class.size(),
                pools: self.pools[index],
                pool_bytes,
                // Another thread may be at work while its heap is read: never below 0.
                blocks_in_use: self.live[index].saturating_sub(self.cached[index]),
                blocks_cached: self.cached[index],
                blocks_available: capacity.saturating_sub(self.live[index]),
            }
        })
    }

    /// Blocks that the user holds, runs and mappings included. What is in the bins of other running threads counts,
    /// too: nobody but they can tell it from what they took out.
    pub fn blocks_in_use(&self) -> usize {
        self.classes().map(|class| class.blocks_in_use).sum::<usize>() + self.large_blocks()
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
        self.classes().map(|class| class.pools * (class.pool_bytes % class.block_size)).sum()
    }

    /// Pools that hold blocks of a class.
    pub fn pools(&self) -> usize {
        self.pools.iter().sum()
    }

    /// Bytes of mapped arenas that belong to no pool and no run.
    pub fn unused_unit_bytes(&self) -> usize {
        let pools: usize = self.classes().map(|class| class.pools * class.pool_bytes).sum();
        (self.arenas * UNITS_PER_ARENA * UNIT).saturating_sub(pools + self.run_bytes)
    }

    /// Bytes of arena units, used or not, that were touched and not purged since.
    pub fn touched_bytes(&self) -> usize {
        self.units_touched * UNIT
    }

    /// Arenas of pools and runs that are mapped now.
    pub fn arenas(&self) -> usize {
        self.arenas
    }

    /// Most mappings, arenas and large blocks, at one time.
    pub fn arenas_highwater(&self) -> usize {
        self.arenas_highwater
    }

    /// Bytes of address space of the arenas mapped now.
    pub fn arena_bytes(&self) -> usize {
        self.arenas * ARENA_SIZE
    }

    /// Bytes of arena headers, which hold the metadata of all pools.
    pub fn header_bytes(&self) -> usize {
        self.arenas * UNIT
    }

    /// Bytes that the heap keeps from the rest of the machine: headers, touched units, mappings. The parts of
    /// arenas and pools that were never touched do not count.
    pub fn held_bytes(&self) -> usize {
        self.held_bytes
    }

    /// Bytes held that nobody uses, at most: free blocks, ends of pools, free units that were not given back,
    /// headers, and what was in the bins of other running threads when they filled them.
    pub fn idle_bytes(&self) -> usize {
        let perhaps: usize =
            (0..CLASSES).map(|class| self.perhaps_cached[class] * SizeClass::from_index(class).size()).sum();
        let used = self.bytes_in_use().saturating_sub(perhaps) + self.run_bytes + self.mapped_bytes;
        self.held_bytes.saturating_sub(used)
    }

    /// Most bytes held at one time.
    pub fn peak_held_bytes(&self) -> usize {
        self.peak_held_bytes
    }

    /// Blocks above 32 KiB: runs and mappings.
    pub fn large_blocks(&self) -> usize {
        self.runs + self.mappings
    }

    /// Bytes of those blocks, rounded up to units for runs.
    pub fn large_bytes(&self) -> usize {
        self.run_bytes + self.mapping_bytes
    }

    /// Bytes of arena units that are runs: blocks of 32 KiB to 1 MiB.
    pub fn run_bytes(&self) -> usize {
        self.run_bytes
    }

    /// Bytes of the mappings of blocks above 1 MiB, their headers included.
    pub fn mapped_bytes(&self) -> usize {
        self.mapped_bytes
    }
}

impl fmt::Display for Stats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "class   size   num pools   blocks in use  avail blocks")?;
        writeln!(f, "-----   ----   ---------   -------------  ------------")?;
        for (index, class) in self.classes().enumerate() {
            let available = class.blocks_available + class.blocks_cached;
            let (size, pools, used) = (class.block_size, class.pools, class.blocks_in_use);
            writeln!(f, "{index:5} {size:6} {pools:11} {used:15} {available:13}")?;
        }
        writeln!(f)?;
        let mut line = |what: fmt::Arguments<'_>, value: usize| {
            // A width does not apply to `Arguments`, so the label is padded by hand.
            struct Length(usize);
            impl fmt::Write for Length {
                fn write_str(&mut self, text: &str) -> fmt::Result {
                    self.0 += text.len();
                    Ok(())
                }
            }
            let mut length = Length(0);
            fmt::Write::write_fmt(&mut length, what)?;
            writeln!(f, "{what}{:pad$} = {value:20}", "", pad = 42usize.saturating_sub(length.0))
        };
        line(format_args!("# arenas and mappings highwater mark"), self.arenas_highwater)?;
        line(format_args!("# arenas and mappings allocated total"), self.arenas_mapped)?;
        line(format_args!("# arenas allocated current"), self.arenas)?;
        line(format_args!("{} arenas * {ARENA_SIZE} bytes/arena", self.arenas), self.arena_bytes())?;
        line(format_args!("# bytes in allocated blocks"), self.bytes_in_use())?;
        line(format_args!("# bytes in available blocks"), self.bytes_available() + self.bytes_cached())?;
        line(format_args!("# bytes in {} runs", self.runs), self.run_bytes)?;
        line(format_args!("# bytes in unused pools"), self.unused_unit_bytes())?;
        line(format_args!("# bytes lost to arena headers"), self.header_bytes())?;
        line(format_args!("# bytes lost to quantization"), self.pool_tail_bytes())?;
        line(format_args!("Total"), self.arena_bytes())?;
        line(format_args!("# bytes in {} mappings", self.mappings), self.mapped_bytes)?;
        line(format_args!("# bytes held"), self.held_bytes)
    }
}
