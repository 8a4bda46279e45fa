//! Maps of string keys.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hasher};
use std::hint::black_box;

use indexmap::IndexMap;

use super::outcome::{Outcome, Random, Scale};
use super::profiles;
use crate::object::{CompactDict, Text, TextRef};

/// A hasher that passes on the hash that a [`Text`] has.
#[derive(Clone, Copy, Debug, Default)]
pub struct Known(u64);

impl BuildHasher for Known {
    type Hasher = Known;

    fn build_hasher(&self) -> Known {
        Known(0)
    }
}

impl Hasher for Known {
    #[inline]
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, _: &[u8]) {}

    #[inline]
    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }
}

/// A map from texts to numbers.
pub trait Mapping<'t> {
    /// Without keys.
    fn new() -> Self;
    /// Sets a key.
    fn insert(&mut self, key: TextRef<'t>, value: u64);
    /// The value of a key.
    fn get(&self, key: TextRef<'t>) -> Option<u64>;
    /// Deletes a key by the fastest way there is; whether it was there.
    fn remove(&mut self, key: TextRef<'t>) -> bool;
    /// The sum of all values.
    fn sum(&self) -> u64;
    /// Bytes that it holds, if it can tell.
    fn bytes(&self) -> u64;
}

impl<'t> Mapping<'t> for CompactDict<TextRef<'t>, u64> {
    fn new() -> Self {
        CompactDict::new()
    }

    #[inline]
    fn insert(&mut self, key: TextRef<'t>, value: u64) {
        CompactDict::insert(self, key, value);
    }

    #[inline]
    fn get(&self, key: TextRef<'t>) -> Option<u64> {
        CompactDict::get(self, &key).copied()
    }

    #[inline]
    fn remove(&mut self, key: TextRef<'t>) -> bool {
        CompactDict::remove(self, &key).is_some()
    }

    fn sum(&self) -> u64 {
        self.values().sum()
    }

    fn bytes(&self) -> u64 {
        self.footprint().bytes as u64
    }
}

impl<'t> Mapping<'t> for IndexMap<TextRef<'t>, u64, Known> {
    fn new() -> Self {
        IndexMap::default()
    }

    #[inline]
    fn insert(&mut self, key: TextRef<'t>, value: u64) {
        IndexMap::insert(self, key, value);
    }

    #[inline]
    fn get(&self, key: TextRef<'t>) -> Option<u64> {
        IndexMap::get(self, &key).copied()
    }

    #[inline]
    fn remove(&mut self, key: TextRef<'t>) -> bool {
        self.swap_remove(&key).is_some()
    }

    fn sum(&self) -> u64 {
        self.values().sum()
    }

    fn bytes(&self) -> u64 {
        0
    }
}

impl<'t> Mapping<'t> for HashMap<TextRef<'t>, u64, Known> {
    fn new() -> Self {
        HashMap::default()
    }

    #[inline]
    fn insert(&mut self, key: TextRef<'t>, value: u64) {
        HashMap::insert(self, key, value);
    }

    #[inline]
    fn get(&self, key: TextRef<'t>) -> Option<u64> {
        HashMap::get(self, &key).copied()
    }

    #[inline]
    fn remove(&mut self, key: TextRef<'t>) -> bool {
        HashMap::remove(self, &key).is_some()
    }

    fn sum(&self) -> u64 {
        self.values().sum()
    }

    fn bytes(&self) -> u64 {
        0
    }
}

/// What is done with a map.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Act {
    Insert,
    Hit,
    Miss,
    Iterate,
    Delete,
}

/// Operations of a pattern, over all maps.
const OPERATIONS: usize = 4_000_000;
/// Keys in all maps together, at most.
const KEYS: usize = 1_000_000;

fn texts(count: usize, prefix: &str) -> Vec<Text> {
    let hasher = profiles::Hasher::default();
    (0..count).map(|i| Text::new(&format!("{prefix}{i}"), &hasher)).collect()
}

/// An act on maps of `SIZE` keys.
pub(super) fn act<'t, M: Mapping<'t>, const SIZE: usize>(
    act: Act,
    keys: &'t [Text],
    others: &'t [Text],
) -> Outcome {
    let maps = (KEYS / SIZE).min(OPERATIONS / SIZE / 4).clamp(1, 20_000);
    let order = Random::new(3).shuffled(keys.len());
    let full = || {
        let mut map = M::new();
        keys.iter().zip(0..).for_each(|(key, value)| map.insert(key.to_ref(), value));
        map
    };
    let expected: u64 = (0..keys.len() as u64).sum();
    let rounds = (OPERATIONS / keys.len() / 4).max(1);
    match act {
        Act::Insert => {
            let mut made: Vec<M> = Vec::with_capacity(maps);
            let outcome = Outcome::of(|| {
                made.extend((0..maps).map(|_| full()));
                (maps * keys.len(), 0)
            });
            let wrong = made.iter().filter(|map| map.sum() != expected).count() as u64;
            let bytes = made.first().map_or(0, M::bytes);
            Outcome { wrong, ..outcome }.holding(bytes, keys.len())
        }
        Act::Hit | Act::Miss => {
            let map = full();
            let probes = if act == Act::Hit { keys } else { others };
            let probes: Vec<TextRef> = order.iter().map(|&i| probes[i as usize].to_ref()).collect();
            let expected = if act == Act::Hit { expected } else { 0 };
            Outcome::of(|| {
                let mut wrong = 0;
                for _ in 0..rounds {
                    let sum: u64 = black_box(&probes[..]).iter().map(|&key| map.get(key).unwrap_or(0)).sum();
                    wrong += u64::from(sum != expected);
                }
                (rounds * keys.len(), wrong)
            })
        }
        Act::Iterate => {
            let map = full();
            Outcome::of(|| {
                let wrong = (0..rounds).filter(|_| black_box(&map).sum() != expected).count();
                (rounds * keys.len(), wrong as u64)
            })
        }
        Act::Delete => {
            let mut made: Vec<M> = (0..maps).map(|_| full()).collect();
            let probes: Vec<TextRef> = order.iter().map(|&i| keys[i as usize].to_ref()).collect();
            let outcome = Outcome::of(|| {
                let mut wrong = 0;
                for map in &mut made {
                    wrong += probes.iter().filter(|&&key| !map.remove(key)).count();
                }
                (maps * keys.len(), wrong as u64)
            });
            let left = made.iter().filter(|map| map.sum() != 0).count() as u64;
            Outcome { wrong: outcome.wrong + left, ..outcome }
        }
    }
}

/// Runs an act on one kind of map.
macro_rules! runner {
    ($name:ident, $map:ident) => {
        pub(super) fn $name<const ACT: u8, const SIZE: usize>(scale: Scale) -> Outcome {
            let kind = [Act::Insert, Act::Hit, Act::Miss, Act::Iterate, Act::Delete][usize::from(ACT)];
            // Small maps stay as small as they are; there are fewer operations only through fewer keys in large ones.
            let count = if SIZE > 1000 { scale.of(SIZE) } else { SIZE };
            let (keys, others) = (texts(count, "key"), texts(count, "other"));
            $map::<SIZE>(kind, &keys, &others)
        }
    };
}

fn compact<const SIZE: usize>(kind: Act, keys: &[Text], others: &[Text]) -> Outcome {
    act::<CompactDict<TextRef, u64>, SIZE>(kind, keys, others)
}

fn index_map<const SIZE: usize>(kind: Act, keys: &[Text], others: &[Text]) -> Outcome {
    act::<IndexMap<TextRef, u64, Known>, SIZE>(kind, keys, others)
}

fn hash_map<const SIZE: usize>(kind: Act, keys: &[Text], others: &[Text]) -> Outcome {
    act::<HashMap<TextRef, u64, Known>, SIZE>(kind, keys, others)
}

runner!(on_compact, compact);
runner!(on_index_map, index_map);
runner!(on_hash_map, hash_map);
