//! Interning: one object for all equal values, so that comparing them is comparing pointers; and caches of small values.
//!
//! ```text
//!   Interner        one thread, `&mut self`          Strong     held until the interner goes
//!   SyncInterner    many threads, `&self`, sharded   Immortal   held for ever: clones never write
//!   SmallInts       a table of integers              Weakly     not held: what nobody else has is gone
//! ```
//!
//! They take every owning pointer of this crate and every value that is `Eq + Hash`, sized or not.
//!
//! ```
//! use cpymem_refcount::intern::{Interner, Strong};
//! use cpymem_refcount::rc::Rc;
//!
//! let mut names: Interner<Rc<str>, Strong> = Interner::new();
//! let (a, b) = (names.intern("spam"), names.intern("spam"));
//! assert!(Rc::ptr_eq(&a, &b) && !Rc::ptr_eq(&a, &names.intern("eggs")));
//! assert_eq!((names.len(), names.stats().hits, names.stats().misses), (2, 1, 2));
//! ```
//!
//! CPython interns strings: in a dict that does not count its references until 3.11 and from 3.13 on, which is [`Weakly`]; in 3.12, and since then those of names and
//! constants, for ever, which is [`Immortal`] (`Objects/unicodeobject.c`). Its small integers are `_PyLong_SMALL_INTS`, −5 to 256, to 1024 from 3.15 on.

mod keep;
mod local;
mod pointer;
#[cfg(target_has_atomic = "64")]
mod shared;
mod small;
mod table;

pub use keep::{Immortal, Keep, Strong, Weakly};
pub use local::Interner;
pub use pointer::Pointer;
#[cfg(target_has_atomic = "64")]
pub use shared::SyncInterner;
pub use small::{CPYTHON, CPYTHON_3_15, Hits, LocalHits, SharedHits, SmallInts};
pub use table::Stats;

/// The hasher of interners that name no other: fast for short keys, with a random seed, so that a collision is not easily provoked.
pub type DefaultHasher = foldhash::fast::RandomState;
