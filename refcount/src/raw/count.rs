//! The count word: its bits, and the arithmetic that stays inside them. No memory is touched here.

use core::fmt;

/// One 32-bit count word.
///
/// ```text
///   31   30   29                                     1    0
/// ┌────┬────┬───────────────────────────────────────────┬────┐
/// │ S  │            references - 1                      │ 1  │   mortal, 1 to 2^30 references: S = 0
/// ├────┼────┼───────────────────────────────────────────┴────┤
/// │ 1  │ 0  │ 1 0 0 …                                        │   immortal by request, or saturated
/// ├────┼────┼────┬───────────────────────────────────────────┤
/// │ 1  │ 1  │ 0  │ the high part of the side header's address │   outlined: the count is in the side header
/// └────┴────┴────┴───────────────────────────────────────────┘
///   0 0 0 …                                                      dead
/// ```
///
/// A word that is alive is odd or negative, so never zero. Counting adds or subtracts two, and *one sign test of the result* tells
/// the fast path from everything else, both ways (PEP 683 tests the sign before it counts):
///
/// * up: 2^30 + 1 references run into S; an immortal or outlined word stays negative, as bit 29 keeps it away from the end of its range;
/// * down: the last reference, 1 - 2, is negative; so is 0 - 2, a reference that was never counted.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(transparent)]
pub(super) struct CountWord(u32);

impl CountWord {
    const STEP: u32 = 1 << 1;
    const OUTLINED: u32 = 1 << 30;
    const SLOW: u32 = 1 << 31;

    /// How many bits of an outlined word are free for the side header's address.
    pub(super) const PAYLOAD_BITS: u32 = 29;

    /// A new object's word: one reference.
    pub(super) const FIRST: CountWord = CountWord(1);
    /// No references: the object is dead.
    pub(super) const ZERO: CountWord = CountWord(0);
    /// What saturation and `immortalize` store: far from both ends of the range that is immortal.
    pub(super) const IMMORTAL: CountWord = CountWord(Self::SLOW | 1 << 29);

    /// A word that says "look in the side header", carrying part of that header's address.
    #[inline]
    pub(super) const fn outlined(payload: u32) -> CountWord {
        debug_assert!(payload >> Self::PAYLOAD_BITS == 0);
        CountWord(Self::SLOW | Self::OUTLINED | payload)
    }

    /// What [`CountWord::outlined`] was given.
    #[inline]
    pub(super) const fn payload(self) -> u32 {
        self.0 & ((1 << Self::PAYLOAD_BITS) - 1)
    }

    /// Immortal, saturated or outlined.
    #[inline]
    pub(super) const fn is_slow(self) -> bool {
        self.0.cast_signed() < 0
    }

    #[inline]
    pub(super) const fn is_outlined(self) -> bool {
        self.0 >= Self::SLOW | Self::OUTLINED
    }

    #[inline]
    pub(super) const fn is_immortal(self) -> bool {
        self.is_slow() && !self.is_outlined()
    }

    #[inline]
    pub(super) const fn is_zero(self) -> bool {
        self.0 == 0
    }

    /// Exactly one reference.
    #[inline]
    pub(super) const fn is_first(self) -> bool {
        self.0 == Self::FIRST.0
    }

    /// What [`down`](CountWord::down) makes of exactly one reference, and of no other word.
    #[inline]
    pub(super) const fn is_past_last(self) -> bool {
        self.0 == Self::FIRST.down().0
    }

    /// One more. If the result [is slow](CountWord::is_slow), that was not all there is to do.
    #[inline]
    pub(super) const fn up(self) -> CountWord {
        CountWord(self.0.wrapping_add(Self::STEP))
    }

    /// One less. If the result [is slow](CountWord::is_slow), that was not all there is to do.
    #[inline]
    pub(super) const fn down(self) -> CountWord {
        CountWord(self.0.wrapping_sub(Self::STEP))
    }

    /// A mortal word with this count, for tests that cannot afford 2^30 clones.
    #[cfg(test)]
    pub(super) const fn mortal(count: u32) -> CountWord {
        assert!(0 < count && count <= 1 << 30);
        CountWord(2 * (count - 1) + 1)
    }

    pub(super) const fn observe(self) -> Count {
        Count(self)
    }
}

/// What a count said at the moment it was read.
///
/// Returned by [`Header::count`](super::Header::count) and [`Side::count`](super::Side::count).
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Count(CountWord);

impl Count {
    /// The number of references; `u32::MAX` for an immortal object, which is what CPython 3.12's `sys.getrefcount` answers.
    #[inline]
    pub const fn get(self) -> u32 {
        if self.0.is_slow() { u32::MAX } else { self.0.0.div_ceil(2) }
    }

    /// Immortal by request, or saturated: this object is never destroyed.
    #[inline]
    pub const fn is_immortal(self) -> bool {
        self.0.is_slow()
    }

    /// No references: the object is dead, though its memory may still be there.
    #[inline]
    pub const fn is_zero(self) -> bool {
        self.0.is_zero()
    }

    /// Exactly one reference.
    #[inline]
    pub const fn is_one(self) -> bool {
        self.get() == 1
    }
}

impl fmt::Debug for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_immortal() { f.write_str("immortal") } else { self.get().fmt(f) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ends_of_the_range() {
        let brim = CountWord::mortal(1 << 30);
        assert!(!brim.is_slow() && brim.up().is_slow());
        assert_eq!(brim.observe().get(), 1 << 30);
        assert!(CountWord::FIRST.down().is_slow() && CountWord::FIRST.is_first());
        assert!(CountWord::ZERO.down().is_slow() && CountWord::ZERO.is_zero());
        assert_eq!((CountWord::ZERO.observe().get(), CountWord::FIRST.observe().get()), (0, 1));
    }

    #[test]
    fn up_and_down() {
        let two = CountWord::FIRST.up();
        assert_eq!(two.observe().get(), 2);
        assert!(!two.is_slow() && two.down() == CountWord::FIRST);
    }

    #[test]
    fn slow_words_stay_slow_both_ways() {
        for word in [
            CountWord::IMMORTAL,
            CountWord::outlined(0),
            CountWord::outlined((1 << CountWord::PAYLOAD_BITS) - 1),
        ] {
            assert!(word.up().is_slow() && word.down().is_slow());
        }
        for word in
            [CountWord::ZERO, CountWord::IMMORTAL, CountWord::outlined((1 << CountWord::PAYLOAD_BITS) - 1)]
        {
            assert!(!word.down().is_past_last());
        }
        assert!(CountWord::FIRST.down().is_past_last());
        assert!(CountWord::IMMORTAL.is_immortal() && !CountWord::IMMORTAL.is_outlined());
    }

    #[test]
    fn payload_returns() {
        for payload in [0, 1, 0x0AAA_AAAA, (1 << CountWord::PAYLOAD_BITS) - 1] {
            let word = CountWord::outlined(payload);
            assert!(word.is_slow() && word.is_outlined() && !word.is_immortal());
            assert_eq!(word.payload(), payload);
        }
    }
}
