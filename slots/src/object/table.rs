//! The memory of a compact dict: CPython's keys object.
#![allow(unsafe_code, reason = "header, index and entries of a size known at run time lie in one allocation")]

use core::alloc::Layout;
use core::marker::PhantomData;
use core::mem::{align_of, size_of};
use core::ptr::NonNull;

use allocator_api2::alloc::Allocator;

use super::entry::{Bare, Entry, Hashed};
use super::key::Key;
use super::width::Width;

/// log2 of the smallest index (`PyDict_LOG_MINSIZE`, `Objects/dictobject.c`).
pub(super) const SMALLEST_LOG2: u8 = 3;
/// log2 of the largest: an index word of 32 bits holds a position and at least one bit of the hash.
pub(super) const LARGEST_LOG2: u8 = 31;
/// `PERTURB_SHIFT`, `Objects/dictobject.c`.
const PERTURB_SHIFT: u32 = 5;

/// The first 32 bytes, as many as those of CPython's `PyDictKeysObject`.
#[repr(C)]
struct Header {
    /// Entries that are not deleted.
    used: usize,
    /// Entries, deleted ones included.
    entries: usize,
    /// New entries that fit.
    free: usize,
    log2: u8,
    /// Whether entries store hashes.
    hashed: bool,
}

const _: () = assert!(size_of::<Header>() == 32);

/// What all empty dicts point to: an index of eight places that were never used, with room for nothing
/// (`Py_EMPTY_KEYS`).
#[repr(C)]
struct Empty(Header, [u8; 1 << SMALLEST_LOG2]);

static EMPTY: Empty = Empty(
    Header { used: 0, entries: 0, free: 0, log2: SMALLEST_LOG2, hashed: false },
    [u8::MAX; 1 << SMALLEST_LOG2],
);

/// Keys that fit an index of 2^log2 places (`USABLE_FRACTION`).
pub(super) const fn usable(log2: u8) -> usize {
    (2 << log2) / 3
}

/// Where a key was found: its place in the index, its entry.
#[derive(Clone, Copy, Debug)]
pub(super) struct Found {
    place: usize,
    pub(super) entry: usize,
}

/// Runs `$body` with the types of index words and entries that a table has.
macro_rules! with_types {
    ($table:expr, |$word:ident, $entry:ident| $body:expr) => {
        match ($table.log2(), $table.is_hashed()) {
            (..8, false) => {
                type $word = u8;
                type $entry<K, V> = Bare<K, V>;
                $body
            }
            (..16, false) => {
                type $word = u16;
                type $entry<K, V> = Bare<K, V>;
                $body
            }
            (_, false) => {
                type $word = u32;
                type $entry<K, V> = Bare<K, V>;
                $body
            }
            (..8, true) => {
                type $word = u8;
                type $entry<K, V> = Hashed<K, V>;
                $body
            }
            (..16, true) => {
                type $word = u16;
                type $entry<K, V> = Hashed<K, V>;
                $body
            }
            (_, true) => {
                type $word = u32;
                type $entry<K, V> = Hashed<K, V>;
                $body
            }
        }
    };
}

/// An index and entries in insertion order, in one allocation.
///
/// ```text
///   header | index: 2^log2 words of 1, 2 or 4 bytes | entries in insertion order: 2/3 of 2^log2
///   32
///                   word, of a live entry              never used   deleted
///                   | bits of the hash | position |    1111...11    1111...10
///                                        log2 bits
/// ```
///
/// An index of 2^log2 places needs log2 bits to name an entry. The bits of the word that are left hold as many of the
/// highest bits of the entry's hash, so that a search passes most entries of other keys without looking at them; an
/// index of 2^21 places has eleven. The sizes are CPython's.
///
/// # Invariants
/// 1. `header` points to [`EMPTY`], which is never written, or to an allocation of `layout(log2, hashed)`, which
///    this table owns.
/// 2. All words of the index are initialised.
/// 3. The first `header.entries` entries are initialised, and of the type that `header.hashed` tells; they are no
///    more than `usable(log2)`.
/// 4. At least one word of the index says "never used".
pub(super) struct Table<K, V, A: Allocator> {
    header: NonNull<Header>,
    alloc: A,
    pairs: PhantomData<(K, V)>,
}

// SAFETY: a table owns its pairs and its allocator like a box.
unsafe impl<K: Send, V: Send, A: Allocator + Send> Send for Table<K, V, A> {}
// SAFETY: a shared table lends nothing but shared pairs.
unsafe impl<K: Sync, V: Sync, A: Allocator + Sync> Sync for Table<K, V, A> {}

impl<K, V, A: Allocator> Table<K, V, A> {
    /// A table with room for nothing, which has allocated nothing.
    pub(super) const fn empty(alloc: A) -> Self {
        let header = NonNull::from_ref(&EMPTY).cast();
        Table { header, alloc, pairs: PhantomData }
    }

    pub(super) fn alloc(&self) -> &A {
        &self.alloc
    }

    #[inline]
    fn header(&self) -> &Header {
        // SAFETY: invariant 1.
        unsafe { self.header.as_ref() }
    }

    /// The header of a table that is not [`EMPTY`].
    ///
    /// # Safety
    /// The table has an allocation.
    #[inline]
    unsafe fn header_mut(&mut self) -> &mut Header {
        // SAFETY: invariant 1 and the caller's promise.
        unsafe { self.header.as_mut() }
    }

    #[inline]
    fn is_allocated(&self) -> bool {
        !core::ptr::eq(self.header.as_ptr(), &raw const EMPTY.0)
    }

    #[inline]
    pub(super) fn len(&self) -> usize {
        self.header().used
    }

    /// Entries, deleted ones included.
    #[inline]
    pub(super) fn entries(&self) -> usize {
        self.header().entries
    }

    /// New keys that fit before the table must be made anew.
    #[inline]
    pub(super) fn free(&self) -> usize {
        self.header().free
    }

    #[inline]
    pub(super) fn log2(&self) -> u8 {
        self.header().log2
    }

    #[inline]
    pub(super) fn is_hashed(&self) -> bool {
        self.header().hashed
    }

    /// Bytes of the allocation.
    pub(super) fn bytes(&self) -> usize {
        if self.is_allocated() { Self::own_layout(self.header()).size() } else { 0 }
    }

    const ALIGN: usize = {
        let (entry, header) = (align_of::<Hashed<K, V>>(), align_of::<Header>());
        if entry > header { entry } else { header }
    };

    /// Where the entries start: behind the index.
    #[inline]
    fn entries_at<W: Width>(log2: u8) -> usize {
        let index = size_of::<W>() << log2;
        (size_of::<Header>() + index).next_multiple_of(align_of::<Hashed<K, V>>())
    }

    /// `None` if the table would be larger than the address space.
    fn layout(log2: u8, hashed: bool) -> Option<Layout> {
        let at = match log2 {
            ..8 => Self::entries_at::<u8>(log2),
            8..16 => Self::entries_at::<u16>(log2),
            _ => Self::entries_at::<u32>(log2),
        };
        let entry = if hashed { size_of::<Hashed<K, V>>() } else { size_of::<Bare<K, V>>() };
        let size = usable(log2).checked_mul(entry)?.checked_add(at)?;
        Layout::from_size_align(size, Self::ALIGN).ok()
    }

    fn own_layout(header: &Header) -> Layout {
        Self::layout(header.log2, header.hashed).expect("the layout of a table that exists")
    }

    /// The layout of a table that could not be had.
    pub(super) fn layout_of(log2: u8, hashed: bool) -> Option<Layout> {
        Self::layout(log2, hashed)
    }

    /// A table without entries.
    ///
    /// # Errors
    /// If there is no memory, or it would be larger than the address space.
    fn new(log2: u8, hashed: bool, alloc: A) -> Result<Self, NoRoom> {
        let no_room = NoRoom { log2, hashed };
        let layout = Self::layout(log2, hashed).ok_or(no_room)?;
        let header = alloc.allocate(layout).map_err(|_| no_room)?.cast::<Header>();
        // SAFETY: the allocation begins with a header and is aligned for it.
        unsafe { header.write(Header { used: 0, entries: 0, free: usable(log2), log2, hashed }) };
        let width = if log2 < 8 {
            1
        } else if log2 < 16 {
            2
        } else {
            4
        };
        // SAFETY: the index follows the header.
        let index = unsafe { header.add(1) }.cast::<u8>();
        // SAFETY: it has so many bytes; a word of ones was never used (`Width::NEVER`).
        unsafe { index.write_bytes(u8::MAX, width << log2) };
        Ok(Table { header, alloc, pairs: PhantomData })
    }

    /// The index word at a place, which is taken modulo the size.
    ///
    /// # Safety
    /// `W` is the type of this table's words.
    #[inline]
    unsafe fn word<W: Width>(&self, place: usize) -> NonNull<W> {
        let place = place & ((1 << self.log2()) - 1);
        // SAFETY: the index follows the header.
        let first = unsafe { self.header.add(1) }.cast::<W>();
        // SAFETY: the place is below the size.
        unsafe { first.add(place) }
    }

    /// The first entry.
    ///
    /// # Safety
    /// `W` and `E` are the types of this table's words and entries.
    #[inline]
    unsafe fn first<W: Width, E>(&self) -> NonNull<E> {
        // SAFETY: the entries start there. (`EMPTY` ends there, and has none, if they are not aligned higher than
        // its header; else no reference is made from the address, as there are 0 entries.)
        unsafe {
            NonNull::new_unchecked(
                self.header.as_ptr().wrapping_byte_add(Self::entries_at::<W>(self.log2())).cast(),
            )
        }
    }

    /// All entries.
    ///
    /// # Safety
    /// As [`Table::first`].
    #[inline]
    unsafe fn slice<W: Width, E>(&self) -> &[E] {
        if self.entries() == 0 {
            return &[];
        }
        // SAFETY: the caller's promise.
        let first = unsafe { self.first::<W, E>() };
        // SAFETY: so many are initialised: invariant 3.
        unsafe { core::slice::from_raw_parts(first.as_ptr(), self.entries()) }
    }

    /// All entries, to change them.
    ///
    /// # Safety
    /// As [`Table::first`].
    #[inline]
    unsafe fn slice_mut<W: Width, E>(&mut self) -> &mut [E] {
        if self.entries() == 0 {
            return &mut [];
        }
        // SAFETY: the caller's promise.
        let first = unsafe { self.first::<W, E>() };
        // SAFETY: so many are initialised (invariant 3), and ours to change.
        unsafe { core::slice::from_raw_parts_mut(first.as_ptr(), self.entries()) }
    }
}

/// Entries of either kind, in order.
pub(super) enum Entries<'t, K, V> {
    Bare(&'t [Bare<K, V>]),
    Hashed(&'t [Hashed<K, V>]),
}

/// Entries of either kind, to change them.
pub(super) enum EntriesMut<'t, K, V> {
    Bare(&'t mut [Bare<K, V>]),
    Hashed(&'t mut [Hashed<K, V>]),
}

impl<K: Key, V, A: Allocator> Table<K, V, A> {
    /// Where the key with this hash that `is_it` stands, with its value (`unicodekeys_lookup_unicode`).
    #[inline]
    pub(super) fn find(&self, hash: u64, is_it: impl Fn(&K) -> bool) -> Option<(Found, &(K, V))> {
        // SAFETY: the macro matches the types to the table.
        with_types!(self, |W, E| unsafe { self.find_in::<W, E<K, V>>(hash, is_it) })
    }

    /// # Safety
    /// `W` and `E` are the types of this table's words and entries.
    #[inline]
    unsafe fn find_in<'t, W: Width, E: Entry<K, V> + 't>(
        &'t self,
        hash: u64,
        is_it: impl Fn(&K) -> bool,
    ) -> Option<(Found, &'t (K, V))> {
        // SAFETY: the caller's promise.
        let entries: &'t [E] = unsafe { self.slice::<W, E>() };
        let tag = W::tag(hash, self.log2());
        let (mut place, mut perturb) = (hash as usize, hash);
        loop {
            // SAFETY: the caller's promise.
            let word = unsafe { self.word::<W>(place) };
            // SAFETY: invariant 2.
            let word = unsafe { word.read() };
            // Of another tag, this is no position; nor are the words that name no entry.
            let entry = word.untagged(tag);
            if let Some(candidate) = entries.get(entry)
                && candidate.may_have(hash)
                && let Some(pair) = candidate.pair()
                && is_it(&pair.0)
            {
                return Some((Found { place, entry }, pair));
            }
            if word == W::NEVER {
                return None;
            }
            perturb >>= PERTURB_SHIFT;
            place = place.wrapping_mul(5).wrapping_add(perturb as usize).wrapping_add(1);
        }
    }

    /// The pair of an entry; `None` if it was deleted or never made.
    #[inline]
    pub(super) fn pair(&self, entry: usize) -> Option<&(K, V)> {
        match self.all() {
            Entries::Bare(entries) => entries.get(entry)?.pair().as_ref(),
            Entries::Hashed(entries) => entries.get(entry)?.pair().as_ref(),
        }
    }

    /// The pair of an entry, to change its value.
    #[inline]
    pub(super) fn pair_mut(&mut self, entry: usize) -> Option<&mut (K, V)> {
        match self.all_mut() {
            EntriesMut::Bare(entries) => entries.get_mut(entry)?.pair_mut().as_mut(),
            EntriesMut::Hashed(entries) => entries.get_mut(entry)?.pair_mut().as_mut(),
        }
    }

    /// All entries.
    #[inline]
    pub(super) fn all(&self) -> Entries<'_, K, V> {
        if self.is_hashed() {
            // SAFETY: the macro matches the words; the entries store hashes.
            return Entries::Hashed(with_types!(self, |W, _E| unsafe { self.slice::<W, _>() }));
        }
        // SAFETY: the macro matches the words; the entries store no hashes.
        Entries::Bare(with_types!(self, |W, _E| unsafe { self.slice::<W, _>() }))
    }

    /// All entries, to change them.
    #[inline]
    pub(super) fn all_mut(&mut self) -> EntriesMut<'_, K, V> {
        if self.is_hashed() {
            // SAFETY: the macro matches the words; the entries store hashes.
            return EntriesMut::Hashed(with_types!(self, |W, _E| unsafe { self.slice_mut::<W, _>() }));
        }
        // SAFETY: the macro matches the words; the entries store no hashes.
        EntriesMut::Bare(with_types!(self, |W, _E| unsafe { self.slice_mut::<W, _>() }))
    }

    /// Adds an entry for a key that is not there.
    ///
    /// # Panics
    /// If there is no room, or the key does not carry its hash and entries store none.
    #[inline]
    pub(super) fn push(&mut self, hash: u64, key: K, value: V) {
        assert!(
            self.free() > 0 && (self.is_hashed() || key.carries_hash()),
            "a table without room for the key"
        );
        // SAFETY: the macro matches the types; there is room, so the table is not `EMPTY`.
        with_types!(self, |W, E| unsafe { self.push_in::<W, E<K, V>>(hash, key, value) });
    }

    /// # Safety
    /// `W` and `E` are the types of this table's words and entries, and `free` is not 0.
    #[inline]
    unsafe fn push_in<W: Width, E: Entry<K, V>>(&mut self, hash: u64, key: K, value: V) {
        let at = self.entries();
        // SAFETY: the caller's promise.
        unsafe { self.note::<W>(hash, at) };
        // SAFETY: the caller's promise.
        let first = unsafe { self.first::<W, E>() };
        // SAFETY: `entries + free` are no more than `usable`.
        let entry = unsafe { first.add(at) };
        // SAFETY: the entry is inside the allocation and not initialised yet.
        unsafe { entry.write(E::new(hash, key, value)) };
        // SAFETY: there is room, so there is an allocation.
        let header = unsafe { self.header_mut() };
        header.entries += 1;
        header.used += 1;
        header.free -= 1;
    }

    /// Writes the position of an entry to the first place on its way that was never used.
    ///
    /// # Safety
    /// `W` is the type of this table's words, it is not `EMPTY`, and `entry` is below `usable(log2)`.
    #[inline]
    unsafe fn note<W: Width>(&mut self, hash: u64, entry: usize) {
        let tag = W::tag(hash, self.log2());
        let (mut place, mut perturb) = (hash as usize, hash);
        loop {
            // SAFETY: the caller's promise.
            let word = unsafe { self.word::<W>(place) };
            // SAFETY: invariant 2.
            if unsafe { word.read() } == W::NEVER {
                // SAFETY: a place of the index, which is ours to change.
                unsafe { word.write(W::of(entry, tag)) };
                return;
            }
            perturb >>= PERTURB_SHIFT;
            place = place.wrapping_mul(5).wrapping_add(perturb as usize).wrapping_add(1);
        }
    }

    /// Takes an entry out that was just found. Its place is not used again before the table is made anew.
    pub(super) fn take(&mut self, found: Found) -> Option<(K, V)> {
        let pair = match self.all_mut() {
            EntriesMut::Bare(entries) => entries.get_mut(found.entry)?.pair_mut().take()?,
            EntriesMut::Hashed(entries) => entries.get_mut(found.entry)?.pair_mut().take()?,
        };
        with_types!(self, |W, _E| {
            // SAFETY: the macro matches the types.
            let word = unsafe { self.word::<W>(found.place) };
            // SAFETY: a place of the index of a table that has an entry, and so an allocation.
            unsafe { word.write(W::DELETED) };
        });
        // SAFETY: it had an entry, so there is an allocation.
        unsafe { self.header_mut() }.used -= 1;
        Some(pair)
    }

    /// The last entry that was not deleted (`dict.popitem`).
    pub(super) fn last(&self) -> Option<usize> {
        (0..self.entries()).rev().find(|&entry| self.pair(entry).is_some())
    }

    /// Moves what is left to a table of another size or kind (`dictresize`).
    ///
    /// Positions change if entries were deleted. If a key panics when it is asked for its hash, nothing has happened.
    ///
    /// # Errors
    /// If there is no memory; nothing has happened then.
    pub(super) fn renew(&mut self, log2: u8, hashed: bool) -> Result<(), NoRoom>
    where
        A: Clone,
    {
        let hashed = hashed || self.is_hashed();
        let mut new = Self::new(log2, hashed, self.alloc.clone())?;
        assert!(self.len() <= new.free(), "a table too small for its entries");
        // First the index, while the entries lie where they were: hashes are asked of keys.
        // SAFETY: the macro matches the types.
        with_types!(self, |W, E| unsafe { self.index_into::<W, E<K, V>>(&mut new) });
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
    /// `W` and `E` are the types of this table's words and entries; `new` has an allocation and room.
    unsafe fn index_into<W: Width, E: Entry<K, V>>(&self, new: &mut Self) {
        // SAFETY: the caller's promise.
        let entries = unsafe { self.slice::<W, E>() };
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
            // SAFETY: the macro matches the words; the caller chose the entries by `hashed`.
            let from: NonNull<E> = with_types!(self, |W, _E| unsafe { self.first::<W, E>() });
            // SAFETY: as for `from`.
            let to: NonNull<E> = with_types!(new, |W, _E| unsafe { new.first::<W, E>() });
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
        // SAFETY: the macro matches the words; `new` stores hashes.
        let to: NonNull<Hashed<K, V>> = with_types!(new, |W, _E| unsafe { new.first::<W, _>() });
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
            let header = unsafe { self.header_mut() };
            (header.used, header.entries) = (0, 0);
        }
        // SAFETY: `renew` has just allocated it.
        let header = unsafe { new.header_mut() };
        (header.used, header.entries) = (used, used);
        header.free -= used;
    }
}

/// There is no memory for a table of this size and kind.
#[derive(Clone, Copy, Debug)]
pub(super) struct NoRoom {
    pub(super) log2: u8,
    pub(super) hashed: bool,
}

impl<K, V, A: Allocator> Drop for Table<K, V, A> {
    /// Drops every pair once and frees the memory, whether or not a drop panics.
    fn drop(&mut self) {
        /// Frees the memory, also when unwinding.
        struct Memory<'t, K, V, A: Allocator>(&'t mut Table<K, V, A>);

        impl<K, V, A: Allocator> Drop for Memory<'_, K, V, A> {
            fn drop(&mut self) {
                let layout = Table::<K, V, A>::own_layout(self.0.header());
                // SAFETY: invariant 1; the table is not used again.
                unsafe { self.0.alloc.deallocate(self.0.header.cast(), layout) };
            }
        }

        if !self.is_allocated() {
            return;
        }
        let memory = Memory(self);
        if !core::mem::needs_drop::<(K, V)>() {
            return;
        }
        let table = &mut *memory.0;
        with_types!(table, |W, E| {
            // SAFETY: the macro matches the types.
            let entries: *mut [E<K, V>] = unsafe { table.slice_mut::<W, E<K, V>>() };
            // SAFETY: the entries are initialised and not used again. What one of them leaves undone by a panic,
            // the drop of the slice goes on with.
            unsafe { core::ptr::drop_in_place(entries) };
        });
    }
}
