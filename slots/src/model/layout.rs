//! The layout of a class: what type creation decides, once for all instances.

use std::sync::Arc;

use super::abi::Abi;
use super::builtin::Builtin;
use super::creation;
use super::layout_error::LayoutError;
use super::mro::lineage;
use super::slots_value::{SlotItem, SlotsValue};
use super::target::{Target, TargetError};

/// How the instances of a class are laid out. Cheap to clone.
///
/// ```
/// use cpymem_slots::model::{ClassLayout, Target};
///
/// let target: Target = "3.13.0".parse().unwrap();
/// let object = ClassLayout::object(target).unwrap();
/// let plain = ClassLayout::new("User", &[&object]).unwrap();
/// let slotted = ClassLayout::with_slots("User", &[&object], &["name", "age", "api_token"]).unwrap();
///
/// assert_eq!(plain.basicsize(), 16);
/// assert_eq!(slotted.basicsize(), 16 + 3 * 8);
/// assert_eq!(slotted.slot("age"), Some(16)); // slots lie in the order of their names
///
/// let other = ClassLayout::with_slots("Other", &[&object], &["x"]).unwrap();
/// assert_eq!(
///     ClassLayout::new("Both", &[&slotted, &other]).unwrap_err().to_string(),
///     "TypeError: multiple bases have instance lay-out conflict"
/// );
/// ```
#[derive(Clone, Debug)]
pub struct ClassLayout {
    pub(crate) node: Arc<Node>,
}

/// A class: its numbers and its place among its ancestors.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) name: Box<str>,
    pub(crate) target: Target,
    pub(crate) abi: &'static Abi,
    /// The built-in class it descends from.
    pub(crate) root: Builtin,
    /// Made by a class statement.
    pub(crate) heap: bool,
    pub(crate) basicsize: u64,
    pub(crate) itemsize: u64,
    pub(crate) dictoffset: i64,
    pub(crate) weakrefoffset: i64,
    pub(crate) gc: bool,
    /// `__dict__` lives in the pre-header, and values with it (`Py_TPFLAGS_MANAGED_DICT`).
    pub(crate) managed_dict: bool,
    pub(crate) pre_header: bool,
    /// The own named slots, sorted, with their offsets.
    pub(crate) slots: Box<[(Arc<str>, u64)]>,
    /// `tp_base`: the base whose layout this one extends. Only `object` has none.
    pub(crate) base: Option<Arc<Node>>,
    /// The nearest ancestor that adds fields; `None` if this class does.
    pub(crate) solid: Option<Arc<Node>>,
    /// How many solid classes stand above this one's.
    pub(crate) solid_depth: u64,
    /// The ancestors in method resolution order; `None` if they are the base and its ancestors.
    pub(crate) ancestors: Option<Box<[Arc<Node>]>>,
    /// Its body has `__slots__`.
    pub(crate) declares_slots: bool,
    /// They were an iterator, which is exhausted.
    pub(crate) exhausted_slots: bool,
    /// `__weakref__` is among them.
    pub(crate) lists_weakref: bool,
}

impl ClassLayout {
    /// `object` itself.
    ///
    /// # Errors
    /// If the version or the build is not modelled.
    pub fn object(target: impl Into<Target>) -> Result<ClassLayout, TargetError> {
        ClassLayout::builtin(Builtin::Object, target)
    }

    /// A built-in class.
    ///
    /// Built-in classes of the same target compare as the same class, however often they are made.
    ///
    /// # Errors
    /// If the version or the build is not modelled.
    pub fn builtin(builtin: Builtin, target: impl Into<Target>) -> Result<ClassLayout, TargetError> {
        let target = target.into();
        Ok(ClassLayout { node: creation::builtin(builtin, target, Abi::of(target)?) })
    }

    /// A class without `__slots__`: `class NAME(BASES): ...`
    ///
    /// # Errors
    /// What CPython raises, or [`LayoutError::Unsupported`] for what is not modelled: a class without
    /// bases (name `object`), bases of different targets.
    pub fn new(name: &str, bases: &[&ClassLayout]) -> Result<ClassLayout, LayoutError> {
        creation::class(name, bases, None, &[]).map(|node| ClassLayout { node })
    }

    /// A class with `__slots__`, among which `__dict__` and `__weakref__` have their usual meaning.
    ///
    /// # Errors
    /// As [`ClassLayout::new`].
    pub fn with_slots<S: AsRef<str>>(
        name: &str,
        bases: &[&ClassLayout],
        slots: &[S],
    ) -> Result<ClassLayout, LayoutError> {
        ClassLayout::with_slots_and_body(name, bases, slots, &[])
    }

    /// A class with `__slots__` whose body defines other names, too: a slot of such a name is an error.
    ///
    /// # Errors
    /// As [`ClassLayout::new`].
    pub fn with_slots_and_body<S: AsRef<str>>(
        name: &str,
        bases: &[&ClassLayout],
        slots: &[S],
        body: &[&str],
    ) -> Result<ClassLayout, LayoutError> {
        let slots: Vec<SlotItem<'_>> = slots.iter().map(|name| SlotItem::Name(name.as_ref())).collect();
        ClassLayout::with_slots_value(name, bases, SlotsValue::Items(&slots), body)
    }

    /// A class whose body sets `__slots__` to any value, and defines these other names.
    ///
    /// # Errors
    /// As [`ClassLayout::new`].
    pub fn with_slots_value(
        name: &str,
        bases: &[&ClassLayout],
        slots: SlotsValue<'_>,
        body: &[&str],
    ) -> Result<ClassLayout, LayoutError> {
        creation::class(name, bases, Some(slots), body).map(|node| ClassLayout { node })
    }

    /// The name it was made with.
    pub fn name(&self) -> &str {
        &self.node.name
    }

    /// The version and build it is laid out for.
    pub fn target(&self) -> Target {
        self.node.target
    }

    /// The built-in class it descends from (or is).
    pub fn root(&self) -> Builtin {
        self.node.root
    }

    /// `__basicsize__`: bytes of the fixed part of an instance, without headers in front of the object.
    pub fn basicsize(&self) -> u64 {
        self.node.basicsize
    }

    /// `__itemsize__`: bytes of an item of the variable part; 0 if instances do not vary in size.
    pub fn itemsize(&self) -> u64 {
        self.node.itemsize
    }

    /// `__dictoffset__`: 0 without a `__dict__`, negative where it lies in front of the object.
    pub fn dictoffset(&self) -> i64 {
        self.node.dictoffset
    }

    /// `__weakrefoffset__`: 0 without a `__weakref__`, negative where it lies in front of the object.
    pub fn weakrefoffset(&self) -> i64 {
        self.node.weakrefoffset
    }

    /// Whether instances have a `__dict__`.
    pub fn has_dict(&self) -> bool {
        self.node.dictoffset != 0
    }

    /// Whether instances keep attribute values under names they share with the class, not in a dict each.
    pub fn shares_keys(&self) -> bool {
        self.node.shares_keys()
    }

    /// Whether instances can be referenced weakly.
    pub fn has_weakref(&self) -> bool {
        self.node.weakrefoffset != 0
    }

    /// Its own slots in the order of their offsets: (mangled) names and offsets in bytes. A name that is listed
    /// twice stands here twice.
    pub fn own_slots(&self) -> impl Iterator<Item = (&str, u64)> {
        self.node.slots.iter().map(|(name, offset)| (&**name, *offset))
    }

    /// The offset in bytes of the slot that `obj.NAME` refers to, inherited ones included.
    ///
    /// Where a name is listed twice the first slot serves it and the second is wasted; where a base has
    /// the name, too, the nearer class serves it.
    pub fn slot(&self, name: &str) -> Option<u64> {
        lineage(&self.node).find_map(|class| class.own_slot(name))
    }
}

impl Node {
    fn own_slot(&self, name: &str) -> Option<u64> {
        let first = self.slots.partition_point(|(slot, _)| **slot < *name);
        self.slots.get(first).filter(|(slot, _)| **slot == *name).map(|&(_, offset)| offset)
    }

    /// Whether this name stands in its `__slots__` as it is.
    pub(crate) fn lists(&self, name: &str) -> bool {
        self.own_slot(name).is_some()
    }

    /// Whether the two are the same class. Built-in classes have no identity but their name.
    pub(crate) fn is(&self, other: &Node) -> bool {
        core::ptr::eq(self, other) || (!self.heap && !other.heap && self.root == other.root)
    }

    /// Whether an object of this class may become one of the other (`compatible_for_assignment`,
    /// `Objects/typeobject.c`).
    pub(crate) fn lays_out_like(&self, other: &Node) -> bool {
        if !self.heap || !other.heap || self.gc != other.gc {
            return self.is(other);
        }
        let (one, another) = (self.first_of_this_layout(), other.first_of_this_layout());
        one.is(another)
            || match (&one.base, &another.base) {
                (Some(base), Some(same)) => base.is(same) && one.adds_what(another, base),
                _ => false,
            }
    }

    /// The highest ancestor of which instances look the same (`compatible_with_tp_base`).
    fn first_of_this_layout(&self) -> &Node {
        let numbers = |it: &Node| (it.basicsize, it.itemsize, it.dictoffset, it.weakrefoffset, it.gc);
        let mut first = self;
        while let Some(base) = first.base.as_deref().filter(|base| numbers(base) == numbers(first)) {
            first = base;
        }
        first
    }

    /// Whether the two add the same slots to their base, and nothing else than words for `__dict__` and
    /// `__weakref__` before them (`same_slots_added`).
    fn adds_what(&self, other: &Node, base: &Node) -> bool {
        let mut size = base.basicsize;
        for offsets in [(self.dictoffset, other.dictoffset), (self.weakrefoffset, other.weakrefoffset)] {
            if offsets == (size as i64, size as i64) {
                size += self.abi.word;
            }
        }
        let names = |it: &Node| -> Vec<Arc<str>> { it.slots.iter().map(|(name, _)| name.clone()).collect() };
        if self.declares_slots && other.declares_slots {
            if names(self) != names(other) {
                return false;
            }
            size += self.slots.len() as u64 * self.abi.word;
        }
        self.heap && other.heap && (size, size) == (self.basicsize, other.basicsize)
    }

    /// Bytes in front of the object: pre-header and GC header.
    pub(crate) fn headers(&self) -> u64 {
        let pre_header = if self.pre_header { self.abi.pre_header() } else { 0 };
        pre_header + if self.gc { self.abi.gc_head } else { 0 }
    }
}

/// Frees a long chain of bases one by one: the drop that the compiler writes would call itself for each.
impl Drop for Node {
    fn drop(&mut self) {
        fn take(node: &mut Node, into: &mut Vec<Arc<Node>>) {
            into.extend(node.base.take());
            into.extend(node.solid.take());
            into.extend(node.ancestors.take().into_iter().flatten());
        }
        let mut waiting = Vec::new();
        take(self, &mut waiting);
        while let Some(class) = waiting.pop() {
            if let Some(mut last) = Arc::into_inner(class) {
                take(&mut last, &mut waiting);
            }
        }
    }
}
