//! Why an attribute cannot be read, set or deleted.

use core::fmt;

use super::name::Name;
use super::shape::Shapes;

/// An attribute that is not there, after Python's exception of that name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AttributeError {
    /// The object has no attribute of this name (and, a slot object, no place for it).
    Absent {
        /// The name.
        name: Name,
    },
    /// The slot has no value.
    Unset {
        /// The name.
        name: Name,
    },
    /// The class has an attribute of this name, and its instances have no place for one.
    ReadOnly {
        /// The name.
        name: Name,
    },
    /// The shared keys that were passed are not those of the object's class.
    ForeignKeys,
}

impl AttributeError {
    /// CPython's text for an object of a class of this name, such as
    /// `'User' object has no attribute 'age'`.
    pub fn message(self, class: &str, shapes: &Shapes) -> String {
        match self {
            AttributeError::Absent { name } | AttributeError::Unset { name } => {
                let name = shapes.text(name).unwrap_or("?");
                format!("'{class}' object has no attribute '{name}'")
            }
            AttributeError::ReadOnly { name } => {
                let name = shapes.text(name).unwrap_or("?");
                format!("'{class}' object attribute '{name}' is read-only")
            }
            AttributeError::ForeignKeys => format!("'{class}' object has other shared keys"),
        }
    }
}

impl fmt::Display for AttributeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            AttributeError::Absent { name } => write!(f, "no attribute of name {}", name.0),
            AttributeError::Unset { name } => write!(f, "the slot of name {} has no value", name.0),
            AttributeError::ReadOnly { name } => write!(f, "the attribute of name {} is read-only", name.0),
            AttributeError::ForeignKeys => f.write_str("the shared keys are of another class"),
        }
    }
}

impl core::error::Error for AttributeError {}
