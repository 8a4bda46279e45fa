//! What nothing holds any more: CPython's algorithm on the arrays of a dump.
//!
//! ```text
//! gc_refs = reference count - references in the lists of tracked objects      (trial deletion)
//! outside = reference count - references in the lists of all objects
//! ```
//!
//! A tracked object with `gc_refs` > 0 is held from outside; so is an untracked one with `outside` > 0, and every
//! immortal object. What cannot be reached from these is dead, and the tracked part of it is what `gc.collect()`
//! finds (`deduce_unreachable`, `Modules/gcmodule.c`). A reference from an untracked object is not subtracted, as
//! CPython does not; its target is a root, so that nothing alive is called dead.

use super::bits::Bits;
use super::objects::Objects;

/// The dead objects of a dump, and the references that no object accounts for.
#[derive(Clone, Debug)]
pub struct Garbage {
    /// For each object, its references that no object of the dump reports.
    outside: Vec<u32>,
    dead: Bits,
    found: u64,
    wrong: Option<Wrong>,
}

/// An object that counts fewer references than there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wrong {
    /// The object; the first of its kind.
    pub id: u32,
    /// Its reference count.
    pub count: u32,
    /// References in the lists of tracked objects.
    pub reported: u32,
    /// Objects of its kind.
    pub objects: u64,
}

impl Garbage {
    /// Finds what is dead. Takes time in proportion to objects and references, and 12 bytes an object while it
    /// runs, of which 4 stay.
    pub fn find(objects: &Objects) -> Garbage {
        let n = objects.len() as usize;
        let (mut tracked, mut untracked) = (vec![0u32; n], vec![0u32; n]);
        for id in objects.ids() {
            let inside =
                if objects.tracked(id) && objects.is_object(id) { &mut tracked } else { &mut untracked };
            for &referent in objects.referents(id) {
                inside[referent as usize] += 1;
            }
        }
        let mut wrong: Option<Wrong> = None;
        let mut alive = Bits::new(objects.len());
        let mut stack = Vec::new();
        let mut outside = untracked;
        for id in objects.ids() {
            let (reported, all) = (tracked[id as usize], &mut outside[id as usize]);
            if !objects.is_object(id) {
                *all = 0;
                continue;
            }
            let is_root = match objects.refcount(id).filter(|_| !objects.immortal(id)) {
                None => {
                    *all = 0;
                    true
                }
                Some(count) => {
                    if objects.tracked(id) && (count < reported || count == 0) {
                        wrong.get_or_insert(Wrong { id, count, reported, objects: 0 }).objects += 1;
                    }
                    *all = count.saturating_sub(reported.saturating_add(*all));
                    if objects.tracked(id) { count > reported } else { *all > 0 }
                }
            };
            if is_root && alive.insert(id) {
                stack.push(id);
            }
        }
        drop(tracked);
        while let Some(id) = stack.pop() {
            for &referent in objects.referents(id) {
                if alive.insert(referent) {
                    stack.push(referent);
                }
            }
        }
        let mut dead = Bits::new(objects.len());
        let mut found = 0;
        for id in objects.ids().filter(|&id| objects.is_object(id) && !alive.has(id)) {
            dead.insert(id);
            found += u64::from(objects.tracked(id));
        }
        dead.index();
        Garbage { outside, dead, found, wrong }
    }

    /// Tracked objects that are dead: what `gc.collect()` would return.
    pub fn found(&self) -> u64 {
        self.found
    }

    /// All dead objects, those included that the collector does not track.
    pub fn dead(&self) -> &Bits {
        &self.dead
    }

    /// References to an object that no object of the dump reports: from C, from running frames, from objects that
    /// do not report what they hold. 0 for immortal objects, whose references nobody counts.
    #[inline]
    pub fn outside(&self, id: u32) -> u32 {
        self.outside[id as usize]
    }

    /// Whether tracked objects count fewer references than others report, or none: then the process ran on while
    /// it was dumped, was free-threaded, or the dump is broken, and what is found is not exact.
    pub fn wrong(&self) -> Option<Wrong> {
        self.wrong
    }
}
