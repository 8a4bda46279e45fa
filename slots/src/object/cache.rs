//! Inline caches: where an attribute was found last time.

use super::block::Place;
use super::id::Id;

/// The memory of one place in a program that reads or writes one attribute: 8 bytes.
///
/// ```text
///   shape: 32 bits     0: uninitialised; else the shape or the shared keys seen last (monomorphic)
///   index: 16 bits     where the attribute lies in objects of that shape
///   near:  16 bits     the bit of the index among the first 16, by which the object tells that it is set
/// ```
///
/// A hit compares the object's shape with the cache's and loads from the index: no hash, no name. On a
/// miss the object is asked by name, and the cache forgets the shape before.
///
/// A cache is for *one* name: the object does not compare it, as an interpreter's instruction has its name
/// fixed. Used with two names, or with another registry or keys, it answers for what it was filled with;
/// debug builds panic.
#[derive(Clone, Copy, Debug, Default)]
pub struct InlineCache {
    shape: u32,
    /// # Invariant
    /// Below the number of values of every block whose header holds `shape`.
    place: Place,
}

const _: () = assert!(size_of::<InlineCache>() == 8);

impl InlineCache {
    /// A cache that has seen nothing yet.
    pub fn new() -> InlineCache {
        InlineCache::default()
    }

    /// Remembers an index that was just found by name in this shape or these keys, which must be fewer
    /// than the values of their objects.
    pub(super) fn remember(&mut self, shape: Id, index: u16) {
        *self = InlineCache { shape: shape.bits(), place: Place::of(index) };
    }

    /// Where the attribute lies, if the object is of the shape seen last.
    #[inline]
    pub(super) fn hit(&self, shape: Id) -> Option<Place> {
        if self.shape == shape.bits() { Some(self.place) } else { None }
    }
}
