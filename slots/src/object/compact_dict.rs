//! CPython's dict: an index over entries in insertion order.

use core::fmt;

use allocator_api2::alloc::{AllocError, Allocator, Global, handle_alloc_error};

use super::entry::Entry;
use super::footprint::Footprint;
use super::key::{Key, Lookup};
use super::table::{Entries, EntriesMut, LARGEST_LOG2, NoRoom, SMALLEST_LOG2, Table, usable};

/// A hash map that keeps insertion order, laid out and grown as CPython's compact dict
/// (`Objects/dictobject.c`, 3.11 and later).
///
/// One pointer. An empty dict has allocated nothing; another has one allocation of exactly as many bytes as CPython's
/// keys object for the same history (where key and value are a word each, and the key has a niche): 32 bytes of header, an index of 1, 2 or 4
/// bytes a place, and dense entries of 16 bytes - 24 with a stored hash, if a key does not [carry](Key::carries_hash)
/// it. Two thirds of the places can be used. A deleted entry keeps its room until the table is made anew, for three
/// times the keys that are left, rounded up to a power of two.
///
/// Deleting and replacing keep the order of the others; a key that is deleted and set again comes last.
///
/// ```
/// use cpymem_slots::object::{CompactDict, Shapes};
///
/// let mut names = Shapes::new();
/// let mut ages = CompactDict::new();
/// for (name, age) in [("Carol", 38), ("Alice", 41), ("Bob", 27)] {
///     ages.insert(names.intern(name), age);
/// }
/// assert_eq!(ages.get(&names.intern("Alice")), Some(&41));
/// assert_eq!(ages.remove(&names.intern("Carol")), Some(38));
/// assert!(ages.values().eq([&41, &27]));
/// assert_eq!(ages.footprint().allocations, 1);
/// ```
///
/// # Cost
/// A lookup reads one word of the index and one entry, and on the way one more word for each collision. Entries of other
/// keys are seldom looked at, as the index holds some bits of their hashes.
pub struct CompactDict<K, V, A: Allocator = Global> {
    table: Table<K, V, A>,
}

/// log2 of the places that hold `size` (`calculate_log2_keysize`).
fn log2_of(size: usize) -> u8 {
    (size.next_power_of_two().trailing_zeros() as u8).max(SMALLEST_LOG2)
}

impl<K, V> CompactDict<K, V> {
    /// A dict without keys.
    pub const fn new() -> CompactDict<K, V> {
        CompactDict { table: Table::empty(Global) }
    }
}

impl<K, V, A: Allocator> CompactDict<K, V, A> {
    /// As [`CompactDict::new`], from this allocator.
    pub const fn new_in(alloc: A) -> CompactDict<K, V, A> {
        CompactDict { table: Table::empty(alloc) }
    }

    /// How many keys it has.
    #[inline]
    pub fn len(&self) -> usize {
        self.table.len()
    }

    /// Whether it has none.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What the dict took from its allocator, keys and values themselves excluded.
    pub fn footprint(&self) -> Footprint {
        let bytes = self.table.bytes();
        Footprint { allocations: usize::from(bytes > 0), bytes }
    }

    /// Its allocator.
    pub fn allocator(&self) -> &A {
        self.table.alloc()
    }
}

impl<K: Key, V, A: Allocator + Clone> CompactDict<K, V, A> {
    /// A dict with room for `keys` keys that carry their hashes (`dict_new_presized`).
    ///
    /// # Panics
    /// If there are more than 2^31 / 3 * 2 of them.
    pub fn with_capacity_in(keys: usize, alloc: A) -> CompactDict<K, V, A> {
        let mut dict = CompactDict::new_in(alloc);
        if keys > 0 {
            dict.renew_or_abort(log2_of((keys * 3).div_ceil(2)), false);
        }
        dict
    }

    /// A dict that the keys of another move to, of which `keys` are left (`insertion_resize`).
    pub(super) fn grown_from(keys: usize, alloc: A) -> CompactDict<K, V, A> {
        let mut dict = CompactDict::new_in(alloc);
        dict.renew_or_abort(log2_of(keys * 3), false);
        dict
    }

    /// The value of a key.
    #[inline]
    pub fn get<Q: Lookup<K>>(&self, key: &Q) -> Option<&V> {
        let (_, (_, value)) = self.table.find(key.hash(), |it| key.is_same(it), |it| key.is(it))?;
        Some(value)
    }

    /// The value of a key, to change it in place.
    #[inline]
    pub fn get_mut<Q: Lookup<K>>(&mut self, key: &Q) -> Option<&mut V> {
        let (found, _) = self.table.find(key.hash(), |it| key.is_same(it), |it| key.is(it))?;
        self.table.pair_mut(found.entry).map(|(_, value)| value)
    }

    /// Whether it has a key.
    #[inline]
    pub fn contains_key<Q: Lookup<K>>(&self, key: &Q) -> bool {
        self.table.find(key.hash(), |it| key.is_same(it), |it| key.is(it)).is_some()
    }

    /// The position of a key, for [`get_at`](CompactDict::get_at). It stays until the dict grows, or the key is deleted.
    #[inline]
    pub fn position<Q: Lookup<K>>(&self, key: &Q) -> Option<usize> {
        self.table.find(key.hash(), |it| key.is_same(it), |it| key.is(it)).map(|(found, _)| found.entry)
    }

    /// Key and value at a position, if there are any: what a cache that has seen the position compares
    /// (CPython's `LOAD_ATTR_WITH_HINT`).
    #[inline]
    pub fn get_at(&self, position: usize) -> Option<(&K, &V)> {
        self.table.pair(position).map(|(key, value)| (key, value))
    }

    /// Key and value at a position, if there are any, the value to change.
    #[inline]
    pub fn get_at_mut(&mut self, position: usize) -> Option<(&K, &mut V)> {
        self.table.pair_mut(position).map(|(key, value)| (&*key, value))
    }

    /// Sets the value of a key; the one before. The key that is there stays (and `key` is dropped).
    ///
    /// # Panics
    /// If there are more than 2^31 / 3 * 2 keys. Aborts as [`std::alloc::handle_alloc_error`] does if there is no
    /// memory.
    #[inline]
    pub fn insert(&mut self, key: K, value: V) -> Option<V> {
        let hash = key.hash();
        if let Some((found, _)) = self.table.find(hash, |it| key.same(it), |it| *it == key) {
            drop(key); // first, as it may panic
            return self.table.pair_mut(found.entry).map(|(_, old)| core::mem::replace(old, value));
        }
        self.push(hash, key, value);
        None
    }

    /// The position of a key with this hash that `is_it`.
    pub(super) fn position_by(&self, hash: u64, is_it: impl Fn(&K) -> bool) -> Option<usize> {
        self.table.find(hash, |_| false, is_it).map(|(found, _)| found.entry)
    }

    /// Adds a key that is not there.
    #[inline]
    pub(super) fn push(&mut self, hash: u64, key: K, value: V) {
        if self.table.free() == 0 || !(self.table.is_hashed() || key.carries_hash()) {
            self.renew_or_abort(log2_of(self.len() * 3), !key.carries_hash()); // `GROWTH_RATE`
        }
        self.table.push(hash, key, value);
    }

    /// Deletes a key; its value.
    #[inline]
    pub fn remove<Q: Lookup<K>>(&mut self, key: &Q) -> Option<V> {
        self.remove_entry(key).map(|(_, value)| value)
    }

    /// Deletes a key; the key and its value.
    #[inline]
    pub fn remove_entry<Q: Lookup<K>>(&mut self, key: &Q) -> Option<(K, V)> {
        let (found, _) = self.table.find(key.hash(), |it| key.is_same(it), |it| key.is(it))?;
        self.table.take(found)
    }

    /// Deletes the key that came last; it and its value (`dict.popitem`).
    ///
    /// Takes time linear in the deleted entries behind it.
    pub fn pop(&mut self) -> Option<(K, V)> {
        let last = self.table.last()?;
        let (key, _) = self.table.pair(last)?;
        // The very entry: an `Eq` that does not know its own key must not find another.
        let key: *const K = key;
        let is_last = |it: &K| core::ptr::eq(it, key);
        let (found, _) = self.table.find(self.get_at(last)?.0.hash(), is_last, is_last)?;
        self.table.take(found)
    }

    /// Makes room for one more key that carries its hash.
    ///
    /// # Errors
    /// If the allocator has no memory, or there are too many keys; nothing has changed then.
    pub fn try_reserve_one(&mut self) -> Result<(), AllocError> {
        if self.table.free() > 0 {
            return Ok(());
        }
        let log2 = log2_of(self.len() * 3);
        if log2 > LARGEST_LOG2 {
            return Err(AllocError);
        }
        self.table.renew(log2, false).map_err(|_| AllocError)
    }

    /// Deletes all keys and gives the memory back.
    pub fn clear(&mut self) {
        let empty = Table::empty(self.table.alloc().clone());
        drop(core::mem::replace(&mut self.table, empty));
    }

    /// Keys and values in insertion order.
    #[inline]
    pub fn iter(&self) -> Iter<'_, K, V> {
        Iter(self.table.all())
    }

    /// Keys and values in insertion order, the values to change.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (&K, &mut V)> {
        self.pairs_mut().map(|(key, value)| (&*key, value))
    }

    /// Keys and values in insertion order. Keys must stay equal to what they were.
    pub(super) fn pairs_mut(&mut self) -> impl Iterator<Item = &mut (K, V)> {
        let (bare, hashed) = match self.table.all_mut() {
            EntriesMut::Bare(entries) => (Some(entries), None),
            EntriesMut::Hashed(entries) => (None, Some(entries)),
        };
        let bare = bare.into_iter().flatten().filter_map(|entry| entry.pair_mut().as_mut());
        let hashed = hashed.into_iter().flatten().filter_map(|entry| entry.pair_mut().as_mut());
        bare.chain(hashed)
    }

    /// The keys in insertion order.
    pub fn keys(&self) -> impl Iterator<Item = &K> {
        self.iter().map(|(key, _)| key)
    }

    /// The values in the order of their keys.
    pub fn values(&self) -> impl Iterator<Item = &V> {
        self.iter().map(|(_, value)| value)
    }

    /// How many places its index has; 0 if it has allocated nothing.
    pub fn places(&self) -> usize {
        if self.table.bytes() == 0 { 0 } else { 1 << self.table.log2() }
    }

    /// Whether keys came that did not carry their hashes.
    pub fn stores_hashes(&self) -> bool {
        self.table.is_hashed()
    }

    #[cold]
    #[inline(never)]
    fn renew_or_abort(&mut self, log2: u8, hashed: bool) {
        assert!(log2 <= LARGEST_LOG2, "a dict has at most {} keys", usable(LARGEST_LOG2));
        if let Err(NoRoom { log2, hashed }) = self.table.renew(log2, hashed) {
            let layout = Table::<K, V, A>::layout(log2, hashed);
            handle_alloc_error(layout.expect("a dict smaller than the address space"))
        }
    }
}

/// Keys and values of a [`CompactDict`] in insertion order.
pub struct Iter<'d, K, V>(Entries<'d, K, V>);

impl<'d, K: Key, V> Iterator for Iter<'d, K, V> {
    type Item = (&'d K, &'d V);

    #[inline]
    fn next(&mut self) -> Option<(&'d K, &'d V)> {
        loop {
            let pair = match &mut self.0 {
                Entries::Bare(entries) => entries.split_off_first()?.pair(),
                Entries::Hashed(entries) => entries.split_off_first()?.pair(),
            };
            if let Some((key, value)) = pair {
                return Some((key, value));
            }
        }
    }

    #[inline]
    fn fold<B, F: FnMut(B, Self::Item) -> B>(self, init: B, mut f: F) -> B {
        let mut each = |result, pair: &'d Option<(K, V)>| match pair {
            Some((key, value)) => f(result, (key, value)),
            None => result,
        };
        match self.0 {
            Entries::Bare(entries) => entries.iter().fold(init, |result, entry| each(result, entry.pair())),
            Entries::Hashed(entries) => entries.iter().fold(init, |result, entry| each(result, entry.pair())),
        }
    }
}

impl<'d, K: Key, V, A: Allocator + Clone> IntoIterator for &'d CompactDict<K, V, A> {
    type Item = (&'d K, &'d V);
    type IntoIter = Iter<'d, K, V>;

    fn into_iter(self) -> Iter<'d, K, V> {
        self.iter()
    }
}

impl<K: Key, V> FromIterator<(K, V)> for CompactDict<K, V> {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(pairs: I) -> CompactDict<K, V> {
        let mut dict = CompactDict::new();
        dict.extend(pairs);
        dict
    }
}

impl<K: Key, V, A: Allocator + Clone> Extend<(K, V)> for CompactDict<K, V, A> {
    fn extend<I: IntoIterator<Item = (K, V)>>(&mut self, pairs: I) {
        pairs.into_iter().for_each(|(key, value)| drop(self.insert(key, value)));
    }
}

impl<K, V> Default for CompactDict<K, V> {
    fn default() -> CompactDict<K, V> {
        CompactDict::new()
    }
}

impl<K: Key + fmt::Debug, V: fmt::Debug, A: Allocator + Clone> fmt::Debug for CompactDict<K, V, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self).finish()
    }
}
