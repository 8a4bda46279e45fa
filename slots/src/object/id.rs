//! Numbers that tell shapes and shared keys apart, everywhere in the process.

use core::num::NonZeroU32;
use core::sync::atomic::{AtomicU32, Ordering};

/// The identity of a shape or of shared keys, or the version of a class. No two in a process are equal, so an inline cache that was
/// filled in one registry cannot hit an object of another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Id(NonZeroU32);

impl Id {
    /// Says of a dict object that it has a table of its own. No shape and no keys get this number.
    pub(super) const OWN_TABLE: Id = Id(NonZeroU32::MIN);

    /// The number, never 0.
    #[inline]
    pub(super) const fn bits(self) -> u32 {
        self.0.get()
    }

    /// A number that was never given before.
    ///
    /// # Panics
    /// After 2^32 - 3 of them: a number given twice would break memory safety.
    pub(super) fn fresh() -> Id {
        Id::try_fresh().expect("all ids of shapes are used up")
    }

    /// As [`Id::fresh`]; `None` if all are used up.
    pub(super) fn try_fresh() -> Option<Id> {
        static NEXT: AtomicU32 = AtomicU32::new(2);
        // Relaxed: the number itself is all that is shared, and read-modify-writes never see one twice.
        let next = NEXT.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |id| id.checked_add(1));
        next.ok().and_then(NonZeroU32::new).map(Id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_fresh_and_fit_a_word_with_their_option() {
        let (a, b) = (Id::fresh(), Id::fresh());
        assert!(a < b && a != Id::OWN_TABLE);
        assert_eq!(size_of::<Option<Id>>(), 4);
    }
}
