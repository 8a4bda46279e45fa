//! Entries of a compact dict, with and without a hash.

use super::key::Key;

/// An entry: a key and its value unless it was deleted, with the hash if the key does not carry it.
pub(super) trait Entry<K, V> {
    fn new(hash: u64, key: K, value: V) -> Self;
    fn pair(&self) -> &Option<(K, V)>;
    fn pair_mut(&mut self) -> &mut Option<(K, V)>;
    /// Whether the hash may be this one.
    fn may_have(&self, hash: u64) -> bool;
    fn hash_of(&self, key: &K) -> u64;
}

/// An entry of a key that carries its hash.
pub(super) struct Bare<K, V>(Option<(K, V)>);

/// An entry of any key.
pub(super) struct Hashed<K, V> {
    hash: u64,
    pair: Option<(K, V)>,
}

impl<K: Key, V> Entry<K, V> for Bare<K, V> {
    #[inline]
    fn new(_: u64, key: K, value: V) -> Self {
        Bare(Some((key, value)))
    }

    #[inline]
    fn pair(&self) -> &Option<(K, V)> {
        &self.0
    }

    #[inline]
    fn pair_mut(&mut self) -> &mut Option<(K, V)> {
        &mut self.0
    }

    #[inline]
    fn may_have(&self, _: u64) -> bool {
        true
    }

    #[inline]
    fn hash_of(&self, key: &K) -> u64 {
        key.hash()
    }
}

impl<K: Key, V> Entry<K, V> for Hashed<K, V> {
    #[inline]
    fn new(hash: u64, key: K, value: V) -> Self {
        Hashed { hash, pair: Some((key, value)) }
    }

    #[inline]
    fn pair(&self) -> &Option<(K, V)> {
        &self.pair
    }

    #[inline]
    fn pair_mut(&mut self) -> &mut Option<(K, V)> {
        &mut self.pair
    }

    #[inline]
    fn may_have(&self, hash: u64) -> bool {
        self.hash == hash
    }

    #[inline]
    fn hash_of(&self, _: &K) -> u64 {
        self.hash
    }
}
