//! [`Teardown`]: what a type says about the code that runs when garbage of it is taken apart.
//!
//! Garbage whose destruction nobody can watch need not be severed as a whole before the first destructor runs: see
//! [`doomed`](crate::doomed). Whether that is so is known of the type of an object: its own `clear` and destructor, and those of all parts.

use crate::trace::Trace;

/// Which code of the program's runs when a value that is garbage is cleared and dropped: see [`Trace::teardown`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[non_exhaustive]
pub enum Teardown {
    /// Any code, as far as is known.
    Unknown,
    /// The destructor may run any code. [`clear`](Trace::clear) runs none, and leaves no edge that [`visit`](Trace::visit) reports.
    Severs,
    /// As [`Severs`](Self::Severs), and the destructor of a value that was cleared runs none either.
    Plain,
}

impl Teardown {
    /// That of a part of which neither `visit` nor `clear` is told: one that needs no drop runs no code and owns no `Gc`.
    pub const fn of_skipped<T: ?Sized>() -> Teardown {
        if core::mem::needs_drop::<T>() { Teardown::Severs } else { Teardown::Plain }
    }

    /// That of a value which consists of two parts.
    #[must_use]
    pub fn and(self, other: Teardown) -> Teardown {
        self.min(other)
    }
}

/// The question what [`Trace::teardown`] is of a type, and of its parts in turn. A type can be a part of itself, behind a pointer: the
/// answer is [`Teardown::Unknown`] if the question went on for too long.
#[derive(Debug)]
pub struct Inquiry {
    parts_left: u16,
    depth_left: u8,
}

impl Inquiry {
    const PARTS: u16 = 1024;
    const DEPTH: u8 = 64;

    /// Asks a type.
    pub(crate) fn ask<T: Trace>() -> Teardown {
        Inquiry { parts_left: Self::PARTS, depth_left: Self::DEPTH }.of::<T>()
    }

    /// What the type of a part says.
    pub fn of<T: Trace>(&mut self) -> Teardown {
        if self.parts_left == 0 {
            return Teardown::Unknown;
        }
        if self.depth_left == 0 {
            self.parts_left = 0; // one unknown part is enough
            return Teardown::Unknown;
        }
        self.parts_left -= 1;
        self.depth_left -= 1;
        let teardown = T::teardown(self);
        self.depth_left += 1;
        teardown
    }
}
