//! A set of object ids: one bit each.

/// A set of numbers below a fixed bound, with the position of each member among all members.
///
/// # Invariants
/// 1. `words` has a bit for every number below the bound, and bits at and above it are 0.
/// 2. Once indexed, `before[w]` = members in `words[..w]`.
#[derive(Clone, Debug, Default)]
pub struct Bits {
    words: Vec<u64>,
    before: Vec<u32>,
}

impl Bits {
    /// No members, of numbers below `bound`.
    pub fn new(bound: u32) -> Bits {
        Bits { words: vec![0; (bound as usize).div_ceil(64)], before: Vec::new() }
    }

    /// Whether `id` is a member.
    #[inline]
    pub fn has(&self, id: u32) -> bool {
        self.words[id as usize / 64] >> (id % 64) & 1 != 0
    }

    /// Adds `id`; whether it is new.
    #[inline]
    pub fn insert(&mut self, id: u32) -> bool {
        let word = &mut self.words[id as usize / 64];
        let bit = 1 << (id % 64);
        let new = *word & bit == 0;
        *word |= bit;
        new
    }

    /// Members.
    pub fn count(&self) -> u64 {
        self.words.iter().map(|word| u64::from(word.count_ones())).sum()
    }

    /// Members in ascending order.
    pub fn iter(&self) -> impl Iterator<Item = u32> {
        self.words.iter().enumerate().flat_map(|(w, &word)| {
            let mut rest = word;
            std::iter::from_fn(move || {
                (rest != 0).then(|| {
                    let bit = rest.trailing_zeros();
                    rest &= rest - 1;
                    w as u32 * 64 + bit
                })
            })
        })
    }

    /// Prepares [`Bits::position`]; to be called again after an insertion.
    pub(super) fn index(&mut self) {
        let mut sum = 0;
        self.before = Vec::with_capacity(self.words.len());
        for word in &self.words {
            self.before.push(sum);
            sum += word.count_ones();
        }
    }

    /// Members below `id`.
    ///
    /// # Panics
    /// If the set was not indexed.
    #[inline]
    pub(super) fn position(&self, id: u32) -> u32 {
        let word = id as usize / 64;
        self.before[word] + (self.words[word] & ((1 << (id % 64)) - 1)).count_ones()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_in_order_with_their_positions() {
        let mut bits = Bits::new(200);
        let members = [0, 1, 63, 64, 127, 128, 199];
        for &id in members.iter().rev() {
            assert!(bits.insert(id) && !bits.insert(id));
        }
        bits.index();
        assert_eq!(bits.count(), 7);
        assert!(bits.iter().eq(members) && !bits.has(2));
        assert!((0..).zip(members).all(|(position, id)| bits.position(id) == position));
    }
}
