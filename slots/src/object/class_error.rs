//! Why a class cannot be made or changed.

use core::fmt;

use super::name::Name;

/// A class that cannot be, after the texts of CPython's `TypeError`s.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ClassError {
    /// A base is listed twice.
    DuplicateBase {
        /// Its name.
        name: String,
    },
    /// The orders of the bases contradict each other.
    InconsistentOrder {
        /// The names of the classes that block one another.
        classes: Vec<String>,
    },
    /// Two bases have slots that one object cannot have both.
    LayoutConflict,
    /// The slots or the dict of the class or instance would have to change.
    LayoutDiffers,
    /// A slot is listed twice, or a base has it.
    SlotTwice {
        /// Its name.
        name: Name,
    },
    /// More than 65,000 slots.
    TooManySlots,
    /// A class would be its own ancestor.
    Cycle,
}

impl fmt::Display for ClassError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ClassError::DuplicateBase { name } => write!(f, "duplicate base class {name}"),
            ClassError::InconsistentOrder { classes } => {
                let classes = classes.join(", ");
                write!(f, "Cannot create a consistent method resolution order (MRO) for bases {classes}")
            }
            ClassError::LayoutConflict => f.write_str("multiple bases have instance lay-out conflict"),
            ClassError::LayoutDiffers => f.write_str("object layout differs"),
            ClassError::SlotTwice { name } => write!(f, "the slot of name {} is there twice", name.0),
            ClassError::TooManySlots => f.write_str("too many slots"),
            ClassError::Cycle => f.write_str("a __bases__ item causes an inheritance cycle"),
        }
    }
}

impl core::error::Error for ClassError {}
