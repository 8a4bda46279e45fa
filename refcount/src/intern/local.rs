//! An interner for one thread.

use super::DefaultHasher;
use super::keep::{Keep, Strong};
use super::pointer::Pointer;
use super::table::{Stats, Table};
use alloc::vec::Vec;
use core::fmt;
use core::hash::{BuildHasher, Hash};
use hashbrown::Equivalent;

/// One object for all equal values, for one thread at a time.
///
/// ```
/// use cpymem_refcount::intern::{Interner, Weakly};
/// use cpymem_refcount::rc::Rc;
///
/// let mut points: Interner<Rc<(i32, i32)>, Weakly> = Interner::new();
/// let one = points.intern_value((1, 2));
/// assert!(Rc::ptr_eq(&one, &points.intern_value((1, 2))));
/// drop(one); // nobody has it any more
/// assert_eq!((points.get(&(1, 2)), points.sweep(), points.len()), (None, 1, 0));
/// ```
pub struct Interner<R: Pointer, K: Keep<R> = Strong, S = DefaultHasher> {
    table: Table<R, K>,
    hasher: S,
}

impl<R: Pointer, K: Keep<R>> Interner<R, K> {
    /// An empty interner. Allocates nothing.
    pub fn new() -> Interner<R, K> {
        Interner::default()
    }
}

impl<R: Pointer, K: Keep<R>, S: Default> Default for Interner<R, K, S> {
    fn default() -> Interner<R, K, S> {
        Interner::with_hasher(S::default())
    }
}

impl<R: Pointer, K: Keep<R>, S> Interner<R, K, S> {
    /// An empty interner with a hasher of your choice.
    pub const fn with_hasher(hasher: S) -> Interner<R, K, S> {
        Interner { table: Table::new(), hasher }
    }

    /// How many objects there are, dead ones that have not been swept included.
    pub fn len(&self) -> usize {
        self.table.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What it has done so far.
    pub fn stats(&self) -> Stats {
        self.table.stats()
    }

    /// Forgets the dead objects that were held [`Weakly`](super::Weakly), and returns how many there were. This happens by itself when the
    /// table is full.
    pub fn sweep(&mut self) -> usize {
        self.table.sweep()
    }
}

impl<R: Pointer, K: Keep<R>, S: BuildHasher> Interner<R, K, S> {
    /// The object with this value; made from a reference to it if there is none: `intern("text")` for pointers to `str`.
    ///
    /// # Panics
    ///
    /// With the panic of the value's `Hash` or `Eq`.
    #[inline]
    pub fn intern<'a, Q>(&mut self, value: &'a Q) -> R
    where
        Q: ?Sized + Hash + Equivalent<R::Target>,
        R: From<&'a Q>,
    {
        self.intern_with(value, R::from)
    }

    /// The object with this value, which is moved there if there is none.
    ///
    /// # Panics
    ///
    /// With the panic of the value's `Hash` or `Eq`.
    #[inline]
    pub fn intern_value<Q>(&mut self, value: Q) -> R
    where
        Q: Hash + Equivalent<R::Target>,
        R: From<Q>,
    {
        let hash = self.hasher.hash_one(&value);
        if let Some(object) = self.find(hash, &value) {
            return object;
        }
        let object = R::from(value);
        self.table.insert(hash, &object);
        object
    }

    /// The object with this value; made by `make` if there is none.
    ///
    /// `make` must make an equal value with the same hash, or it will not be found again.
    ///
    /// # Panics
    ///
    /// With the panic of the value's `Hash` or `Eq`, or of `make`.
    #[inline]
    pub fn intern_with<'a, Q>(&mut self, value: &'a Q, make: impl FnOnce(&'a Q) -> R) -> R
    where
        Q: ?Sized + Hash + Equivalent<R::Target>,
    {
        let hash = self.hasher.hash_one(value);
        if let Some(object) = self.find(hash, value) {
            return object;
        }
        let object = make(value);
        self.table.insert(hash, &object);
        object
    }

    /// The object with this value, if there is one and it is alive.
    ///
    /// # Panics
    ///
    /// With the panic of the value's `Hash` or `Eq`.
    #[inline]
    pub fn get<Q>(&mut self, value: &Q) -> Option<R>
    where
        Q: ?Sized + Hash + Equivalent<R::Target>,
    {
        let hash = self.hasher.hash_one(value);
        self.find(hash, value)
    }

    #[inline]
    fn find<Q>(&mut self, hash: u64, value: &Q) -> Option<R>
    where
        Q: ?Sized + Equivalent<R::Target>,
    {
        self.table.find(hash, value, &mut Vec::new())
    }
}

impl<R: Pointer, K: Keep<R>, S> fmt::Debug for Interner<R, K, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Interner")
            .field("len", &self.len())
            .field("stats", &self.stats())
            .finish_non_exhaustive()
    }
}
