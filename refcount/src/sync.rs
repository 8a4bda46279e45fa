//! `Arc` and `Weak` for many threads: [`std::sync`]'s with an 8-byte header, immortal objects and bounded destruction.
//!
//! [What differs from `std::sync`](crate#differences-from-std) stands in the crate's documentation.
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
