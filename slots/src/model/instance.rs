//! One instance: what happens to it, and where its attributes live then.

use core::fmt;
use std::collections::{HashMap, HashSet};
use std::rc::Rc;
use std::sync::Arc;

use super::abi::{Abi, Sharing};
use super::class::Class;
use super::footprint::Footprint;
use super::keys::{Keys, Table, usable};
use super::layout::{Builtin, Node};
use super::shared_keys::{Admission, Holder, SharedKeys};

/// An instance as a machine of events: attributes are set and deleted, `obj.__dict__` is touched; at any
/// time [`Instance::footprint`] tells what it costs.
///
/// Values are not kept, only the names that have one. An instance that is dropped leaves the class as it
/// is, as in CPython: names stay shared.
#[derive(Debug)]
pub struct Instance<'c> {
    class: &'c Class,
    /// The block of the object itself, headers and inline values included.
    object_bytes: u64,
    items: u32,
    /// Offsets of the slots that have a value.
    slots: HashSet<u64>,
    /// Names in the `__dict__`, numbered in the order they came.
    names: HashMap<Arc<str>, u64>,
    next_name: u64,
    has_dict_object: bool,
    has_weakref: bool,
    home: Home,
    /// The names that its values are sorted by, if they are shared.
    keys: Option<Holder>,
}

/// Where the attributes of an instance live (`Objects/dictobject.c`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Home {
    /// No values and no dict yet.
    Nowhere,
    /// Values behind the object itself, in the names' shared order.
    Inline { capacity: u64 },
    /// Values in a block of their own that the object owns.
    Values { capacity: u64 },
    /// Values in a block of their own that the dict object owns.
    Split { capacity: u64 },
    /// A dict object without a table.
    EmptyDict,
    /// A dict object with its own table.
    Combined(Table),
}

/// How a name gets into the `__dict__`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Store {
    /// `obj.NAME = value`
    Attribute,
    /// `obj.__dict__["NAME"] = value`
    Item,
}

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
    /// A slot without a value is deleted.
    UnsetSlot {
        /// The slot.
        name: String,
    },
    /// `obj.__dict__` of an object that has none.
    NoDict {
        /// The class.
        class: String,
    },
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

impl<'c> Instance<'c> {
    pub(crate) fn new(class: &'c Class, items: u32) -> Instance<'c> {
        let node = &*class.layout.node;
        let mut it = Instance {
            class,
            object_bytes: node.headers() + fixed_and_items(node, items),
            items,
            slots: HashSet::new(),
            names: HashMap::new(),
            next_name: 0,
            has_dict_object: false,
            has_weakref: false,
            home: Home::Nowhere,
            keys: None,
        };
        if node.inlines_values() || node.separates_values() {
            it.make_values(node);
        }
        it
    }

    /// The values that a new object gets at once.
    fn make_values(&mut self, node: &Node) {
        let Some(holder) = self.class.shared_keys() else { return };
        let mut keys = holder.borrow_mut();
        let before = keys.size(node.abi);
        keys.shrink();
        let capacity = keys.size(node.abi);
        if node.inlines_values() {
            self.object_bytes +=
                node.abi.values(if node.abi.sized_before_shrink { before } else { capacity });
            self.home = Home::Inline { capacity };
        } else {
            self.home = Home::Values { capacity };
        }
        drop(keys);
        self.keys = Some(holder);
    }

    fn node(&self) -> &'c Node {
        &self.class.layout.node
    }

    fn abi(&self) -> &'static Abi {
        self.node().abi
    }

    /// `obj.NAME = value`. Slots take their (mangled) name, the `__dict__` all others.
    ///
    /// # Errors
    /// If neither takes it; or [`InstanceError::Unsupported`] for names such as `__class__`.
    pub fn set(&mut self, name: &str) -> Result<(), InstanceError> {
        if let Some(offset) = self.class.layout.slot(name) {
            self.slots.insert(offset);
            return Ok(());
        }
        self.check_name(name)?;
        self.set_in_dict(name, Store::Attribute);
        Ok(())
    }

    /// `obj.__dict__["NAME"] = value`.
    ///
    /// # Errors
    /// As [`Instance::touch_dict`].
    pub fn set_item(&mut self, name: &str) -> Result<(), InstanceError> {
        self.touch_dict()?;
        self.set_in_dict(name, Store::Item);
        Ok(())
    }

    /// `obj.__dict__[KEY] = value`, where the key is new and no string.
    ///
    /// # Errors
    /// As [`Instance::touch_dict`].
    pub fn set_other_key(&mut self) -> Result<(), InstanceError> {
        self.touch_dict()?;
        let table = match self.home {
            Home::Combined(mut table) => {
                table.insert_any(self.abi());
                table
            }
            Home::EmptyDict | Home::Nowhere => Table::grown_to(1, Keys::Any, self.abi()),
            Home::Inline { .. } | Home::Values { .. } | Home::Split { .. } => {
                let mut table = Table::resized_for(self.used(), self.log2(), Keys::Any, self.abi());
                table.insert_any(self.abi());
                table
            }
        };
        self.become_combined(table);
        // No name is the empty text with a NUL.
        self.remember(format!("\0{}", self.next_name).into());
        Ok(())
    }

    /// `obj.__dict__.clear()`.
    ///
    /// # Errors
    /// As [`Instance::touch_dict`].
    pub fn clear_dict(&mut self) -> Result<(), InstanceError> {
        self.touch_dict()?;
        self.names.clear();
        if !matches!(self.home, Home::Inline { .. }) {
            self.home = Home::EmptyDict;
            self.keys = None;
        }
        Ok(())
    }

    /// `weakref.ref(obj)`, kept: the object that refers counts here.
    ///
    /// # Errors
    /// If the class has no room for weak references.
    pub fn weakref(&mut self) -> Result<(), InstanceError> {
        if !self.class.layout.has_weakref() {
            return Err(InstanceError::NoWeakref { class: self.node().name.to_string() });
        }
        self.has_weakref = true;
        Ok(())
    }

    /// `copy.copy(obj)` and what it does to `obj`: the dicts of both are made and stay.
    ///
    /// # Errors
    /// Never for instances that the model can make; the type is that of the stores it consists of.
    pub fn copy(&mut self) -> Result<Instance<'c>, InstanceError> {
        let mut copy = Instance::new(self.class, self.items);
        if self.class.layout.has_dict() {
            self.make_dict();
            if !self.names.is_empty() {
                let source = if let Home::Combined(table) = self.home { Some(table) } else { None };
                copy.update(&self.names_in_order(), source)?;
            }
        }
        copy.slots.clone_from(&self.slots);
        Ok(copy)
    }

    /// `obj.__class__ = other`.
    ///
    /// # Errors
    /// If instances of the other class are laid out in another way.
    pub fn set_class(&mut self, class: &'c Class) -> Result<(), InstanceError> {
        if !self.node().lays_out_like(&class.layout.node) {
            return Err(InstanceError::OtherLayout {
                to: class.layout.name().to_owned(),
                from: self.node().name.to_string(),
            });
        }
        match self.home {
            // The values move out; their place stays behind, dead (`_PyObject_..DetachFromObject`).
            Home::Inline { capacity } => {
                self.has_dict_object = true;
                self.home = Home::Split { capacity };
            }
            Home::Values { .. } => self.has_dict_object = true,
            _ => {}
        }
        self.class = class;
        Ok(())
    }

    /// `del obj.NAME`. Gives nothing back: the place of the value stays, and so does the shared name.
    ///
    /// # Errors
    /// If it has no value; [`InstanceError::Unsupported`] as for [`Instance::set`].
    pub fn delete(&mut self, name: &str) -> Result<(), InstanceError> {
        if let Some(offset) = self.class.layout.slot(name) {
            return if self.slots.remove(&offset) {
                Ok(())
            } else {
                Err(InstanceError::UnsetSlot { name: name.into() })
            };
        }
        self.check_name(name)?;
        if !self.names.contains_key(name) {
            return Err(self.no_attribute(name, ""));
        }
        if self.abi().sharing == Sharing::InOrder && matches!(self.home, Home::Split { .. }) {
            self.leave_shared_keys();
        }
        self.names.remove(name);
        if let Home::Combined(table) = &mut self.home {
            table.remove();
        }
        Ok(())
    }

    /// `obj.__dict__` is looked at, by `vars`, `copy`, `pickle` or a debugger: the dict object is made and
    /// stays.
    ///
    /// # Errors
    /// If the class has no `__dict__`.
    pub fn touch_dict(&mut self) -> Result<(), InstanceError> {
        self.check_dict()?;
        self.make_dict();
        Ok(())
    }

    /// `obj.__dict__.update(d)`, where `d` is a dict that has grown to these string keys.
    ///
    /// # Errors
    /// As [`Instance::touch_dict`].
    pub fn update_dict<S: AsRef<str>>(
        &mut self,
        names: impl IntoIterator<Item = S>,
    ) -> Result<(), InstanceError> {
        let names: Vec<Arc<str>> = names.into_iter().map(|name| name.as_ref().into()).collect();
        let different: HashSet<&Arc<str>> = names.iter().collect();
        let source = Table::grown_to(different.len() as u64, Keys::Strings, self.abi());
        self.update(&names, Some(source))
    }

    /// An update of the dict from another that has its own table, or shares its keys (`dict_merge`).
    fn update(&mut self, names: &[Arc<str>], source: Option<Table>) -> Result<(), InstanceError> {
        self.touch_dict()?;
        let different = names.iter().collect::<HashSet<_>>().len() as u64;
        if different == 0 {
            return Ok(());
        }
        if let Some(table) = source
            && self.takes_over(table, different)
        {
            self.become_combined(table);
            names.iter().for_each(|name| self.remember(name.clone()));
            return Ok(());
        }
        self.make_room_for(different);
        names.iter().for_each(|name| self.set_in_dict(name, Store::Item));
        Ok(())
    }

    /// `obj.__dict__ = d`, where `d` is a dict that has grown to these string keys, of which nobody else
    /// has a reference. Inline values stay behind, dead.
    ///
    /// # Errors
    /// As [`Instance::touch_dict`].
    pub fn replace_dict<S: AsRef<str>>(
        &mut self,
        names: impl IntoIterator<Item = S>,
    ) -> Result<(), InstanceError> {
        self.check_dict()?;
        self.has_dict_object = true;
        let names: HashSet<Arc<str>> = names.into_iter().map(|name| name.as_ref().into()).collect();
        let table = Table::grown_to(names.len() as u64, Keys::Strings, self.abi());
        self.hold(names, table);
        Ok(())
    }

    /// `obj.__dict__ = dict(vars(other))`, where `other` shares the names of its attributes with its class.
    ///
    /// # Errors
    /// As [`Instance::touch_dict`].
    pub fn replace_dict_with_copy_of(&mut self, other: &Instance<'_>) -> Result<(), InstanceError> {
        self.check_dict()?;
        let names: HashSet<Arc<str>> = other.names.keys().cloned().collect();
        let n = names.len() as u64;
        let table = match other.home {
            Home::Combined(_) => Table::copied(n, Keys::Strings, self.abi()),
            _ => Table::copied_from_shared(n, self.abi()),
        };
        self.hold(names, table);
        Ok(())
    }

    /// The dict is one with this table from now on; with none if it is empty.
    fn hold(&mut self, names: HashSet<Arc<str>>, table: Table) {
        self.has_dict_object = true;
        self.names.clear();
        self.keys = None;
        self.home = if names.is_empty() { self.fresh_dict() } else { Home::Combined(table) };
        names.into_iter().for_each(|name| self.remember(name));
    }

    /// What the instance costs now.
    pub fn footprint(&self) -> Footprint {
        let (node, abi) = (self.node(), self.abi());
        let mut requests = vec![self.object_bytes];
        if self.has_dict_object {
            requests.push(abi.dict_object());
        }
        match self.home {
            Home::Values { capacity } | Home::Split { capacity } => requests.push(abi.values(capacity)),
            Home::Combined(table) => requests.extend(Some(table.bytes(abi)).filter(|&bytes| bytes > 0)),
            Home::Nowhere | Home::Inline { .. } | Home::EmptyDict => {}
        }
        if node.root == Builtin::Str && node.heap && node.itemsize == 0 {
            requests.push(u64::from(self.items) + 1); // the characters and their NUL (`unicode_subtype_new`)
        }
        let own_table = own_table(node);
        requests.extend(own_table);
        if self.has_weakref {
            requests.push(abi.weakref_object);
        }
        let getsizeof = node.headers() + sizeof(node, self.items) + own_table.unwrap_or(0);
        let getsizeof_dict = self.check_dict().is_ok().then(|| self.getsizeof_dict());
        Footprint::new(requests, getsizeof, getsizeof_dict, abi)
    }

    /// `dict.__sizeof__` and the GC header (`_PyDict_SizeOf`). Values count as many as the class shares
    /// names now, whatever room this instance has.
    fn getsizeof_dict(&self) -> u64 {
        let abi = self.abi();
        let values = |keys: &Holder| keys.borrow().size(abi) * abi.word;
        let shares_late = abi.shares_late_dict || !self.node().managed_dict;
        abi.dict_object()
            + match self.home {
                Home::Nowhere if shares_late => match self.class.shared_keys() {
                    Some(keys) => values(&keys),
                    None if abi.empty_dict_has_table => Table::smallest(Keys::Strings).bytes(abi),
                    None => 0,
                },
                Home::Nowhere | Home::EmptyDict => 0,
                Home::Combined(table) => table.bytes(abi),
                Home::Inline { .. } | Home::Values { .. } | Home::Split { .. } => {
                    self.keys.as_ref().map_or(0, values)
                }
            }
    }

    fn used(&self) -> u64 {
        self.names.len() as u64
    }

    /// log2 of the places of the shared table.
    fn log2(&self) -> u32 {
        self.keys.as_ref().map_or(self.abi().shared_log2, |keys| keys.borrow().log2())
    }

    fn remember(&mut self, name: Arc<str>) {
        self.names.insert(name, self.next_name);
        self.next_name += 1;
    }

    fn names_in_order(&self) -> Vec<Arc<str>> {
        let mut names: Vec<(u64, &Arc<str>)> =
            self.names.iter().map(|(name, &place)| (place, name)).collect();
        names.sort_unstable_by_key(|&(place, _)| place);
        names.into_iter().map(|(_, name)| name.clone()).collect()
    }

    /// A store into the `__dict__`, which exists in one form or another.
    fn set_in_dict(&mut self, name: &str, store: Store) {
        if self.names.contains_key(name) {
            return;
        }
        let name: Arc<str> = name.into();
        if self.home == Home::Nowhere {
            self.make_first_values();
        }
        match self.home {
            Home::Inline { .. } | Home::Values { .. } | Home::Split { .. } => {
                if self.admit(&name) == Admission::Shared {
                    self.remember(name);
                } else {
                    self.outgrow_shared_keys(name, store);
                }
            }
            Home::Nowhere | Home::EmptyDict | Home::Combined(_) => {
                self.insert();
                self.remember(name);
            }
        }
    }

    fn admit(&self, name: &Arc<str>) -> Admission {
        let Some(keys) = &self.keys else { return Admission::Refused };
        keys.borrow_mut().admit(name, self.names.len(), self.abi())
    }

    /// The first attribute of an instance that `object.__new__` gave no values.
    fn make_first_values(&mut self) {
        match self.class.shared_keys() {
            Some(keys) => self.split(keys),
            None => self.make_dict(),
        }
    }

    fn split(&mut self, keys: Holder) {
        self.has_dict_object = true;
        self.home = Home::Split { capacity: keys.borrow().size(self.abi()) };
        self.keys = Some(keys);
    }

    /// A dict object over the values, if there are any (`_PyObject_GenericGetDict`).
    fn make_dict(&mut self) {
        self.has_dict_object = true;
        if self.home == Home::Nowhere {
            match self.class.shared_keys() {
                Some(keys) if self.abi().shares_late_dict => self.split(keys),
                _ => self.home = self.fresh_dict(),
            }
        }
    }

    /// What `PyDict_New` makes.
    fn fresh_dict(&self) -> Home {
        let abi = self.abi();
        if abi.empty_dict_has_table || abi.sharing == Sharing::Never {
            Home::Combined(Table::smallest(Keys::Strings))
        } else {
            Home::EmptyDict
        }
    }

    /// The attributes live in a table of their own from now on. Inline values stay behind, dead.
    fn become_combined(&mut self, table: Table) {
        self.has_dict_object = true;
        self.home = Home::Combined(table);
        self.keys = None;
    }

    /// A name comes that cannot be shared: all move to a table of their own (`insertion_resize`). Up to 3.10
    /// this is the end of sharing for the class, unless nobody else does: then it takes over this table
    /// (`_PyObjectDict_SetItem`).
    fn outgrow_shared_keys(&mut self, name: Arc<str>, store: Store) {
        let abi = self.abi();
        let left = self.keys.clone();
        self.become_combined(Table::resized_for(self.used(), self.log2_of(&left), Keys::Strings, abi));
        self.insert();
        self.remember(name);
        if abi.sharing != Sharing::InOrder || store == Store::Item {
            return;
        }
        let mut cached = self.class.keys.borrow_mut();
        let of_class = matches!((&*cached, &left), (Some(a), Some(b)) if Rc::ptr_eq(a, b));
        if !of_class {
            return;
        }
        drop(left);
        let alone = cached.as_ref().is_some_and(|keys| Rc::strong_count(keys) == 1);
        let Home::Combined(table) = self.home else { return };
        *cached = alone.then(|| {
            let names = self.names_in_order();
            Rc::new(std::cell::RefCell::new(SharedKeys::taken_over(&names, table)))
        });
        if let Some(keys) = cached.clone() {
            drop(cached);
            self.split(keys);
        }
    }

    fn log2_of(&self, keys: &Option<Holder>) -> u32 {
        keys.as_ref().map_or(self.abi().shared_log2, |keys| keys.borrow().log2())
    }

    /// A deletion, up to 3.10: the shared table becomes this dict's own and is lost to the class
    /// (`_PyDict_DelItem_KnownHash`).
    fn leave_shared_keys(&mut self) {
        let table = Table::of(self.log2(), self.used());
        let left = self.keys.clone();
        self.become_combined(table);
        let mut cached = self.class.keys.borrow_mut();
        if matches!((&*cached, &left), (Some(a), Some(b)) if Rc::ptr_eq(a, b)) {
            *cached = None;
        }
    }

    /// A name goes into the dict's own table.
    fn insert(&mut self) {
        let mut table = match self.home {
            Home::Combined(table) => table,
            _ => Table::smallest(Keys::Strings),
        };
        table.insert(self.abi());
        self.become_combined(table);
    }

    /// Whether an update of the dict copies the other's whole table (`dict_merge`).
    fn takes_over(&self, source: Table, n: u64) -> bool {
        let abi = self.abi();
        let has_values = !matches!(self.home, Home::EmptyDict | Home::Combined(_));
        let may = abi.update_clones && (abi.update_replaces_values || !has_values);
        may && self.names.is_empty() && source.fits_tightly(n)
    }

    /// What an update does before it inserts `n` keys one by one (`dict_merge`).
    fn make_room_for(&mut self, n: u64) {
        let abi = self.abi();
        match self.home {
            Home::Combined(table) => self.home = Home::Combined(table.with_room_for(n, abi)),
            Home::EmptyDict | Home::Nowhere => {
                let smallest = Table::smallest(Keys::Strings);
                let table = smallest.with_room_for(n, abi);
                if table != smallest {
                    self.become_combined(table);
                }
            }
            Home::Inline { .. } | Home::Values { .. } | Home::Split { .. } => {
                if usable(self.log2()) < n {
                    self.become_combined(Table::presized_for(self.used(), n, abi));
                }
            }
        }
    }

    fn check_dict(&self) -> Result<(), InstanceError> {
        if self.class.layout.has_dict() {
            return Ok(());
        }
        Err(InstanceError::NoDict { class: self.node().name.to_string() })
    }

    /// Whether a name that is no slot can go to the `__dict__`.
    fn check_name(&self, name: &str) -> Result<(), InstanceError> {
        let has_dict = self.class.layout.has_dict();
        let dunder = name.len() > 4 && name.starts_with("__") && name.ends_with("__");
        let special = match self.node().root {
            // `object` and the class have attributes of such names, which are read-only without a dict.
            Builtin::Object if !has_dict => dunder,
            // What else the built-in class has is not modelled.
            _ if !has_dict => true,
            Builtin::Exception => dunder || name == "args",
            Builtin::Int => dunder || ["real", "imag", "numerator", "denominator"].contains(&name),
            _ => ["__class__", "__dict__", "__weakref__"].contains(&name),
        };
        if special {
            return Err(InstanceError::Unsupported { name: name.into() });
        }
        if has_dict { Ok(()) } else { Err(self.no_attribute(name, self.node().abi.no_dict_hint)) }
    }

    fn no_attribute(&self, name: &str, hint: &'static str) -> InstanceError {
        InstanceError::NoAttribute { class: self.node().name.to_string(), name: name.into(), hint }
    }
}

/// Bytes that the object takes behind its headers (`_PyType_AllocNoTrack`, `Objects/typeobject.c`).
/// Instances of derived classes get one item more than they have.
fn fixed_and_items(node: &Node, items: u32) -> u64 {
    let items = u64::from(items);
    match node.root {
        Builtin::Str if !node.heap && node.itemsize == 0 => node.abi.ascii + items + 1,
        _ if node.itemsize == 0 => node.basicsize,
        _ if node.heap => (node.basicsize + (items + 1) * node.itemsize).next_multiple_of(node.abi.word),
        _ => node.basicsize + items * node.itemsize,
    }
}

/// The table that an instance of a subclass of `dict` has from the start (`dict_new`).
fn own_table(node: &Node) -> Option<u64> {
    let has = node.abi.dict_subclass_has_table && node.root == Builtin::Dict && node.heap;
    has.then(|| Table::smallest(Keys::Strings).bytes(node.abi))
}

/// What `__sizeof__` of the built-in class says.
fn sizeof(node: &Node, items: u32) -> u64 {
    let items = u64::from(items);
    match node.root {
        // What a subclass adds is left out here, too (`string_sizeof` of 2.7).
        Builtin::Str if node.itemsize > 0 => node.abi.string + items * node.itemsize,
        // Counted from the built-in layout: what a subclass adds is left out (`unicode_sizeof_impl`).
        Builtin::Str if node.heap => node.abi.string + items + 1,
        Builtin::Str => node.abi.ascii + items + 1,
        Builtin::Int if node.itemsize > 0 && !node.abi.int_sizeof_counts_fields => {
            node.abi.var_object + items * node.itemsize
        }
        _ => node.basicsize + items * node.itemsize,
    }
}
