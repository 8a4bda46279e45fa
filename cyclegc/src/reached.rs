//! Which objects of a full pass are still to be reached: a bit each, by number.
//!
//! ```text
//!   bit of an object:   0   a candidate that was not reached yet; garbage, if that is still so at the end
//!                       1   reached, or no candidate: free, untracked, frozen, beyond the end of the pool, or nobody
//! ```
//!
//! A bit goes from 0 to 1 once while a pass marks, and whoever made it so visits the object.

/// Numbers of a group: those whose bits lie in one word.
pub(crate) const GROUP: usize = 64;

/// The bits of all numbers.
pub(crate) struct Reached {
    words: Vec<u64>,
}

const fn bit(number: usize) -> u64 {
    1 << (number % GROUP)
}

impl Reached {
    /// So many groups without candidates.
    pub(crate) fn without_candidates(groups: usize) -> Reached {
        Reached { words: vec![u64::MAX; groups] }
    }

    /// Bit i of `candidates`: number i of the group is a candidate.
    pub(crate) fn set_candidates(&mut self, group: usize, candidates: u64) {
        self.words[group] = !candidates;
    }

    /// Reaches an object; `true` if it was not reached before: the caller visits it.
    #[inline(always)]
    pub(crate) fn reach(&mut self, number: usize) -> bool {
        let word = &mut self.words[number / GROUP];
        let is_new = *word & bit(number) == 0;
        if is_new {
            *word |= bit(number);
        }
        is_new
    }

    /// Bit i: number i of the group is a candidate that was not reached.
    #[inline(always)]
    pub(crate) fn unreached(&self, group: usize) -> u64 {
        !self.words[group]
    }
}

/// The places of the bits that are set, in ascending order.
pub(crate) struct Bits(pub(crate) u64);

impl Iterator for Bits {
    type Item = usize;

    #[inline(always)]
    fn next(&mut self) -> Option<usize> {
        let place = self.0.trailing_zeros() as usize;
        self.0 &= self.0.wrapping_sub(1);
        (place < GROUP).then_some(place)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_candidate_is_reached_once() {
        let mut reached = Reached::without_candidates(3);
        assert!(!reached.reach(70), "no candidate");
        reached.set_candidates(1, 0b1011);
        assert_eq!((reached.unreached(0), reached.unreached(1)), (0, 0b1011));
        assert!(reached.reach(64) && !reached.reach(64));
        assert!(reached.reach(67) && !reached.reach(67));
        assert_eq!(reached.unreached(1), 0b0010);
    }
}
