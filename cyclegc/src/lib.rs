//! Reference counting that also frees cycles.
//!
//! [`Gc<T>`] is a counted pointer. Like [`Rc`](std::rc::Rc), it frees a value the moment the last reference
//! goes; unlike it, values that only refer to each other are found by a collection, with the algorithm of
//! CPython: *trial deletion*, which needs to know nothing of the stack, of globals or of untraced code.
//!
//! ```text
//!     count        gc_refs := count     minus references     what is left comes from
//!                                       from inside          outside: mark from there
//!
//!     a: 2 <-.      a: 2                 a: 1  (a handle)     a: reached
//!     |      |
//!     b: 1 --'      b: 1                 b: 0                 b: reached from a
//!     c: 1 <-.      c: 1                 c: 0                 c, d: unreachable
//!     d: 1 --'      d: 1                 d: 0
//! ```
//!
//! ```
//! use std::cell::RefCell;
//! use cpymem_cyclegc::{Gc, Trace, collect};
//!
//! #[derive(Trace)]
//! struct Person {
//!     name: String,
//!     friends: RefCell<Vec<Gc<Person>>>,
//! }
//!
//! let ann = Gc::new(Person { name: "Ann".into(), friends: RefCell::default() });
//! let bob = Gc::new(Person { name: "Bob".into(), friends: RefCell::new(vec![ann.clone()]) });
//! ann.friends.borrow_mut().push(bob.clone());
//! assert_eq!(ann.friends.borrow()[0].name, "Bob");
//!
//! drop(bob);
//! assert_eq!(collect(), 0); // `ann` still reaches both
//! drop(ann);
//! assert_eq!(collect(), 2); // now nothing does
//! ```
//!
//! # What it costs
//! 8 bytes of header and 2 side bytes an object; a clone is an increment. A collection looks at every object
//! twice and uses no recursion: a ring of ten million objects is collected on a stack of 512 KiB.
//!
//! # What it does not do
//! Yet: start collections by itself (call [`collect`]), collect by generations or increments, run finalizers
//! and weak reference callbacks, share objects between threads.

/// The examples of the README are tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

extern crate self as cpymem_cyclegc;

// Each file imports only from those to its left:
//   visitor, vtable, side_word, object | listing, schedule, events, watcher, heap, death | gc_ptr, trace, weak, any, impls |
//   candidates, subtract, mark, weakrefs, teardown, recent, collect | inspect, audit, step | weak_map | typed, coerce, collector, gc
mod any;
mod audit;
mod candidates;
mod coerce;
mod collect;
mod collector;
mod death;
mod events;
pub mod gc;
mod gc_ptr;
mod heap;
mod impls;
mod inspect;
mod listing;
mod mark;
mod object;
mod recent;
mod schedule;
mod side_word;
mod step;
mod subtract;
mod teardown;
mod trace;
mod typed;
mod visitor;
mod vtable;
mod watcher;
mod weak;
mod weak_map;
mod weakrefs;

pub use any::AnyGc;
pub use audit::{Fault, Finding};
pub use collector::{Collector, GenerationStats, Stats, collect};
/// Derives [`trait@Trace`]: see the trait for what it promises.
pub use cpymem_cyclegc_derive::Trace;
pub use events::{CallbackId, Debug, Info, Phase};
pub use gc_ptr::Gc;
pub use heap::WeakrefOrder;
pub use schedule::Generation;
pub use step::StepReport;
pub use trace::{Finalize, Trace};
pub use visitor::{Clearer, Visitor};
pub use weak::Weak;
pub use weak_map::{WeakKeyMap, WeakSet, WeakValueMap};

/// What the macros of this crate name.
#[doc(hidden)]
pub mod __private {
    pub use crate::coerce::Handle;
    pub use crate::vtable::GcBox;
}
