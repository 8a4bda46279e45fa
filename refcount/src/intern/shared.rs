//! An interner that threads share.
#![allow(unsafe_code, reason = "a table behind a lock")]

use super::DefaultHasher;
use super::keep::{Immortal, Keep};
use super::pointer::Pointer;
use super::table::{Stats, Table};
use crate::raw::{Lock, Spin};
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::cell::UnsafeCell;
use core::fmt;
use core::hash::{BuildHasher, Hash};
use hashbrown::Equivalent;

/// How many shards there are, unless it is said otherwise.
const SHARDS: usize = 64;

/// A part of the values, by their hashes, on cache lines of its own.
///
/// # Invariants
///
/// 1. The table is used under the lock only.
#[repr(align(128))]
struct Shard<R: Pointer, K: Keep<R>> {
    lock: Spin,
    table: UnsafeCell<Table<R, K>>,
}

/// Opens the lock, also if user code has panicked.
struct Opening<'a>(&'a Spin);

impl Drop for Opening<'_> {
    #[inline]
    fn drop(&mut self) {
        self.0.unlock();
    }
}

impl<R: Pointer, K: Keep<R>> Shard<R, K> {
    #[inline]
    fn locked<X>(&self, work: impl FnOnce(&mut Table<R, K>) -> X) -> X {
        self.lock.lock();
        let _opening = Opening(&self.lock);
        // SAFETY: invariant 1; the lock is not reentrant.
        work(unsafe { &mut *self.table.get() })
    }
}

// SAFETY: pointers go from thread to thread, and are used by several: `R: Send + Sync`. What is kept of them is used under the lock.
unsafe impl<R: Pointer + Send + Sync, K: Keep<R, Kept: Send>> Sync for Shard<R, K> {}

/// One object for all equal values, for many threads.
///
/// The values are spread over shards by their hashes. A hit takes the lock of one: an atomic exchange, a look, a store. Values are made
/// outside of it; of two threads that make the same at the same time, one drops what it has made.
///
/// ```
/// use cpymem_refcount::intern::{Immortal, SyncInterner};
/// use cpymem_refcount::sync::Arc;
/// use std::sync::LazyLock;
/// use std::thread;
///
/// static NAMES: LazyLock<SyncInterner<Arc<str>, Immortal>> = LazyLock::new(SyncInterner::new);
///
/// let there = thread::spawn(|| NAMES.intern("spam")).join().unwrap();
/// assert!(Arc::ptr_eq(&there, &NAMES.intern("spam")));
/// ```
///
/// Whoever waits for a lock spins, since it is held for a few loads. The value's `Eq` is called under it, and must not use the same interner: it would
/// wait for ever.
pub struct SyncInterner<R: Pointer, K: Keep<R> = Immortal, S = DefaultHasher> {
    shards: Box<[Shard<R, K>]>,
    hasher: S,
}

impl<R: Pointer, K: Keep<R>> SyncInterner<R, K> {
    /// An empty interner.
    pub fn new() -> SyncInterner<R, K> {
        SyncInterner::default()
    }
}

impl<R: Pointer, K: Keep<R>, S: Default> Default for SyncInterner<R, K, S> {
    fn default() -> SyncInterner<R, K, S> {
        SyncInterner::with_shards_and_hasher(SHARDS, S::default())
    }
}

impl<R: Pointer, K: Keep<R>, S> SyncInterner<R, K, S> {
    /// An empty interner with a hasher of your choice, and so many shards, rounded up to a power of two, at most 65,536: some for each thread.
    pub fn with_shards_and_hasher(shards: usize, hasher: S) -> SyncInterner<R, K, S> {
        let shards = shards.clamp(1, 1 << 16).next_power_of_two();
        let shard = |_| Shard { lock: Spin::new(), table: UnsafeCell::new(Table::new()) };
        SyncInterner { shards: (0..shards).map(shard).collect(), hasher }
    }

    fn sum<X: core::iter::Sum>(&self, each: impl Fn(&mut Table<R, K>) -> X) -> X {
        self.shards.iter().map(|shard| shard.locked(&each)).sum()
    }

    /// How many objects there are, dead ones that have not been swept included; exact if nobody interns meanwhile.
    pub fn len(&self) -> usize {
        self.sum(|table| table.len())
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What it has done so far.
    pub fn stats(&self) -> Stats {
        self.shards
            .iter()
            .map(|shard| shard.locked(|table| table.stats()))
            .fold(Stats::default(), |a, b| a + b)
    }

    /// Forgets the dead objects that were held [`Weakly`](super::Weakly), and returns how many there were. This happens by itself when a
    /// shard is full.
    pub fn sweep(&self) -> usize {
        self.sum(Table::sweep)
    }
}

impl<R: Pointer, K: Keep<R>, S: BuildHasher> SyncInterner<R, K, S> {
    /// The object with this value; made from a reference to it if there is none: `intern("text")` for pointers to `str`.
    ///
    /// # Panics
    ///
    /// With the panic of the value's `Hash` or `Eq`.
    #[inline]
    pub fn intern<'a, Q>(&self, value: &'a Q) -> R
    where
        Q: ?Sized + Hash + Equivalent<R::Target>,
        R: From<&'a Q>,
    {
        self.intern_with(value, R::from)
    }

    /// The object with this value; made by `make` if there is none.
    ///
    /// `make` must make an equal value with the same hash, or it will not be found again.
    ///
    /// # Panics
    ///
    /// With the panic of the value's `Hash` or `Eq`, or of `make`.
    #[inline]
    pub fn intern_with<'a, Q>(&self, value: &'a Q, make: impl FnOnce(&'a Q) -> R) -> R
    where
        Q: ?Sized + Hash + Equivalent<R::Target>,
    {
        let hash = self.hasher.hash_one(value);
        match self.find(hash, value) {
            Some(object) => object,
            None => self.insert(hash, value, make(value)),
        }
    }

    /// The object with this value, if there is one and it is alive.
    ///
    /// # Panics
    ///
    /// With the panic of the value's `Hash` or `Eq`.
    #[inline]
    pub fn get<Q>(&self, value: &Q) -> Option<R>
    where
        Q: ?Sized + Hash + Equivalent<R::Target>,
    {
        self.find(self.hasher.hash_one(value), value)
    }

    #[inline]
    fn shard(&self, hash: u64) -> &Shard<R, K> {
        // Neither the bits that the table takes for its tags, the highest seven, nor those for its places, the lowest.
        let at = (hash >> 40) as usize & (self.shards.len() - 1);
        &self.shards[at]
    }

    #[inline]
    fn find<Q>(&self, hash: u64, value: &Q) -> Option<R>
    where
        Q: ?Sized + Equivalent<R::Target>,
    {
        // Dropped when the lock is open: their destructors may use this interner.
        let mut others = Vec::new();
        self.shard(hash).locked(|table| table.find(hash, value, &mut others))
    }

    #[cold]
    fn insert<Q>(&self, hash: u64, value: &Q, object: R) -> R
    where
        Q: ?Sized + Equivalent<R::Target>,
    {
        let mut others = Vec::new();
        let found = self.shard(hash).locked(|table| {
            let found = table.find_again(hash, value, &mut others);
            if found.is_none() {
                table.insert(hash, &object);
            }
            found
        });
        found.unwrap_or(object)
    }
}

impl<R: Pointer, K: Keep<R>, S> fmt::Debug for SyncInterner<R, K, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SyncInterner")
            .field("len", &self.len())
            .field("stats", &self.stats())
            .finish_non_exhaustive()
    }
}
