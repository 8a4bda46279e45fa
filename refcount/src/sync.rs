//! `Arc` and `Weak` for many threads: [`std::sync`]'s with an 8-byte header, immortal objects and bounded destruction.
//!
//! What differs from `std::sync`:
//!
//! | | `std::sync` | here |
//! | --- | --- | --- |
//! | header | 16 bytes | 8 bytes; 16 more once an object has a weak reference |
//! | memory of a dead object | kept while there are weak references | freed at once; only 16 bytes stay |
//! | too many references | aborts | the object becomes immortal |
//! | dropping a long chain | overflows the stack | bounded depth, for objects made by the `'static` constructors |
//! | `new`, `From`, `Default`, `collect` | any `T` | `T: 'static`; [`Arc::new_borrowed`] for any `T` |
//! | `get_mut`, `make_mut` | any `T` | `T: 'static`; [`Arc::get_mut_borrowed`], [`Arc::make_mut_borrowed`] for any `T` |
//! | unsized values | coercion | [`unsize_arc!`](crate::unsize_arc), or [`Arc::from`] for slices and `str` |
//! | a value that borrows from its own owner's scope | `#[may_dangle]` lets the owner drop it last | the borrow must outlive the `Arc` |
//! | `downgrade` | allocates nothing | the first one allocates the side header |
//! | raw conversions of `Weak` | yes | no |
//! | a type for what comes first, the look or the count | no | [`Policy`] |
//! | addresses | any | a side header's has at most 48 bits, or `downgrade` fails as without memory |
//! | processors | any with atomics | those with atomic words of 64 bits |
//!
//! Destruction is deferred as in [`rc`](crate::rc#deferred-destruction), in the queue of the thread that drops the last reference.
//!
//! # An immortal object, as in PEP 683
//!
//! ```
//! use cpymem_refcount::sync::{Arc, Immortal};
//!
//! static NONE: Immortal<&str> = Immortal::new("None");
//!
//! let none: Arc<&str> = NONE.to_arc();
//! assert_eq!(*none, "None");
//! assert!(Arc::is_immortal(&none));
//! ```

mod compare;
mod convert;
#[cfg(not(loom))]
mod immortal;
mod policy;
mod strong;
mod unique;
mod watch;
mod weak;

#[cfg(not(loom))]
pub use immortal::Immortal;
pub use policy::{CheckFirst, CountFirst, Policy};
pub use strong::Arc;
pub use watch::Watch;
pub use weak::Weak;
