//! What a class shares among its instances: the names of their attributes.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

use super::abi::{Abi, Sharing};
use super::keys::{Table, usable};

/// The names that instances of a class share ([PEP 412](https://peps.python.org/pep-0412/)).
///
/// From 3.11 they start with room for 30 names. Every new instance lowers the room that is left by one, to no
/// less than one: the first instances get space for many values, later ones for little more than they need.
/// Up to 3.10 they are a table as of any dict, whose entries all instances must fill in the same order.
#[derive(Debug)]
pub(crate) struct SharedKeys {
    /// Names and their places.
    names: HashMap<Arc<str>, usize>,
    free: u64,
    log2: u32,
}

/// Shared keys of which class and instances hold references.
pub(crate) type Holder = Rc<RefCell<SharedKeys>>;

/// What became of a new name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Admission {
    /// It is one of the shared names.
    Shared,
    /// It is not, or not at this place; the instance needs a table of its own.
    Refused,
}

impl SharedKeys {
    pub(crate) fn new(abi: &Abi) -> SharedKeys {
        SharedKeys { names: HashMap::new(), free: abi.shared_keys, log2: abi.shared_log2 }
    }

    /// The names of an instance's own table, taken over by its class (`make_keys_shared`,
    /// `Objects/dictobject.c`).
    pub(crate) fn taken_over(names: &[Arc<str>], table: Table) -> SharedKeys {
        let names: HashMap<Arc<str>, usize> = names.iter().cloned().zip(0..).collect();
        let log2 = table.log2();
        SharedKeys { free: usable(log2).saturating_sub(names.len() as u64), names, log2 }
    }

    /// Names that are there from the start, as many as fit (`_PyDict_NewKeysForClass`).
    pub(crate) fn fill<'a>(&mut self, names: impl IntoIterator<Item = &'a str>) {
        for name in names {
            if self.free == 0 {
                return;
            }
            self.admit_anywhere(&name.into());
        }
    }

    /// How many values an instance made now has room for (`shared_keys_usable_size`). Up to 3.10: as many as
    /// the table can hold.
    pub(crate) fn size(&self, abi: &Abi) -> u64 {
        match abi.sharing {
            Sharing::InOrder => usable(self.log2),
            _ => self.free + self.names.len() as u64,
        }
    }

    /// log2 of the places of the table.
    pub(crate) fn log2(&self) -> u32 {
        self.log2
    }

    /// An instance is made (`_PyObject_InitializeDict`, `_PyObject_InitInlineValues`).
    pub(crate) fn shrink(&mut self) {
        self.shrink_by(1);
    }

    /// So many instances are made that bring no new names.
    pub(crate) fn shrink_by(&mut self, instances: u64) {
        self.free = self.free.saturating_sub(instances).max(self.free.min(1));
    }

    /// An instance that has `used` values gets one of this name (`insert_split_key`; `insertdict` up to 3.10).
    pub(crate) fn admit(&mut self, name: &Arc<str>, used: usize, abi: &Abi) -> Admission {
        if abi.sharing == Sharing::InOrder {
            let place = self.names.get(name).copied().unwrap_or(self.names.len());
            if place != used {
                return Admission::Refused;
            }
        }
        self.admit_anywhere(name)
    }

    fn admit_anywhere(&mut self, name: &Arc<str>) -> Admission {
        if self.names.contains_key(name) {
            return Admission::Shared;
        }
        if self.free == 0 {
            return Admission::Refused;
        }
        self.free -= 1;
        self.names.insert(name.clone(), self.names.len());
        Admission::Shared
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Target;

    #[test]
    fn shared_keys_lose_room_with_every_instance_but_never_their_last() {
        let abi = Abi::of("3.12".parse::<Target>().unwrap()).unwrap();
        let mut keys = SharedKeys::new(abi);
        assert_eq!(keys.size(abi), 30);
        (0..100).for_each(|_| keys.shrink());
        assert_eq!(keys.size(abi), 1);
        assert_eq!([0, 0].map(|used| keys.admit(&"a".into(), used, abi)), [Admission::Shared; 2]);
        assert_eq!(keys.admit(&"b".into(), 1, abi), Admission::Refused, "the room is used up");
        keys.shrink_by(9);
        assert_eq!(keys.size(abi), 1, "no room cannot become less");
    }

    #[test]
    fn up_to_3_10_the_order_counts() {
        let abi = Abi::of("3.8".parse::<Target>().unwrap()).unwrap();
        let mut keys = SharedKeys::new(abi);
        assert_eq!(keys.admit(&"a".into(), 0, abi), Admission::Shared);
        assert_eq!(keys.admit(&"b".into(), 0, abi), Admission::Refused, "a comes first");
        assert_eq!(keys.admit(&"b".into(), 1, abi), Admission::Shared);
        assert_eq!(keys.size(abi), 5);
    }
}
