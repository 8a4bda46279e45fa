//! Maps, sets and heaps: keys cannot be changed in place, so they are taken out to sever them.
#![allow(unsafe_code, reason = "Trace is an unsafe trait")]

use core::hash::{BuildHasher, Hash};
use std::collections::{BTreeMap, BTreeSet, BinaryHeap, HashMap, HashSet};

use super::may_own_gc;
use crate::inquiry::{Inquiry, Teardown};
use crate::trace::Trace;
use crate::visitor::{Clearer, Visitor};

/// That of parts which `clear` takes out and drops: their destructors are a part of it.
pub(super) fn emptied(part: Teardown) -> Teardown {
    match part {
        Teardown::Plain => Teardown::Plain,
        _ => Teardown::Unknown,
    }
}

/// Maps. Keys cannot be changed in place, so a map whose keys own `Gc`s is emptied to sever them.
macro_rules! map {
    ($([$($generics:tt)*] $type:ty, $take:ident $(, $hasher:ident)?;)*) => { $(
        // SAFETY: each key and each value is visited once, and cleared.
        unsafe impl<$($generics)*> Trace for $type {
            fn visit(&self, visitor: &mut Visitor<'_>) {
                for (key, value) in self {
                    key.visit(visitor);
                    value.visit(visitor);
                }
            }

            fn clear(&mut self, clearer: &mut Clearer<'_>) {
                if may_own_gc::<K>() {
                    for (mut key, mut value) in $take(self) {
                        key.clear(clearer);
                        value.clear(clearer);
                    }
                } else {
                    self.values_mut().for_each(|value| value.clear(clearer));
                }
            }

            fn needs_trace() -> bool {
                may_own_gc::<K>() || may_own_gc::<V>()
            }

            fn teardown(inquiry: &mut Inquiry) -> Teardown {
                let parts = match may_own_gc::<K>() {
                    true => emptied(inquiry.of::<K>().and(inquiry.of::<V>())),
                    false => inquiry.of::<V>(),
                };
                parts$(.and(Teardown::of_skipped::<$hasher>()))?
            }
        }
    )* };
}

fn take_hash_map<K, V, S>(map: &mut HashMap<K, V, S>) -> impl Iterator<Item = (K, V)> {
    map.drain()
}

fn take_btree_map<K, V>(map: &mut BTreeMap<K, V>) -> impl Iterator<Item = (K, V)> {
    core::mem::take(map).into_iter()
}

map! {
    [K: Trace + Eq + Hash, V: Trace, S: BuildHasher] HashMap<K, V, S>, take_hash_map, S;
    [K: Trace + Ord, V: Trace] BTreeMap<K, V>, take_btree_map;
}

/// Sets, and heaps, whose elements cannot be changed in place either.
macro_rules! set {
    ($([$($generics:tt)*] $type:ty, $take:ident $(, $hasher:ident)?;)*) => { $(
        // SAFETY: each element is visited once, and cleared.
        unsafe impl<$($generics)*> Trace for $type {
            fn visit(&self, visitor: &mut Visitor<'_>) {
                self.iter().for_each(|element| element.visit(visitor));
            }

            fn clear(&mut self, clearer: &mut Clearer<'_>) {
                if may_own_gc::<T>() {
                    for mut element in $take(self) {
                        element.clear(clearer);
                    }
                }
            }

            fn needs_trace() -> bool {
                may_own_gc::<T>()
            }

            fn teardown(inquiry: &mut Inquiry) -> Teardown {
                let parts = match may_own_gc::<T>() {
                    true => emptied(inquiry.of::<T>()),
                    false => Teardown::Plain,
                };
                parts$(.and(Teardown::of_skipped::<$hasher>()))?
            }
        }
    )* };
}

fn take_hash_set<T, S>(set: &mut HashSet<T, S>) -> impl Iterator<Item = T> {
    set.drain()
}

fn take_btree_set<T>(set: &mut BTreeSet<T>) -> impl Iterator<Item = T> {
    core::mem::take(set).into_iter()
}

fn take_heap<T>(heap: &mut BinaryHeap<T>) -> impl Iterator<Item = T> {
    heap.drain()
}

set! {
    [T: Trace + Eq + Hash, S: BuildHasher] HashSet<T, S>, take_hash_set, S;
    [T: Trace + Ord] BTreeSet<T>, take_btree_set;
    [T: Trace + Ord] BinaryHeap<T>, take_heap;
}

#[cfg(any(feature = "hashbrown", feature = "indexmap"))]
pub(super) use {map, set};
