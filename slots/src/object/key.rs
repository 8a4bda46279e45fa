//! What can be a key of a compact dict, and how one is looked up.

use super::name::Name;

/// A key of a [`CompactDict`](super::CompactDict).
///
/// Keys that carry their hash, as CPython's strings do, lie in entries without one: 16 bytes for a key and a value
/// of a word each. The first key that does not changes all entries of its dict to such that store the hash.
///
/// Equal keys have equal hashes. The highest bits of a hash should vary as much as the lowest: an index keeps as
/// many of them as fit.
pub trait Key: Eq {
    /// The hash, the same each time.
    fn hash(&self) -> u64;

    /// Whether [`hash`](Key::hash) costs no more than a load or two; the same each time.
    fn carries_hash(&self) -> bool;

    /// Whether the keys are equal at a glance, as the same pointers are; `false` if that takes more.
    #[inline]
    fn same(&self, _: &Self) -> bool {
        false
    }
}

/// Something that a key is looked up by: another key, or what stands for it.
pub trait Lookup<K> {
    /// The hash of the key that is looked for.
    fn hash(&self) -> u64;

    /// Whether this is the key.
    fn is(&self, key: &K) -> bool;

    /// Whether this is the key at a glance; `false` if that takes more.
    #[inline]
    fn is_same(&self, _: &K) -> bool {
        false
    }
}

impl<K: Key> Lookup<K> for K {
    #[inline]
    fn hash(&self) -> u64 {
        Key::hash(self)
    }

    #[inline]
    fn is(&self, key: &K) -> bool {
        self == key
    }

    #[inline]
    fn is_same(&self, key: &K) -> bool {
        self.same(key)
    }
}

impl Key for Name {
    #[inline]
    fn hash(&self) -> u64 {
        self.spread()
    }

    #[inline]
    fn carries_hash(&self) -> bool {
        true
    }

    #[inline]
    fn same(&self, other: &Name) -> bool {
        self == other
    }
}
