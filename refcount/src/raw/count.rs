//! The count word: its bits, and the arithmetic that stays inside them. No memory is touched here.

use core::fmt;

/// One 32-bit count word.
///
/// ```text
///   31    30                                        1    0
/// ┌────┬──────────────────────────────────────────────┬────┐
/// │ S  │                    count                     │ P  │
/// └────┴──────────────────────────────────────────────┴────┘
///
///   S = 0              mortal: bits 1..=30 are the count, 0 to 2^30 - 1
///   S = 1, bit 30 = 0  immortal, or saturated: never stored to again
///   S = 1, bit 30 = 1  outlined: the count is in the side header, bits 0..=29 are the high part of its address
///   P                  purple, an embedder's mark; counting moves in steps of two and never touches it
/// ```
///
/// One sign test (PEP 683 uses the same one) therefore tells the fast path from everything else, and a count that overflows
/// runs into S by itself with bit 30 clear: it has become immortal, it has not wrapped.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(transparent)]
pub(super) struct CountWord(u32);

impl CountWord {
    const ONE: u32 = 1 << 1;
    const OUTLINED: u32 = 1 << 30;
    const SLOW: u32 = 1 << 31;

    /// How many bits of an outlined word are free for the side header's address.
    pub(super) const PAYLOAD_BITS: u32 = 30;

    /// A new object's word: one reference.
    pub(super) const FIRST: CountWord = CountWord(Self::ONE);
    /// No references: the object is dead.
    pub(super) const ZERO: CountWord = CountWord(0);
    /// Where saturation ends up and what `immortalize` stores.
    pub(super) const IMMORTAL: CountWord = CountWord(Self::SLOW);

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

    /// A mortal, inline count of two or more: the only words a decrement may handle without looking further.
    /// Both ways out of the fast path, the sign and the last reference, lie below it in signed order.
    #[inline]
    pub(super) const fn is_shared(self) -> bool {
        self.0.cast_signed() >= 2 * Self::ONE.cast_signed()
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
        self.0 < Self::ONE
    }

    /// One more. Meaningful for mortal words only; the step from 2^30 - 1 lands on [`CountWord::IMMORTAL`].
    #[inline]
    pub(super) const fn up(self) -> CountWord {
        CountWord(self.0.wrapping_add(Self::ONE))
    }

    /// One less. Meaningful for mortal words that are not zero.
    #[inline]
    pub(super) const fn down(self) -> CountWord {
        CountWord(self.0.wrapping_sub(Self::ONE))
    }

    /// A mortal word with this count, for tests that cannot afford 2^30 clones.
    #[cfg(test)]
    pub(super) const fn mortal(count: u32) -> CountWord {
        assert!(count < 1 << 30);
        CountWord(count << 1)
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
        if self.0.is_slow() { u32::MAX } else { self.0.0 >> 1 }
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
    fn overflow_becomes_immortal_and_not_outlined() {
        let brim = CountWord::mortal((1 << 30) - 1);
        assert!(!brim.is_slow() && brim.is_shared());
        assert!(brim.up() == CountWord::IMMORTAL);
        assert!(brim.up().is_immortal() && !brim.up().is_outlined());
    }

    #[test]
    fn purple_survives_counting() {
        let purple = CountWord(CountWord::ONE | 1);
        assert!(purple.up().0 & 1 == 1 && purple.up().observe().get() == 2);
        assert!(purple.down().0 == 1 && purple.down().is_zero());
        assert!(!purple.is_shared() && purple.up().is_shared());
    }

    #[test]
    fn payload_returns() {
        for payload in [0, 1, 0x2AAA_AAAA, (1 << 30) - 1] {
            let word = CountWord::outlined(payload);
            assert!(word.is_slow() && word.is_outlined() && !word.is_immortal() && !word.is_shared());
            assert_eq!(word.payload(), payload);
        }
    }
}
