//! Reference counts as CPython keeps them, for Rust.
//!
//! [`rc::Rc`] and [`sync::Arc`] have the methods of [`std::rc::Rc`] and [`std::sync::Arc`] and add what CPython's objects have: an 8-byte header, immortal objects (PEP
//! 683), counts that saturate and neither wrap nor abort, memory that is freed at the death of the object however many weak
//! references remain, and a trashcan: dropping a list of ten million nodes does not overflow the stack.
//!
//! ```text
//!   Rc ──────────┐
//!   Rc ────────┐ │      ┌──────────────┬──────────────┬───────────────
//!              └─┴────► │ count     32 │ meta      32 │ value …             an object: 8 bytes and the value
//!                       └──────────────┴──────────────┴───────────────
//!
//!   with a weak reference:
//!                       ┌──────────────┬──────────────┬───────────────
//!   Rc ───────────────► │ 11 │ address of the side    │ value …             freed when the last Rc goes
//!                       └────────────┬─┴──────────────┴───────────────
//!                                    ▼
//!                       ┌──────────────┬──────────────┬───────┬───────┐
//!   Weak ─────────────► │ count     32 │ meta      32 │ weak  │ flags │     freed when the last Weak goes
//!                       └──────────────┴──────────────┴───────┴───────┘
//! ```
//!
//! ```
//! use cpymem_refcount::rc::{Rc, Weak};
//! use std::cell::RefCell;
//!
//! struct Node {
//!     parent: Weak<Node>,
//!     children: RefCell<Vec<Rc<Node>>>,
//! }
//!
//! let root = Rc::new(Node { parent: Weak::new(), children: RefCell::default() });
//! let leaf = Rc::new(Node { parent: Rc::downgrade(&root), children: RefCell::default() });
//! root.children.borrow_mut().push(leaf.clone());
//! assert!(Rc::ptr_eq(&leaf.parent.upgrade().unwrap(), &root));
//!
//! drop(root);
//! assert!(leaf.parent.upgrade().is_none());
//! ```
//!
//! # What it costs
//!
//! | | |
//! | --- | --- |
//! | an object | 8 bytes and the value |
//! | clone, drop of a clone | `rc`: an addition in memory and a test of its sign; `sync`: a load, a test, an atomic addition |
//! | the same of an immortal object | `rc`: two additions that cancel out; `sync`: a load and a test, nothing is stored |
//! | the first weak reference | 16 bytes; from then on counting goes through them, out of line |
//! | a callback | 56 bytes and what it captures; the first one of an object 16 more |
//! | the last drop | thread-local depth up and down; nothing for types without drop glue |
//! | destruction deeper than 64 | 40 bytes for each object that waits in the queue |
//!
//! The README has the times beside `std::rc::Rc`.
//!
//! # Differences from `std`
//!
//! [`rc`] and [`sync`] have every stable method, conversion and trait of `std`'s `Rc`, `Arc` and `Weak` as of Rust 1.95 that stable Rust
//! lets a crate write, with the same meaning. What differs:
//!
//! | | `std` | here |
//! | --- | --- | --- |
//! | header | 16 bytes | 8 bytes; 16 more once an object has a weak reference |
//! | memory of a dead object | kept while there are weak references | freed at once; only the 16 bytes stay |
//! | too many references | abort | the object becomes immortal: it leaks |
//! | dropping a long chain | overflows the stack | bounded depth, for objects made by the `'static` constructors |
//! | `new`, `From`, `Default`, `collect` | any `T` | `T: 'static`; `new_borrowed` for any `T` |
//! | `get_mut`, `make_mut` | any `T` | `T: 'static`; `get_mut_borrowed`, `make_mut_borrowed` for any `T` |
//! | `pin_in` | `A: 'static` | `T: 'static` as well |
//! | `make_mut` of unsized values | `CloneToUninit` | [`CloneValue`], until that is stable |
//! | unsized values | coercion | [`unsize!`](crate::unsize!), for `Weak`s and inside `Pin` too |
//! | methods with `self: Rc<Self>`; patterns | yes | no: `this: &Rc<Self>` |
//! | `Weak::into_raw`, `from_raw` | yes | no: a `Weak` is two words, its object and its side header |
//! | `Weak::as_ptr` | any `T` | sized `T` |
//! | `Weak::ptr_eq` of dead objects | compares addresses | tells objects apart that had the same address |
//! | a value that borrows from its own owner's scope | `#[may_dangle]` lets the owner drop it last | the borrow must outlive the pointer |
//! | `==` with `T: Eq` | looks at the addresses first | always compares the values (that needs specialization) |
//! | `downgrade` | allocates nothing | the first one allocates the side header |
//! | `Waker` from an `Arc` of a `Wake` | yes | no: `Wake` names `std`'s `Arc` |
//! | `Read`, `Write`, `Seek` for `Arc<File>`, `AsFd` and its like | yes | no: deref |
//! | the unstable `UniqueRc`, `UniqueArc`, `get_mut_unchecked`, `downcast_unchecked`, `into_array`, … | nightly | no |
//! | the unstable `new_in`, `try_new`, `allocator`, `from_raw_in`, … | nightly | yes, with `allocator_api2`'s `Allocator` |
//! | `sync`: the order of looking and counting | | a type parameter, [`sync::Policy`] |
//! | `sync`: side headers | | at addresses of at most 48 bits, or `downgrade` fails as without memory |
//! | `sync`: processors | any with atomics | those with atomic words of 64 bits |
//!
//! # Features
//!
//! | | |
//! | --- | --- |
//! | `std` | on by default. Without it (`no_std` + `alloc`) destruction recurses, and a panic in a callback aborts |
//! | `serde` | `Serialize` and `Deserialize` for the pointers |
//! | `checked` | for debugging: dropping twice, use after free through raw parts and counts below zero are caught, and both places named |
//!
//! # What it does not do
//!
//! * Cycles leak, as with `std`: collecting them is the work of `cpymem-cyclegc`, which stands on [`raw`].
//! * [`rc`] is for one thread, [`sync`] for many. Biased counts are not there yet.
//! * A count that has saturated (beyond 2^30 references; `sync`: 2^31) never falls again: the object leaks.

#![cfg_attr(not(feature = "std"), no_std)]

extern crate alloc;

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

#[cfg(all(feature = "std", target_has_atomic = "64"))]
pub mod biased;
mod checked;
mod clone_value;
mod convert;
mod forward;
pub mod freelist;
pub mod intern;
mod object;
mod owner;
#[cfg(all(feature = "patterns", target_has_atomic = "64", not(loom)))]
pub mod patterns;
mod primitive;
pub mod raw;
pub mod rc;
#[cfg(feature = "serde")]
mod serde;
#[cfg(target_has_atomic = "64")]
pub mod sync;
#[doc(hidden)]
pub mod unsize;
mod watch;
#[cfg(target_has_atomic = "64")]
mod weak;

pub use clone_value::CloneValue;
#[cfg(feature = "std")]
pub use raw::{UnraisableHook, set_unraisable_hook};
