//! A dict's own table: how big it is and how it grows.

use super::abi::{Abi, Growth, Rounding, Sharing};

/// log2 of the smallest index table (`PyDict_LOG_MINSIZE`, `Objects/dictobject.c`).
const SMALLEST_LOG2: u32 = 3;

/// From here on tables of 2.7 grow more slowly.
const MANY_KEYS: u64 = 50_000;

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
    keys: Keys,
}

impl Table {
    /// The smallest table, empty.
    pub(crate) fn smallest(keys: Keys) -> Table {
        Table { log2: SMALLEST_LOG2, used: 0, free: usable(SMALLEST_LOG2), keys }
    }

    /// The table that an empty dict grows to by `n` insertions of new keys.
    pub(crate) fn grown_to(n: u64, keys: Keys, abi: &Abi) -> Table {
        Table::smallest(keys).grown_by(n, abi)
    }

    fn grown_by(mut self, n: u64, abi: &Abi) -> Table {
        let wanted = self.used + n;
        while self.used < wanted {
            self.insert(abi);
            let run = self.free.min(wanted - self.used);
            self.used += run;
            self.free -= run;
        }
        self
    }

    /// The table of a display of `n` items: 2.7 presizes it (`_PyDict_NewPresized`).
    pub(crate) fn displayed(n: u64, keys: Keys, abi: &Abi) -> Table {
        match abi.sharing {
            Sharing::Never if n > usable(SMALLEST_LOG2) => {
                Table::of_at_least(n, 0, keys, abi).grown_by(n, abi)
            }
            _ => Table::grown_to(n, keys, abi),
        }
    }

    /// The table of `dict(other)`, where `other` has grown to `n` keys in a table of its own.
    pub(crate) fn copied(n: u64, keys: Keys, abi: &Abi) -> Table {
        match abi.sharing {
            Sharing::Never => Table::smallest(keys).with_room_for(n, keys, abi).grown_by(n, abi),
            _ => Table::grown_to(n, keys, abi),
        }
    }

    /// The table of `dict(other)`, where `other` shares its keys: it is presized, not taken over.
    pub(crate) fn copied_from_shared(n: u64, abi: &Abi) -> Table {
        Table::presized_for(0, n, Keys::Strings, abi).grown_by(n, abi)
    }

    /// A table for `used` keys moved over from another of 2^`log2`, of the size that growth chooses
    /// (`insertion_resize`, `Objects/dictobject.c`).
    pub(crate) fn resized_for(used: u64, log2: u32, keys: Keys, abi: &Abi) -> Table {
        let size = match abi.growth {
            // The new key is counted by then.
            Growth::Quadruple => (used + 1) * if used + 1 > MANY_KEYS { 2 } else { 4 },
            Growth::DoubleAndHalf => used * 2 + (1 << log2) / 2,
            Growth::Triple => used * 3,
        };
        Table::of_at_least(size, used, keys, abi)
    }

    /// A table of 2^`log2` places with `used` keys.
    pub(crate) fn of(log2: u32, used: u64) -> Table {
        Table { log2, used, free: usable(log2).saturating_sub(used), keys: Keys::Strings }
    }

    /// A table for `used` keys and `more` to come, presized as `dict_merge` does
    /// (`estimate_log2_keysize`, `Objects/dictobject.c`).
    pub(crate) fn presized_for(used: u64, more: u64, keys: Keys, abi: &Abi) -> Table {
        Table::of_at_least(((used + more) * 3).div_ceil(2), used, keys, abi)
    }

    /// What an update does to a table before it inserts `n` keys one by one, some of which may be no strings
    /// (`dict_merge`).
    pub(crate) fn with_room_for(self, n: u64, keys: Keys, abi: &Abi) -> Table {
        if abi.growth == Growth::Quadruple {
            let taken = usable(self.log2) - self.free;
            let tight = (taken + n) * 3 >= 2 << self.log2;
            return if tight {
                Table::of_at_least((self.used + n) * 2, self.used, self.keys, abi)
            } else {
                self
            };
        }
        if usable(self.log2) >= n {
            return self;
        }
        let keys = if self.keys == Keys::Any { Keys::Any } else { keys };
        Table::presized_for(self.used, n, keys, abi)
    }

    fn of_at_least(size: u64, used: u64, keys: Keys, abi: &Abi) -> Table {
        const SMALLEST: u64 = 1 << SMALLEST_LOG2;
        let log2 = match abi.rounding {
            Rounding::Above => (size + 1).next_power_of_two().trailing_zeros(),
            Rounding::Smallest => size.next_power_of_two().trailing_zeros(),
            Rounding::BitTrick => {
                let bits = ((size | SMALLEST) - 1) | (SMALLEST - 1);
                u64::BITS - bits.leading_zeros()
            }
        };
        let log2 = log2.max(SMALLEST_LOG2);
        Table { log2, used, free: usable(log2).saturating_sub(used), keys }
    }

    /// A new key comes in.
    pub(crate) fn insert(&mut self, abi: &Abi) {
        if self.free == 0 {
            *self = Table::resized_for(self.used, self.log2, self.keys, abi);
        }
        self.used += 1;
        self.free -= 1;
    }

    /// A new key comes in that is no string.
    pub(crate) fn insert_any(&mut self, abi: &Abi) {
        if self.keys == Keys::Strings && abi.string_entry != abi.general_entry {
            *self = Table::resized_for(self.used, self.log2, Keys::Any, abi);
        }
        self.keys = Keys::Any;
        self.insert(abi);
    }

    /// A key goes; its entry stays taken until the table is resized.
    pub(crate) fn remove(&mut self) {
        self.used -= 1;
    }

    /// Whether this is what has become of `old` without a resize, which would have made room.
    pub(crate) fn lies_where(self, old: Table) -> bool {
        (self.log2, self.keys) == (old.log2, old.keys) && self.free <= old.free
    }

    /// Whether a dict that leaves this table leaves it to a free list, from where the next small dict gets it
    /// (`free_keys_object`, `Objects/dictobject.c`).
    pub(crate) fn is_parked_when_left(self, abi: &Abi) -> bool {
        let of_right_kind = self.keys == Keys::Strings || abi.string_entry == abi.general_entry;
        abi.parks_tables && self.log2 == SMALLEST_LOG2 && of_right_kind
    }

    /// log2 of its places.
    pub(crate) fn log2(&self) -> u32 {
        self.log2
    }

    /// Whether it is full of `n` keys: none was deleted, and half this size would be too small.
    pub(crate) fn is_full_of(self, n: u64) -> bool {
        let dense = self.used + self.free == usable(self.log2);
        dense && (self.log2 == SMALLEST_LOG2 || usable(self.log2 - 1) < n)
    }

    /// Whether it holds strings only.
    pub(crate) fn keys(self) -> Keys {
        self.keys
    }

    /// Bytes of the keys object: header, indices of 1, 2, 4 or 8 bytes, entries
    /// (`new_keys_object`, `Objects/dictobject.c`). The smallest table of 2.7 is part of its dict.
    pub(crate) fn bytes(&self, abi: &Abi) -> u64 {
        if abi.sharing == Sharing::Never {
            return if self.log2 == SMALLEST_LOG2 { 0 } else { abi.general_entry << self.log2 };
        }
        let index = match self.log2 {
            ..8 => 1,
            8..16 => 2,
            16..32 => 4,
            _ => 8,
        };
        let entry = match self.keys {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Target;

    fn abi(label: &str) -> &'static Abi {
        Abi::of(label.parse::<Target>().unwrap()).unwrap()
    }

    #[test]
    fn tables_grow_at_cpythons_sizes() {
        // `sys.getsizeof` of dicts with n string keys, 64 bytes of dict object off, on 3.11 and later.
        let abi = abi("3.12");
        for (n, bytes) in [(1, 184), (6, 272), (11, 464), (22, 832), (43, 1584), (86, 3328), (171, 6576)] {
            assert_eq!(Table::grown_to(n, Keys::Strings, abi).bytes(abi) + 64, bytes, "{n} keys");
        }
        for (n, bytes) in [(5, 224), (6, 352), (683, 36_952), (1366, 73_808)] {
            assert_eq!(Table::grown_to(n, Keys::Any, abi).bytes(abi) + 64, bytes, "{n} keys");
        }
    }

    #[test]
    fn the_oldest_dict_holds_five_keys_itself_and_a_copy_is_smaller() {
        let abi = abi("2.7");
        let bytes = |n| Table::grown_to(n, Keys::Strings, abi).bytes(abi);
        assert_eq!([bytes(5), bytes(6)], [0, 32 * 24]);
        assert_eq!(Table::copied(6, Keys::Strings, abi).bytes(abi), 16 * 24);
    }

    #[test]
    fn tables_full_of_deleted_keys_grow_by_the_rule_of_the_version() {
        let regrown = |label: &str| {
            let mut table = Table::grown_to(5, Keys::Strings, abi(label));
            (0..3).for_each(|_| table.remove());
            table.insert(abi(label));
            1 << table.log2()
        };
        assert_eq!(["3.6", "3.9", "3.10", "3.13", "3.14"].map(regrown), [8, 8, 16, 16, 8]);
    }
}
