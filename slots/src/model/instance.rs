//! One instance: what happens to it, and where its attributes live then.

use core::fmt;
use std::collections::HashSet;
use std::sync::Arc;

use super::abi::WORD;
use super::class::Class;
use super::footprint::Footprint;
use super::keys::{Keys, SharedKeys, Table, usable};
use super::layout::{Builtin, Node};

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
    names: HashSet<Arc<str>>,
    has_dict_object: bool,
    home: Home,
}

/// Where the attributes of an instance live (`Objects/dictobject.c`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Home {
    /// No values and no dict yet.
    Nowhere,
    /// Values behind the object itself, in the names' shared order.
    Inline,
    /// Values in a block of their own that the object owns.
    Values { capacity: u64 },
    /// Values in a block of their own that the dict object owns.
    Split { capacity: u64 },
    /// A dict object without a table.
    EmptyDict,
    /// A dict object with its own table.
    Combined(Table),
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
        let mut object_bytes = node.headers() + fixed_and_items(node, items);
        let mut home = Home::Nowhere;
        if let Some(keys) = &class.keys
            && (node.inlines_values() || node.separates_values())
        {
            let mut keys = keys.borrow_mut();
            let before = keys.size();
            keys.shrink();
            let capacity = if node.abi.sized_before_shrink { before } else { keys.size() };
            home = if node.inlines_values() {
                object_bytes += node.abi.values(capacity);
                Home::Inline
            } else {
                Home::Values { capacity }
            };
        }
        let (slots, names) = (HashSet::new(), HashSet::new());
        Instance { class, object_bytes, items, slots, names, has_dict_object: false, home }
    }

    fn node(&self) -> &'c Node {
        &self.class.layout.node
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
        self.set_in_dict(name);
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
        if !self.names.remove(name) {
            return Err(self.no_attribute(name, ""));
        }
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
        self.touch_dict()?;
        let listed: Vec<Arc<str>> = names.into_iter().map(|name| name.as_ref().into()).collect();
        let names: HashSet<Arc<str>> = listed.iter().cloned().collect();
        if names.is_empty() {
            return Ok(());
        }
        let source = Table::grown_to(names.len() as u64);
        if self.takes_over(source, names.len() as u64) {
            self.home = Home::Combined(source);
            self.names = names;
            return Ok(());
        }
        self.make_room_for(names.len() as u64);
        listed.iter().for_each(|name| self.set_in_dict(name));
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
        self.names = names.into_iter().map(|name| name.as_ref().into()).collect();
        self.home = match self.names.len() {
            0 => Home::EmptyDict,
            n => Home::Combined(Table::grown_to(n as u64)),
        };
        Ok(())
    }

    /// What the instance costs now.
    pub fn footprint(&self) -> Footprint {
        let (node, abi) = (self.node(), self.node().abi);
        let mut requests = vec![self.object_bytes];
        if self.has_dict_object {
            requests.push(abi.dict_object());
        }
        match self.home {
            Home::Values { capacity } | Home::Split { capacity } => requests.push(abi.values(capacity)),
            Home::Combined(table) => requests.push(table.bytes(abi, Keys::Strings)),
            Home::Nowhere | Home::Inline | Home::EmptyDict => {}
        }
        if node.root == Builtin::Str && node.heap {
            requests.push(u64::from(self.items) + 1); // the characters and their NUL (`unicode_subtype_new`)
        }
        let getsizeof_dict = self.check_dict().is_ok().then(|| self.getsizeof_dict());
        Footprint::new(requests, node.headers() + sizeof(node, self.items), getsizeof_dict)
    }

    /// `dict.__sizeof__` and the GC header (`_PyDict_SizeOf`). Values count as many as the class shares
    /// names now, whatever room this instance has.
    fn getsizeof_dict(&self) -> u64 {
        let (node, abi) = (self.node(), self.node().abi);
        let values = || self.shared(|keys| keys.size() * WORD);
        abi.dict_object()
            + match self.home {
                Home::Nowhere if !node.managed_dict || !abi.shares_late_dict => 0,
                Home::EmptyDict => 0,
                Home::Combined(table) => table.bytes(abi, Keys::Strings),
                Home::Nowhere | Home::Inline | Home::Values { .. } | Home::Split { .. } => values(),
            }
    }

    /// A store into the `__dict__`, which exists in one form or another.
    fn set_in_dict(&mut self, name: &str) {
        if self.names.contains(name) {
            return;
        }
        let name: Arc<str> = name.into();
        if self.home == Home::Nowhere {
            self.make_first_values();
        }
        match &mut self.home {
            Home::Inline | Home::Values { .. } | Home::Split { .. } => {
                if !self.shared(|keys| keys.admit(&name)) {
                    self.combine();
                    self.insert();
                }
            }
            Home::Nowhere | Home::EmptyDict | Home::Combined(_) => self.insert(),
        }
        self.names.insert(name);
    }

    /// The first attribute of an instance that `object.__new__` gave no values.
    fn make_first_values(&mut self) {
        if self.node().managed_dict {
            self.has_dict_object = true;
            self.home = Home::Split { capacity: self.shared(|keys| keys.size()) };
        } else {
            self.make_dict();
        }
    }

    /// A dict object over the values, if there are any (`_PyObject_GenericGetDict`).
    fn make_dict(&mut self) {
        self.has_dict_object = true;
        if self.home == Home::Nowhere {
            let shares = self.node().managed_dict && self.node().abi.shares_late_dict;
            self.home = if shares {
                Home::Split { capacity: self.shared(|keys| keys.size()) }
            } else {
                Home::EmptyDict
            };
        }
    }

    /// The attributes move to a table of their own (`insertion_resize`). Inline values stay behind, dead.
    fn combine(&mut self) {
        self.has_dict_object = true;
        self.home = Home::Combined(Table::resized_for(self.names.len() as u64));
    }

    /// A name goes into the dict's own table.
    fn insert(&mut self) {
        let mut table = match self.home {
            Home::Combined(table) => table,
            _ => Table::smallest(),
        };
        table.insert();
        self.home = Home::Combined(table);
    }

    /// Whether an update of the dict copies the other's whole table (`dict_merge`).
    fn takes_over(&self, source: Table, n: u64) -> bool {
        let has_values = !matches!(self.home, Home::EmptyDict | Home::Combined(_));
        let may = self.node().abi.update_replaces_values || !has_values;
        may && self.names.is_empty() && source.fits_tightly(n)
    }

    /// What an update does before it inserts `n` keys one by one (`dict_merge`).
    fn make_room_for(&mut self, n: u64) {
        let capacity = match self.home {
            Home::Combined(table) => table.capacity(),
            Home::EmptyDict | Home::Nowhere => Table::smallest().capacity(),
            Home::Inline | Home::Values { .. } | Home::Split { .. } => usable(self.node().abi.shared_log2),
        };
        if capacity < n {
            self.home = Home::Combined(Table::presized_for(self.names.len() as u64, n));
        }
    }

    /// Asks the names that the class shares; of a class that shares none: nothing.
    fn shared<R>(&self, ask: impl FnOnce(&mut SharedKeys) -> R) -> R
    where
        R: Default,
    {
        self.class.keys.as_ref().map(|keys| ask(&mut keys.borrow_mut())).unwrap_or_default()
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
        Builtin::Str if !node.heap => node.abi.ascii + items + 1,
        _ if node.itemsize == 0 => node.basicsize,
        _ if node.heap => (node.basicsize + (items + 1) * node.itemsize).next_multiple_of(WORD),
        _ => node.basicsize + items * node.itemsize,
    }
}

/// What `__sizeof__` of the built-in class says.
fn sizeof(node: &Node, items: u32) -> u64 {
    let items = u64::from(items);
    match node.root {
        // Counted from the built-in layout: what a subclass adds is left out (`unicode_sizeof_impl`).
        Builtin::Str if node.heap => node.abi.string + items + 1,
        Builtin::Str => node.abi.ascii + items + 1,
        Builtin::Int if !node.abi.int_sizeof_counts_fields => node.abi.var_object + items * node.itemsize,
        _ => node.basicsize + items * node.itemsize,
    }
}
