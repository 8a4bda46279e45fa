//! What a request for memory really takes from the process.

use super::abi::WORD;

/// pymalloc serves requests up to this size (`SMALL_REQUEST_THRESHOLD`,
/// `Include/internal/pycore_obmalloc.h`).
const SMALL_REQUEST: u64 = 512;
/// Block sizes are multiples of this (`ALIGNMENT`, same file).
const ALIGNMENT: u64 = 16;
/// The smallest chunk of glibc's `malloc` (`MINSIZE`, `malloc/malloc.c`).
const SMALLEST_CHUNK: u64 = 32;

/// The pymalloc block that serves a request of `bytes`; `None` if it goes to `malloc`.
///
/// A request for nothing goes to `malloc`, too (`pymalloc_alloc`, `Objects/obmalloc.c`).
pub(crate) fn block(bytes: u64) -> Option<u64> {
    (1..=SMALL_REQUEST).contains(&bytes).then(|| bytes.next_multiple_of(ALIGNMENT))
}

/// The glibc chunk that serves `malloc(bytes)`: a word of bookkeeping, then full 16 bytes
/// (`request2size`, `malloc/malloc.c`).
pub(crate) fn chunk(bytes: u64) -> u64 {
    let with_header = bytes.saturating_add(WORD);
    with_header.checked_next_multiple_of(16).unwrap_or(u64::MAX).max(SMALLEST_CHUNK)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_come_in_steps_of_sixteen_up_to_512() {
        assert_eq!([1, 16, 17, 48, 56, 512].map(block), [16, 16, 32, 48, 64, 512].map(Some));
        assert_eq!([0, 513, u64::MAX].map(block), [None; 3]);
    }

    #[test]
    fn chunks_carry_a_word_and_never_overflow() {
        assert_eq!([0, 1, 24, 25, 513, 1520].map(chunk), [32, 32, 32, 48, 528, 1536]);
        assert_eq!(chunk(u64::MAX), u64::MAX);
    }
}
