//! A class as its text describes it.

use std::ops::Range;

use cpymem_slots::model::{SlotItem, SlotsValue};

/// Who writes the class's `__init__`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Decorator {
    /// The class itself.
    #[default]
    None,
    /// `dataclasses.dataclass`.
    Dataclass {
        /// `slots=True`.
        slots: bool,
        /// `weakref_slot=True`.
        weakref_slot: bool,
        /// Bytes of the source from the name to the end of the call.
        place: Range<usize>,
        /// It is called with arguments in parentheses.
        called: bool,
        /// There are arguments.
        has_arguments: bool,
    },
    /// `attr.s`, `attrs.define` and their kin.
    Attrs {
        /// Whether it makes slots.
        slots: bool,
    },
}

/// What a class body assigns to `__slots__`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WrittenSlots {
    /// A text: one slot.
    Text(String),
    /// A text with a `b` before it.
    Bytes(String),
    /// A tuple, a list, a set or a dict.
    Items(Vec<WrittenItem>),
    /// Something of this type that cannot be iterated over.
    NotIterable(&'static str),
}

/// One of the things in `__slots__`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WrittenItem {
    /// A text.
    Name(String),
    /// Something else, of this type.
    Other(&'static str),
}

impl WrittenSlots {
    /// The texts in it.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        let (one, items) = match self {
            WrittenSlots::Text(name) => (Some(name.as_str()), &[][..]),
            WrittenSlots::Items(items) => (None, &items[..]),
            WrittenSlots::Bytes(_) | WrittenSlots::NotIterable(_) => (None, &[][..]),
        };
        let named = items.iter().filter_map(|item| match item {
            WrittenItem::Name(name) => Some(name.as_str()),
            WrittenItem::Other(_) => None,
        });
        one.into_iter().chain(named)
    }

    /// Tells the model.
    pub fn with_value<T>(&self, tell: impl FnOnce(SlotsValue<'_>) -> T) -> T {
        match self {
            WrittenSlots::Text(name) => tell(SlotsValue::Text(name)),
            WrittenSlots::Bytes(name) => tell(SlotsValue::Bytes(name)),
            WrittenSlots::NotIterable(kind) => tell(SlotsValue::NotIterable(kind)),
            WrittenSlots::Items(items) => {
                let items: Vec<SlotItem<'_>> = items
                    .iter()
                    .map(|item| match item {
                        WrittenItem::Name(name) => SlotItem::Name(name),
                        WrittenItem::Other(kind) => SlotItem::Other(kind),
                    })
                    .collect();
                tell(SlotsValue::Items(&items))
            }
        }
    }
}

/// A class of a program.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Described {
    /// Its name, after those of the classes and functions around it.
    pub name: String,
    /// The line of the `class` statement, from 1.
    pub line: u64,
    /// Its bases as they are written, generic arguments left out.
    pub bases: Vec<String>,
    /// Who writes its `__init__`.
    pub decorator: Decorator,
    /// `__slots__`, if its value is written out.
    pub slots: Option<WrittenSlots>,
    /// `__slots__` is there but computed.
    pub slots_unknown: bool,
    /// Annotated names of the body, in order: fields of a dataclass.
    pub fields: Vec<String>,
    /// Attributes that its methods assign to `self`, in order, `__init__` first.
    pub assigned: Vec<String>,
    /// Of these, the attributes that only other methods than `__init__` assign.
    pub optional: Vec<String>,
    /// What else the body defines.
    pub body: Vec<String>,
    /// Its cached properties.
    pub cached_properties: Vec<String>,
    /// It uses `self.__dict__` or `vars(self)`.
    pub uses_dict: bool,
    /// It uses `super()` without arguments.
    pub uses_super: bool,
    /// Methods other than `__init__` assign to attributes.
    pub mutable: bool,
}

impl Described {
    /// The class of this list that a base names: the nearest above.
    pub fn base_in<'a>(name: &str, above: &'a [Described]) -> Option<(usize, &'a Described)> {
        above.iter().enumerate().rev().find(|(_, class)| class.name == name)
    }

    /// The attributes that this class itself brings.
    pub fn own_attributes(&self) -> Vec<String> {
        let mut all: Vec<String> = Vec::new();
        let has_fields = self.decorator != Decorator::None || self.is_named_tuple();
        let fields = if has_fields { &self.fields[..] } else { &[] };
        let slots = self.slots.iter().flat_map(WrittenSlots::names).filter(|name| !name.starts_with("__"));
        let mut seen = std::collections::HashSet::new();
        for name in fields.iter().chain(&self.assigned).map(String::as_str).chain(slots) {
            if seen.insert(name) {
                all.push(name.to_owned());
            }
        }
        all
    }

    /// It derives from `typing.NamedTuple`: its fields are the items of a tuple.
    pub fn is_named_tuple(&self) -> bool {
        self.bases.iter().any(|base| base == "NamedTuple" || base.ends_with(".NamedTuple"))
    }
}
