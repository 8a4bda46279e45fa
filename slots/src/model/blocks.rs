//! What a request for memory really takes from the process.

use super::abi::{Abi, Allocator};
use super::target::{Target, TargetError};

/// pymalloc serves requests up to this size (`SMALL_REQUEST_THRESHOLD`,
/// `Include/internal/pycore_obmalloc.h`).
const SMALL_REQUEST: u64 = 512;

/// The sizes of pymalloc in a build.
///
/// ```
/// use cpymem_slots::model::{Pymalloc, Target};
///
/// let pymalloc = Pymalloc::of("3.12".parse::<Target>()?)?.expect("a build with the GIL has it");
/// assert_eq!((pymalloc.pool_bytes, pymalloc.arena_bytes), (16 << 10, 1 << 20));
/// assert_eq!(pymalloc.blocks_per_pool(64), 255);
/// # Ok::<(), cpymem_slots::model::TargetError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pymalloc {
    /// Blocks are multiples of this.
    pub alignment_bytes: u64,
    /// The largest request that it serves.
    pub largest_bytes: u64,
    /// A pool, which holds blocks of one size.
    pub pool_bytes: u64,
    /// An arena, which holds pools and goes back to the system as a whole.
    pub arena_bytes: u64,
}

impl Pymalloc {
    /// That of a build; `None` if it has mimalloc instead.
    ///
    /// # Errors
    /// If the target is not modelled.
    pub fn of(target: impl Into<Target>) -> Result<Option<Pymalloc>, TargetError> {
        Ok(Abi::of(target.into())?.allocator.pymalloc())
    }

    /// Blocks of `block` bytes that a pool holds behind its header (`POOL_OVERHEAD`,
    /// `Include/internal/pycore_obmalloc.h`).
    pub fn blocks_per_pool(&self, block: u64) -> u64 {
        let header = if self.alignment_bytes == 16 { 48 } else { 32 };
        (self.pool_bytes - header) / block.max(1)
    }
}

/// Words of the largest request for which mimalloc's classes go in steps of two words
/// (`mi_bin`, `Objects/mimalloc/page-queue.c`).
const EVEN_WORDS: u64 = 8;

impl Allocator {
    /// pymalloc's sizes, if this is pymalloc.
    pub(crate) fn pymalloc(self) -> Option<Pymalloc> {
        let Allocator::Pymalloc { word, pool, arena } = self else { return None };
        Some(Pymalloc {
            alignment_bytes: 2 * word,
            largest_bytes: SMALL_REQUEST,
            pool_bytes: pool,
            arena_bytes: arena,
        })
    }

    /// The pymalloc block or mimalloc class that serves a request of `bytes`; `None` if it goes to `malloc`.
    ///
    /// Of pymalloc a request for nothing goes to `malloc`, too (`pymalloc_alloc`, `Objects/obmalloc.c`).
    pub(crate) fn block(self, bytes: u64) -> Option<u64> {
        match self {
            Allocator::Pymalloc { word, .. } => {
                (1..=SMALL_REQUEST).contains(&bytes).then(|| bytes.next_multiple_of(2 * word))
            }
            Allocator::Mimalloc => Some(mimalloc_class(bytes)),
        }
    }

    /// The glibc chunk that serves `malloc(bytes)`: a word of bookkeeping, then full 16 bytes, at least four
    /// words (`request2size` and `MINSIZE`, `malloc/malloc.c`). WebAssembly's `malloc` is counted alike.
    pub(crate) fn chunk(self, bytes: u64) -> u64 {
        let word = match self {
            Allocator::Pymalloc { word, .. } => word,
            Allocator::Mimalloc => 8,
        };
        let with_header = bytes.saturating_add(word);
        with_header.checked_next_multiple_of(16).unwrap_or(u64::MAX).max(4 * word)
    }
}

/// Two-word steps up to eight words, then four classes for each doubling.
fn mimalloc_class(bytes: u64) -> u64 {
    let words = bytes.div_ceil(8).max(1);
    if words == 1 {
        return 8;
    }
    if words <= EVEN_WORDS {
        return words.next_multiple_of(2) * 8;
    }
    let quarter = 1u64 << ((words - 1).ilog2() - 2);
    words.div_ceil(quarter).saturating_mul(quarter).saturating_mul(8)
}

#[cfg(test)]
mod tests {
    use super::*;

    const WIDE: Allocator = Allocator::Pymalloc { word: 8, pool: 16 << 10, arena: 1 << 20 };
    const NARROW: Allocator = Allocator::Pymalloc { word: 4, pool: 4 << 10, arena: 256 << 10 };

    #[test]
    fn blocks_come_in_steps_of_two_words_up_to_512() {
        assert_eq!([1, 16, 17, 48, 56, 512].map(|n| WIDE.block(n)), [16, 16, 32, 48, 64, 512].map(Some));
        assert_eq!([1, 9, 512].map(|n| NARROW.block(n)), [8, 16, 512].map(Some));
        assert_eq!([0, 513, u64::MAX].map(|n| WIDE.block(n)), [None; 3]);
    }

    #[test]
    fn pools_hold_what_fits_behind_their_header() {
        let of = |label: &str| Pymalloc::of(label.parse::<Target>().unwrap()).unwrap();
        let blocks = |label, sizes: [u64; 3]| sizes.map(|block| of(label).unwrap().blocks_per_pool(block));
        assert_eq!(blocks("3.12", [16, 48, 512]), [1021, 340, 31]);
        assert_eq!(blocks("3.12-i386", [8, 48, 512]), [508, 84, 7]);
        assert_eq!(of("3.13t"), None);
        assert_eq!(of("3.12").unwrap().blocks_per_pool(0), 16_336);
    }

    #[test]
    fn mimalloc_has_four_classes_for_each_doubling() {
        let classes = [1, 8, 9, 17, 64, 65, 81, 97, 113, 129, 161, 193, 225, 257, 1793];
        let expected = [8, 8, 16, 32, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 2048];
        assert_eq!(classes.map(mimalloc_class), expected);
        assert!(mimalloc_class(u64::MAX) >= u64::MAX - 7);
    }

    #[test]
    fn chunks_carry_a_word_and_never_overflow() {
        assert_eq!([0, 1, 24, 25, 513, 1520].map(|n| WIDE.chunk(n)), [32, 32, 32, 48, 528, 1536]);
        assert_eq!(NARROW.chunk(0), 16);
        assert_eq!(WIDE.chunk(u64::MAX), u64::MAX);
    }
}
