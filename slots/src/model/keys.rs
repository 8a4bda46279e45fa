//! Dict keys: how big a table is, how it grows, and what a class shares among its instances.

use std::collections::HashSet;
use std::sync::Arc;

use super::abi::Abi;

/// log2 of the smallest index table (`PyDict_LOG_MINSIZE`, `Objects/dictobject.c`).
const SMALLEST_LOG2: u32 = 3;

/// Whether a table holds strings only: its entries do not carry the hash then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keys {
    /// Every key is a `str`.
    Strings,
    /// Some key is not.
    Any,
}

/// A dict's own table: how many keys it holds and how many more fit before it grows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Table {
    log2: u32,
    used: u64,
    free: u64,
}

impl Table {
    /// The smallest table, empty.
    pub(crate) fn smallest() -> Table {
        Table { log2: SMALLEST_LOG2, used: 0, free: usable(SMALLEST_LOG2) }
    }

    /// The table that an empty dict grows to by `n` insertions of new keys.
    pub(crate) fn grown_to(n: u64) -> Table {
        let mut table = Table::smallest();
        while table.used < n {
            table.insert();
            let run = table.free.min(n - table.used);
            table.used += run;
            table.free -= run;
        }
        table
    }

    /// A table for `used` keys moved over from another, of the size that growth chooses
    /// (`GROWTH_RATE`: three times the keys; `insertion_resize`, `Objects/dictobject.c`).
    pub(crate) fn resized_for(used: u64) -> Table {
        Table::of_at_least(used * 3, used)
    }

    /// A table for `used` keys and `more` to come, presized as `dict_merge` does
    /// (`estimate_log2_keysize`, `Objects/dictobject.c`).
    pub(crate) fn presized_for(used: u64, more: u64) -> Table {
        Table::of_at_least(((used + more) * 3).div_ceil(2), used)
    }

    /// CPython rounds up to a power of two by a bit trick that does not always find the smallest: sizes of 1 to 7
    /// and powers of two above 8 give twice as much (`calculate_log2_keysize`, `Objects/dictobject.c`).
    fn of_at_least(size: u64, used: u64) -> Table {
        const SMALLEST: u64 = 1 << SMALLEST_LOG2;
        let bits = ((size | SMALLEST) - 1) | (SMALLEST - 1);
        let log2 = u64::BITS - bits.leading_zeros();
        Table { log2, used, free: usable(log2).saturating_sub(used) }
    }

    /// A new key comes in.
    pub(crate) fn insert(&mut self) {
        if self.free == 0 {
            *self = Table::resized_for(self.used);
        }
        self.used += 1;
        self.free -= 1;
    }

    /// A key goes; its entry stays taken until the table is resized.
    pub(crate) fn remove(&mut self) {
        self.used -= 1;
    }

    /// How many keys a table of this size can hold.
    pub(crate) fn capacity(&self) -> u64 {
        usable(self.log2)
    }

    /// Whether half this size would be too small for `n` keys.
    pub(crate) fn fits_tightly(&self, n: u64) -> bool {
        self.log2 == SMALLEST_LOG2 || usable(self.log2 - 1) < n
    }

    /// Bytes of the keys object: header, indices of 1, 2, 4 or 8 bytes, entries
    /// (`new_keys_object`, `Objects/dictobject.c`).
    pub(crate) fn bytes(&self, abi: &Abi, keys: Keys) -> u64 {
        let index = match self.log2 {
            ..8 => 1,
            8..16 => 2,
            16..32 => 4,
            _ => 8,
        };
        let entry = match keys {
            Keys::Strings => abi.string_entry,
            Keys::Any => abi.general_entry,
        };
        abi.keys_header + (index << self.log2) + usable(self.log2) * entry
    }
}

/// Keys that an index table of 2^log2 can hold (`USABLE_FRACTION`, `Objects/dictobject.c`).
pub(crate) fn usable(log2: u32) -> u64 {
    (2u64 << log2) / 3
}

/// The names that instances of a class share ([PEP 412](https://peps.python.org/pep-0412/)).
///
/// They start with room for 30 names. Every new instance lowers the room that is left by one, to no less
/// than one: the first instances get space for many values, later ones for little more than they need.
#[derive(Debug)]
pub(crate) struct SharedKeys {
    names: HashSet<Arc<str>>,
    free: u64,
}

impl SharedKeys {
    pub(crate) fn new(abi: &Abi) -> SharedKeys {
        SharedKeys { names: HashSet::new(), free: abi.shared_keys }
    }

    /// How many values an instance made now has room for (`shared_keys_usable_size`).
    pub(crate) fn size(&self) -> u64 {
        self.free + self.names.len() as u64
    }

    /// An instance is made (`_PyObject_InitializeDict`, `_PyObject_InitInlineValues`).
    pub(crate) fn shrink(&mut self) {
        if self.free > 1 {
            self.free -= 1;
        }
    }

    /// Makes `name` one of the shared ones; false if there is no room for it (`insert_split_key`).
    pub(crate) fn admit(&mut self, name: &Arc<str>) -> bool {
        if self.names.contains(name) {
            return true;
        }
        if self.free == 0 {
            return false;
        }
        self.free -= 1;
        self.names.insert(name.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Target;

    fn abi() -> &'static Abi {
        Abi::of("3.12".parse::<Target>().unwrap()).unwrap()
    }

    #[test]
    fn tables_grow_at_cpythons_sizes() {
        // `sys.getsizeof` of dicts with n string keys, 64 bytes of dict object off, on 3.11 and later.
        for (n, bytes) in [(1, 184), (6, 272), (11, 464), (22, 832), (43, 1584), (86, 3328), (171, 6576)] {
            assert_eq!(Table::grown_to(n).bytes(abi(), Keys::Strings) + 64, bytes, "{n} keys");
        }
        for (n, bytes) in [(5, 224), (6, 352), (683, 36_952), (1366, 73_808)] {
            assert_eq!(Table::grown_to(n).bytes(abi(), Keys::Any) + 64, bytes, "{n} keys");
        }
    }

    #[test]
    fn tables_full_of_deleted_keys_grow_to_sixteen_places() {
        let mut table = Table::grown_to(5);
        (0..3).for_each(|_| table.remove());
        table.insert();
        assert_eq!(table.bytes(abi(), Keys::Strings) + 64, 272);
    }

    #[test]
    fn shared_keys_lose_room_with_every_instance_but_never_their_last() {
        let mut keys = SharedKeys::new(abi());
        assert_eq!(keys.size(), 30);
        (0..100).for_each(|_| keys.shrink());
        assert_eq!(keys.size(), 1);
        assert!(keys.admit(&"a".into()) && keys.admit(&"a".into()));
        assert!(!keys.admit(&"b".into()), "the room is used up");
    }
}
