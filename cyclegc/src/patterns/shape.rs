//! The graphs that are collected.

/// A xorshift generator: the same numbers on every machine.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// The numbers of a seed; 0 is taken for another one.
    pub fn new(seed: u64) -> Random {
        Random((seed ^ 0x9e37_79b9_7f4a_7c15).max(1))
    }

    /// A number below `bound`, which is at least 1.
    #[inline]
    pub fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        ((u128::from(self.0) * bound as u128) >> 64) as usize
    }
}

/// The targets of an object's three references.
pub type Targets = [Option<u32>; 3];

/// A graph of objects with three references each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// A binary tree whose children know their parent.
    Tree,
    /// Objects that hold each other, two by two.
    Pairs,
    /// One ring.
    Ring,
    /// A ring in a fixed stride, and two random targets each.
    Random,
}

impl Shape {
    /// Every shape.
    pub const ALL: [Shape; 4] = [Shape::Tree, Shape::Pairs, Shape::Ring, Shape::Random];

    /// What each of `count` objects refers to; `count` is a power of two.
    pub fn targets(self, count: usize, seed: u64) -> Vec<Targets> {
        let mut random = Random::new(seed);
        let known = |target: usize| (target < count).then_some(target as u32);
        let of = |i: usize| match self {
            Shape::Tree => {
                [known(2 * i + 1), known(2 * i + 2), i.checked_sub(1).map(|below| below as u32 / 2)]
            }
            Shape::Pairs => [known(i ^ 1), None, None],
            Shape::Ring => [known((i + 1) % count), None, None],
            // An odd stride visits every object.
            Shape::Random => [(i + 654_321) % count, random.below(count), random.below(count)].map(known),
        };
        (0..count).map(of).collect()
    }

    /// True if one object reaches all others.
    pub fn is_connected(self) -> bool {
        self != Shape::Pairs
    }
}
