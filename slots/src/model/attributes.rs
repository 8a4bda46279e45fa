//! The attributes of an instance that are no slots: its `__dict__`, in whatever form it has.

use std::collections::{HashMap, HashSet};
use std::rc::Rc;
use std::sync::Arc;

use super::abi::{Abi, Sharing};
use super::class::Class;
use super::keys::{Keys, Table, usable};
use super::shared_keys::{Admission, Holder, SharedKeys};

/// What stands for the `__dict__` of an instance, whether anybody has looked at it or not.
#[derive(Debug)]
pub(crate) struct Attributes<'c> {
    class: &'c Class,
    /// Numbered in the order they came, together with the others.
    names: HashMap<Arc<str>, u64>,
    /// The numbers of keys that are no strings.
    others: Vec<u64>,
    next: u64,
    has_dict_object: bool,
    home: Home,
    /// The names that its values are sorted by, if they are shared.
    keys: Option<Holder>,
    parked: bool,
}

/// What a dict finds a value by: a name, or something that is no string.
type Key = Option<Arc<str>>;

/// Where the attributes live (`Objects/dictobject.c`).
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
pub(crate) enum Store {
    /// `obj.NAME = value`
    Attribute,
    /// `obj.__dict__["NAME"] = value`
    Item,
}

impl<'c> Attributes<'c> {
    /// Those of a new object, and the bytes that its block has for them.
    pub(crate) fn new(class: &'c Class) -> (Attributes<'c>, u64) {
        let mut it = Attributes {
            class,
            names: HashMap::new(),
            others: Vec::new(),
            next: 0,
            has_dict_object: false,
            home: Home::Nowhere,
            keys: None,
            parked: false,
        };
        let inline = it.make_first_values_at_once();
        (it, inline)
    }

    /// The values that a new object gets at once; the bytes that lie in its own block.
    fn make_first_values_at_once(&mut self) -> u64 {
        let node = &self.class.layout.node;
        if !node.inlines_values() && !node.separates_values() {
            return 0;
        }
        let Some(holder) = self.class.shared_keys() else { return 0 };
        let (before, capacity) = {
            let mut keys = holder.borrow_mut();
            let before = keys.size(node.abi);
            keys.shrink();
            (before, keys.size(node.abi))
        };
        self.keys = Some(holder);
        if !node.inlines_values() {
            self.home = Home::Values { capacity };
            return 0;
        }
        self.home = Home::Inline { capacity };
        node.abi.values(if node.abi.sized_before_shrink { before } else { capacity })
    }

    fn abi(&self) -> &'static Abi {
        self.class.layout.node.abi
    }

    /// Names and other keys together.
    pub(crate) fn used(&self) -> u64 {
        (self.names.len() + self.others.len()) as u64
    }

    pub(crate) fn contains(&self, name: &str) -> bool {
        self.names.contains_key(name)
    }

    /// A store into the `__dict__`, which exists in one form or another.
    pub(crate) fn set(&mut self, name: &str, store: Store) {
        if self.names.contains_key(name) {
            return;
        }
        let name: Arc<str> = name.into();
        if self.home == Home::Nowhere {
            self.make_late_values();
        }
        match self.home {
            Home::Inline { .. } | Home::Values { .. } | Home::Split { .. } => {
                if self.admit(&name) == Admission::Shared {
                    self.remember(Some(name));
                } else {
                    self.outgrow_shared_keys(name, store);
                }
            }
            Home::Nowhere | Home::EmptyDict | Home::Combined(_) => {
                self.insert();
                self.remember(Some(name));
            }
        }
    }

    /// A store under a new key that is no string.
    pub(crate) fn set_other_key(&mut self) {
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
        self.remember(None);
    }

    /// `del obj.NAME`; whether the name was there. Up to 3.10 this ends the sharing of names for the class in any
    /// case, and makes the dict (`_PyObjectDict_SetItem`).
    pub(crate) fn delete(&mut self, name: &str) -> bool {
        let ends_sharing = self.abi().sharing == Sharing::InOrder && self.class.shared_keys().is_some();
        if ends_sharing {
            self.make_dict();
        }
        let found = self.names.remove(name).is_some();
        if found && self.abi().sharing == Sharing::InOrder && matches!(self.home, Home::Split { .. }) {
            // The shared table becomes this dict's own (`_PyDict_DelItem_KnownHash`).
            self.become_combined(Table::of(self.log2(), self.used() + 1));
        }
        if ends_sharing {
            *self.class.keys.borrow_mut() = None;
        }
        if let Home::Combined(table) = &mut self.home
            && found
        {
            table.remove();
        }
        found
    }

    /// `dict.clear()`, of a dict that was looked at.
    pub(crate) fn clear(&mut self) {
        self.forget();
        if !matches!(self.home, Home::Inline { .. }) {
            let keeps_table = self.abi().sharing == Sharing::Never;
            self.home = if keeps_table { self.fresh_dict() } else { Home::EmptyDict };
            self.keys = None;
        }
    }

    /// A dict object over the values, if there are any (`_PyObject_GenericGetDict`).
    pub(crate) fn make_dict(&mut self) {
        self.has_dict_object = true;
        if self.home == Home::Nowhere {
            match self.class.shared_keys() {
                Some(keys) if self.abi().shares_late_dict => self.split(keys),
                _ => self.home = self.fresh_dict(),
            }
        }
    }

    /// An update of the dict, which was looked at, from another that has grown to these names.
    pub(crate) fn update(&mut self, names: impl Iterator<Item = Arc<str>>) {
        let keys = different(names);
        let source = Table::grown_to(keys.len() as u64, Keys::Strings, self.abi());
        self.merge(&keys, Some(source));
    }

    /// `copy.copy`: these go to the attributes of the copy, whose dict was looked at.
    pub(crate) fn copy_to(&self, copy: &mut Attributes<'c>) {
        let source = if let Home::Combined(table) = self.home { Some(table) } else { None };
        copy.merge(&self.keys_in_order(), source);
    }

    /// An update from a dict that has a table of its own, or shares its keys (`dict_merge`).
    fn merge(&mut self, keys: &[Key], source: Option<Table>) {
        let n = keys.len() as u64;
        if n == 0 {
            return;
        }
        if let Some(table) = source
            && self.takes_over(table, n)
        {
            self.become_combined(table);
            keys.iter().for_each(|key| self.remember(key.clone()));
            return;
        }
        self.make_room_for(n, source.map_or(Keys::Strings, Table::keys));
        self.set_items(keys);
    }

    /// Each is set by its key.
    fn set_items(&mut self, keys: &[Key]) {
        for key in keys {
            match key {
                Some(name) => self.set(name, Store::Item),
                None => self.set_other_key(),
            }
        }
    }

    /// `pickle.loads`: each is set by its key in the dict of the copy, which was looked at.
    pub(crate) fn unpickle_to(&self, copy: &mut Attributes<'c>) {
        copy.set_items(&self.keys_in_order());
    }

    /// An exception is copied by setting its attributes one by one (`BaseException_setstate`,
    /// `Objects/exceptions.c`).
    pub(crate) fn set_state_of(&self, copy: &mut Attributes<'c>) {
        self.keys_in_order().iter().flatten().for_each(|name| copy.set(name, Store::Attribute));
    }

    /// The dict is another from now on, grown to these names. Inline values stay behind, dead.
    pub(crate) fn replace(&mut self, names: impl Iterator<Item = Arc<str>>) {
        let keys = different(names);
        let table = Table::grown_to(keys.len() as u64, Keys::Strings, self.abi());
        let grew = keys.len() as u64 > usable(Table::smallest(Keys::Strings).log2());
        self.hold(keys.into_iter(), table);
        self.parked |= grew && self.abi().parks_tables;
    }

    /// The dict is a copy of another's from now on.
    pub(crate) fn replace_with_copy_of(&mut self, other: &Attributes<'_>) {
        let n = other.used();
        let table = match other.home {
            Home::Combined(table) => Table::copied(n, table.keys(), self.abi()),
            _ => Table::copied_from_shared(n, self.abi()),
        };
        self.hold(other.keys_in_order().into_iter(), table);
    }

    /// The dict is one with this table from now on; with none if it is empty.
    fn hold(&mut self, keys: impl Iterator<Item = Key>, table: Table) {
        self.has_dict_object = true;
        self.forget();
        self.keys = None;
        keys.for_each(|key| self.remember(key));
        self.home = if self.used() == 0 { self.fresh_dict() } else { Home::Combined(table) };
    }

    /// The object becomes one of another class.
    pub(crate) fn move_to(&mut self, class: &'c Class) {
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
    }

    /// What they request besides the object's own block.
    pub(crate) fn requests(&self) -> impl Iterator<Item = u64> {
        let abi = self.abi();
        let dict = self.has_dict_object.then(|| abi.dict_object());
        let values = match self.home {
            Home::Values { capacity } | Home::Split { capacity } => Some(abi.values(capacity)),
            Home::Combined(table) => Some(table.bytes(abi)).filter(|&bytes| bytes > 0),
            Home::Nowhere | Home::Inline { .. } | Home::EmptyDict => None,
        };
        dict.into_iter().chain(values)
    }

    /// Bytes of a table that the dict has outgrown and the interpreter keeps for the next small dict.
    pub(crate) fn parked_bytes(&self) -> u64 {
        if self.parked { Table::smallest(Keys::Strings).bytes(self.abi()) } else { 0 }
    }

    /// `dict.__sizeof__` and the GC header (`_PyDict_SizeOf`). Values count as many as the class shares
    /// names now, whatever room this instance has.
    pub(crate) fn getsizeof(&self) -> u64 {
        let abi = self.abi();
        let values = |keys: &Holder| keys.borrow().size(abi) * abi.word;
        let shares_late = abi.shares_late_dict || !self.class.layout.node.managed_dict;
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
                    self.keys.as_ref().map_or(0, |keys| values(keys) + self.orphaned_bytes(keys))
                }
            }
    }

    /// Shared keys that only this dict still holds are its own.
    fn orphaned_bytes(&self, keys: &Holder) -> u64 {
        let alone = self.abi().sharing == Sharing::InOrder && Rc::strong_count(keys) == 1;
        if alone { Table::of(keys.borrow().log2(), 0).bytes(self.abi()) } else { 0 }
    }

    /// log2 of the places of the shared table.
    fn log2(&self) -> u32 {
        self.log2_of(&self.keys)
    }

    fn log2_of(&self, keys: &Option<Holder>) -> u32 {
        keys.as_ref().map_or(self.abi().shared_log2, |keys| keys.borrow().log2())
    }

    fn remember(&mut self, key: Key) {
        match key {
            Some(name) => _ = self.names.insert(name, self.next),
            None => self.others.push(self.next),
        }
        self.next += 1;
    }

    fn forget(&mut self) {
        self.names.clear();
        self.others.clear();
    }

    fn keys_in_order(&self) -> Vec<Key> {
        let names = self.names.iter().map(|(name, &place)| (place, Some(name)));
        let mut keys: Vec<(u64, Option<&Arc<str>>)> =
            names.chain(self.others.iter().map(|&place| (place, None))).collect();
        keys.sort_unstable_by_key(|&(place, _)| place);
        keys.into_iter().map(|(_, name)| name.cloned()).collect()
    }

    fn admit(&self, name: &Arc<str>) -> Admission {
        let Some(keys) = &self.keys else { return Admission::Refused };
        keys.borrow_mut().admit(name, self.names.len(), self.abi())
    }

    /// The first attribute of an instance that `object.__new__` gave no values.
    fn make_late_values(&mut self) {
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

    /// What `PyDict_New` makes.
    fn fresh_dict(&self) -> Home {
        let abi = self.abi();
        if abi.empty_dict_has_table || abi.sharing == Sharing::Never {
            Home::Combined(Table::smallest(Keys::Strings))
        } else {
            Home::EmptyDict
        }
    }

    /// The attributes live in a table of their own from now on. Inline values stay behind, dead; a table of
    /// the smallest size is parked (`free_keys_object`).
    fn become_combined(&mut self, table: Table) {
        let old = if let Home::Combined(old) = self.home { Some(old) } else { None };
        if !old.is_some_and(|old| table.lies_where(old)) {
            let parked = |table: Table| table.is_parked_when_left(self.abi());
            // A new table of that size is the parked one, if there is one.
            self.parked = (self.parked && !parked(table)) || old.is_some_and(parked);
        }
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
        self.remember(Some(name));
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
            let names: Vec<Arc<str>> = self.keys_in_order().into_iter().flatten().collect();
            Rc::new(std::cell::RefCell::new(SharedKeys::taken_over(&names, table)))
        });
        if let Some(keys) = cached.clone() {
            drop(cached);
            self.split(keys);
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
        may && self.used() == 0 && source.is_full_of(n)
    }

    /// What an update does before it inserts `n` keys one by one (`dict_merge`).
    fn make_room_for(&mut self, n: u64, keys: Keys) {
        let abi = self.abi();
        match self.home {
            Home::Combined(table) => self.become_combined(table.with_room_for(n, keys, abi)),
            // The table of an empty dict has room for nothing.
            Home::EmptyDict | Home::Nowhere => self.become_combined(Table::presized_for(0, n, keys, abi)),
            Home::Inline { .. } | Home::Values { .. } | Home::Split { .. } => {
                if usable(self.log2()) < n {
                    self.become_combined(Table::presized_for(self.used(), n, keys, abi));
                }
            }
        }
    }
}

/// The different names in the order they came.
fn different(names: impl Iterator<Item = Arc<str>>) -> Vec<Key> {
    let mut seen = HashSet::new();
    names.filter(|name| seen.insert(name.clone())).map(Some).collect()
}
