//! `Rc` and `Weak` for one thread: [`std::rc`] with an 8-byte header, immortal objects and bounded destruction.
//!
//! What differs from `std::rc`:
//!
//! | | `std::rc` | here |
//! | --- | --- | --- |
//! | header | 16 bytes | 8 bytes; 16 more once an object has a weak reference |
//! | memory of a dead object | kept while there are weak references | freed at once; only 16 bytes stay |
//! | too many references | aborts | the object becomes immortal |
//! | dropping a long chain | overflows the stack | bounded depth, for objects made by the `'static` constructors |
//! | `new`, `From`, `Default`, `collect` | any `T` | `T: 'static`; [`Rc::new_borrowed`] for any `T` |
//! | `get_mut`, `make_mut` | any `T` | `T: 'static`; [`Rc::get_mut_borrowed`], [`Rc::make_mut_borrowed`] for any `T` |
//! | unsized values | coercion | [`unsize_rc!`](crate::unsize_rc), or [`Rc::from`] for slices and `str` |
//! | a value that borrows from its own owner's scope | `#[may_dangle]` lets the owner drop it last | the borrow must outlive the `Rc` |
//! | `downgrade` | allocates nothing | the first one allocates the side header |
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
