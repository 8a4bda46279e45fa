//! [`Trace`](crate::Trace) for the types of the standard library and, behind features of their names, of other crates.
//!
//! ```text
//!   leaf         what owns no Gc: numbers, text, pointers, ranges, functions
//!   wrapper      what owns one value or none: Box, Option, Result, Cow, ..
//!   cell         what owns one value that can change: RefCell, Cell, locks
//!   sequence     slices, arrays, vectors, lists, tuples
//!   map          maps, sets and heaps, which are emptied to sever their keys
//!   other        hashbrown, indexmap, smallvec, either
//! ```

mod cell;
mod leaf;
mod map;
#[cfg(any(feature = "either", feature = "hashbrown", feature = "indexmap", feature = "smallvec"))]
mod other;
mod sequence;
mod wrapper;

/// Whether a container of `T`s behind a pointer can own a `Gc`: whoever owns one has something to drop.
///
/// A type can contain itself behind such a pointer, so asking `T::needs_trace()` might never end.
const fn may_own_gc<T: ?Sized>() -> bool {
    core::mem::needs_drop::<T>()
}
