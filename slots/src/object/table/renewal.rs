//! Moving to a table of another size or kind.
#![allow(unsafe_code, reason = "entries move as they are")]

use core::ptr::NonNull;

use allocator_api2::alloc::Allocator;

use super::Table;
use super::kinds::{Entries, EntriesMut, with_types};
use crate::object::entry::{Bare, Entry, Hashed};
use crate::object::key::Key;

/// There is no memory for a table of this size and kind.
#[derive(Clone, Copy, Debug)]
pub(in crate::object) struct NoRoom {
    pub(in crate::object) log2: u8,
    pub(in crate::object) hashed: bool,
}

impl<K: Key, V, A: Allocator> Table<K, V, A> {
    /// Moves what is left to a table of another size or kind (`dictresize`).
    ///
    /// Positions change if entries were deleted. If a key panics when it is asked for its hash, nothing has happened.
    ///
    /// # Errors
    /// If there is no memory; nothing has happened then.
    pub(in crate::object) fn renew(&mut self, log2: u8, hashed: bool) -> Result<(), NoRoom>
    where
        A: Clone,
    {
        let hashed = hashed || self.is_hashed();
        let mut new = Self::new(log2, hashed, self.alloc.clone())?;
        assert!(self.len() <= new.free(), "a table too small for its entries");
        // First the index, while the entries lie where they were: hashes are asked of keys.
        // SAFETY: the macro matches the types.
        with_types!(self, |_W, E| unsafe { self.index_into::<E<K, V>>(&mut new) });
        // Now no other code runs until all have moved.
        if self.is_hashed() == hashed {
            if hashed {
                self.move_to::<Hashed<K, V>>(&mut new);
            } else {
                self.move_to::<Bare<K, V>>(&mut new);
            }
        } else {
            self.move_storing_hashes(&mut new);
        }
        core::mem::swap(self, &mut new);
        Ok(())
    }

    /// Fills the index of `new` for the entries that are left.
    ///
    /// # Safety
    /// `E` is the type of this table's entries; `new` has an allocation and room.
    #[inline(never)] // so that the loop has the registers to itself, however the crate is cut into units
    unsafe fn index_into<E: Entry<K, V>>(&self, new: &mut Self) {
        // SAFETY: the caller's promise.
        let entries = unsafe { self.slice::<E>() };
        let hashes = entries.iter().filter_map(|entry| Some(entry.hash_of(&entry.pair().as_ref()?.0)));
        with_types!(new, |N, _E| {
            for (at, hash) in hashes.enumerate() {
                // SAFETY: the macro matches the types; no more than `free` are counted.
                unsafe { new.note::<N>(hash, at) };
            }
        });
    }

    /// Moves the entries that are left, whose index is made.
    fn move_to<E: Entry<K, V>>(&mut self, new: &mut Self) {
        let (used, entries) = (self.len(), self.entries());
        if used > 0 {
            // The caller chose the type by `hashed`.
            let (from, to): (NonNull<E>, NonNull<E>) = (self.first(), new.first());
            if used == entries {
                // SAFETY: so many entries are initialised here, and fit there.
                unsafe { to.copy_from_nonoverlapping(from, used) };
            } else {
                let mut at = 0;
                for i in 0..entries {
                    // SAFETY: an initialised entry.
                    let entry = unsafe { from.add(i) };
                    // SAFETY: as above.
                    if unsafe { entry.as_ref() }.pair().is_some() {
                        // SAFETY: no more than `used` have been moved, which fit.
                        let target = unsafe { to.add(at) };
                        // SAFETY: both are entries of the type, in different allocations.
                        unsafe { target.copy_from_nonoverlapping(entry, 1) };
                        at += 1;
                    }
                }
            }
        }
        self.hand_over(new);
    }

    /// Moves the entries that are left to entries that store hashes.
    fn move_storing_hashes(&mut self, new: &mut Self)
    where
        A: Clone,
    {
        let mut hashes = allocator_api2::vec::Vec::with_capacity_in(self.len(), new.alloc().clone());
        if let Entries::Bare(entries) = self.all() {
            hashes.extend(entries.iter().filter_map(|entry| Some(entry.pair().as_ref()?.0.hash())));
        }
        let mut at = 0;
        let to: NonNull<Hashed<K, V>> = new.first();
        if let EntriesMut::Bare(entries) = self.all_mut() {
            for (entry, hash) in entries.iter_mut().filter(|entry| entry.pair().is_some()).zip(hashes) {
                if let Some((key, value)) = entry.pair_mut().take() {
                    // SAFETY: no more than `used` have been moved, which fit.
                    let target = unsafe { to.add(at) };
                    // SAFETY: an entry that is not initialised yet.
                    unsafe { target.write(Hashed::new(hash, key, value)) };
                    at += 1;
                }
            }
        }
        self.hand_over(new);
    }

    /// The entries have moved: they are counted there, and here no more.
    fn hand_over(&mut self, new: &mut Self) {
        let used = self.len();
        if self.is_allocated() {
            // SAFETY: just compared.
            unsafe { self.header_mut() }.count_moved_away();
        }
        // SAFETY: `renew` has just allocated it.
        unsafe { new.header_mut() }.count_moved_here(used);
    }
}
