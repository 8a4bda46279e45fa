//! What `sys._debugmallocstats()` says about pymalloc's arenas, read from its text.
//!
//! ```text
//! arenas * bytes of an arena = allocated + available + unused pools + headers + quantization + alignment
//! ```

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
    /// Blocks on free lists of objects, which count as in use.
    pub free_lists: u64,
}

impl Pools {
    /// Reads the text; none if it is of another form, or there are no arenas because another allocator serves.
    pub fn parse(text: &str) -> Option<Pools> {
        let mut pools = Pools::default();
        let mut seen = 0;
        for line in text.lines() {
            let number = || trailing_number(line);
            if let Some(rest) = line.strip_prefix("# bytes ") {
                let Some(value) = number() else { continue };
                match rest.split('=').next().unwrap_or_default().trim_end() {
                    "in allocated blocks" => {
                        pools.allocated = value;
                        seen += 1;
                    }
                    "in available blocks" => {
                        pools.available = value;
                        seen += 1;
                    }
                    "lost to pool headers" | "lost to quantization" | "lost to arena alignment" => {
                        pools.lost = pools.lost.saturating_add(value);
                    }
                    _ => {}
                }
            } else if line.contains(" arenas * ") && line.contains(" bytes/arena ") {
                let mut numbers = line.split_whitespace().filter_map(whole);
                (pools.arenas, pools.arena_bytes) = (numbers.next()?, numbers.next()?);
                seen += 1;
            } else if line.contains(" unused pools * ") {
                pools.unused = number()?;
            } else if line.contains(" free ") && line.contains(" bytes each ") {
                pools.free_lists = pools.free_lists.saturating_add(number()?);
            }
        }
        (seen == 3 && pools.arenas > 0).then_some(pools)
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

/// `1,572,864` as a number.
fn whole(word: &str) -> Option<u64> {
    let digits: String = word.chars().filter(|&c| c != ',').collect();
    digits.parse().ok()
}

/// The number behind the `=`.
fn trailing_number(line: &str) -> Option<u64> {
    whole(line.rsplit('=').next()?.trim())
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
        assert_eq!((pools.arenas, pools.arena_bytes, pools.free_lists), (6, 262_144, 768));
        assert_eq!(pools.bytes(), pools.allocated + pools.available + pools.unused + pools.lost);
        assert_eq!(pools.packed_bytes(), 6 * 262_144, "one more than the five and a bit that are full");
        let sparse = Pools { allocated: 262_144, ..pools };
        assert_eq!(sparse.packed_bytes(), 3 * 262_144);
    }

    #[test]
    fn another_text_says_nothing() {
        assert_eq!(Pools::parse(""), None);
        assert_eq!(Pools::parse("arenas"), None);
        assert_eq!(Pools::parse(&TEXT.replace("6 arenas * 262144", "0 arenas * 262144")), None);
        assert_eq!(Pools::parse(&TEXT.replace("in allocated", "in other")), None);
        assert_eq!(
            Pools::parse(&TEXT.replace("41 unused pools * 4096 bytes       =", "41 unused pools * =x")),
            None
        );
        let huge = TEXT.replace("1,308,000", "18446744073709551615");
        assert!(Pools::parse(&huge).unwrap().packed_bytes() <= 1_572_864);
    }
}
