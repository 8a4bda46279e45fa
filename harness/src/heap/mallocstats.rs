//! What `sys._debugmallocstats()` printed when a dump was made: CPython's own count of its pools and arenas.

/// The totals of pymalloc, as CPython counts them.
///
/// ```text
/// arenas * arena_bytes = allocated + available + unused_pools * pool_bytes + lost
/// allocated            = sum of block_bytes * blocks over the classes
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MallocStats {
    /// The size classes that have pools.
    pub classes: Vec<SizeClass>,
    /// Arenas that are there.
    pub arenas: u64,
    /// Bytes of an arena.
    pub arena_bytes: u64,
    /// Bytes in blocks that are in use.
    pub allocated_bytes: u64,
    /// Bytes in free blocks of pools that have a class.
    pub available_bytes: u64,
    /// Pools that have no class.
    pub unused_pools: u64,
    /// Bytes of a pool.
    pub pool_bytes: u64,
    /// Bytes of pool headers, ends of pools and alignment.
    pub lost_bytes: u64,
    /// The total that was printed.
    pub total_bytes: u64,
}

/// Pools of one block size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SizeClass {
    /// Bytes of a block.
    pub block_bytes: u64,
    /// Pools.
    pub pools: u64,
    /// Blocks in use.
    pub blocks: u64,
    /// Free blocks.
    pub free: u64,
}

impl MallocStats {
    /// Reads the text; none if it is no such text.
    pub fn parse(text: &str) -> Option<MallocStats> {
        let mut it = MallocStats::default();
        let mut in_classes = false;
        for line in text.lines() {
            let words: Vec<&str> = line.split_whitespace().collect();
            match words[..] {
                [] => in_classes = in_classes && it.classes.is_empty(),
                ["class", "size", ..] => in_classes = true,
                [_, size, pools, blocks, free] if in_classes => {
                    if let (Some(block_bytes), Some(pools), Some(blocks), Some(free)) =
                        (number(size), number(pools), number(blocks), number(free))
                    {
                        it.classes.push(SizeClass { block_bytes, pools, blocks, free });
                    }
                }
                ["Total", "=", total] => {
                    // Other tables follow.
                    it.total_bytes = number(total)?;
                    break;
                }
                _ => it.line(&words),
            }
        }
        (it.arena_bytes > 0 && it.total_bytes > 0).then_some(it)
    }

    fn line(&mut self, words: &[&str]) {
        let value = words.last().and_then(|word| number(word)).unwrap_or(0);
        match *words {
            ["#", "arenas", "allocated", "current", ..] => self.arenas = value,
            [_, "arenas", "*", bytes, "bytes/arena", ..] => self.arena_bytes = number(bytes).unwrap_or(0),
            ["#", "bytes", "in", "allocated", ..] => self.allocated_bytes = value,
            ["#", "bytes", "in", "available", ..] => self.available_bytes = value,
            ["#", "bytes", "lost", ..] => self.lost_bytes = self.lost_bytes.saturating_add(value),
            [pools, "unused", "pools", "*", bytes, ..] => {
                self.unused_pools = number(pools).unwrap_or(0);
                self.pool_bytes = number(bytes).unwrap_or(0);
            }
            _ => {}
        }
    }

    /// Pools of all classes.
    pub fn pools(&self) -> u64 {
        self.classes.iter().fold(0, |sum, class| sum.saturating_add(class.pools))
    }
}

fn number(word: &str) -> Option<u64> {
    word.replace(',', "").parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "Small block threshold = 512, in 32 size classes.\n\n\
        class   size   num pools   blocks in use  avail blocks\n\
        -----   ----   ---------   -------------  ------------\n    \
        0     16           1             114           907\n    \
        1     32           2             500         1,540\n\n\
        # arenas allocated total           =                   22\n\
        # arenas allocated current         =                    2\n\
        2 arenas * 1048576 bytes/arena     =            2,097,152\n\n\
        # bytes in allocated blocks        =               17,824\n\
        # bytes in available blocks        =               63,792\n\
        124 unused pools * 16384 bytes     =            2,031,616\n\
        # bytes lost to pool headers       =                  144\n\
        # bytes lost to quantization       =                    0\n\
        # bytes lost to arena alignment    =                   16\n\
        Total                              =            2,097,152\n\n\
        arena map counts\n# arena map mid nodes = 1\nTotal = 655,360\n";

    #[test]
    fn the_table_that_cpython_prints() {
        let it = MallocStats::parse(TEXT).unwrap();
        assert_eq!((it.arenas, it.arena_bytes, it.unused_pools, it.pool_bytes), (2, 1 << 20, 124, 16 << 10));
        assert_eq!((it.allocated_bytes, it.available_bytes, it.lost_bytes), (17_824, 63_792, 160));
        assert_eq!((it.classes.len(), it.pools(), it.total_bytes), (2, 3, 2 << 20));
        assert_eq!(it.classes[1], SizeClass { block_bytes: 32, pools: 2, blocks: 500, free: 1540 });
        assert_eq!(MallocStats::parse("no such text\nTotal = 7\n"), None);
        assert_eq!(MallocStats::parse(""), None);
    }
}
