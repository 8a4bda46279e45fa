//! A dictionary's own table: entries in insertion order and an index over them.

use allocator_api2::alloc::Allocator;
use allocator_api2::vec::Vec;

use super::footprint::Footprint;
use super::index::Index;
use super::name::Name;

/// What a dict object falls back to once its class cannot share another name: CPython's combined table
/// (`Objects/dictobject.c`).
pub(super) struct Table<V, A: Allocator> {
    index: Index<A>,
    /// Deleted entries stay as `None` until the table is made anew.
    entries: Vec<Option<(Name, V)>, A>,
    used: usize,
}

impl<V, A: Allocator + Clone> Table<V, A> {
    /// A table that holds `used` entries and has room for as many more.
    pub(super) fn with_room_for(used: usize, alloc: A) -> Table<V, A> {
        // Three times the entries in places, of which two thirds can be used (`GROWTH_RATE`).
        let index = Index::with_room_for(used * 2, alloc.clone());
        let entries = Vec::with_capacity_in(index.room(), alloc);
        Table { index, entries, used: 0 }
    }

    pub(super) fn len(&self) -> usize {
        self.used
    }

    pub(super) fn get(&self, name: Name) -> Option<&V> {
        let entry = self.entries[self.find(name)?].as_ref();
        entry.map(|(_, value)| value)
    }

    pub(super) fn get_mut(&mut self, name: Name) -> Option<&mut V> {
        let found = self.find(name)?;
        self.entries[found].as_mut().map(|(_, value)| value)
    }

    /// Sets the value of a name; the one before.
    pub(super) fn insert(&mut self, name: Name, value: V) -> Option<V> {
        if let Some(old) = self.get_mut(name) {
            return Some(core::mem::replace(old, value));
        }
        if self.entries.len() == self.index.room() {
            self.renew();
        }
        self.push(name, value);
        None
    }

    pub(super) fn remove(&mut self, name: Name) -> Option<V> {
        let found = self.find(name)?;
        let (_, value) = self.entries[found].take()?;
        self.used -= 1;
        Some(value)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (Name, &V)> {
        self.entries.iter().flatten().map(|(name, value)| (*name, value))
    }

    /// What index and entries hold.
    pub(super) fn footprint(&self) -> Footprint {
        let entries = self.entries.capacity() * size_of::<Option<(Name, V)>>();
        Footprint { allocations: 1 + usize::from(entries > 0), bytes: self.index.bytes() + entries }
    }

    fn find(&self, name: Name) -> Option<usize> {
        let is_it = |entry: usize| matches!(&self.entries[entry], Some((known, _)) if *known == name);
        self.index.find(name.hash(), is_it)
    }

    fn push(&mut self, name: Name, value: V) {
        self.index.insert(name.hash(), self.entries.len());
        self.entries.push(Some((name, value)));
        self.used += 1;
    }

    /// Makes the table anew for the entries that are left, with room to grow.
    #[cold]
    fn renew(&mut self) {
        let mut larger = Table::with_room_for(self.used.max(1), self.entries.allocator().clone());
        for (name, value) in self.entries.drain(..).flatten() {
            larger.push(name, value);
        }
        *self = larger;
    }
}
