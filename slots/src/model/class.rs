//! A class at run time: its layout and the names its instances share.

use core::cell::RefCell;

use super::footprint::Footprint;
use super::instance::{Instance, InstanceError};
use super::keys::SharedKeys;
use super::layout::ClassLayout;

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
    /// `ht_cached_keys`: only classes with a managed dict have them.
    pub(crate) keys: Option<RefCell<SharedKeys>>,
}

impl Class {
    /// A class of this layout that has no instances yet.
    pub fn new(layout: &ClassLayout) -> Class {
        let node = &layout.node;
        let keys = node.managed_dict.then(|| RefCell::new(SharedKeys::new(node.abi)));
        Class { layout: layout.clone(), keys }
    }

    /// Its layout.
    pub fn layout(&self) -> &ClassLayout {
        &self.layout
    }

    /// A new instance; of a class derived from `tuple`, `int` or `str`: an empty one, or 0.
    pub fn instance(&self) -> Instance<'_> {
        let zero_has_a_digit = u32::from(self.layout.root() == super::Builtin::Int);
        Instance::new(self, zero_has_a_digit)
    }

    /// A new instance with `items` items: elements of a `tuple`, digits of 30 bits of an `int` (0 has
    /// one), ASCII characters of a `str`. Other classes take no notice of the number.
    pub fn instance_with_items(&self, items: u32) -> Instance<'_> {
        Instance::new(self, items)
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
        let class = Class::new(self);
        // Each instance before costs the shared keys one of their 30 places, until one is left.
        let warm = if class.keys.is_some() { self.node.abi.shared_keys } else { 0 };
        let make = || {
            let mut instance = class.instance();
            names.iter().try_for_each(|name| instance.set(name.as_ref())).map(|()| instance)
        };
        for _ in 0..warm {
            make()?;
        }
        Ok(make()?.footprint())
    }
}
