//! Counts, side headers and the trashcan, without an owning type. **Unsafe in spirit and exempt from semver.**
//!
//! [`rc::Rc`](crate::rc::Rc) is one embedder of this module; a cycle collector is another: both put a [`Header`] in front of
//! their values, decide what `meta` means, and destroy the object themselves when [`Header::decrement`] says so.
//!
//! # An embedder's life of an object
//!
//! 1. Allocate, write [`Header::new`] at the front and the value behind it.
//! 2. [`increment`](Header::increment) for every new reference, [`decrement`](Header::decrement) for every one that goes.
//! 3. For a weak reference: [`side_or_insert`](Header::side_or_insert), then [`Side::retain`]. To use it:
//!    [`Side::upgrade`]. To let go of it: [`Side::release`]. For a callback at the object's death: [`Side::watch`].
//! 4. When `decrement` returns `true`: hand the object to [`trashcan::dispose`], or destroy it on the spot. Destroying means:
//!    [`Side::call_watches`], drop the value, [`release_side`](Header::release_side), free the memory.

#[cfg(all(feature = "std", target_has_atomic = "64"))]
pub mod biased;
mod count;
mod header;
#[cfg(target_has_atomic = "64")]
mod shared_header;
#[cfg(target_has_atomic = "64")]
mod shared_side;
#[cfg(target_has_atomic = "64")]
mod shared_word;
mod side;
pub mod trashcan;
mod unraisable;
mod watch;
#[cfg(target_has_atomic = "64")]
mod weak_count;

#[cfg(all(feature = "std", target_has_atomic = "64"))]
pub(crate) use biased::{header::BiasedHeader, side::BiasedSide};
pub use count::Count;
pub(crate) use header::Increment;
pub use header::{Decrement, Header};
#[cfg(target_has_atomic = "64")]
pub(crate) use shared_header::SharedHeader;
#[cfg(target_has_atomic = "64")]
pub(crate) use shared_side::{SharedSide, Spin};
pub use side::Side;
pub(crate) use unraisable::contain;
#[cfg(feature = "std")]
pub use unraisable::{UnraisableHook, set_unraisable_hook};
#[cfg(target_has_atomic = "64")]
pub(crate) use watch::Lock;
pub use watch::Watch;
