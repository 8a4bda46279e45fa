//! The table of an interner, or of one shard of it.

use super::keep::Keep;
use super::pointer::Pointer;
use alloc::vec::Vec;
use core::ops::{Add, AddAssign};
use hashbrown::{Equivalent, HashTable};

/// What an interner has done so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Calls that found the value.
    pub hits: u64,
    /// Calls that did not: `intern` made it then.
    pub misses: u64,
    /// Dead objects that have been swept out, of those that are held [`Weakly`](super::Weakly).
    pub swept: u64,
}

impl Add for Stats {
    type Output = Stats;

    fn add(self, other: Stats) -> Stats {
        Stats {
            hits: self.hits + other.hits,
            misses: self.misses + other.misses,
            swept: self.swept + other.swept,
        }
    }
}

impl AddAssign for Stats {
    fn add_assign(&mut self, other: Stats) {
        *self = *self + other;
    }
}

/// The hash beside the object: a dead one cannot be hashed again when the table grows; and what has another hash need not be looked at.
struct Entry<K> {
    hash: u64,
    kept: K,
}

pub(super) struct Table<R: Pointer, K: Keep<R>> {
    entries: HashTable<Entry<K::Kept>>,
    stats: Stats,
}

impl<R: Pointer, K: Keep<R>> Table<R, K> {
    pub(super) const fn new() -> Table<R, K> {
        Table { entries: HashTable::new(), stats: Stats { hits: 0, misses: 0, swept: 0 } }
    }

    /// The object with this value, counted as a hit or a miss.
    #[inline]
    pub(super) fn find<Q>(&mut self, hash: u64, value: &Q, others: &mut Vec<R>) -> Option<R>
    where
        Q: ?Sized + Equivalent<R::Target>,
    {
        let mut found = None;
        let _entry = self.entries.find(hash, |entry| {
            if entry.hash != hash {
                return false;
            }
            found = K::find(&entry.kept, others, |object| value.equivalent(object));
            found.is_some()
        });
        if found.is_some() {
            self.stats.hits += 1;
        } else {
            self.stats.misses += 1;
        }
        found
    }

    /// [`find`](Table::find) for the second time in one call, which counts once.
    pub(super) fn find_again<Q>(&mut self, hash: u64, value: &Q, others: &mut Vec<R>) -> Option<R>
    where
        Q: ?Sized + Equivalent<R::Target>,
    {
        let stats = self.stats;
        let found = self.find(hash, value, others);
        self.stats = stats;
        found
    }

    /// Adds an object whose value is not there.
    pub(super) fn insert(&mut self, hash: u64, object: &R) {
        if self.entries.len() == self.entries.capacity() {
            self.sweep();
            // If little was swept, the next sweep is as far away as the last one was.
            if self.entries.len() > self.entries.capacity() / 2 {
                self.entries.reserve(self.entries.len().max(8), |entry| entry.hash);
            }
        }
        let entry = Entry { hash, kept: K::keep(object) };
        self.entries.insert_unique(hash, entry, |entry| entry.hash);
    }

    /// Forgets the dead; returns how many there were.
    pub(super) fn sweep(&mut self) -> usize {
        let before = self.entries.len();
        self.entries.retain(|entry| K::is_alive(&entry.kept));
        let swept = before - self.entries.len();
        self.stats.swept += swept as u64;
        swept
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(super) fn stats(&self) -> Stats {
        self.stats
    }
}
