//! Finding a key, and a place for a new one: CPython's order of probes.
#![allow(unsafe_code, reason = "words and entries of types known at run time")]

use allocator_api2::alloc::Allocator;

use super::Table;
use super::kinds::with_types;
use crate::object::entry::{Bare, Entry};
use crate::object::key::Key;
use crate::object::width::Width;

/// `PERTURB_SHIFT`, `Objects/dictobject.c`.
const PERTURB_SHIFT: u32 = 5;

/// Where a key was found: its place in the index, its entry.
#[derive(Clone, Copy, Debug)]
pub(in crate::object) struct Found {
    place: usize,
    pub(in crate::object) entry: usize,
}

/// What a glance at a table tells of a key.
enum Glance<'t, K, V> {
    Found(Found, &'t (K, V)),
    Absent,
    /// There is a key that may be equal.
    Unsure,
}

/// The place to look at next; the recurrence comes to all (`lookdict_index`).
#[inline(always)]
fn next(place: usize, perturb: u64) -> (usize, u64) {
    let perturb = perturb >> PERTURB_SHIFT;
    (place.wrapping_mul(5).wrapping_add(perturb as usize).wrapping_add(1), perturb)
}

impl<K: Key, V, A: Allocator> Table<K, V, A> {
    /// Where the key with this hash that `is_it` stands, with its value (`unicodekeys_lookup_unicode`). `is_same` may
    /// know it at a glance.
    #[inline]
    pub(in crate::object) fn find(
        &self,
        hash: u64,
        is_same: impl Fn(&K) -> bool,
        is_it: impl Fn(&K) -> bool,
    ) -> Option<(Found, &(K, V))> {
        if !self.is_hashed() {
            // SAFETY: the macro matches the type of words; entries store no hashes.
            match with_types!(self, |W, _E| unsafe { self.glance::<W>(hash, is_same) }) {
                Glance::Found(found, pair) => return Some((found, pair)),
                Glance::Absent => return None,
                Glance::Unsure => {}
            }
        }
        self.search(hash, is_it)
    }

    /// Looks for the very key. No other code is called on the way: nothing needs to be kept from it.
    ///
    /// # Safety
    /// `W` is the type of this table's words, and entries store no hashes.
    #[inline(always)]
    unsafe fn glance<W: Width>(&self, hash: u64, is_same: impl Fn(&K) -> bool) -> Glance<'_, K, V> {
        let tag = W::tag(hash, self.header().mask());
        let (mut place, mut perturb) = (hash as usize, hash);
        loop {
            // SAFETY: the caller's promise.
            let (at, word) = unsafe { self.word::<W>(place) };
            // SAFETY: the caller's promise.
            if let Some(candidate) = unsafe { self.entry::<Bare<K, V>>(word.untagged(tag)) } {
                return match candidate.pair() {
                    Some(pair) if is_same(&pair.0) => {
                        Glance::Found(Found { place: at, entry: word.untagged(tag) }, pair)
                    }
                    _ => Glance::Unsure,
                };
            }
            if word == W::NEVER {
                return Glance::Absent;
            }
            (place, perturb) = next(place, perturb);
        }
    }

    /// Looks for an equal key.
    #[inline(never)]
    fn search(&self, hash: u64, is_it: impl Fn(&K) -> bool) -> Option<(Found, &(K, V))> {
        // SAFETY: the macro matches the types to the table.
        with_types!(self, |W, E| unsafe { self.search_in::<W, E<K, V>>(hash, is_it) })
    }

    /// # Safety
    /// `W` and `E` are the types of this table's words and entries.
    #[inline]
    unsafe fn search_in<'t, W: Width, E: Entry<K, V> + 't>(
        &'t self,
        hash: u64,
        is_it: impl Fn(&K) -> bool,
    ) -> Option<(Found, &'t (K, V))> {
        let tag = W::tag(hash, self.header().mask());
        let (mut place, mut perturb) = (hash as usize, hash);
        loop {
            // SAFETY: the caller's promise.
            let (at, word) = unsafe { self.word::<W>(place) };
            // Of another tag, this is no position; nor are the words that name no entry.
            let entry = word.untagged(tag);
            // SAFETY: the caller's promise.
            if let Some(candidate) = unsafe { self.entry::<E>(entry) }
                && candidate.may_have(hash)
                && let Some(pair) = candidate.pair()
                && is_it(&pair.0)
            {
                return Some((Found { place: at, entry }, pair));
            }
            if word == W::NEVER {
                return None;
            }
            (place, perturb) = next(place, perturb);
        }
    }

    /// An entry, if it was made.
    ///
    /// # Safety
    /// `E` is the type of this table's entries.
    #[inline(always)]
    unsafe fn entry<'t, E: 't>(&'t self, entry: usize) -> Option<&'t E> {
        if entry >= self.entries() {
            return None;
        }
        // SAFETY: so many entries follow the first.
        let entry = unsafe { self.first::<E>().add(entry) };
        // SAFETY: it is initialised (invariant 3), and of this type: the caller's promise.
        Some(unsafe { entry.as_ref() })
    }

    /// Writes the position of an entry to the first place on its way that was never used.
    ///
    /// # Safety
    /// `W` is the type of this table's words, it is not `EMPTY`, and `entry` is below `usable(log2)`.
    #[inline]
    pub(super) unsafe fn note<W: Width>(&mut self, hash: u64, entry: usize) {
        let tag = W::tag(hash, self.header().mask());
        let (mut place, mut perturb) = (hash as usize, hash);
        loop {
            // SAFETY: the caller's promise.
            let (at, word) = unsafe { self.word::<W>(place) };
            if word == W::NEVER {
                // SAFETY: the place is below the size.
                let word = unsafe { self.index::<W>().add(at) };
                // SAFETY: a place of the index, which is ours to change.
                unsafe { word.write(W::of(entry, tag)) };
                return;
            }
            (place, perturb) = next(place, perturb);
        }
    }

    /// Says at a place that its entry was deleted.
    ///
    /// # Safety
    /// The place was found in this table, and its entry is there.
    pub(super) unsafe fn strike(&mut self, found: Found) {
        with_types!(self, |W, _E| {
            // SAFETY: a place that was found is below the size.
            let word = unsafe { self.index::<W>().add(found.place) };
            // SAFETY: a place of the index of a table that has an entry, and so an allocation.
            unsafe { word.write(W::DELETED) };
        });
    }

    /// The place and its index word; the place is taken modulo the size.
    ///
    /// # Safety
    /// `W` is the type of this table's words.
    #[inline(always)]
    unsafe fn word<W: Width>(&self, place: usize) -> (usize, W) {
        let place = place & self.header().mask() as usize;
        // SAFETY: the place is below the size.
        let word = unsafe { self.index::<W>().add(place) };
        // SAFETY: invariant 2.
        (place, unsafe { word.read() })
    }
}
