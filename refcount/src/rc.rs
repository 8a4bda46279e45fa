//! `Rc` and `Weak` for one thread: [`std::rc`] with an 8-byte header, immortal objects and bounded destruction.
//!
//! [What differs from `std::rc`](crate#differences-from-std) stands in the crate's documentation.
//!
//! # Deferred destruction
//!
//! When destruction nests deeper than [`DEPTH_LIMIT`](crate::raw::trashcan::DEPTH_LIMIT), dead objects wait in a queue until the
//! outermost destruction of the thread is done. All of them are gone when the outermost `drop` returns, but a destructor in the
//! middle of the structure may have returned before. Its local variables must not be borrowed by anything in the queue:
//!
//! ```text
//! impl Drop for Node {                               // runs 64 levels deep
//!     fn drop(&mut self) {
//!         let local = String::from("x");
//!         let guard = Rc::new_borrowed(Guard(&local));
//!     }                                              // `guard` dies here. Were it queued, its `Drop` would read
//! }                                                  // `local` long after this frame is gone
//! ```
//!
//! Therefore an object is queued only if its header says it is *deferrable*, and only constructors bounded by `T: 'static` and
//! `A: 'static` write that bit. One more door has to be closed. `Rc<T>` is covariant, so an `Rc<Option<&'static str>>` may be
//! passed where an `Rc<Option<&'a str>>` is wanted; if `get_mut` were available there, the holder could store a borrow of `'a`
//! into an object that still says it is deferrable. So `get_mut` and `make_mut` demand `T: 'static`, and their `_borrowed` twins,
//! which do not, clear the bit first: from then on the object is destroyed recursively, as in `std`.

mod compare;
mod convert;
mod strong;
mod unique;
mod watch;
mod weak;

pub use strong::Rc;
pub use watch::Watch;
pub use weak::Weak;
