//! Whether an atomic pointer looks before it counts.

/// What a clone or drop of an [`Arc`](super::Arc) does first: [`CheckFirst`] or [`CountFirst`].
///
/// It is a property of the pointer, not of the object: both count alike, may point to the same object, and turn into each other by
/// [`Arc::with_policy`](super::Arc::with_policy).
pub trait Policy: sealed::Sealed + 'static {
    /// Whether the header is read before it is written.
    const CHECK_FIRST: bool;
}

/// Reads the header and counts only if the object is mortal: immortal objects are never stored to, so threads that share them do not
/// take the cache line from each other. The default.
#[derive(Clone, Copy, Debug)]
pub enum CheckFirst {}

/// Counts at once and takes it back if the object turns out to be immortal: one load less for mortal objects, and two more writes
/// for the others.
#[derive(Clone, Copy, Debug)]
pub enum CountFirst {}

impl Policy for CheckFirst {
    const CHECK_FIRST: bool = true;
}

impl Policy for CountFirst {
    const CHECK_FIRST: bool = false;
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for super::CheckFirst {}
    impl Sealed for super::CountFirst {}
}
