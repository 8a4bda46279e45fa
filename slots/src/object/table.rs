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
    used: u32,
    /// Entries, deleted ones included.
    entries: u32,
    /// New entries that fit.
    free: u32,
    /// 2^log2 - 1.
    mask: u32,
    /// Where the entries start, in bytes from here.
    first: usize,
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
    Header {
        used: 0,
        entries: 0,
        free: 0,
        mask: (1 << SMALLEST_LOG2) - 1,
        first: size_of::<Empty>(),
        log2: SMALLEST_LOG2,
        hashed: false,
    },
    [u8::MAX; 1 << SMALLEST_LOG2],
);

/// Keys that fit an index of 2^log2 places (`USABLE_FRACTION`).
pub(super) const fn usable(log2: u8) -> usize {
    (2 << log2) / 3
}

/// Bytes of the index.
const fn index_bytes(log2: u8) -> usize {
    let width = match log2 {
        ..8 => 1,
        8..16 => 2,
        _ => 4,
    };
    width << log2
}

/// Where a key was found: its place in the index, its entry.
#[derive(Clone, Copy, Debug)]
pub(super) struct Found {
    place: usize,
    pub(super) entry: usize,
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

/// Runs `$body` with the types of index words and entries that a table has.
macro_rules! with_types {
    ($table:expr, |$word:ident, $entry:ident| $body:expr) => {
        match ($table.header().mask, $table.is_hashed()) {
            (..0x80, false) => {
                type $word = u8;
                type $entry<K, V> = Bare<K, V>;
                $body
            }
            (..0x8000, false) => {
                type $word = u16;
                type $entry<K, V> = Bare<K, V>;
                $body
            }
            (_, false) => {
                type $word = u32;
                type $entry<K, V> = Bare<K, V>;
                $body
            }
            (..0x80, true) => {
                type $word = u8;
                type $entry<K, V> = Hashed<K, V>;
                $body
            }
            (..0x8000, true) => {
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
/// index of 2^21 places has eleven. The sizes are CPython's, and so is the order in which places are probed.
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
        self.header().used as usize
    }

    /// Entries, deleted ones included.
    #[inline]
    pub(super) fn entries(&self) -> usize {
        self.header().entries as usize
    }

    /// New keys that fit before the table must be made anew.
    #[inline]
    pub(super) fn free(&self) -> usize {
        self.header().free as usize
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
    fn entries_at(log2: u8) -> usize {
        (size_of::<Header>() + index_bytes(log2)).next_multiple_of(align_of::<Hashed<K, V>>())
    }

    /// `None` if the table would be larger than the address space.
    fn layout(log2: u8, hashed: bool) -> Option<Layout> {
        let at = Self::entries_at(log2);
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
        let (free, mask, first) = (usable(log2) as u32, ((1u64 << log2) - 1) as u32, Self::entries_at(log2));
        // SAFETY: the allocation begins with a header and is aligned for it.
        unsafe { header.write(Header { used: 0, entries: 0, free, mask, first, log2, hashed }) };
        // SAFETY: the index follows the header.
        let index = unsafe { header.add(1) }.cast::<u8>();
        // SAFETY: it has so many bytes; a word of ones was never used (`Width::NEVER`).
        unsafe { index.write_bytes(u8::MAX, index_bytes(log2)) };
        Ok(Table { header, alloc, pairs: PhantomData })
    }

    /// The place and its index word; the place is taken modulo the size.
    ///
    /// # Safety
    /// `W` is the type of this table's words.
    #[inline(always)]
    unsafe fn word<W: Width>(&self, place: usize) -> (usize, W) {
        let place = place & self.header().mask as usize;
        // SAFETY: the place is below the size.
        let word = unsafe { self.index::<W>().add(place) };
        // SAFETY: invariant 2.
        (place, unsafe { word.read() })
    }

    /// The index, which follows the header.
    #[inline(always)]
    fn index<W>(&self) -> NonNull<W> {
        // SAFETY: the header is followed by the index.
        unsafe { self.header.add(1) }.cast::<W>()
    }

    /// The first entry.
    #[inline]
    fn first<E>(&self) -> NonNull<E> {
        let first = self.header.as_ptr().wrapping_byte_add(self.header().first);
        // SAFETY: an address inside the allocation or at its end, or just behind `EMPTY`; not 0.
        unsafe { NonNull::new_unchecked(first.cast()) }
    }

    /// All entries.
    ///
    /// # Safety
    /// `E` is the type of this table's entries.
    #[inline]
    unsafe fn slice<E>(&self) -> &[E] {
        if self.entries() == 0 {
            return &[];
        }
        // SAFETY: so many are initialised: invariant 3.
        unsafe { core::slice::from_raw_parts(self.first().as_ptr(), self.entries()) }
    }

    /// All entries, to change them.
    ///
    /// # Safety
    /// `E` is the type of this table's entries.
    #[inline]
    unsafe fn slice_mut<E>(&mut self) -> &mut [E] {
        if self.entries() == 0 {
            return &mut [];
        }
        // SAFETY: so many are initialised (invariant 3), and ours to change.
        unsafe { core::slice::from_raw_parts_mut(self.first().as_ptr(), self.entries()) }
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
    /// Where the key with this hash that `is_it` stands, with its value (`unicodekeys_lookup_unicode`). `is_same` may
    /// know it at a glance.
    #[inline]
    pub(super) fn find(
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
        let tag = W::tag(hash, self.header().mask);
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
        let tag = W::tag(hash, self.header().mask);
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
            // SAFETY: the entries store hashes.
            return Entries::Hashed(unsafe { self.slice() });
        }
        // SAFETY: the entries store no hashes.
        Entries::Bare(unsafe { self.slice() })
    }

    /// All entries, to change them.
    #[inline]
    pub(super) fn all_mut(&mut self) -> EntriesMut<'_, K, V> {
        if self.is_hashed() {
            // SAFETY: the entries store hashes.
            return EntriesMut::Hashed(unsafe { self.slice_mut() });
        }
        // SAFETY: the entries store no hashes.
        EntriesMut::Bare(unsafe { self.slice_mut() })
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
        // SAFETY: `entries + free` are no more than `usable`.
        let entry = unsafe { self.first::<E>().add(at) };
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
        let tag = W::tag(hash, self.header().mask);
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

    /// Takes an entry out that was just found. Its place is not used again before the table is made anew.
    pub(super) fn take(&mut self, found: Found) -> Option<(K, V)> {
        let pair = match self.all_mut() {
            EntriesMut::Bare(entries) => entries.get_mut(found.entry)?.pair_mut().take()?,
            EntriesMut::Hashed(entries) => entries.get_mut(found.entry)?.pair_mut().take()?,
        };
        with_types!(self, |W, _E| {
            // SAFETY: a place that was found is below the size.
            let word = unsafe { self.index::<W>().add(found.place) };
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
            let header = unsafe { self.header_mut() };
            (header.used, header.entries) = (0, 0);
        }
        // SAFETY: `renew` has just allocated it.
        let header = unsafe { new.header_mut() };
        (header.used, header.entries) = (used as u32, used as u32);
        header.free -= used as u32;
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
        with_types!(table, |_W, E| {
            // SAFETY: the macro matches the types.
            let entries: *mut [E<K, V>] = unsafe { table.slice_mut::<E<K, V>>() };
            // SAFETY: the entries are initialised and not used again. What one of them leaves undone by a panic,
            // the drop of the slice goes on with.
            unsafe { core::ptr::drop_in_place(entries) };
        });
    }
}
