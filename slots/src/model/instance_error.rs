//! Why an event cannot happen to an instance.

use core::fmt;

/// An attribute that cannot be set or deleted.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum InstanceError {
    /// Neither a slot nor a `__dict__` takes the name, or it has no value.
    NoAttribute {
        /// The class.
        class: String,
        /// The attribute.
        name: String,
        /// What the version adds if the object has no `__dict__`.
        hint: &'static str,
    },
    /// A slot without a value is deleted; or, from 3.6 to 3.10, an attribute of a `__dict__`.
    UnsetSlot {
        /// The slot or attribute.
        name: String,
    },
    /// `obj.__dict__` of an object that has none.
    NoDict {
        /// The class.
        class: String,
    },
    /// `vars(obj)` of an object that has no `__dict__`.
    NoVars,
    /// `obj.__class__ = other` for a class that lays out its instances in another way.
    OtherLayout {
        /// The class it should become.
        to: String,
        /// The class it is of.
        from: String,
    },
    /// A weak reference to an object that has no room for one.
    NoWeakref {
        /// The class.
        class: String,
    },
    /// Something that is not modelled: names that the built-in base or `object` reacts to.
    Unsupported {
        /// The attribute.
        name: String,
    },
}

impl fmt::Display for InstanceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            InstanceError::NoAttribute { class, name, hint } => {
                write!(f, "AttributeError: '{class}' object has no attribute '{name}'{hint}")
            }
            InstanceError::UnsetSlot { name } => write!(f, "AttributeError: {name}"),
            InstanceError::NoDict { class } => {
                write!(f, "AttributeError: '{class}' object has no attribute '__dict__'")
            }
            InstanceError::NoVars => f.write_str("TypeError: vars() argument must have __dict__ attribute"),
            InstanceError::OtherLayout { to, from } => {
                write!(f, "TypeError: __class__ assignment: '{to}' object layout differs from '{from}'")
            }
            InstanceError::NoWeakref { class } => {
                write!(f, "TypeError: cannot create weak reference to '{class}' object")
            }
            InstanceError::Unsupported { name } => {
                write!(f, "not modelled: an attribute named {name:?} on this object")
            }
        }
    }
}

impl core::error::Error for InstanceError {}
