//! Classes: attributes, bases, and a version that changes with them.

use core::cell::{Cell, Ref, RefCell};
use core::fmt;
use std::collections::HashSet;
use std::rc::Rc;

use super::class_error::ClassError;
use super::compact_dict::CompactDict;
use super::descriptor::{Attribute, Descriptor, Loaded};
use super::handles::{Counted, Handles};
use super::id::Id;
use super::name::Name;
use super::shared_keys::SharedKeys;
use crate::c3;

/// Versions that a class gets in its life (`MAX_VERSIONS_PER_CLASS`, `Objects/typeobject.c`). One that changes more often
/// is not cached any more, so that it cannot use up all versions there are.
const MOST_VERSIONS: u16 = 1000;
/// Slots that an instance can have beside its inline values.
const MOST_SLOTS: usize = 65_000;

/// A class: its attributes, its bases in C3 order, the slots of its instances, and the names that their dicts share.
///
/// Classes are behind the pointers of `H`. Each has a *version*, which inline caches compare. When an attribute
/// of a class or its bases change, it and all classes derived from it lose their versions; the next cache that learns of
/// it gives it another.
///
/// ```
/// use cpymem_slots::object::{Attribute, Caches, Class, Descriptor, InlineCache, Instance, Loaded, Shapes};
///
/// #[derive(Clone, Debug, PartialEq)]
/// enum Value { Number(i64), Function(&'static str) }
///
/// impl Attribute for Value {
///     fn descriptor(&self) -> Descriptor {
///         match self {
///             Value::Number(_) => Descriptor::None,
///             Value::Function(_) => Descriptor::NonData,
///         }
///     }
/// }
///
/// let mut names = Shapes::new();
/// let (age, greet) = (names.intern("age"), names.intern("greet"));
/// let user = Class::new("User", &[])?;
/// user.set(greet, Value::Function("hello"));
/// let guest = Class::new("Guest", &[user.clone()])?;
///
/// let mut alice: Instance<Value> = Instance::new(&guest);
/// alice.set(age, Value::Number(41))?;
/// let (mut site, mut caches) = (InlineCache::new(), Caches::new());
/// assert_eq!(alice.get_cached(&mut site, &mut caches, greet)?, Loaded::Method(Value::Function("hello")));
/// user.set(greet, Value::Function("hi")); // a base changes after the cache is warm
/// assert_eq!(alice.get_cached(&mut site, &mut caches, greet)?, Loaded::Method(Value::Function("hi")));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Class<V: 'static, H: Handles = Counted> {
    /// [`Class::NO_VERSION`] if caches must not know it.
    version: Cell<u32>,
    versions: Cell<u16>,
    has_dict: bool,
    name: Box<str>,
    /// Names of the slots, those of bases first.
    slots: Box<[Name]>,
    /// The classes that added slots, the first ancestor first: tells which layouts are parts of others.
    solid: Box<[Id]>,
    pub(super) attributes: RefCell<CompactDict<Name, Member<V>>>,
    pub(super) bases: RefCell<Vec<H::Strong<Class<V, H>>>>,
    /// The ancestors in C3 order, this class left out.
    pub(super) ancestors: RefCell<Vec<H::Strong<Class<V, H>>>>,
    pub(super) subclasses: RefCell<Vec<H::Weak<Class<V, H>>>>,
    keys: RefCell<SharedKeys>,
}

/// An attribute of a class.
#[derive(Clone)]
pub(super) enum Member<V> {
    Value(V),
    /// A slot of the instances: a data descriptor.
    Slot(u16),
}

/// Where a class has an attribute: how far up the order, and at which position of that class's dict.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Location {
    pub(super) depth: usize,
    pub(super) position: usize,
}

type Strong<V, H> = <H as Handles>::Strong<Class<V, H>>;

impl<V: Attribute> Class<V> {
    /// A class whose instances have a dict.
    ///
    /// # Errors
    /// If the bases cannot be combined.
    pub fn new(name: &str, bases: &[Rc<Class<V>>]) -> Result<Rc<Class<V>>, ClassError> {
        Class::<V, Counted>::make(name, bases, &[], true, Rc::new)
    }

    /// A class with `__slots__`, in this order (CPython sorts them by name). Its instances have a dict only if those of
    /// a base have.
    ///
    /// # Errors
    /// If the bases cannot be combined, or a slot is there twice.
    pub fn with_slots(
        name: &str,
        bases: &[Rc<Class<V>>],
        slots: &[Name],
    ) -> Result<Rc<Class<V>>, ClassError> {
        Class::<V, Counted>::make(name, bases, slots, false, Rc::new)
    }
}

impl<V: Attribute, H: Handles> Class<V, H> {
    /// The version of a class that caches must not know. No key of a cache is this number.
    const NO_VERSION: u32 = Id::OWN_TABLE.bits();

    /// A class with these bases and slots, in this order (CPython sorts them by name), behind the pointer that `wrap` makes. Its
    /// instances have a dict if `dict` is true or those of a base have.
    ///
    /// # Errors
    /// If the bases cannot be combined, or a slot is there twice.
    pub fn make(
        name: &str,
        bases: &[Strong<V, H>],
        slots: &[Name],
        dict: bool,
        wrap: impl FnOnce(Class<V, H>) -> Strong<V, H>,
    ) -> Result<Strong<V, H>, ClassError> {
        let ancestors = order::<V, H>(bases)?;
        let best = best_base::<V, H>(bases)?;
        let mut all: Vec<Name> = best.map_or(Vec::new(), |base| base.slots.to_vec());
        let mut solid: Vec<Id> = best.map_or(Vec::new(), |base| base.solid.to_vec());
        let mut attributes = CompactDict::new();
        let mut seen: HashSet<Name> = all.iter().copied().collect();
        for &slot in slots {
            if !seen.insert(slot) {
                return Err(ClassError::SlotTwice { name: slot });
            }
            attributes.insert(slot, Member::Slot(all.len() as u16));
            all.push(slot);
        }
        if all.len() > MOST_SLOTS {
            return Err(ClassError::TooManySlots);
        }
        if !slots.is_empty() {
            solid.push(Id::fresh());
        }
        let class = wrap(Class {
            version: Cell::new(Self::NO_VERSION),
            versions: Cell::new(0),
            has_dict: dict || bases.iter().any(|base| base.has_dict),
            name: name.into(),
            slots: all.into(),
            solid: solid.into(),
            attributes: RefCell::new(attributes),
            bases: RefCell::new(bases.to_vec()),
            ancestors: RefCell::new(ancestors),
            subclasses: RefCell::new(Vec::new()),
            keys: RefCell::new(SharedKeys::new()),
        });
        bases.iter().for_each(|base| base.add_subclass(&class));
        Ok(class)
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The slots of its instances, those of bases first.
    pub fn slots(&self) -> &[Name] {
        &self.slots
    }

    /// Whether its instances have a dict.
    pub fn has_dict(&self) -> bool {
        self.has_dict
    }

    /// Its bases.
    pub fn bases(&self) -> Vec<Strong<V, H>> {
        self.bases.borrow().clone()
    }

    /// Its ancestors in C3 order, itself left out.
    pub fn ancestors(&self) -> Vec<Strong<V, H>> {
        self.ancestors.borrow().clone()
    }

    /// The names that dicts of its instances share, in the order in which they came.
    pub fn shared_names(&self) -> Vec<Name> {
        self.keys.borrow().names().to_vec()
    }

    /// What a key of caches is compared with.
    #[inline(always)]
    pub(super) fn version(&self) -> u32 {
        self.version.get()
    }

    /// The version, given anew if it was lost; `None` if caches must not know the class.
    pub(super) fn assign_version(&self) -> Option<u32> {
        // A class with a version has ancestors with versions, or `modified` would stop too early.
        for ancestor in self.ancestors.borrow().iter().rev() {
            ancestor.assign_own_version()?;
        }
        self.assign_own_version()
    }

    fn assign_own_version(&self) -> Option<u32> {
        if self.version() == Self::NO_VERSION {
            if self.versions.get() == MOST_VERSIONS {
                return None;
            }
            let version = Id::try_fresh()?;
            self.versions.set(self.versions.get() + 1);
            self.version.set(version.bits());
        }
        Some(self.version())
    }

    /// Makes every inline cache forget what it knows of this class and those derived from it
    /// (`PyType_Modified`). Needed only if a descriptor has changed its nature.
    pub fn modified(&self) {
        if self.version() == Self::NO_VERSION {
            return; // and so none derived from it has one
        }
        self.version.set(Self::NO_VERSION);
        let mut derived = self.subclasses();
        while let Some(class) = derived.pop() {
            if class.version() != Self::NO_VERSION {
                class.version.set(Self::NO_VERSION);
                derived.extend(class.subclasses());
            }
        }
    }

    /// The classes that have it as a base and are still there.
    pub fn subclasses(&self) -> Vec<Strong<V, H>> {
        self.subclasses.borrow().iter().filter_map(|class| H::upgrade(class)).collect()
    }

    fn add_subclass(&self, class: &Strong<V, H>) {
        let mut subclasses = self.subclasses.borrow_mut();
        // Those that died are left out whenever the list would grow.
        if subclasses.len() == subclasses.capacity() {
            subclasses.retain(|class| H::upgrade(class).is_some());
        }
        subclasses.push(H::downgrade(class));
    }

    fn remove_subclass(&self, class: &Strong<V, H>) {
        let is_other =
            |it: &H::Weak<Class<V, H>>| H::upgrade(it).is_some_and(|it| H::address(&it) != H::address(class));
        self.subclasses.borrow_mut().retain(is_other);
    }

    /// Gives a class other bases (`C.__bases__ = ...`): it and those derived from it get their order anew.
    ///
    /// # Errors
    /// If the bases cannot be combined, have other slots, or descend from the class; nothing has changed then.
    pub fn set_bases(this: &Strong<V, H>, bases: &[Strong<V, H>]) -> Result<(), ClassError> {
        let is_this = |class: &Strong<V, H>| H::address(class) == H::address(this);
        if bases.iter().any(|base| is_this(base) || base.ancestors.borrow().iter().any(is_this)) {
            return Err(ClassError::Cycle);
        }
        let own = if this.adds_slots() { 1 } else { 0 };
        let best = best_base::<V, H>(bases)?;
        let solid = best.map_or(&[][..], |base| &base.solid[..]);
        if solid != &this.solid[..this.solid.len() - own]
            || bases.iter().any(|base| base.has_dict && !this.has_dict)
        {
            return Err(ClassError::LayoutDiffers);
        }
        let before = this.bases.replace(bases.to_vec());
        // Which classes have it among their ancestors, each behind its bases.
        let mut derived = vec![this.clone()];
        let mut at = 0;
        while let Some(class) = derived.get(at).cloned() {
            for subclass in class.subclasses() {
                derived.retain(|it| H::address(it) != H::address(&subclass));
                derived.push(subclass);
            }
            at = derived.iter().position(|it| H::address(it) == H::address(&class)).map_or(0, |at| at + 1);
        }
        let mut orders = Vec::new();
        for class in &derived {
            let order = order::<V, H>(&class.bases.borrow());
            match order {
                Ok(order) => orders.push(class.ancestors.replace(order)),
                Err(error) => {
                    for (class, order) in derived.iter().zip(orders) {
                        class.ancestors.replace(order);
                    }
                    this.bases.replace(before);
                    return Err(error);
                }
            }
        }
        before.iter().for_each(|base| base.remove_subclass(this));
        bases.iter().for_each(|base| base.add_subclass(this));
        this.modified();
        Ok(())
    }

    /// Whether its own slots are not empty.
    fn adds_slots(&self) -> bool {
        let inherited = |base: &Strong<V, H>| base.solid.len();
        self.bases.borrow().iter().map(inherited).max().unwrap_or(0) < self.solid.len()
    }

    /// Sets an attribute of the class; the value before, unless it was a slot.
    pub fn set(&self, name: Name, value: V) -> Option<V> {
        self.modified();
        let before = self.attributes.borrow_mut().insert(name, Member::Value(value));
        before.and_then(Member::into_value)
    }

    /// Deletes an attribute of the class itself; whether it was there. Instances keep the values of a slot that is
    /// deleted, and nobody finds them.
    pub fn delete(&self, name: Name) -> bool {
        self.modified();
        let deleted = self.attributes.borrow_mut().remove(&name);
        deleted.is_some()
    }

    /// An attribute of the class or the first of its ancestors that has it; none if that is a slot.
    pub fn get(&self, name: Name) -> Option<V> {
        self.at(self.locate(name)?)?.into_value()
    }

    /// The attributes of the class itself that are no slots, in the order in which they came.
    pub fn attributes(&self) -> Vec<(Name, V)> {
        let attributes = self.attributes.borrow();
        let values =
            attributes.iter().filter_map(|(&name, member)| Some((name, member.clone().into_value()?)));
        values.collect()
    }

    /// Where an attribute is (`find_name_in_mro`, `Objects/typeobject.c`).
    pub(super) fn locate(&self, name: Name) -> Option<Location> {
        if let Some(position) = self.attributes.borrow().position(&name) {
            return Some(Location { depth: 0, position });
        }
        let ancestors = self.ancestors.borrow();
        let found = |(class, depth): (&Strong<V, H>, usize)| {
            let position = class.attributes.borrow().position(&name)?;
            Some(Location { depth, position })
        };
        ancestors.iter().zip(1..).find_map(found)
    }

    /// The attribute at a location.
    #[inline]
    pub(super) fn at(&self, Location { depth, position }: Location) -> Option<Member<V>> {
        let member = |attributes: Ref<'_, CompactDict<Name, Member<V>>>| {
            attributes.get_at(position).map(|(_, member)| member.clone())
        };
        match depth.checked_sub(1) {
            None => member(self.attributes.borrow()),
            Some(ancestor) => member(self.ancestors.borrow().get(ancestor)?.attributes.borrow()),
        }
    }

    /// A new instance: its room for inline values, if it has a dict.
    pub(super) fn new_instance(&self) -> Option<u8> {
        self.has_dict.then(|| self.keys.borrow_mut().new_instance() as u8)
    }

    /// The number of a shared name.
    pub(super) fn shared(&self, name: Name) -> Option<usize> {
        self.keys.borrow().index(name)
    }

    /// The shared name of a number.
    pub(super) fn shared_name(&self, number: usize) -> Option<Name> {
        self.keys.borrow().names().get(number).copied()
    }

    /// The number of a shared name, which is added if there is room.
    pub(super) fn admit(&self, name: Name) -> Option<usize> {
        if let Some(number) = self.shared(name) {
            return Some(number);
        }
        // From now on instances can have values that hide an attribute of the class.
        if self.locate(name).is_some() {
            self.modified();
        }
        self.keys.borrow_mut().admit(name)
    }

    /// Whether instances of both have the same slots, and both or neither a dict.
    pub(super) fn is_laid_out_as(&self, other: &Class<V, H>) -> bool {
        self.solid == other.solid && self.has_dict == other.has_dict
    }
}

impl<V: Attribute> Member<V> {
    fn into_value(self) -> Option<V> {
        match self {
            Member::Value(value) => Some(value),
            Member::Slot(_) => None,
        }
    }

    /// What an object finds that has no value of its own.
    pub(super) fn into_loaded<'o>(self) -> Option<Loaded<'o, V>> {
        let value = self.into_value()?;
        Some(match value.descriptor() {
            Descriptor::None => Loaded::Shared(value),
            Descriptor::NonData => Loaded::Method(value),
            Descriptor::Data => Loaded::Property(value),
        })
    }

    /// Whether it comes before what an object has.
    pub(super) fn is_data(&self) -> bool {
        match self {
            Member::Value(value) => value.descriptor() == Descriptor::Data,
            Member::Slot(_) => true,
        }
    }
}

/// The ancestors of a class with these bases in C3 order (`mro_implementation`).
fn order<V: Attribute, H: Handles>(bases: &[Strong<V, H>]) -> Result<Vec<Strong<V, H>>, ClassError> {
    let mut seen = HashSet::new();
    if let Some(twice) = bases.iter().find(|base| !seen.insert(H::address(base))) {
        return Err(ClassError::DuplicateBase { name: twice.name.to_string() });
    }
    let lineage = |base: &Strong<V, H>| [base.clone()].into_iter().chain(base.ancestors()).collect();
    let mut lists: Vec<Vec<Strong<V, H>>> = bases.iter().map(lineage).collect();
    lists.push(bases.to_vec());
    let names = |blocked: Vec<Strong<V, H>>| blocked.iter().map(|class| class.name.to_string()).collect();
    c3::merge(lists, |class| H::address(class))
        .map_err(|blocked| ClassError::InconsistentOrder { classes: names(blocked) })
}

/// The base with the most slots, of which those of all others are a part (`best_base`).
fn best_base<V: Attribute, H: Handles>(bases: &[Strong<V, H>]) -> Result<Option<&Strong<V, H>>, ClassError> {
    // The first of several.
    let best = bases.iter().rev().max_by_key(|base| base.solid.len());
    let Some(best) = best else { return Ok(None) };
    let fits = bases.iter().all(|base| best.solid.starts_with(&base.solid));
    if fits { Ok(Some(best)) } else { Err(ClassError::LayoutConflict) }
}

impl<V, H: Handles> fmt::Debug for Class<V, H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<class '{}'>", self.name)
    }
}
