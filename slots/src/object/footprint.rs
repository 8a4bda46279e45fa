//! What an object took from its allocator.

/// Requests of a live object. Equal to what a counting allocator sees, which the tests assert.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Footprint {
    /// Allocations that are held.
    pub allocations: usize,
    /// Bytes they were asked for, before the allocator rounds them up.
    pub bytes: usize,
}
