//! A class as its text describes it.

use std::ops::Range;

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
    /// `__slots__`, if it is a plain list of names.
    pub slots: Option<Vec<String>>,
    /// `__slots__` is there but computed, or wrong in a way that only running it shows.
    pub slots_unknown: bool,
    /// Annotated names of the body, in order: fields of a dataclass.
    pub fields: Vec<String>,
    /// Attributes that its methods assign to `self`, in order, `__init__` first.
    pub assigned: Vec<String>,
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
        let fields = if self.decorator == Decorator::None { &[][..] } else { &self.fields };
        let slots = self.slots.iter().flatten().filter(|name| !name.starts_with("__"));
        let mut seen = std::collections::HashSet::new();
        for name in fields.iter().chain(&self.assigned).chain(slots) {
            if seen.insert(name) {
                all.push(name.clone());
            }
        }
        all
    }
}
