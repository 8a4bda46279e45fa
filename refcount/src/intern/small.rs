//! Small integers that exist already.

use super::pointer::Pointer;
#[cfg(target_has_atomic = "64")]
use crate::primitive::Ordering;
use alloc::boxed::Box;
use core::cell::Cell;
use core::fmt;
use core::ops::RangeInclusive;
#[cfg(target_has_atomic = "64")]
use core::sync::atomic::AtomicU64;

/// CPython's small integers up to 3.14: `_PY_NSMALLNEGINTS` and `_PY_NSMALLPOSINTS` in `pycore_runtime_structs.h`.
pub const CPYTHON: RangeInclusive<i64> = -5..=256;

/// CPython's small integers from 3.15 on.
pub const CPYTHON_3_15: RangeInclusive<i64> = -5..=1024;

/// Counts how often a cache had what was asked for: `()` does not, [`LocalHits`] is for one thread, [`SharedHits`] for many.
pub trait Hits {
    /// It was there, or not.
    fn count(&self, hit: bool);

    /// How many were there, and how many not.
    fn hits_and_misses(&self) -> (u64, u64);
}

/// Counts nothing.
impl Hits for () {
    #[inline]
    fn count(&self, _: bool) {}

    fn hits_and_misses(&self) -> (u64, u64) {
        (0, 0)
    }
}

/// Counts for one thread.
#[derive(Debug, Default)]
pub struct LocalHits([Cell<u64>; 2]);

impl Hits for LocalHits {
    #[inline]
    fn count(&self, hit: bool) {
        let counter = &self.0[usize::from(hit)];
        counter.set(counter.get() + 1);
    }

    fn hits_and_misses(&self) -> (u64, u64) {
        (self.0[1].get(), self.0[0].get())
    }
}

/// Counts for many threads, which then write to the same cache line.
#[cfg(target_has_atomic = "64")]
#[derive(Debug, Default)]
pub struct SharedHits([AtomicU64; 2]);

#[cfg(target_has_atomic = "64")]
impl Hits for SharedHits {
    #[inline]
    fn count(&self, hit: bool) {
        self.0[usize::from(hit)].fetch_add(1, Ordering::Relaxed); // Relaxed: a statistic that orders nothing.
    }

    fn hits_and_misses(&self) -> (u64, u64) {
        // Relaxed, both: as above.
        (self.0[1].load(Ordering::Relaxed), self.0[0].load(Ordering::Relaxed))
    }
}

/// Objects for the integers of a range, made once.
///
/// ```
/// use cpymem_refcount::intern::{CPYTHON, LocalHits, SmallInts};
/// use cpymem_refcount::rc::Rc;
///
/// let ints: SmallInts<Rc<i64>, LocalHits> = SmallInts::new(CPYTHON);
/// assert!(Rc::ptr_eq(&ints.get(256), &ints.get(256)));
/// assert!(!Rc::ptr_eq(&ints.get(257), &ints.get(257)));
/// assert_eq!(ints.hits_and_misses(), (2, 2));
/// ```
///
/// Threads share the immortal objects of `Arc`s without writing to them:
///
/// ```
/// use cpymem_refcount::intern::{CPYTHON_3_15, SmallInts};
/// use cpymem_refcount::sync::Arc;
/// use std::sync::LazyLock;
///
/// static INTS: LazyLock<SmallInts<Arc<i64>>> = LazyLock::new(|| SmallInts::new_immortal(CPYTHON_3_15));
/// assert!(Arc::is_immortal(&INTS.get(1024)) && !Arc::is_immortal(&INTS.get(1025)));
/// ```
pub struct SmallInts<R, H = ()> {
    first: i64,
    objects: Box<[R]>,
    hits: H,
}

impl<R: Pointer<Target = i64> + From<i64>, H: Hits + Default> SmallInts<R, H> {
    /// Makes the objects, one for each integer of the range.
    pub fn new(range: RangeInclusive<i64>) -> SmallInts<R, H> {
        SmallInts { first: *range.start(), objects: range.map(R::from).collect(), hits: H::default() }
    }

    /// [`new`](SmallInts::new) with immortal objects.
    pub fn new_immortal(range: RangeInclusive<i64>) -> SmallInts<R, H> {
        let this = SmallInts::new(range);
        this.objects.iter().for_each(Pointer::make_immortal);
        this
    }
}

impl<R: Pointer<Target = i64> + From<i64>, H: Hits> SmallInts<R, H> {
    /// The integer's object: that of the cache, or a new one.
    #[inline]
    pub fn get(&self, value: i64) -> R {
        // What wraps is out of range.
        let at = value.wrapping_sub(self.first).cast_unsigned();
        let object = usize::try_from(at).ok().and_then(|at| self.objects.get(at));
        self.hits.count(object.is_some());
        match object {
            Some(object) => object.clone(),
            None => R::from(value),
        }
    }

    /// How many were there, and how many not; zeros if nobody counts.
    pub fn hits_and_misses(&self) -> (u64, u64) {
        self.hits.hits_and_misses()
    }
}

impl<R, H: Hits> fmt::Debug for SmallInts<R, H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SmallInts")
            .field("first", &self.first)
            .field("len", &self.objects.len())
            .field("hits_and_misses", &self.hits.hits_and_misses())
            .finish_non_exhaustive()
    }
}
