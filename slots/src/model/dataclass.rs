//! Classes decorated with `@dataclass` ([PEP 557](https://peps.python.org/pep-0557/)).

use super::abi::DataclassRule;
use super::layout::ClassLayout;
use super::layout_error::LayoutError;
use super::mro::lineage;
use super::slots_value::SlotsValue;

/// A class statement with `@dataclass` before it.
///
/// ```
/// use cpymem_slots::model::{ClassLayout, Dataclass, Target};
///
/// let object = ClassLayout::object("3.12".parse::<Target>()?)?;
/// let point = Dataclass { name: "Point", fields: &["x", "y"], slots: true, ..Dataclass::default() };
/// assert_eq!(point.layout(&[&object])?.basicsize(), 32);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Dataclass<'a> {
    /// The name of the class.
    pub name: &'a str,
    /// All fields, inherited ones first, without `ClassVar` and `InitVar`.
    pub fields: &'a [&'a str],
    /// `slots=True`.
    pub slots: bool,
    /// `weakref_slot=True`.
    pub weakref_slot: bool,
    /// `__slots__` that the body writes itself.
    pub written: Option<SlotsValue<'a>>,
    /// What else the body defines, defaults of fields among it.
    pub body: &'a [&'a str],
}

impl Dataclass<'_> {
    /// The class that the decorator gives back: with `slots=True` a second one, made after the first
    /// (`_process_class` and `_add_slots`, `Lib/dataclasses.py`).
    ///
    /// # Errors
    /// What CPython raises; [`LayoutError::Unsupported`] for a version without dataclasses.
    pub fn layout(&self, bases: &[&ClassLayout]) -> Result<ClassLayout, LayoutError> {
        let first = match self.written {
            Some(slots) => ClassLayout::with_slots_value(self.name, bases, slots, self.body)?,
            None => ClassLayout::new(self.name, bases)?,
        };
        let rule = first.node.abi.dataclass;
        if rule == DataclassRule::Missing {
            return Err(LayoutError::Unsupported { what: "dataclasses, which came with 3.7" });
        }
        if self.slots && rule < DataclassRule::RepeatsInherited {
            return Err(LayoutError::UnexpectedArgument { argument: "slots" });
        }
        if self.weakref_slot && rule < DataclassRule::SkipsInherited {
            return Err(LayoutError::UnexpectedArgument { argument: "weakref_slot" });
        }
        if self.weakref_slot && !self.slots {
            return Err(LayoutError::WeakrefWithoutSlots);
        }
        if !self.slots {
            return Ok(first);
        }
        if self.written.is_some() {
            return Err(LayoutError::AlreadySlots { class: self.name.to_owned() });
        }
        let slots = self.new_slots(&first, rule)?;
        let body: Vec<&str> = self.body.iter().filter(|name| !self.fields.contains(name)).copied().collect();
        ClassLayout::with_slots_and_body(self.name, bases, &slots, &body)
    }

    /// What becomes `__slots__`.
    fn new_slots(&self, first: &ClassLayout, rule: DataclassRule) -> Result<Vec<&str>, LayoutError> {
        let weakref = self.weakref_slot.then_some("__weakref__");
        let wished = self.fields.iter().copied().chain(weakref);
        if rule == DataclassRule::RepeatsInherited {
            return Ok(wished.collect());
        }
        let ancestors = || lineage(&first.node).skip(1);
        if let Some(base) = ancestors().find(|base| base.exhausted_slots) {
            return Err(LayoutError::UndeterminedSlots { base: base.name.to_string() });
        }
        // From 3.13 on a class without `__slots__` counts as if it listed what it brings.
        let brings = |base: &super::layout::Node| {
            rule >= DataclassRule::SkipsWeakref && !base.declares_slots && base.weakrefoffset != 0
        };
        let has_weakref = ancestors().any(|base| base.lists_weakref || brings(base));
        let inherited = |name: &&str| match *name {
            "__weakref__" => has_weakref,
            name => ancestors().any(|base| base.lists(name)),
        };
        Ok(wished.filter(|name| !inherited(name)).collect())
    }
}
