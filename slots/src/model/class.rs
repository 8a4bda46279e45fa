//! A class at run time: its layout and the names its instances share.

use core::cell::{OnceCell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

use super::footprint::Footprint;
use super::instance::Instance;
use super::instance_error::InstanceError;
use super::layout::ClassLayout;
use super::mro::lineage;
use super::shared_keys::{Holder, SharedKeys};

/// A class whose instances are made and filled one after the other.
///
/// What an instance costs depends on those before it: every new one lowers the room that the class keeps
/// for further names.
///
/// ```
/// use cpymem_slots::model::{Class, ClassLayout, Target};
///
/// let object = ClassLayout::object("3.13.0".parse::<Target>().unwrap()).unwrap();
/// let class = Class::new(&ClassLayout::new("User", &[&object]).unwrap());
/// let mut bytes = Vec::new();
/// for _ in 0..27 {
///     let mut user = class.instance();
///     for name in ["name", "age", "api_token"] {
///         user.set(name).unwrap();
///     }
///     bytes.push(user.footprint().requested_bytes());
/// }
/// assert_eq!((bytes[0], bytes[26]), (328, 96));
/// ```
#[derive(Debug)]
pub struct Class {
    pub(crate) layout: ClassLayout,
    /// `ht_cached_keys`: none if instances have nothing to share, or have lost it.
    pub(crate) keys: RefCell<Option<Holder>>,
    /// Offsets of all slots by name, made when a class of many ancestors is first asked.
    slots: OnceCell<HashMap<Arc<str>, u64>>,
}

/// From so many ancestors on the offsets of slots are looked up in a table.
const MANY_ANCESTORS: usize = 8;

impl Class {
    /// A class of this layout that has no instances yet.
    pub fn new(layout: &ClassLayout) -> Class {
        let node = &layout.node;
        let keys = node.shares_keys().then(|| Rc::new(RefCell::new(SharedKeys::new(node.abi))));
        Class { layout: layout.clone(), keys: RefCell::new(keys), slots: OnceCell::new() }
    }

    /// The offset in bytes of the slot that `obj.NAME` refers to, as [`ClassLayout::slot`].
    pub(crate) fn slot(&self, name: &str) -> Option<u64> {
        let node = &self.layout.node;
        if self.slots.get().is_none() && lineage(node).nth(MANY_ANCESTORS).is_none() {
            return self.layout.slot(name);
        }
        let table = || {
            let mut table = HashMap::new();
            for (name, offset) in lineage(node).flat_map(|class| class.slots.iter()) {
                table.entry(name.clone()).or_insert(*offset);
            }
            table
        };
        self.slots.get_or_init(table).get(name).copied()
    }

    /// A class whose own methods assign these attributes to `self`, in any order: 3.14 and later share their
    /// names from the start, whether they are ever assigned or not. Elsewhere as [`Class::new`].
    ///
    /// Attributes assigned in methods of base classes, or by the `__init__` that `dataclass` writes, are not
    /// among them.
    pub fn with_static_attributes<S: AsRef<str>>(layout: &ClassLayout, names: &[S]) -> Class {
        let class = Class::new(layout);
        if layout.node.abi.static_attributes
            && let Some(keys) = class.shared_keys()
        {
            let mut names: Vec<&str> = names.iter().map(AsRef::as_ref).collect();
            names.sort_unstable();
            keys.borrow_mut().fill(names);
        }
        class
    }

    /// The names that its instances share, if they do.
    pub(crate) fn shared_keys(&self) -> Option<Holder> {
        self.keys.borrow().clone()
    }

    /// Its layout.
    pub fn layout(&self) -> &ClassLayout {
        &self.layout
    }

    /// A new instance; of a class derived from `tuple`, `int` or `str`: an empty one, or 0.
    pub fn instance(&self) -> Instance<'_> {
        let is_int = self.layout.root() == super::Builtin::Int;
        Instance::new(self, u32::from(is_int && self.layout.node.abi.zero_has_a_digit))
    }

    /// A new instance with `items` items: elements of a `tuple`, digits of 30 bits of an `int` (0 has
    /// one), ASCII characters of a `str`. Other classes take no notice of the number.
    pub fn instance_with_items(&self, items: u32) -> Instance<'_> {
        Instance::new(self, items)
    }
}

impl Class {
    /// An instance with these attributes as `pickle.loads` makes it: each is set in its `__dict__`, which
    /// stays.
    ///
    /// # Errors
    /// As [`Instance::set`].
    pub fn unpickled<S: AsRef<str>>(&self, names: &[S]) -> Result<Instance<'_>, InstanceError> {
        let mut instance = self.instance();
        for name in names.iter().map(AsRef::as_ref) {
            match self.slot(name) {
                Some(_) => instance.set(name)?,
                None => instance.set_item(name)?,
            }
        }
        Ok(instance)
    }

    /// The cost of the next instance that gets these attributes in this order, once so many like it were made
    /// that their number does not matter any more.
    ///
    /// # Errors
    /// As [`Instance::set`].
    pub fn steady<S: AsRef<str>>(&self, names: &[S]) -> Result<Footprint, InstanceError> {
        let make = || {
            let mut instance = self.instance();
            names.iter().try_for_each(|name| instance.set(name.as_ref())).map(|()| instance)
        };
        make()?;
        // Those in between bring no new names; each costs the shared keys one of their places.
        let node = &self.layout.node;
        if (node.inlines_values() || node.separates_values())
            && let Some(keys) = self.shared_keys()
        {
            keys.borrow_mut().shrink_by(node.abi.shared_keys);
        }
        Ok(make()?.footprint())
    }
}

impl ClassLayout {
    /// What an instance with these attributes costs once the class is warm: once many instances were made
    /// that all had the same attributes set in the same order.
    ///
    /// ```
    /// use cpymem_slots::model::{ClassLayout, Target};
    ///
    /// let object = ClassLayout::object("3.12.1".parse::<Target>().unwrap()).unwrap();
    /// let names = ["name", "age", "api_token"];
    /// let plain = ClassLayout::new("User", &[&object]).unwrap();
    /// let slotted = ClassLayout::with_slots("User", &[&object], &names).unwrap();
    /// assert_eq!(plain.steady(names).unwrap().heap_bytes(), 96);
    /// assert_eq!(slotted.steady(names).unwrap().heap_bytes(), 64);
    /// ```
    ///
    /// # Errors
    /// As [`Instance::set`].
    pub fn steady<S: AsRef<str>>(
        &self,
        names: impl IntoIterator<Item = S>,
    ) -> Result<Footprint, InstanceError> {
        let names: Vec<S> = names.into_iter().collect();
        Class::new(self).steady(&names)
    }
}
