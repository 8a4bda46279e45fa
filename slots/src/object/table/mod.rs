//! The memory of a compact dict: CPython's keys object.
//!
//! `header` has the counts, `kinds` the types of words and entries; `search` reads and writes the index, `renewal` moves all
//! to another table.
#![allow(unsafe_code, reason = "header, index and entries of a size known at run time lie in one allocation")]

mod header;
mod kinds;
mod renewal;
mod search;

use core::alloc::Layout;
use core::marker::PhantomData;
use core::mem::{align_of, size_of};
use core::ptr::NonNull;

use allocator_api2::alloc::Allocator;

use super::entry::{Bare, Entry, Hashed};
use super::key::Key;
use super::width::Width;
use header::{Header, index_bytes};
use kinds::with_types;
use search::Found;

pub(super) use header::{LARGEST_LOG2, SMALLEST_LOG2, usable};
pub(super) use kinds::{Entries, EntriesMut};
pub(super) use renewal::NoRoom;

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
/// 1. `header` is [`Header::empty`], which is never written, or points to an allocation of `layout(log2, hashed)`, which
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
        Table { header: Header::empty(), alloc, pairs: PhantomData }
    }

    pub(super) fn alloc(&self) -> &A {
        &self.alloc
    }

    #[inline]
    fn header(&self) -> &Header {
        // SAFETY: invariant 1.
        unsafe { self.header.as_ref() }
    }

    /// The header, to count.
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
        self.header != Header::empty()
    }

    #[inline]
    pub(super) fn len(&self) -> usize {
        self.header().used()
    }

    /// Entries, deleted ones included.
    #[inline]
    pub(super) fn entries(&self) -> usize {
        self.header().entries()
    }

    /// New keys that fit before the table must be made anew.
    #[inline]
    pub(super) fn free(&self) -> usize {
        self.header().free()
    }

    #[inline]
    pub(super) fn log2(&self) -> u8 {
        self.header().log2()
    }

    #[inline]
    pub(super) fn is_hashed(&self) -> bool {
        self.header().is_hashed()
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
    pub(super) fn layout(log2: u8, hashed: bool) -> Option<Layout> {
        let at = Self::entries_at(log2);
        let entry = if hashed { size_of::<Hashed<K, V>>() } else { size_of::<Bare<K, V>>() };
        let size = usable(log2).checked_mul(entry)?.checked_add(at)?;
        Layout::from_size_align(size, Self::ALIGN).ok()
    }

    fn own_layout(header: &Header) -> Layout {
        Self::layout(header.log2(), header.is_hashed()).expect("the layout of a table that exists")
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
        unsafe { header.write(Header::new(log2, hashed, Self::entries_at(log2))) };
        // SAFETY: the index follows the header.
        let index = unsafe { header.add(1) }.cast::<u8>();
        // SAFETY: it has so many bytes; a word of ones was never used (`Width::NEVER`).
        unsafe { index.write_bytes(u8::MAX, index_bytes(log2)) };
        Ok(Table { header, alloc, pairs: PhantomData })
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
        let first = self.header.as_ptr().wrapping_byte_add(self.header().first());
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

impl<K: Key, V, A: Allocator> Table<K, V, A> {
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
        unsafe { self.header_mut() }.count_new();
    }

    /// Takes an entry out that was just found. Its place is not used again before the table is made anew.
    pub(super) fn take(&mut self, found: Found) -> Option<(K, V)> {
        let pair = match self.all_mut() {
            EntriesMut::Bare(entries) => entries.get_mut(found.entry)?.pair_mut().take()?,
            EntriesMut::Hashed(entries) => entries.get_mut(found.entry)?.pair_mut().take()?,
        };
        // SAFETY: it was just found, and there is an entry.
        unsafe { self.strike(found) };
        // SAFETY: it had an entry, so there is an allocation.
        unsafe { self.header_mut() }.count_deleted();
        Some(pair)
    }

    /// The last entry that was not deleted (`dict.popitem`).
    pub(super) fn last(&self) -> Option<usize> {
        (0..self.entries()).rev().find(|&entry| self.pair(entry).is_some())
    }
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
