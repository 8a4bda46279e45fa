#![allow(unsafe_code, reason = "pool headers and free lists live in the memory they manage")]
//! Pools: 16 KiB of blocks of one class behind a header, and the lists of those that have room.

use std::ptr::{self, NonNull};

use super::{POOL_SIZE, SMALL_REQUEST_THRESHOLD};

/// Blocks, and the space that a pool's header takes, are multiples of this.
const ALIGNMENT: usize = 16;
/// Size classes: 16, 32, ... 512 bytes.
pub(super) const CLASSES: usize = SMALL_REQUEST_THRESHOLD / ALIGNMENT;
/// Where a pool's first block is.
const FIRST_BLOCK: usize = size_of::<Header>().next_multiple_of(ALIGNMENT);
/// The class of a pool that never had one.
const NO_CLASS: u32 = 0xffff;

const _: () = assert!(size_of::<Header>() == 48 || usize::BITS != 64);
const _: () = assert!((POOL_SIZE - FIRST_BLOCK) / SMALL_REQUEST_THRESHOLD >= 2);

/// The class that serves requests of `size` bytes, unless libc does.
#[inline]
pub(super) fn class_of(size: usize) -> Option<usize> {
    let class = size.wrapping_sub(1) / ALIGNMENT;
    (class < CLASSES).then_some(class)
}

/// Bytes of the blocks of a class.
#[inline]
pub(super) const fn size_of_class(class: usize) -> usize {
    (class + 1) * ALIGNMENT
}

/// What stands at the beginning of each pool (`struct pool_header`).
#[repr(C)]
struct Header {
    /// Blocks handed out. As wide as a pointer: in CPython the other half of a union is one.
    live: usize,
    /// The first free block, null iff the pool is full; each free block's first word is the next.
    free: *mut u8,
    /// Neighbours in a used list; `next` alone also links an arena's free pools.
    next: *mut Header,
    prev: *mut Header,
    /// The arena's index.
    arena: u32,
    /// The class of the blocks; it stays when the pool is freed.
    class: u32,
    /// Where the next block is carved; beyond `last_carve` there is no room for one.
    next_carve: u32,
    last_carve: u32,
}

/// A carved pool.
///
/// # Invariants
/// 1. It points to the header of a pool inside a mapped arena, aligned to 16 KiB; only pools'
///    headers and the list heads of [`Lists`] are ever linked.
/// 2. `free` is null iff the pool is full; otherwise it leads through the free blocks to null.
/// 3. Blocks from `next_carve` on were never handed out and are not on the free list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Pool(NonNull<Header>);

impl Pool {
    /// Carves a pool: writes a header without class or blocks.
    ///
    /// # Safety
    /// `start` is 16 KiB of writable memory, aligned to that, with no live block inside.
    pub(super) unsafe fn carve(start: NonNull<u8>, arena: u32) -> Self {
        let header = start.cast::<Header>();
        let empty = Header {
            live: 0,
            free: ptr::null_mut(),
            next: ptr::null_mut(),
            prev: ptr::null_mut(),
            arena,
            class: NO_CLASS,
            next_carve: 0,
            last_carve: 0,
        };
        // SAFETY: the caller gives the memory, and 16 KiB alignment is enough for a header.
        unsafe { header.write(empty) };
        Self(header)
    }

    /// The pool that a block lies in: its address rounded down.
    ///
    /// # Safety
    /// `block` lies in a carved pool of a mapped arena.
    #[inline]
    pub(super) unsafe fn of_block(block: *mut u8) -> Self {
        let start = block.map_addr(|addr| addr & !(POOL_SIZE - 1));
        // SAFETY: an arena is not at address 0.
        Self(unsafe { NonNull::new_unchecked(start.cast()) })
    }

    #[inline]
    fn header(&self) -> &Header {
        // SAFETY: invariant 1; nobody holds a reference to a header across a write, since every
        // method of this file that writes goes through the raw pointer and returns no reference.
        unsafe { self.0.as_ref() }
    }

    /// The class of its blocks.
    #[inline]
    pub(super) fn class(self) -> usize {
        self.header().class as usize
    }

    /// The index of its arena.
    pub(super) fn arena(self) -> u32 {
        self.header().arena
    }

    /// The next pool in an arena's list of free ones.
    pub(super) fn next_free(self) -> Option<Self> {
        NonNull::new(self.header().next).map(Self)
    }

    /// Links the pool in front of an arena's free ones.
    ///
    /// # Safety
    /// The pool is in no list.
    pub(super) unsafe fn set_next_free(self, next: Option<Self>) {
        let next = next.map_or(ptr::null_mut(), |pool| pool.0.as_ptr());
        // SAFETY: invariant 1.
        unsafe { (*self.0.as_ptr()).next = next };
    }

    /// Makes the pool serve `class` and takes its first block.
    ///
    /// # Safety
    /// No block of the pool is live.
    pub(super) unsafe fn start(self, class: usize) -> *mut u8 {
        // SAFETY: invariant 1, and no other reference to the header is alive.
        let header = unsafe { &mut *self.0.as_ptr() };
        header.live = 1;
        if header.class as usize == class {
            // It served this class before, so its free list still holds every block carved then:
            // at least two, since the first one brings a second.
            let block = header.free;
            // SAFETY: invariant 2: the block is free, so its first word is the next one.
            header.free = unsafe { block.cast::<*mut u8>().read() };
            return block;
        }
        let size = size_of_class(class);
        let first = self.0.as_ptr().cast::<u8>().wrapping_add(FIRST_BLOCK);
        let second = first.wrapping_add(size);
        // SAFETY: a pool has room for two blocks of any class (asserted above).
        unsafe { second.cast::<*mut u8>().write(ptr::null_mut()) };
        header.class = class as u32;
        header.free = second;
        header.next_carve = (FIRST_BLOCK + 2 * size) as u32;
        header.last_carve = (POOL_SIZE - size) as u32;
        first
    }

    /// Takes the first free block; the flag says that the pool is full now.
    ///
    /// # Safety
    /// The pool has a free block.
    #[inline]
    pub(super) unsafe fn take(self) -> (*mut u8, bool) {
        // SAFETY: invariant 1, and no other reference to the header is alive.
        let header = unsafe { &mut *self.0.as_ptr() };
        let block = header.free;
        header.live += 1;
        // SAFETY: invariant 2: the block is free, so its first word is the next one.
        header.free = unsafe { block.cast::<*mut u8>().read() };
        if !header.free.is_null() {
            return (block, false);
        }
        if header.next_carve > header.last_carve {
            return (block, true);
        }
        let carved = self.0.as_ptr().cast::<u8>().wrapping_add(header.next_carve as usize);
        // SAFETY: a block at `last_carve` or before ends inside the pool.
        unsafe { carved.cast::<*mut u8>().write(ptr::null_mut()) };
        header.next_carve += size_of_class(header.class as usize) as u32;
        header.free = carved;
        (block, false)
    }

    /// Takes back a block; returns whether the pool was full, and its live blocks now.
    ///
    /// # Safety
    /// `block` is a live block of this pool.
    #[inline]
    pub(super) unsafe fn give_back(self, block: *mut u8) -> (bool, usize) {
        // SAFETY: invariant 1, and no other reference to the header is alive.
        let header = unsafe { &mut *self.0.as_ptr() };
        let was_full = header.free.is_null();
        // SAFETY: the caller gives up the block, which has at least 16 bytes.
        unsafe { block.cast::<*mut u8>().write(header.free) };
        header.free = block;
        header.live -= 1;
        (was_full, header.live)
    }
}

/// For each class the pools that are neither full nor empty, in a ring through a head.
///
/// # Invariants
/// 1. A head's ring leads through pools of its class and back to it.
/// 2. The heads do not move: they are boxed, and reached only through the box's raw pointer.
#[derive(Debug)]
pub(super) struct Lists {
    heads: NonNull<[Header; CLASSES]>,
}

impl Lists {
    pub(super) fn new() -> Self {
        let heads = Box::new(std::array::from_fn(|_| Header {
            live: 0,
            free: ptr::null_mut(),
            next: ptr::null_mut(),
            prev: ptr::null_mut(),
            arena: 0,
            class: NO_CLASS,
            next_carve: 0,
            last_carve: 0,
        }));
        let lists = Self { heads: NonNull::from(Box::leak(heads)) };
        for class in 0..CLASSES {
            let head = lists.head(class);
            // SAFETY: the head is ours and nobody else refers to it yet.
            let ring = unsafe { &mut *head };
            ring.next = head;
            ring.prev = head;
        }
        lists
    }

    #[inline]
    fn head(&self, class: usize) -> *mut Header {
        assert!(class < CLASSES, "class {class} of {CLASSES}");
        self.heads.as_ptr().cast::<Header>().wrapping_add(class)
    }

    /// The first pool that has room.
    #[inline]
    pub(super) fn first(&self, class: usize) -> Option<Pool> {
        let head = self.head(class);
        // SAFETY: the head is valid (invariant 2).
        let first = unsafe { (*head).next };
        // SAFETY: rings hold no null (invariant 1).
        (first != head).then(|| Pool(unsafe { NonNull::new_unchecked(first) }))
    }

    /// Puts a pool in front of all others of its class.
    ///
    /// # Safety
    /// The pool is in no list.
    pub(super) unsafe fn push_front(&mut self, class: usize, pool: Pool) {
        // SAFETY: a head is part of its own ring.
        unsafe { insert_after(self.head(class), pool) };
    }

    /// Puts a pool behind all others of its class.
    ///
    /// # Safety
    /// The pool is in no list.
    pub(super) unsafe fn push_rear(&mut self, class: usize, pool: Pool) {
        // SAFETY: the head is valid (invariant 2).
        let last = unsafe { (*self.head(class)).prev };
        // SAFETY: `last` is part of the ring (invariant 1).
        unsafe { insert_after(last, pool) };
    }

    /// Takes a pool out of the list it is in.
    ///
    /// # Safety
    /// The pool is in one of these lists.
    pub(super) unsafe fn unlink(&mut self, pool: Pool) {
        let Header { next, prev, .. } = *pool.header();
        // SAFETY: neighbours in a ring are valid (invariant 1).
        unsafe { (*next).prev = prev };
        // SAFETY: as above.
        unsafe { (*prev).next = next };
    }
}

/// Puts a pool behind another entry of a ring.
///
/// # Safety
/// `at` is in a ring, `pool` in none.
unsafe fn insert_after(at: *mut Header, pool: Pool) {
    let new = pool.0.as_ptr();
    // SAFETY: entries of a ring are valid.
    let next = unsafe { (*at).next };
    // SAFETY: the pool's header is valid and in no ring.
    let links = unsafe { &mut *new };
    links.next = next;
    links.prev = at;
    // SAFETY: `at` is valid.
    unsafe { (*at).next = new };
    // SAFETY: `next` is valid; it may be `at` itself, a ring of one.
    unsafe { (*next).prev = new };
}

impl Drop for Lists {
    fn drop(&mut self) {
        // SAFETY: the heads came from a box in `new` and go only here.
        drop(unsafe { Box::from_raw(self.heads.as_ptr()) });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_of_sizes() {
        assert_eq!(class_of(0), None);
        assert_eq!((class_of(1), class_of(16), class_of(17)), (Some(0), Some(0), Some(1)));
        assert_eq!((class_of(512), class_of(513), class_of(usize::MAX)), (Some(31), None, None));
        assert!((1..=512).all(|size| size_of_class(class_of(size).unwrap()).wrapping_sub(size) < 16));
    }
}
