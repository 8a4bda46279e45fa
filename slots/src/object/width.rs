//! The words of an index: a position, and bits of a hash.

/// A word of an index of 2^log2 places, where log2 is less than its bits.
///
/// ```text
///   bits - log2                log2
///   | highest bits of a hash | position |
/// ```
///
/// Positions are below 2/3 of 2^log2, so the two words that follow are of no entry, whatever the tag.
pub(super) trait Width: Copy + Eq {
    /// The place was never used (`DKIX_EMPTY`, `Objects/dictobject.c`).
    const NEVER: Self;
    /// The entry was deleted (`DKIX_DUMMY`).
    const DELETED: Self;

    /// The highest bits of a hash, where a word has them; `mask` is 2^log2 - 1.
    fn tag(hash: u64, mask: u32) -> Self;

    /// The word of an entry.
    fn of(entry: usize, tag: Self) -> Self;

    /// The position in a word of this tag; of a word of another tag, more than any position.
    fn untagged(self, tag: Self) -> usize;
}

macro_rules! widths {
    ($($word:ty),*) => { $(
        impl Width for $word {
            const NEVER: $word = <$word>::MAX;
            const DELETED: $word = <$word>::MAX - 1;

            #[inline(always)]
            fn tag(hash: u64, mask: u32) -> $word {
                (hash >> (u64::BITS - <$word>::BITS)) as $word & !(mask as $word)
            }

            #[inline(always)]
            fn of(entry: usize, tag: $word) -> $word {
                entry as $word | tag
            }

            #[inline(always)]
            fn untagged(self, tag: $word) -> usize {
                (self ^ tag) as usize
            }
        }
    )* };
}

widths!(u8, u16, u32);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::object::table::usable;

    #[test]
    fn words_tell_their_entries_and_no_others() {
        for log2 in 3..8 {
            for tag in (0..=u8::MAX).map(|hash| u8::tag(u64::from(hash) << 56 | 0xff, (1 << log2) - 1)) {
                for entry in 0..usable(log2) {
                    let word = u8::of(entry, tag);
                    assert!(word != u8::NEVER && word != u8::DELETED);
                    assert_eq!(word.untagged(tag), entry);
                    assert!(word.untagged(tag ^ 1 << log2) >= usable(log2), "another tag");
                }
                assert!(u8::NEVER.untagged(tag) >= usable(log2) && u8::DELETED.untagged(tag) >= usable(log2));
            }
        }
        assert_eq!(u32::tag(0xfedc_ba98_7654_3210, 0x1f_ffff), 0xfedc_ba98 & !0x1f_ffff);
    }
}
