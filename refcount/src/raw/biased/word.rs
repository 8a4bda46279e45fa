//! The shared word of a biased header: its bits. No memory is touched here.

/// What all threads but the owner count, the embedder's meta and the state of the object; or the address of its side header.
///
/// ```text
///            63                      32  31                  3   2   1    0
///           ┌──────────────────────────┬───────────────────────┬───┬────────┐
///  inline   │ count, two's complement  │          meta         │ P │ state  │   owned 00, queued 01, merged 10
///           ├─────────────┬────────────┴───────────────────────┴───┼────────┤
///  outlined │      0      │ side address, bits 4..48                │   11   │
///           └─────────────┴─────────────────────────────────────────┴────────┘
///            63         46 45                                    2   1    0
/// ```
///
/// Every change is one compare-exchange of the whole word, so that there are no half-done counts as in
/// [`SharedWord`](super::super::shared_word::SharedWord). P, *probed*, is set by a thread that wants to know whether its reference is the only
/// one, and cleared by every other change: see [`BiasedHeader`](super::header::BiasedHeader).
///
/// Unlike in CPython the states only say who may count where; that there are weak references is said by being outlined.
///
/// From 2^30 on a count stands still: the object is immortal, whatever its state.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(transparent)]
pub(super) struct BiasedWord(pub(super) u64);

impl BiasedWord {
    const STATE: u64 = 0b11;
    const OWNED: u64 = 0b00;
    const QUEUED: u64 = 0b01;
    const MERGED: u64 = 0b10;
    const OUTLINED: u64 = 0b11;
    const PROBED: u64 = 1 << 2;
    const META_SHIFT: u32 = 3;
    const COUNT_SHIFT: u32 = 32;
    const COUNT: u64 = (u32::MAX as u64) << Self::COUNT_SHIFT;
    /// A side header is aligned to 16 bytes.
    const SIDE_SHIFT: u32 = 4;
    const ADDRESS_BITS: u32 = 48;
    const FULL: i32 = 1 << 30;
    /// In the middle of what is full.
    const IMMORTAL: i32 = 3 << 29;

    /// How many bits of meta there are.
    pub(super) const META_BITS: u32 = Self::COUNT_SHIFT - Self::META_SHIFT;

    const fn new(count: i32, meta: u32, state: u64) -> BiasedWord {
        debug_assert!(meta >> Self::META_BITS == 0);
        BiasedWord(
            (count.cast_unsigned() as u64) << Self::COUNT_SHIFT | (meta as u64) << Self::META_SHIFT | state,
        )
    }

    /// An object that the local count alone keeps.
    pub(super) const fn owned(meta: u32) -> BiasedWord {
        BiasedWord::new(0, meta, Self::OWNED)
    }

    /// An object that no thread owns.
    pub(super) const fn merged(count: i32, meta: u32) -> BiasedWord {
        BiasedWord::new(count, meta, Self::MERGED)
    }

    /// A word that names a side header. `None` if the address has more than 48 bits.
    pub(super) const fn outlined(address: u64) -> Option<BiasedWord> {
        debug_assert!(address.is_multiple_of(1 << Self::SIDE_SHIFT));
        if address >> Self::ADDRESS_BITS != 0 {
            return None;
        }
        Some(BiasedWord(address >> Self::SIDE_SHIFT << 2 | Self::OUTLINED))
    }

    /// What [`BiasedWord::outlined`] was given.
    #[inline]
    pub(super) const fn address(self) -> u64 {
        self.0 >> 2 << Self::SIDE_SHIFT
    }

    const fn state(self) -> u64 {
        self.0 & Self::STATE
    }

    #[inline]
    pub(super) const fn is_outlined(self) -> bool {
        self.state() == Self::OUTLINED
    }

    pub(super) const fn is_owned(self) -> bool {
        self.state() == Self::OWNED
    }

    pub(super) const fn is_queued(self) -> bool {
        self.state() == Self::QUEUED
    }

    pub(super) const fn is_merged(self) -> bool {
        self.state() == Self::MERGED
    }

    /// Inline, owned, and nothing counted: without local references the object is dead.
    #[inline]
    pub(super) const fn is_idle(self) -> bool {
        self.0 & (Self::COUNT | Self::STATE) == Self::OWNED
    }

    /// Merged, without references.
    pub(super) const fn is_dead(self) -> bool {
        self.0 & (Self::COUNT | Self::STATE) == Self::MERGED
    }

    /// Of a word that is not outlined.
    pub(super) const fn is_immortal(self) -> bool {
        self.count() >= Self::FULL
    }

    pub(super) const fn count(self) -> i32 {
        ((self.0 >> Self::COUNT_SHIFT) as u32).cast_signed()
    }

    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "29 bits in the low half")]
    pub(super) const fn meta(self) -> u32 {
        self.0 as u32 >> Self::META_SHIFT
    }

    /// So many references more, of a mortal object; no longer probed.
    pub(super) const fn plus(self, more: i64) -> BiasedWord {
        let count = self.count() as i64 + more;
        debug_assert!(count >= i32::MIN as i64, "no more references are dropped than were counted locally");
        #[expect(clippy::cast_possible_truncation, reason = "it is in range")]
        let count = if count >= Self::FULL as i64 { Self::IMMORTAL } else { count as i32 };
        BiasedWord::new(count, self.meta(), self.state())
    }

    /// The owner's count has been added to the shared one, and nobody owns the object any more.
    pub(super) const fn merged_with(self, local: i64) -> BiasedWord {
        BiasedWord((self.plus(local).0 & !Self::STATE) | Self::MERGED)
    }

    /// One reference now belongs to the owner's queue; it stays counted.
    pub(super) const fn queued(self) -> BiasedWord {
        BiasedWord(self.plus(0).0 | Self::QUEUED)
    }

    pub(super) const fn probed(self) -> BiasedWord {
        BiasedWord(self.0 | Self::PROBED)
    }

    pub(super) const fn immortal(self) -> BiasedWord {
        BiasedWord::new(Self::IMMORTAL, self.meta(), self.state())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_stay_apart() {
        let meta = (1 << BiasedWord::META_BITS) - 1;
        let mut word = BiasedWord::owned(meta);
        assert!(word.is_idle() && word.probed().is_idle());
        for step in [-3_i64, 5, -2] {
            word = word.probed().plus(step);
            assert!(word.is_owned() && word.meta() == meta);
        }
        assert!(word == BiasedWord::owned(meta), "a change is not probed any more");
        let queued = word.queued();
        assert!(queued.is_queued() && queued.count() == 0 && queued.meta() == meta);
        assert!(!queued.is_idle() && !queued.is_dead());
        let merged = queued.plus(-1).merged_with(1);
        assert!(merged.is_dead() && merged.meta() == meta);
    }

    #[test]
    fn counts_below_zero_merge() {
        let word = BiasedWord::owned(1).queued().plus(-7);
        assert_eq!(word.count(), -7);
        assert_eq!(word.merged_with(9).count(), 2);
    }

    #[test]
    fn saturation_is_final() {
        let brim = BiasedWord::merged((1 << 30) - 1, 0);
        assert!(!brim.is_immortal() && brim.plus(1).is_immortal());
        assert!(BiasedWord::owned(0).merged_with(i64::from(u32::MAX)).is_immortal());
        assert!(BiasedWord::owned(3).immortal().meta() == 3);
    }

    #[test]
    fn addresses_return() {
        for address in [16, 0x7FFF_FFFF_FFF0, 0xFFFF_FFFF_FFF0] {
            let word = BiasedWord::outlined(address).unwrap();
            assert!(word.is_outlined() && word.address() == address && !word.is_idle() && !word.is_dead());
        }
        assert!(BiasedWord::outlined(1 << 48).is_none());
    }
}
