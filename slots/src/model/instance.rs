//! One instance: what happens to it, and what it costs then.

use std::collections::HashSet;

use super::abi::{Abi, Sharing};
use super::attributes::{Attributes, Store};
use super::builtin::Builtin;
use super::class::Class;
use super::footprint::Footprint;
use super::instance_error::InstanceError;
use super::layout::Node;
use super::object_size::{fixed_and_items, own_table, sizeof};

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
    attributes: Attributes<'c>,
    has_weakref: bool,
}

impl<'c> Instance<'c> {
    pub(crate) fn new(class: &'c Class, items: u32) -> Instance<'c> {
        let node = &*class.layout.node;
        let (attributes, inline) = Attributes::new(class);
        Instance {
            class,
            object_bytes: node.headers() + fixed_and_items(node, items) + inline,
            items,
            slots: HashSet::new(),
            attributes,
            has_weakref: false,
        }
    }

    /// Its class.
    pub fn class(&self) -> &'c Class {
        self.class
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
        if let Some(offset) = self.class.slot(name) {
            self.slots.insert(offset);
            return Ok(());
        }
        self.check_store(name)?;
        self.attributes.set(name, Store::Attribute);
        Ok(())
    }

    /// `obj.__dict__["NAME"] = value`.
    ///
    /// # Errors
    /// As [`Instance::touch_dict`].
    pub fn set_item(&mut self, name: &str) -> Result<(), InstanceError> {
        self.touch_dict()?;
        self.attributes.set(name, Store::Item);
        Ok(())
    }

    /// `obj.__dict__[KEY] = value`, where the key is new and no string.
    ///
    /// # Errors
    /// As [`Instance::touch_dict`].
    pub fn set_other_key(&mut self) -> Result<(), InstanceError> {
        self.touch_dict()?;
        self.attributes.set_other_key();
        Ok(())
    }

    /// `obj.NAME` is read, which changes nothing.
    ///
    /// # Errors
    /// If it has no value: from 3.13 on CPython writes the module before the class in what it says of an unset slot,
    /// which is not known here. [`InstanceError::Unsupported`] as for [`Instance::set`].
    pub fn get(&self, name: &str) -> Result<(), InstanceError> {
        if let Some(offset) = self.class.slot(name) {
            return match self.slots.contains(&offset) {
                true => Ok(()),
                false if self.abi().names_class_of_unset_slot => Err(self.no_attribute(name, "")),
                false => Err(InstanceError::UnsetSlot { name: name.into() }),
            };
        }
        self.check_name(name)?;
        if self.attributes.contains(name) { Ok(()) } else { Err(self.no_attribute(name, "")) }
    }

    /// `del obj.NAME`. Gives nothing back: the place of the value stays, and so does the shared name.
    ///
    /// # Errors
    /// If it has no value; [`InstanceError::Unsupported`] as for [`Instance::set`].
    pub fn delete(&mut self, name: &str) -> Result<(), InstanceError> {
        if let Some(offset) = self.class.slot(name) {
            return if self.slots.remove(&offset) {
                Ok(())
            } else {
                Err(InstanceError::UnsetSlot { name: name.into() })
            };
        }
        self.check_store(name)?;
        if self.attributes.delete(name) {
            return Ok(());
        }
        // From 3.6 to 3.10 it is the dict that says so (`_PyObjectDict_SetItem`).
        Err(match self.abi().sharing {
            Sharing::InOrder => InstanceError::UnsetSlot { name: name.into() },
            _ => self.no_attribute(name, ""),
        })
    }

    /// `obj.__dict__` is looked at, by `vars`, `copy`, `pickle` or a debugger: the dict object is made and
    /// stays.
    ///
    /// # Errors
    /// If the class has no `__dict__`.
    pub fn touch_dict(&mut self) -> Result<(), InstanceError> {
        self.check_dict()?;
        self.attributes.make_dict();
        Ok(())
    }

    /// `vars(obj)`: as [`Instance::touch_dict`] with another error.
    ///
    /// # Errors
    /// If the class has no `__dict__`.
    pub fn vars(&mut self) -> Result<(), InstanceError> {
        self.touch_dict().map_err(|_| InstanceError::NoVars)
    }

    /// `obj.__dict__.clear()`.
    ///
    /// # Errors
    /// As [`Instance::touch_dict`].
    pub fn clear_dict(&mut self) -> Result<(), InstanceError> {
        self.touch_dict()?;
        self.attributes.clear();
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
        self.attributes.update(names.into_iter().map(|name| name.as_ref().into()));
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
        self.attributes.replace(names.into_iter().map(|name| name.as_ref().into()));
        Ok(())
    }

    /// `obj.__dict__ = dict(vars(other))`, where `other` shares the names of its attributes with its class.
    ///
    /// # Errors
    /// As [`Instance::touch_dict`].
    pub fn replace_dict_with_copy_of(&mut self, other: &Instance<'_>) -> Result<(), InstanceError> {
        self.check_dict()?;
        self.attributes.replace_with_copy_of(&other.attributes);
        Ok(())
    }

    /// `copy.copy(obj)` and what it does to `obj`: the dicts of both are made and stay.
    ///
    /// # Errors
    /// Never for instances that the model can make; the type is that of the stores it consists of.
    pub fn copy(&mut self) -> Result<Instance<'c>, InstanceError> {
        self.reduced(Attributes::copy_to)
    }

    /// `pickle.loads(pickle.dumps(obj, 2))`, or of a later protocol, and what it does to `obj`: its dict is made,
    /// as is that of the result, in which each attribute is set by its key.
    ///
    /// # Errors
    /// As [`Instance::copy`].
    pub fn pickle(&mut self) -> Result<Instance<'c>, InstanceError> {
        self.reduced(Attributes::unpickle_to)
    }

    /// Another object with the state of this one (`object___reduce_ex__`, `Objects/typeobject.c`).
    fn reduced(
        &mut self,
        set_state: fn(&Attributes<'c>, &mut Attributes<'c>),
    ) -> Result<Instance<'c>, InstanceError> {
        let mut copy = Instance::new(self.class, self.items);
        if self.node().root == Builtin::Exception {
            self.attributes.set_state_of(&mut copy.attributes);
        } else if self.class.layout.has_dict()
            && (self.attributes.used() > 0 || self.state_is_always_a_dict())
        {
            self.touch_dict()?;
            copy.touch_dict()?;
            set_state(&self.attributes, &mut copy.attributes);
        }
        copy.slots.clone_from(&self.slots);
        Ok(copy)
    }

    /// A set asks for its dict even if it is empty, up to 3.10 (`set_reduce`, `Objects/setobject.c`).
    fn state_is_always_a_dict(&self) -> bool {
        let is_set = matches!(self.node().root, Builtin::Set | Builtin::FrozenSet);
        is_set && self.abi().sharing == Sharing::InOrder
    }

    /// `obj.__class__ = other`.
    ///
    /// # Errors
    /// If instances of the other class are laid out in another way.
    pub fn set_class(&mut self, class: &'c Class) -> Result<(), InstanceError> {
        if !self.node().lays_out_like(&class.layout.node) {
            let (to, from) = (class.layout.name().to_owned(), self.node().name.to_string());
            let (to, from) = if self.abi().names_old_class_first { (from, to) } else { (to, from) };
            return Err(InstanceError::OtherLayout { to, from });
        }
        self.attributes.move_to(class);
        self.class = class;
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

    /// What the instance costs now.
    pub fn footprint(&self) -> Footprint {
        let (node, abi) = (self.node(), self.abi());
        let mut requests = vec![self.object_bytes];
        requests.extend(self.attributes.requests());
        if node.root == Builtin::Str && node.heap && node.itemsize == 0 {
            requests.push(u64::from(self.items) + 1); // the characters and their NUL (`unicode_subtype_new`)
        }
        let own_table = own_table(node);
        requests.extend(own_table);
        if self.has_weakref {
            requests.push(abi.weakref_object);
        }
        let getsizeof = node.headers() + sizeof(node, self.items) + own_table.unwrap_or(0);
        let getsizeof_dict = self.check_dict().is_ok().then(|| self.attributes.getsizeof());
        Footprint::new(requests, getsizeof, getsizeof_dict, abi)
    }

    /// Bytes of the table that its dict has outgrown, which CPython keeps for the next small dict. They are not
    /// the instance's, so [`Instance::footprint`] leaves them out; but where no dict comes to use them, they show
    /// beside those of each of the first 80 instances.
    pub fn parked_bytes(&self) -> u64 {
        self.attributes.parked_bytes()
    }

    fn check_dict(&self) -> Result<(), InstanceError> {
        if self.class.layout.has_dict() {
            return Ok(());
        }
        Err(InstanceError::NoDict { class: self.node().name.to_string() })
    }

    /// Whether a name that is no slot is one that the built-in class, or `object`, reacts to in its own way.
    fn check_name(&self, name: &str) -> Result<(), InstanceError> {
        let has_dict = self.class.layout.has_dict();
        let dunder = name.len() > 4 && name.starts_with("__") && name.ends_with("__");
        let root = self.node().root;
        let special = match root {
            Builtin::Exception => dunder || root.defines(name),
            Builtin::Int | Builtin::Float if has_dict => dunder || root.defines(name),
            // The class has attributes of such names, which are read-only without a dict.
            _ if !has_dict => dunder || root.defines(name),
            _ => ["__class__", "__dict__", "__weakref__"].contains(&name),
        };
        if special { Err(InstanceError::Unsupported { name: name.into() }) } else { Ok(()) }
    }

    /// Whether a name that is no slot can go to the `__dict__`.
    fn check_store(&self, name: &str) -> Result<(), InstanceError> {
        self.check_name(name)?;
        if self.class.layout.has_dict() {
            return Ok(());
        }
        Err(self.no_attribute(name, self.abi().no_dict_hint))
    }

    fn no_attribute(&self, name: &str, hint: &'static str) -> InstanceError {
        InstanceError::NoAttribute { class: self.node().name.to_string(), name: name.into(), hint }
    }
}
