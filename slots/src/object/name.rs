//! Interned attribute names.

/// An attribute name, interned by [`Shapes::intern`](super::Shapes::intern): equal names of a registry
/// are equal numbers, so nothing compares strings once a name is interned.
///
/// A name belongs to the registry that interned it. Another registry takes it for whatever name it gave
/// the same number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(pub(super) u32);

impl Name {
    /// A hash for tables of names: the number, spread over all bits (Fibonacci hashing, Knuth 6.4).
    pub(super) fn spread(self) -> u64 {
        u64::from(self.0).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(32)
    }
}
