//! Retained bytes: what would go with an object, with all objects of a type, with all that an owner holds.

use super::dominators::Dominators;

/// Where no object is.
const NONE: u32 = u32::MAX;

/// The bytes below each object of a dominator tree, its own included.
#[derive(Clone, Debug)]
pub struct Retained<'t> {
    tree: &'t Dominators,
    /// By number in the tree.
    bytes: Vec<u64>,
}

impl<'t> Retained<'t> {
    /// Adds up `bytes` of every object over the tree.
    pub fn sum(tree: &'t Dominators, mut bytes: impl FnMut(u32) -> u64) -> Retained<'t> {
        let parents = tree.parents();
        let mut sums = vec![0u64; parents.len()];
        for k in (1..parents.len()).rev() {
            sums[k] = sums[k].saturating_add(bytes(tree.object(k as u32)));
            let up = parents[k] as usize;
            sums[up] = sums[up].saturating_add(sums[k]);
        }
        Retained { tree, bytes: sums }
    }

    /// Bytes that would be free if the object went; 0 for rows that are no objects.
    #[inline]
    pub fn of(&self, id: u32) -> u64 {
        match self.tree.number(id) {
            0 => 0,
            number => self.bytes[number as usize],
        }
    }

    /// All bytes.
    pub fn total(&self) -> u64 {
        self.bytes[0]
    }

    /// The objects under the virtual root, which nothing else alone keeps alive.
    pub fn tops(&self) -> impl Iterator<Item = u32> {
        let parents = self.tree.parents();
        (1..parents.len()).filter(|&k| parents[k] == 0).map(|k| self.tree.object(k as u32))
    }

    /// Bytes that each group of objects retains: those below its topmost objects, so that no byte counts twice
    /// within a group. `group` gives the group of an object, a number below `groups`, or none.
    pub fn by_group(&self, groups: usize, group: impl Fn(u32) -> Option<u32>) -> Vec<u64> {
        let parents = self.tree.parents();
        let n = parents.len();
        let (mut child, mut sibling) = (vec![NONE; n], vec![NONE; n]);
        for k in (1..n).rev() {
            let up = parents[k] as usize;
            sibling[k] = child[up];
            child[up] = k as u32;
        }
        let mut retained = vec![0u64; groups];
        // Objects of the group on the way from the root to here.
        let mut above = vec![0u32; groups];
        let of =
            |k: u32| group(self.tree.object(k)).map(|group| group as usize).filter(|&group| group < groups);
        let mut at = child[0];
        while at != NONE {
            if let Some(group) = of(at) {
                if above[group] == 0 {
                    retained[group] = retained[group].saturating_add(self.bytes[at as usize]);
                }
                above[group] += 1;
            }
            let mut next = child[at as usize];
            while next == NONE && at != 0 {
                if let Some(group) = of(at) {
                    above[group] -= 1;
                }
                next = sibling[at as usize];
                at = parents[at as usize];
            }
            at = next;
        }
        retained
    }
}
