//! Why a class cannot be made.

use core::fmt;

use super::abi::Abi;
use super::target::Target;

/// A class statement that CPython refuses, or that the model cannot answer for.
///
/// `Display` is CPython's own text, exception name included; only [`LayoutError::Unsupported`] speaks for
/// the model.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LayoutError {
    /// Two bases add fields of their own at the same place.
    LayoutConflict,
    /// A slot `__dict__` where there is one already.
    DictSlot,
    /// A slot `__weakref__` where there is one already, or where the size of instances varies.
    WeakrefSlot {
        /// The text names both reasons (up to 3.11).
        names_itemsize: bool,
    },
    /// Named slots on a base whose instances vary in size.
    NonemptySlots {
        /// The base.
        base: String,
    },
    /// Named slots on a base whose instances vary in size, other than `tuple` (3.15).
    ArbitrarySlots {
        /// The base.
        base: String,
    },
    /// `__slots__` is something that cannot be iterated over.
    NotIterable {
        /// Its type.
        kind: String,
    },
    /// Something in `__slots__` is no text.
    NotString {
        /// Its type.
        kind: String,
    },
    /// A `unicode` beyond ASCII in `__slots__` (2.7).
    NotEncodable {
        /// The first character that cannot be encoded.
        code: u32,
        /// Where it stands, in characters.
        first: usize,
        /// The last one in a row with it.
        last: usize,
    },
    /// A slot whose name is no identifier.
    NotIdentifier,
    /// A slot of the name of something the class body defines.
    ClassVariable {
        /// The name, mangled.
        name: String,
    },
    /// `@dataclass` does not know the argument yet.
    UnexpectedArgument {
        /// Its name.
        argument: &'static str,
    },
    /// `@dataclass(slots=True)` on a class that has `__slots__`.
    AlreadySlots {
        /// The class.
        class: String,
    },
    /// `@dataclass(weakref_slot=True)` without `slots=True`.
    WeakrefWithoutSlots,
    /// `@dataclass(slots=True)` over a base whose `__slots__` was an iterator (3.11).
    UndeterminedSlots {
        /// The base.
        base: String,
    },
    /// The same base twice.
    DuplicateBase {
        /// Its name.
        name: String,
    },
    /// No order of the ancestors agrees with all bases.
    InconsistentMro {
        /// The bases that block each other.
        bases: Vec<String>,
        /// What stands between the words `resolution` and `order`: a line feed up to 3.12.
        gap: char,
    },
    /// Something that is not modelled (yet).
    Unsupported {
        /// What it is.
        what: &'static str,
    },
}

impl fmt::Display for LayoutError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LayoutError::LayoutConflict => {
                f.write_str("TypeError: multiple bases have instance lay-out conflict")
            }
            LayoutError::DictSlot => f.write_str("TypeError: __dict__ slot disallowed: we already got one"),
            LayoutError::WeakrefSlot { names_itemsize: false } => {
                f.write_str("TypeError: __weakref__ slot disallowed: we already got one")
            }
            LayoutError::WeakrefSlot { names_itemsize: true } => f.write_str(
                "TypeError: __weakref__ slot disallowed: either we already got one, or __itemsize__ != 0",
            ),
            LayoutError::NonemptySlots { base } => {
                write!(f, "TypeError: nonempty __slots__ not supported for subtype of '{base}'")
            }
            LayoutError::ArbitrarySlots { base } => {
                write!(f, "TypeError: arbitrary __slots__ not supported for subtype of '{base}'")
            }
            LayoutError::NotIterable { kind } => write!(f, "TypeError: '{kind}' object is not iterable"),
            LayoutError::NotString { kind } => {
                write!(f, "TypeError: __slots__ items must be strings, not '{kind}'")
            }
            &LayoutError::NotEncodable { code, first, last } => {
                f.write_str("UnicodeEncodeError: 'ascii' codec can't encode character")?;
                match code {
                    _ if last > first => write!(f, "s in position {first}-{last}")?,
                    ..0x100 => write!(f, " u'\\x{code:02x}' in position {first}")?,
                    0x100..0x1_0000 => write!(f, " u'\\u{code:04x}' in position {first}")?,
                    _ => write!(f, " u'\\U{code:08x}' in position {first}")?,
                }
                f.write_str(": ordinal not in range(128)")
            }
            LayoutError::NotIdentifier => f.write_str("TypeError: __slots__ must be identifiers"),
            LayoutError::ClassVariable { name } => {
                write!(f, "ValueError: '{name}' in __slots__ conflicts with class variable")
            }
            LayoutError::UnexpectedArgument { argument } => {
                write!(f, "TypeError: dataclass() got an unexpected keyword argument '{argument}'")
            }
            LayoutError::AlreadySlots { class } => {
                write!(f, "TypeError: {class} already specifies __slots__")
            }
            LayoutError::WeakrefWithoutSlots => {
                f.write_str("TypeError: weakref_slot is True but slots is False")
            }
            LayoutError::UndeterminedSlots { base } => {
                write!(f, "TypeError: Slots of '{base}' cannot be determined")
            }
            LayoutError::DuplicateBase { name } => write!(f, "TypeError: duplicate base class {name}"),
            LayoutError::InconsistentMro { bases, gap } => write!(
                f,
                "TypeError: Cannot create a consistent method resolution{gap}order (MRO) for bases {}",
                bases.join(", ")
            ),
            LayoutError::Unsupported { what } => write!(f, "not modelled: {what}"),
        }
    }
}

impl LayoutError {
    /// The text as the class statement of this version shows it: 2.7 puts words of its own before the text
    /// that a call of `type` shows, if it is a `TypeError`.
    pub fn in_class_statement(&self, target: Target) -> String {
        let text = self.to_string();
        let prefix = Abi::of(target).map_or("", |abi| abi.statement_prefix);
        match text.split_once(": ") {
            Some((kind @ "TypeError", what)) => {
                format!("{kind}: {prefix}{what}")
            }
            _ => text,
        }
    }
}

impl core::error::Error for LayoutError {}
