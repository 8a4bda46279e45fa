//! How many references to each object come from elsewhere: CPython's `gc_refs`, by number.
//!
//! The count of an object is added when the pass comes to it, and every edge takes one off its target, in whichever order; so
//! one walk does what `update_refs` and `subtract_refs` do in two. A sum may be below 0 on the way, but not at the end.
//!
//! ```text
//!   sum of an object == its count - edges to it seen so far == refs + carry        carry is a multiple of 65536,
//!                                                                                  or a count that is added as a whole
//! ```

use std::collections::HashMap;

use crate::side_word::prefetch;

/// Sums of 16 bits, and what does not fit.
pub(crate) struct GcRefs {
    refs: Vec<i16>,
    /// By number; only of those whose sum left the range of 16 bits on the way.
    carries: HashMap<usize, i64>,
    /// Immortal objects: their count says nothing.
    immortal: Vec<usize>,
}

impl GcRefs {
    /// Zeros for so many numbers.
    pub(crate) fn new(len: usize) -> GcRefs {
        GcRefs { refs: vec![0; len], carries: HashMap::new(), immortal: Vec::new() }
    }

    /// One reference is explained by an edge.
    #[inline(always)]
    pub(crate) fn less_one(&mut self, number: usize) {
        let (less, wrapped) = self.refs[number].overflowing_sub(1);
        self.refs[number] = less;
        if wrapped {
            self.carry(number, -(1 << 16));
        }
    }

    /// Asks for the sum of an object to be brought into the cache.
    #[inline(always)]
    pub(crate) fn prefetch(&self, number: usize) {
        prefetch(self.refs.as_ptr().wrapping_add(number).cast());
    }

    /// The object counts so many references.
    #[inline(always)]
    pub(crate) fn add(&mut self, number: usize, count: u32) {
        match i16::try_from(count) {
            Ok(count) => {
                let (more, wrapped) = self.refs[number].overflowing_add(count);
                self.refs[number] = more;
                if wrapped {
                    self.carry(number, 1 << 16);
                }
            }
            Err(_) => self.carry(number, i64::from(count)),
        }
    }

    /// The object is immortal: it always counts as referenced from outside.
    #[cold]
    pub(crate) fn add_immortal(&mut self, number: usize) {
        self.immortal.push(number);
    }

    #[cold]
    #[inline(never)]
    fn carry(&mut self, number: usize, carry: i64) {
        *self.carries.entry(number).or_default() += carry;
    }

    /// The sums, when everything was added and taken off: only their signs are meant. Nothing is left here.
    pub(crate) fn finish(&mut self) -> Vec<i16> {
        let mut refs = core::mem::take(&mut self.refs);
        for (number, carry) in self.carries.drain() {
            refs[number] = (i64::from(refs[number]) + carry).signum() as i16;
        }
        for number in self.immortal.drain(..) {
            refs[number] = 1;
        }
        refs
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sums that cross the range of 16 bits in any order come out as in 64 bits.
    #[test]
    fn sums_of_any_size() {
        let mut state = 7u64;
        let mut random = |below: u64| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) % below
        };
        for count in [0u32, 1, 5, 32_767, 32_768, 65_535, 65_536, 65_537, 131_072, 300_000] {
            for missing in [0i64, 1, -1, 65_536, -65_536] {
                let edges = i64::from(count) - missing;
                if edges < 0 {
                    continue;
                }
                let mut refs = GcRefs::new(2);
                let before = random(edges as u64 + 1);
                (0..before).for_each(|_| refs.less_one(1));
                refs.add(1, count);
                (before..edges as u64).for_each(|_| refs.less_one(1));
                let sums = refs.finish();
                assert_eq!(i64::from(sums[1].signum()), missing.signum(), "{count} {missing} {before}");
            }
        }
    }

    #[test]
    fn the_immortal_are_referenced_from_outside() {
        let mut refs = GcRefs::new(2);
        refs.less_one(1);
        refs.add_immortal(1);
        assert_eq!(refs.finish()[1], 1);
    }
}
