//! Inline caches: where an attribute was found last time.

use super::block::Place;
use super::id::Id;

/// The memory of one place in a program that reads or writes one attribute: 8 bytes.
///
/// ```text
///   key:   32 bits     the shape, the shared keys or the version of the class seen last; 0: none, or several
///   place: 32 bits     where the attribute lies in objects of that key; of several: which line of `Caches` has them
///
///   uninitialised --> monomorphic --> polymorphic, up to 4 keys --> megamorphic
///   (0, 0)            (key, place)    (0, line of four)             (0, all ones): the global cache of `Caches`
/// ```
///
/// A hit compares the object's key with the cache's and loads from the place: no hash, no name. On a miss the object
/// is asked by name. Without a [`Caches`](super::Caches) at hand a cache stays monomorphic and forgets the key before.
///
/// A cache is for *one* name, and either for reads or for writes: the object does not compare the name, as an interpreter's
/// instruction has its name fixed. Used with two names, it answers for what it was filled with; debug builds panic.
#[derive(Clone, Copy, Debug, Default)]
pub struct InlineCache {
    pub(super) key: u32,
    /// # Invariant
    /// Unless `key` is 0: what was found for objects of that key.
    pub(super) place: u32,
}

const _: () = assert!(size_of::<InlineCache>() == 8);

/// What an inline cache has come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CacheState {
    /// It has seen nothing.
    Uninitialised,
    /// It has seen one key.
    Monomorphic,
    /// It has seen up to four, which a line of [`Caches`](super::Caches) holds.
    Polymorphic,
    /// It has seen more; the global cache of [`Caches`](super::Caches) serves it.
    Megamorphic,
}

impl InlineCache {
    /// The place of a megamorphic cache.
    pub(super) const MANY: u32 = u32::MAX;

    /// A cache that has seen nothing yet.
    pub const fn new() -> InlineCache {
        InlineCache { key: 0, place: 0 }
    }

    /// What it has come to.
    pub fn state(&self) -> CacheState {
        match (self.key, self.place) {
            (0, 0) => CacheState::Uninitialised,
            (0, InlineCache::MANY) => CacheState::Megamorphic,
            (0, _) => CacheState::Polymorphic,
            _ => CacheState::Monomorphic,
        }
    }

    /// Remembers an index that was just found by name in this shape or these keys.
    pub(super) fn remember(&mut self, shape: Id, index: u16) {
        *self = InlineCache { key: shape.bits(), place: Place::of(index).bits() };
    }

    /// Where the attribute lies, if the object is of the shape seen last.
    #[inline(always)]
    pub(super) fn hit(&self, shape: Id) -> Option<Place> {
        if self.key == shape.bits() { Some(Place::from_bits(self.place)) } else { None }
    }
}
