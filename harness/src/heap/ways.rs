//! Ways from roots to objects: who refers to what, first reached first.

use super::dump::Dump;
use super::garbage::Garbage;
use super::objects::Flags;

const NONE: u32 = u32::MAX;
/// Stands for a root's predecessor.
const ROOT: u32 = u32::MAX - 1;

/// Where a way begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// At a module.
    Module,
    /// At an object that is held from outside.
    Outside,
    /// At a dead object that no other dead object outside its cycle refers to.
    Garbage,
}

/// A shortest way to every object: modules are the first roots, then what is held from outside, then garbage.
///
/// # Invariants
/// 1. Following `before` from any object ends at a root: each object was reached after the one before it.
#[derive(Clone, Debug)]
pub struct Ways {
    before: Vec<u32>,
    /// References from the root.
    steps: Vec<u32>,
    starts: Vec<(u32, Start)>,
}

impl Ways {
    /// Finds them breadth first, in time proportional to objects and references, with 12 bytes an object.
    pub fn find(dump: &Dump, garbage: &Garbage, dead_entries: impl Iterator<Item = u32>) -> Ways {
        let n = dump.len() as usize;
        let mut it = Ways { before: vec![NONE; n], steps: vec![0; n], starts: Vec::new() };
        let alive = |id: u32| dump.is_object(id) && !garbage.dead().has(id);
        let module = |&id: &u32| alive(id) && dump.flags(id).has(Flags::MODULE);
        it.walk(dump, dump.ids().filter(module), Start::Module);
        let outside = |&id: &u32| alive(id) && (garbage.outside(id) > 0 || dump.immortal(id));
        it.walk(dump, dump.ids().filter(outside), Start::Outside);
        it.walk(dump, dump.ids().filter(|&id| alive(id)), Start::Outside);
        for id in dead_entries {
            it.walk(dump, [id].into_iter(), Start::Garbage);
        }
        it.starts.sort_unstable_by_key(|&(id, _)| id);
        it
    }

    fn walk(&mut self, dump: &Dump, roots: impl Iterator<Item = u32>, start: Start) {
        let mut queue = Vec::new();
        for id in roots {
            if self.before[id as usize] == NONE {
                self.before[id as usize] = ROOT;
                self.starts.push((id, start));
                queue.push(id);
            }
        }
        let mut next = 0;
        while let Some(&id) = queue.get(next) {
            next += 1;
            for &to in dump.referents(id) {
                if self.before[to as usize] == NONE && dump.is_object(to) {
                    self.before[to as usize] = id;
                    self.steps[to as usize] = self.steps[id as usize] + 1;
                    queue.push(to);
                }
            }
        }
    }

    /// References from a root to the object.
    pub fn steps(&self, id: u32) -> u32 {
        self.steps[id as usize]
    }

    /// The objects from a root to this one, and where they begin; none for rows that are no objects.
    pub fn way(&self, id: u32) -> Option<(Start, Vec<u32>)> {
        let mut way = vec![id];
        let mut at = id;
        loop {
            match self.before[at as usize] {
                NONE => return None,
                ROOT => break,
                before => {
                    way.push(before);
                    at = before;
                }
            }
        }
        way.reverse();
        let k = self.starts.binary_search_by_key(&at, |&(id, _)| id).ok()?;
        Some((self.starts[k].1, way))
    }
}
