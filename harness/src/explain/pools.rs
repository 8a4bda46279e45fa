//! What `sys._debugmallocstats()` says about pymalloc's arenas.
//!
//! ```text
//! arenas * bytes of an arena = allocated + available + unused pools + headers + quantization + alignment
//! ```

use crate::heap::MallocStats;

/// pymalloc's arenas, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pools {
    /// Arenas mapped.
    pub arenas: u64,
    /// Bytes of one.
    pub arena_bytes: u64,
    /// Blocks in use, each as large as its size class.
    pub allocated: u64,
    /// Free blocks of pools that are in use.
    pub available: u64,
    /// Pools without a block in use.
    pub unused: u64,
    /// Headers, ends of pools that are no whole block, and ends of arenas that are no whole pool.
    pub lost: u64,
}

impl Pools {
    /// Reads the text; none if it is of another form, or there are no arenas because another allocator serves.
    pub fn parse(text: &str) -> Option<Pools> {
        let stats = MallocStats::parse(text)?;
        (stats.arenas > 0).then_some(Pools {
            arenas: stats.arenas,
            arena_bytes: stats.arena_bytes,
            allocated: stats.allocated_bytes,
            available: stats.available_bytes,
            unused: stats.unused_pools.saturating_mul(stats.pool_bytes),
            lost: stats.lost_bytes,
        })
    }

    /// Bytes of all arenas.
    pub fn bytes(&self) -> u64 {
        self.arenas.saturating_mul(self.arena_bytes)
    }

    /// Bytes of the arenas that would be left if what is in use were packed as densely as pools can be: 1 of 64
    /// pools' bytes is lost to headers and ends of blocks, and one arena is open.
    pub fn packed_bytes(&self) -> u64 {
        let packed = self.allocated.saturating_add(self.allocated / 32);
        let arenas = packed.div_ceil(self.arena_bytes.max(1)).saturating_add(1);
        arenas.saturating_mul(self.arena_bytes).min(self.bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "Small block threshold = 512, in 32 size classes.
    0     16          15            2001             9

# arenas allocated total           =                    6
# arenas allocated current         =                    6
6 arenas * 262144 bytes/arena      =            1,572,864

# bytes in allocated blocks        =            1,308,000
# bytes in available blocks        =               64,160
41 unused pools * 4096 bytes       =              167,936
# bytes lost to pool headers       =               16,464
# bytes lost to quantization       =               16,304
# bytes lost to arena alignment    =                    0
Total                              =            1,572,864

arena map counts
# bytes lost to arena map root     =              262,144
           10 free PyDictObjects * 48 bytes each =                  480
   9 free 1-sized PyTupleObjects * 32 bytes each =                  288
";

    #[test]
    fn the_parts_sum_to_the_arenas() {
        let pools = Pools::parse(TEXT).unwrap();
        assert_eq!((pools.arenas, pools.arena_bytes), (6, 262_144));
        assert_eq!(pools.bytes(), pools.allocated + pools.available + pools.unused + pools.lost);
        assert_eq!(pools.packed_bytes(), 6 * 262_144, "one more than the five and a bit that are full");
        let sparse = Pools { allocated: 262_144, ..pools };
        assert_eq!(sparse.packed_bytes(), 3 * 262_144);
    }

    #[test]
    fn another_text_says_nothing() {
        assert_eq!(Pools::parse(""), None);
        assert_eq!(Pools::parse("arenas"), None);
        let none = TEXT.replace(
            "arenas allocated current         =                    6",
            "arenas allocated current = 0",
        );
        assert_eq!(Pools::parse(&none), None);
        let huge = TEXT.replace("1,308,000", "18446744073709551615");
        assert!(Pools::parse(&huge).unwrap().packed_bytes() <= 1_572_864);
    }
}
