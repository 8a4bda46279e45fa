//! The atomic header's word: its bits. No memory is touched here.

/// Count and meta of an object that threads share, or the address of its side header, in one word of 64 bits.
///
/// ```text
///            63   62  61                          32  31                     0
///           ┌───┬───────────────────────────────────┬─────────────────────────┐
///  mortal   │ 0 │ 0 │             meta              │          count          │
///           ├───┼───┼───────────────────────────────┼─────────────────────────┤
///  immortal │ 1 │ 0 │             meta              │      2^31, ± transit    │
///           ├───┼───┼────────────────────────────┬──┴─────────────────────────┤
///  outlined │ 1 │ 1 │ side address, bits 4..48   │       2^17, ± transit      │
///           └───┴───┴────────────────────────────┴────────────────────────────┘
///            63   62  61                       18 17                         0
/// ```
///
/// Counting is one `fetch_add` or `fetch_sub` of 1 and a look at what was there before. It may hit a word that has just become
/// immortal or outlined, or one that nobody looked at before. Then it is *in transit*: the same thread takes it back at once, and
/// until then it shows in the lowest field only, which has room for that in both directions. The room, 131,072 in the smallest
/// field, bounds how many threads may be between those two instructions at the same moment on the same object. Whoever finds half of it
/// taken [ends the process](SharedWord::expect_room): to reach the neighbouring field, as many threads again would have to
/// arrive before the first of those does. (`std` aborts at half its range for the same reason.)
///
/// A count that reaches 2^31 is made immortal by whoever sees it, while 2^31 more may arrive (PEP 683 keeps such a margin, too).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(transparent)]
pub(super) struct SharedWord(pub(super) u64);

impl SharedWord {
    const SLOW: u64 = 1 << 63;
    const OUTLINED: u64 = 1 << 62;
    const META_SHIFT: u32 = 32;
    const META: u64 = (1 << Self::META_BITS) - 1;
    const COUNT_CENTRE: u64 = 1 << 31;
    const TRANSIT_BITS: u32 = 18;
    const TRANSIT_CENTRE: u64 = 1 << (Self::TRANSIT_BITS - 1);
    /// A side header is aligned to 16 bytes.
    const SIDE_SHIFT: u32 = 4;
    const ADDRESS_BITS: u32 = 44;

    /// How many bits of meta there are.
    pub(super) const META_BITS: u32 = 30;

    /// A new object's word: one reference.
    #[inline]
    pub(super) const fn first(meta: u32) -> SharedWord {
        SharedWord::mortal(1, meta)
    }

    /// A word with this count.
    #[inline]
    pub(super) const fn mortal(count: u32, meta: u32) -> SharedWord {
        debug_assert!(meta >> Self::META_BITS == 0);
        SharedWord((meta as u64) << Self::META_SHIFT | count as u64)
    }

    /// An object that is never destroyed.
    #[inline]
    pub(super) const fn immortal(meta: u32) -> SharedWord {
        SharedWord(Self::SLOW | SharedWord::mortal(0, meta).0 | Self::COUNT_CENTRE)
    }

    /// A word that says "look in the side header", in place of this one: what is in transit here stays in transit there.
    /// `None` if the address has more than 48 bits.
    pub(super) const fn outlined(self, address: u64) -> Option<SharedWord> {
        debug_assert!(address.is_multiple_of(1 << Self::SIDE_SHIFT));
        let packed = address >> Self::SIDE_SHIFT;
        if packed >> Self::ADDRESS_BITS != 0 {
            return None;
        }
        let low = if self.is_slow() {
            (Self::TRANSIT_CENTRE + self.count() as u64).wrapping_sub(Self::COUNT_CENTRE)
        } else {
            Self::TRANSIT_CENTRE
        };
        Some(SharedWord(Self::SLOW | Self::OUTLINED | packed << Self::TRANSIT_BITS | low))
    }

    /// What [`SharedWord::outlined`] was given.
    #[inline]
    pub(super) const fn address(self) -> u64 {
        (self.0 >> Self::TRANSIT_BITS & ((1 << Self::ADDRESS_BITS) - 1)) << Self::SIDE_SHIFT
    }

    /// Immortal or outlined.
    #[inline]
    pub(super) const fn is_slow(self) -> bool {
        self.0.cast_signed() < 0
    }

    #[inline]
    pub(super) const fn is_outlined(self) -> bool {
        self.0 >= Self::SLOW | Self::OUTLINED
    }

    /// Slow, or so many references that the object has to become immortal.
    #[inline]
    pub(super) const fn is_slow_or_full(self) -> bool {
        self.0 & (Self::SLOW | Self::COUNT_CENTRE) != 0
    }

    /// Ends the process if so many threads are in transit that the neighbouring field is in danger.
    #[inline]
    pub(super) fn expect_room(self) {
        let transit = if self.is_outlined() {
            (self.0 & ((1 << Self::TRANSIT_BITS) - 1)).abs_diff(Self::TRANSIT_CENTRE)
        } else {
            u64::from(self.count()).abs_diff(Self::COUNT_CENTRE)
        };
        if transit >= Self::TRANSIT_CENTRE / 2 {
            too_many_threads();
        }
    }

    /// The count of a mortal word.
    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "the count is the low half")]
    pub(super) const fn count(self) -> u32 {
        self.0 as u32
    }

    /// Mortal, with exactly one reference.
    #[inline]
    pub(super) const fn is_one(self) -> bool {
        !self.is_slow() && self.count() == 1
    }

    /// The meta of a word that is not outlined.
    #[inline]
    pub(super) const fn meta(self) -> u32 {
        (self.0 >> Self::META_SHIFT & Self::META) as u32
    }
}

/// Aborts: a panic cannot leave such a function.
#[cold]
#[inline(never)]
extern "C" fn too_many_threads() -> ! {
    panic!("more than 65,536 threads are counting one object at the same moment");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_three_forms() {
        let mortal = SharedWord::first(5);
        assert!(mortal.is_one() && !mortal.is_slow_or_full() && mortal.meta() == 5);
        let immortal = SharedWord::immortal(5);
        assert!(immortal.is_slow() && !immortal.is_outlined() && immortal.meta() == 5);
        let outlined = mortal.outlined(0x7FFF_FFFF_FFF0).unwrap();
        assert!(outlined.is_slow() && outlined.is_outlined() && outlined.address() == 0x7FFF_FFFF_FFF0);
        assert!(mortal.outlined(1 << 48).is_none());
    }

    #[test]
    fn transit_touches_the_lowest_field_only() {
        let outlined = SharedWord::first(0).outlined(0xFFFF_FFFF_FFF0).unwrap();
        for transit in [-100_000_i64, -1, 1, 100_000] {
            let word = SharedWord(outlined.0.wrapping_add_signed(transit));
            assert!(word.is_outlined() && word.address() == outlined.address());
            let immortal = SharedWord(SharedWord::immortal(7).0.wrapping_add_signed(transit));
            assert!(immortal.is_slow() && !immortal.is_outlined() && immortal.meta() == 7);
            // Far from the process's end, and from the next field.
            SharedWord(outlined.0.wrapping_add_signed(transit / 2)).expect_room();
            SharedWord(SharedWord::immortal(7).0.wrapping_add_signed(transit / 2)).expect_room();
            // Outlined while in transit, taken back afterwards: nothing is left.
            let both = immortal.outlined(0xFFFF_FFFF_FFF0).unwrap();
            assert_eq!(both.0.wrapping_add_signed(-transit), outlined.0);
        }
    }
}
