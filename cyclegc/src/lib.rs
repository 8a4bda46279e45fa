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
//! 8 bytes of header and 2 side bytes an object; a clone is an increment. A collection looks at every candidate
//! twice and uses no recursion: a ring of ten million objects is collected on a stack of 512 KiB.
//!
//! # Hand-written `Trace`
//! [`Collector::audit`] compares what a whole heap reports with what it counts. The feature `checked` does that at each death: what
//! `Trace::visit` reported, what `Trace::clear` severed, and what the value then released. A reference that is hidden,
//! reported twice or not cleared is a panic that names the types. It costs a visit and a table for each death, and is for test suites.
//!
//! # What it does not do
//! Share objects between threads. Collect a cycle across two [`Collector`]s.
//!
//! # CPython's tests
//! `tests/test_gc`, `tests/test_weakref.rs`, `tests/test_finalize.rs`, `tests/test_finalization.rs` and `tests/weak_collections.rs` carry the names of the tests
//! of CPython 3.13 that have a meaning here. Left out are:
//!
//! | tests | why |
//! | --- | --- |
//! | `test_legacy_finalizer*`, `LegacyFinalizationTest` | there are no legacy finalizers (`tp_del`) |
//! | `test_gc_*_at_shutdown`, `test_global_del_SystemExit`, `test_ast_fini` | modules, interpreter shutdown |
//! | `test_get_referents_on_capsule`, `test_refcount_errors`, `test_get_objects_arguments` | capsules, a debug build's abort message, argument types |
//! | `test_proxy_*`, `test_callable_proxy`, `test_*_proxy`, `test_newstyle_number_ops`, `test_cfunction` | proxies and operators that they forward |
//! | `test_ref_repr`, `test_proxy_repr`, `test_repr_failure_gh99184`, `test_make_weak_*_repr` | texts of `repr` |
//! | `test_subclass_refs*` (but the cycle), `test_classes`, `test_init`, `test_constructor_kwargs`, `test_set_callback_attribute` | subclasses, attributes and constructors of `weakref.ref` |
//! | `test_getweakrefs`, `test_hashing`, `test_ordering` | a `Weak` is no object: it has no identity, hash or order of its own |
//! | `test_no_memory_when_clearing` | a failure of the allocator in C code |
//! | `WeakMethodTestCase` | bound methods |
//! | `test_weak_*_iters`, `test_weak_*_destroy_while_iterating`, `*_popitem`, `*_setdefault`, `*_update`, `*_union_operators`, `test_make_weak_*`, `*_delitem`, the mapping protocol | the dict protocol: the maps here hand out snapshots |
//! | `*_race`, `test_threaded_*`, `test_weak_valued_consistency` | a heap belongs to one thread |
//! | `FinalizeTestCase.test_arg_errors`, `test_names`, `test_remove_closure` | how arguments are passed; contents of modules |
//!
//! Where the original checks an order that CPython changed after 3.13 (weak references without a callback now die after the finalizers), the
//! test checks the newer one, and another one [`WeakrefOrder::Py313`].

// Under loom nothing of the library is built; `tests/loom.rs` drives the files of `protocol`.
#![cfg(not(loom))]

/// The examples of the README are tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

extern crate self as cpymem_cyclegc;

// Each file imports only from those to its left:
//   protocol, visitor, inquiry, vtable, side_word, object, checked | listing, schedule, events, watcher, finalizers, heap, death | gc_ptr, trace, weak, any, impls |
//   reached, gc_refs, numbers, doomed, teardowns, mark, shard, parallel, candidates, subtract, recent, full, weakrefs, teardown, inspect, audit, collect | step |
//   weak_map | typed, coerce, collector, finalize, gc, graph | patterns
mod any;
mod audit;
mod candidates;
mod checked;
mod coerce;
mod collect;
mod collector;
mod death;
mod doomed;
mod events;
pub mod finalize;
mod finalizers;
mod full;
pub mod gc;
mod gc_ptr;
mod gc_refs;
pub mod graph;
mod heap;
mod impls;
mod inquiry;
mod inspect;
mod listing;
mod mark;
mod numbers;
mod object;
mod parallel;
#[cfg(feature = "patterns")]
pub mod patterns;
mod protocol;
mod reached;
mod recent;
mod schedule;
mod shard;
mod side_word;
mod step;
mod subtract;
mod teardown;
mod teardowns;
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
///
/// Every field is visited; one marked `#[trace(skip)]` is not, and what it refers to then counts as
/// referenced from outside. Works for structs and enums, also generic ones, whose type parameters must be
/// `Trace`. `#[trace(finalize)]` on the type makes its [`Finalize`] run.
///
/// A type with a `Drop` of its own is refused,
///
/// ```compile_fail
/// #[derive(cpymem_cyclegc::Trace)]
/// struct Noisy;
///
/// impl Drop for Noisy {
///     fn drop(&mut self) {}
/// }
/// ```
///
/// unless it says that its destructor knows of severed handles (see [`Gc::try_deref`]):
///
/// ```
/// #[derive(cpymem_cyclegc::Trace)]
/// #[trace(drop)]
/// struct Noisy;
///
/// impl Drop for Noisy {
///     fn drop(&mut self) {}
/// }
/// ```
pub use cpymem_cyclegc_derive::Trace;
pub use events::{CallbackId, Debug, Info, Phase};
pub use finalize::{Finalizer, finalize};
pub use gc_ptr::Gc;
pub use heap::WeakrefOrder;
pub use inquiry::{Inquiry, Teardown};
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
