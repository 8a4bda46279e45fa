//! Where an entry stands in a list, found by its hash.

use allocator_api2::alloc::Allocator;
use allocator_api2::vec::Vec;

/// A place that was never used.
const EMPTY: u32 = u32::MAX;
/// log2 of the smallest index.
const SMALLEST_LOG2: u32 = 3;

/// An open-addressed index over the entries of a list, as CPython's `dk_indices`
/// (`Objects/dictobject.c`). It holds positions only: callers tell it hashes and equality.
///
/// Two thirds of the places can be taken, so every search ends at an empty one. A deleted entry keeps its
/// place until the index is made anew.
pub(super) struct Index<A: Allocator> {
    places: Vec<u32, A>,
}

impl<A: Allocator> Index<A> {
    /// An index with room for at least `entries`.
    pub(super) fn with_room_for(entries: usize, alloc: A) -> Index<A> {
        let size = (entries * 3).div_ceil(2).next_power_of_two().max(1 << SMALLEST_LOG2);
        let mut places = Vec::with_capacity_in(size, alloc);
        places.resize(size, EMPTY);
        Index { places }
    }

    /// How many entries it has room for.
    pub(super) fn room(&self) -> usize {
        self.places.len() * 2 / 3
    }

    /// Bytes of the index.
    pub(super) fn bytes(&self) -> usize {
        self.places.capacity() * size_of::<u32>()
    }

    /// The position of the entry with this hash that `is_it`.
    pub(super) fn find(&self, hash: u64, is_it: impl Fn(usize) -> bool) -> Option<usize> {
        let entry = |place: usize| self.places[place];
        self.probe(hash)
            .map(entry)
            .take_while(|&entry| entry != EMPTY)
            .map(|entry| entry as usize)
            .find(|&entry| is_it(entry))
    }

    /// Notes the position of a new entry. There must be room.
    pub(super) fn insert(&mut self, hash: u64, entry: usize) {
        let entry =
            u32::try_from(entry).ok().filter(|&entry| entry != EMPTY).expect("fewer than 2^32 - 1 entries");
        let free = self.probe(hash).find(|&place| self.places[place] == EMPTY);
        if let Some(place) = free {
            self.places[place] = entry;
        }
    }

    /// The places to look at, in order; the recurrence visits all (`lookdict_index`).
    fn probe(&self, hash: u64) -> impl Iterator<Item = usize> {
        const PERTURB_SHIFT: u32 = 5;
        let mask = self.places.len() - 1;
        let (mut place, mut perturb) = (hash as usize & mask, hash);
        core::iter::from_fn(move || {
            let here = place;
            perturb >>= PERTURB_SHIFT;
            place = (place * 5 + perturb as usize + 1) & mask;
            Some(here)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use allocator_api2::alloc::Global;

    #[test]
    fn entries_are_found_whatever_their_hashes() {
        for hash in [|_| 7, |i| i, |i: u64| i << 60] {
            let mut index = Index::with_room_for(100, Global);
            assert!(index.room() >= 100);
            for i in 0..100 {
                assert_eq!(index.find(hash(i), |entry| entry as u64 == i), None);
                index.insert(hash(i), i as usize);
            }
            for i in 0..100 {
                assert_eq!(index.find(hash(i), |entry| entry as u64 == i), Some(i as usize));
            }
        }
    }
}
