//! What a table tells of itself.

use core::mem::size_of;
use core::ptr::NonNull;

/// log2 of the smallest index (`PyDict_LOG_MINSIZE`, `Objects/dictobject.c`).
pub(in crate::object) const SMALLEST_LOG2: u8 = 3;
/// log2 of the largest: an index word of 32 bits holds a position and at least one bit of the hash.
pub(in crate::object) const LARGEST_LOG2: u8 = 31;

/// Keys that fit an index of 2^log2 places (`USABLE_FRACTION`).
pub(in crate::object) const fn usable(log2: u8) -> usize {
    (2 << log2) / 3
}

/// Bytes of the index.
pub(super) const fn index_bytes(log2: u8) -> usize {
    let width = match log2 {
        ..8 => 1,
        8..16 => 2,
        _ => 4,
    };
    width << log2
}

/// The first 32 bytes, as many as those of CPython's `PyDictKeysObject`.
///
/// `used <= entries` and `entries + free = usable(log2)`, but in [`EMPTY`], where all three counts are 0.
#[repr(C)]
pub(super) struct Header {
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
    Header { free: 0, ..Header::new(SMALLEST_LOG2, false, size_of::<Empty>()) },
    [u8::MAX; 1 << SMALLEST_LOG2],
);

impl Header {
    /// That of all tables without an allocation, which is never written: an index of places that were never used
    /// follows it.
    #[inline(always)]
    pub(super) const fn empty() -> NonNull<Header> {
        NonNull::from_ref(&EMPTY).cast()
    }

    /// That of a table without entries, which start `first` bytes from here.
    #[inline]
    pub(super) const fn new(log2: u8, hashed: bool, first: usize) -> Header {
        let (free, mask) = (usable(log2) as u32, ((1u64 << log2) - 1) as u32);
        Header { used: 0, entries: 0, free, mask, first, log2, hashed }
    }

    #[inline(always)]
    pub(super) fn used(&self) -> usize {
        self.used as usize
    }

    #[inline(always)]
    pub(super) fn entries(&self) -> usize {
        self.entries as usize
    }

    #[inline(always)]
    pub(super) fn free(&self) -> usize {
        self.free as usize
    }

    #[inline(always)]
    pub(super) fn mask(&self) -> u32 {
        self.mask
    }

    #[inline(always)]
    pub(super) fn first(&self) -> usize {
        self.first
    }

    #[inline(always)]
    pub(super) fn log2(&self) -> u8 {
        self.log2
    }

    #[inline(always)]
    pub(super) fn is_hashed(&self) -> bool {
        self.hashed
    }

    /// Counts an entry that is new.
    #[inline(always)]
    pub(super) fn count_new(&mut self) {
        self.entries += 1;
        self.used += 1;
        self.free -= 1;
    }

    /// Counts an entry that was deleted: its room is not free again.
    #[inline(always)]
    pub(super) fn count_deleted(&mut self) {
        self.used -= 1;
    }

    /// Counts so many entries that have moved to this table, which had none.
    pub(super) fn count_moved_here(&mut self, used: usize) {
        (self.used, self.entries) = (used as u32, used as u32);
        self.free -= used as u32;
    }

    /// Counts no entries any more: all that are left have moved away.
    pub(super) fn count_moved_away(&mut self) {
        (self.used, self.entries) = (0, 0);
    }
}
