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
//! | the last drop | thread-local depth up and down; nothing for types without drop glue |
//! | destruction deeper than 64 | 40 bytes for each object that waits in the queue |
//!
//! The README has the times beside `std::rc::Rc`.
//!
//! # What it does not do
//!
//! * Cycles leak, as with `std`: collecting them is the work of `cpymem-cyclegc`, which stands on [`raw`].
//! * [`rc`] is for one thread, [`sync`] for many. Biased counts are not there yet.
//! * Bounded destruction needs `'static` values: [the module](rc) says why, and lists every other difference from `std::rc`.
//! * A count that has saturated (beyond 2^30 references; `sync`: 2^31) never falls again: the object leaks.
//! * It needs `std`, for the thread's trashcan and for catching panics.

#![cfg_attr(not(feature = "std"), no_std)]

extern crate alloc;

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

mod convert;
mod forward;
mod object;
mod primitive;
pub mod raw;
pub mod rc;
#[cfg(target_has_atomic = "64")]
pub mod sync;
