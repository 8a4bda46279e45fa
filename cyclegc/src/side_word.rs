//! The two side bytes of a block: its generation between passes, its `gc_refs` during one.
//!
//! ```text
//!   at rest       0 .. 16                 bits 0-1: old, young, middle, frozen
//!                                         bit 2: purple     bit 3: purple, and a step has given up on it once
//!   in a pass     16 ..= 0xfffd           a candidate with this many references left, and 16
//!                 0xfffe                  a candidate whose count does not fit, or that is immortal
//!                 0xffff                  a candidate that was reached
//! ```
//!
//! Only passes over a part of the heap use the words so; a full one leaves them at rest.
//!
//! A word at rest is no candidate, so an edge out of the set of candidates, also to an object of another heap,
//! changes nothing. Words are only ever out of rest while a pass looks for garbage, when no user code runs.
#![allow(unsafe_code, reason = "side bytes are reached by address")]

use core::ptr::NonNull;

/// What the side bytes of a block say.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct SideWord(u16);

impl SideWord {
    pub(crate) const OLD: SideWord = SideWord(0);
    pub(crate) const YOUNG: SideWord = SideWord(1);
    pub(crate) const MIDDLE: SideWord = SideWord(2);
    pub(crate) const FROZEN: SideWord = SideWord(3);
    const GENERATION: u16 = 3;
    const PURPLE: u16 = 4;
    const TRIED: u16 = 8;
    const BASE: u16 = 16;

    /// A candidate of which all references were found inside.
    pub(crate) const EXPLAINED: SideWord = SideWord(Self::BASE);
    /// A candidate whose count does not fit.
    pub(crate) const SATURATED: SideWord = SideWord(u16::MAX - 1);
    /// A candidate that was reached.
    pub(crate) const REACHED: SideWord = SideWord(u16::MAX);

    /// A candidate with `count` references; [`SATURATED`](Self::SATURATED) if they do not fit.
    #[inline(always)]
    pub(crate) fn candidate(count: u32) -> SideWord {
        if count < (Self::SATURATED.0 - Self::BASE) as u32 {
            SideWord(count as u16 + Self::BASE)
        } else {
            Self::SATURATED
        }
    }

    #[inline(always)]
    pub(crate) fn is_candidate(self) -> bool {
        self.0 >= Self::BASE
    }

    /// The generation of a word at rest, one of the four constants.
    #[inline(always)]
    pub(crate) fn generation(self) -> SideWord {
        SideWord(self.0 & Self::GENERATION)
    }

    #[inline(always)]
    pub(crate) fn is_purple(self) -> bool {
        self.0 & Self::PURPLE != 0
    }

    #[inline(always)]
    pub(crate) fn with_purple(self, purple: bool) -> SideWord {
        SideWord(self.0 & Self::GENERATION | if purple { Self::PURPLE } else { 0 })
    }

    /// Purple, and a step has given up on it once.
    #[inline(always)]
    pub(crate) fn is_tried(self) -> bool {
        self.0 & Self::TRIED != 0
    }

    pub(crate) fn tried(self) -> SideWord {
        SideWord(self.0 | Self::TRIED)
    }

    /// One reference less, for a candidate that counts some: neither explained nor saturated nor reached.
    #[inline(always)]
    pub(crate) fn less_one(self) -> Option<SideWord> {
        let left = self.0.wrapping_sub(1);
        (left.wrapping_sub(Self::BASE) < Self::SATURATED.0 - 1 - Self::BASE).then_some(SideWord(left))
    }
}

/// Where the side bytes of a block are.
///
/// # Invariants
/// 1. It points to the two side bytes of a carved block, aligned to 2, in pools that stay while it is used.
/// 2. Only the thread of the heap uses them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(transparent)]
pub(crate) struct SidePtr(NonNull<u16>);

impl SidePtr {
    /// # Safety
    /// The invariants of [`SidePtr`] must hold.
    #[inline(always)]
    pub(crate) unsafe fn new(side: NonNull<u8>) -> SidePtr {
        SidePtr(side.cast())
    }

    #[inline(always)]
    pub(crate) fn get(self) -> SideWord {
        // SAFETY: invariants 1 and 2.
        SideWord(unsafe { self.0.read() })
    }

    #[inline(always)]
    pub(crate) fn set(self, word: SideWord) {
        // SAFETY: invariants 1 and 2.
        unsafe { self.0.write(word.0) }
    }

    #[inline(always)]
    pub(crate) fn addr(self) -> usize {
        self.0.addr().get()
    }
}

/// Asks for a cache line. Any address will do.
#[inline(always)]
pub(crate) fn prefetch(at: *const u8) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: a prefetch has no effect but on the cache, whatever the address.
    unsafe {
        core::arch::x86_64::_mm_prefetch(at.cast::<i8>(), core::arch::x86_64::_MM_HINT_T0)
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = at;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_at_rest_are_no_candidates() {
        for generation in [SideWord::OLD, SideWord::YOUNG, SideWord::MIDDLE, SideWord::FROZEN] {
            for purple in [false, true] {
                let word = generation.with_purple(purple);
                assert!(!word.is_candidate() && word.less_one().is_none());
                assert_eq!((word.generation(), word.is_purple()), (generation, purple));
                let tried = word.tried();
                assert!(!tried.is_candidate() && tried.is_tried() && !word.is_tried());
                assert_eq!(tried.with_purple(purple), word);
            }
        }
    }

    #[test]
    fn counts_go_down_to_explained_and_no_further() {
        for count in [1, 2, 7, 8, 9, 1000, 65517, 65518] {
            let mut word = SideWord::candidate(count);
            if word == SideWord::SATURATED {
                assert!(count >= 65518 && word.less_one().is_none() && word.is_candidate());
                continue;
            }
            for _ in 0..count {
                assert!(word.is_candidate() && word != SideWord::EXPLAINED);
                word = word.less_one().unwrap();
            }
            assert_eq!(word, SideWord::EXPLAINED);
            assert!(word.less_one().is_none());
        }
        assert!(SideWord::REACHED.less_one().is_none());
    }
}
