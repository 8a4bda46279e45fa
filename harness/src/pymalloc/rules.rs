//! The two rules that can be broken on purpose, so that a test can show that it would notice.

/// Where CPython's behaviour is decided by a rule that addresses alone do not show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    /// Where a full pool goes that gets a block back.
    pub full_pool: FullPool,
    /// When realloc leaves a block of a pool where it is.
    pub realloc: InPlace,
}

impl Rules {
    /// What CPython does.
    pub const CPYTHON: Self = Self { full_pool: FullPool::Front, realloc: InPlace::ThreeQuarters };
}

/// Where a full pool goes that gets a block back (`insert_to_usedpool`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FullPool {
    /// To the front of its class's list: its block is the next to go. CPython's rule.
    Front,
    /// To the rear.
    Rear,
}

/// When realloc leaves a block of a pool where it is (`pymalloc_realloc`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InPlace {
    /// If it fits and more than three quarters stay in use. CPython's rule.
    ThreeQuarters,
    /// Whenever it fits.
    WheneverItFits,
}

impl InPlace {
    /// Whether a block of `block` bytes that is to have `size` stays in place.
    #[inline]
    pub fn stays(self, block: usize, size: usize) -> bool {
        // `block` is at most 512, so that nothing overflows where `size` fits.
        size <= block
            && match self {
                Self::ThreeQuarters => 4 * size > 3 * block,
                Self::WheneverItFits => size > 0,
            }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quarter_less_moves() {
        let rule = InPlace::ThreeQuarters;
        assert!(rule.stays(64, 64) && rule.stays(64, 49));
        assert!(!rule.stays(64, 48) && !rule.stays(64, 65) && !rule.stays(64, 0));
        assert!(!rule.stays(64, usize::MAX));
        assert!(InPlace::WheneverItFits.stays(64, 1) && !InPlace::WheneverItFits.stays(64, 65));
    }
}
