//! `BiasedRc` and `Weak`: nearly free on the thread that made the object, correct everywhere else.
//!
//! PEP 703's counts: the thread that makes an object owns it, and counts its own references without atomic read-modify-writes; all others count in
//! a second, atomic word. Names and meanings are those of [`std::sync::Arc`]; [what differs](crate#differences-from-std) stands in the crate's
//! documentation.
//!
//! ```
//! use cpymem_refcount::biased::{BiasedRc, poll};
//! use std::thread;
//!
//! let object = BiasedRc::new(vec![1, 2, 3]);
//! let clone = object.clone(); // an addition: this thread owns it
//! let sum = thread::spawn(move || clone.iter().sum::<i32>()).join().unwrap(); // dropped there
//! assert_eq!((sum, BiasedRc::strong_count(&object)), (6, 1));
//! poll(); // the reference that the other thread could not drop alone
//! drop(object);
//! ```
//!
//! # When an object dies
//!
//! | the last reference is dropped by | the object dies |
//! | --- | --- |
//! | its owner | at once |
//! | another thread, and it is the only reference | at once |
//! | another thread, and the owner has let go of its references | at once |
//! | another thread, after the owner's end | at once |
//! | otherwise: while the owner holds more than one local count for references that others own | when the owner looks into its queue |
//!
//! The last case comes about if the owner clones an object more than once and gives the clones away. The first of them that another thread drops goes to the
//! owner's queue, at most once in the life of an object. The owner looks there when it makes an object, when it drops its own last reference
//! to one, in [`poll`], and when it ends; never in `clone`. A thread that does none of these for long should [`poll`]; or it gives the object up with
//! [`BiasedRc::disown`] before it hands it out, and [`BiasedRc::adopt`] makes another thread its owner.
//!
//! # Threads
//!
//! A thread gets a number, which no other will have, when it makes its first object. When it ends, its queue is closed and what is there is
//! merged; objects that outlive it are merged by whoever drops them. In destructors of thread-locals that run after that, it is a foreign thread to
//! its own objects. When the numbers are used up (65,535 threads at the same time, 2^32 in all), objects are *born merged*: every
//! thread counts in the atomic word.
//!
//! # Panics
//!
//! Destructors run where the object dies, which may be in [`BiasedRc::new`], in the drop of another object, or in [`poll`]. If one panics, the rest of the
//! queue is merged all the same, and then the first panic goes on from there; if the thread is unwinding already, it is discarded. At the end of a
//! thread nobody is left who could be told but the [hook for such cases](crate::set_unraisable_hook). `clone` never panics.
//!
//! # `'static`
//!
//! All that can be queued outlives its scope, so value and allocator are `'static`:
//!
//! ```compile_fail,E0597
//! let local = String::from("x");
//! let object = cpymem_refcount::biased::BiasedRc::new(&local);
//! ```
//! ```
//! let local = String::from("x");
//! let object = cpymem_refcount::sync::Arc::new_borrowed(&local);
//! ```

mod compare;
mod convert;
mod strong;
mod unique;
mod watch;
mod weak;

pub use strong::BiasedRc;
pub use watch::Watch;
pub use weak::Weak;

/// Merges the references that other threads have left for this one; returns how many. Objects whose last reference that was are
/// destroyed.
///
/// It costs two loads if there are none. For threads that neither make nor drop objects for long: an event loop calls it once a turn.
///
/// ```
/// use cpymem_refcount::biased::{BiasedRc, poll};
/// use std::thread;
///
/// let object = BiasedRc::new(5);
/// let (one, two) = (object.clone(), object.clone());
/// thread::spawn(move || drop(one)).join().unwrap();
/// assert_eq!((poll(), poll()), (1, 0));
/// # drop(two);
/// ```
///
/// # Panics
///
/// With the first panic of a destructor, after all of them have run.
#[inline]
pub fn poll() -> usize {
    if crate::raw::biased::thread::has_work() { crate::raw::biased::thread::drain() } else { 0 }
}
