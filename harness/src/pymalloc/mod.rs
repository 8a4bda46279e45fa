#![allow(unsafe_code, reason = "an allocator hands out raw memory and writes its links into it")]
//! CPython 3.12's pymalloc, running on real memory: a peer to be measured, and the exact model that
//! says how many pools a program's allocations take.
//!
//! ```text
//! arena  1 MiB, mapped          pool  16 KiB, one size class              block  16 to 512 bytes
//! +----+----+----+-- --+----+   +--------+-------+-------+-- --+------+   +------+-----------+
//! |pool|pool|pool| ... |pool|   | header | block | block | ... | rest |   | link | (if free) |
//! +----+----+----+-- --+----+   +--------+-------+-------+-- --+------+   +------+-----------+
//! ```
//!
//! Constants and behaviour are those of `Objects/obmalloc.c` and `Include/internal/pycore_obmalloc.h`
//! (CPython 3.10 to 3.13 share them). One allocation:
//!
//! 1. A request of 0 bytes or of more than 512 goes to libc; the others round up to a class of 16.
//! 2. The first pool in the class's used list gives its free block, last freed first.
//! 3. If that was the last free block, the next one is carved from the pool's untouched end.
//! 4. If there is nothing left to carve, the pool is full and leaves the list.
//! 5. An empty list gets a pool of the fullest usable arena, a freed one before an untouched one.
//! 6. If no arena is usable, a new one is mapped.
//!
//! A free takes the way back: the block becomes its pool's first free block, a pool that was full
//! returns to the front of its list, a pool that is empty returns to its arena, and an arena that is
//! empty is unmapped unless it is the last of the usable ones.
//!
//! What it does not do: the debug layer, `sys._debugmallocstats`, and locks. Like CPython's, one
//! instance serves one thread at a time.

mod arena;
#[cfg(test)]
mod check;
mod libc_heap;
mod phases;
mod pool;
mod radix;
mod rules;

use std::ptr;

pub use phases::pools_at_phases;
pub use rules::{FullPool, InPlace, Rules};

use arena::Arenas;
use libc_heap::LibcHeap;
use pool::{CLASSES, Lists, Pool, class_of, size_of_class};

/// Requests of 1 to this many bytes come from pools.
pub const SMALL_REQUEST_THRESHOLD: usize = 512;
/// Bytes of a pool.
pub const POOL_SIZE: usize = 1 << 14;
/// Bytes of an arena.
pub const ARENA_SIZE: usize = 1 << 20;

/// A running pymalloc with its own arenas.
///
/// # Invariants
/// 1. Every block handed out and not taken back is either inside a pool that this instance's radix
///    tree covers, or a block of libc's malloc.
/// 2. A pool is in exactly one of four states: used (in its class's list), full (in no list), free
///    (in its arena's list), or never carved.
/// 3. `pools_in_use` = used + full pools.
#[derive(Debug)]
pub struct Pymalloc {
    rules: Rules,
    used: Lists,
    arenas: Arenas,
    libc: LibcHeap,
    pools_in_use: usize,
    pools_highwater: usize,
}

// SAFETY: everything that the pointers inside lead to (list heads, arenas, libc blocks) is owned by
// this instance alone and tied to no thread: mappings and libc's heap are the process's. Shared access
// needs `&mut self`, so moving the instance moves all of it.
unsafe impl Send for Pymalloc {}

impl Pymalloc {
    /// An allocator without arenas.
    pub fn new(rules: Rules) -> Self {
        Self {
            rules,
            used: Lists::new(),
            arenas: Arenas::new(),
            libc: LibcHeap::default(),
            pools_in_use: 0,
            pools_highwater: 0,
        }
    }

    /// A block of at least `size` bytes, aligned to 16; null if there is no memory. A request of 0
    /// gets a block of its own from libc.
    #[inline]
    pub fn malloc(&mut self, size: usize) -> *mut u8 {
        match class_of(size) {
            Some(class) => match self.take(class) {
                // CPython, too, asks libc when no arena can be mapped.
                block if block.is_null() => self.libc.malloc(size),
                block => block,
            },
            None => self.libc.malloc(size),
        }
    }

    /// A block of `size` zero bytes, otherwise as [`malloc`](Self::malloc).
    pub fn calloc(&mut self, size: usize) -> *mut u8 {
        let Some(class) = class_of(size) else {
            return self.libc.calloc(size);
        };
        let block = self.take(class);
        if block.is_null() {
            return self.libc.calloc(size);
        }
        // SAFETY: `take` returned a block of this class, which has at least `size` bytes.
        unsafe { block.write_bytes(0, size) };
        block
    }

    /// Changes the size of a block and returns where it is now; null, and the block as it was, if
    /// there is no memory. A null `block` is a [`malloc`](Self::malloc).
    ///
    /// A pool's block stays in place if it fits and shrinks by less than a quarter (see
    /// [`InPlace`]); else it is copied, and the old one freed after the new one was taken. A block of
    /// libc stays libc's.
    ///
    /// # Safety
    /// `block` is null, or came from this instance and was not freed; if it moves, the old pointer is
    /// freed.
    pub unsafe fn realloc(&mut self, block: *mut u8, size: usize) -> *mut u8 {
        if block.is_null() {
            return self.malloc(size);
        }
        let Some(pool) = self.pool_of(block) else {
            // SAFETY: the caller's block is live and in no pool, so it is libc's (invariant 1).
            return unsafe { self.libc.realloc(block, size) };
        };
        let old = size_of_class(pool.class());
        if self.rules.realloc.stays(old, size) {
            return block;
        }
        let new = self.malloc(size);
        if !new.is_null() {
            // SAFETY: both blocks are live and different, the old one has `old` bytes and the new one
            // `size`.
            unsafe { ptr::copy_nonoverlapping(block, new, old.min(size)) };
            // SAFETY: the caller's block is live and in `pool`.
            unsafe { self.give_back(pool, block) };
        }
        new
    }

    /// Frees a block; null is ignored.
    ///
    /// # Safety
    /// `block` is null, or came from this instance and was not freed.
    #[inline]
    pub unsafe fn free(&mut self, block: *mut u8) {
        if block.is_null() {
            return;
        }
        match self.pool_of(block) {
            // SAFETY: the caller's block is live and in `pool`.
            Some(pool) => unsafe { self.give_back(pool, block) },
            // SAFETY: the caller's block is live and in no pool, so it is libc's (invariant 1).
            None => unsafe { self.libc.free(block) },
        }
    }

    /// A block straight from libc, as the raw domain gets it; it is freed and reallocated like any
    /// other. A request of 0 gets a block of its own.
    pub fn raw_malloc(&mut self, size: usize) -> *mut u8 {
        self.libc.malloc(size)
    }

    /// A zeroed block straight from libc.
    pub fn raw_calloc(&mut self, size: usize) -> *mut u8 {
        self.libc.calloc(size)
    }

    /// Whether a pool holds `block`; otherwise libc does.
    pub fn is_pooled(&self, block: *const u8) -> bool {
        self.arenas.contains(block)
    }

    /// Pools that hold at least one live block.
    pub fn pools_in_use(&self) -> usize {
        self.pools_in_use
    }

    /// The most pools that were in use at once.
    pub fn pools_highwater(&self) -> usize {
        self.pools_highwater
    }

    /// Arenas mapped.
    pub fn arenas(&self) -> usize {
        self.arenas.mapped()
    }

    /// The most arenas that were mapped at once.
    pub fn arenas_highwater(&self) -> usize {
        self.arenas.highwater()
    }

    /// Bytes of libc's blocks, the word in front of each included.
    pub fn libc_bytes(&self) -> usize {
        self.libc.bytes()
    }

    /// Bytes that the process cannot use otherwise:
    /// pools ever carved in the arenas that are mapped * 16 KiB + [`libc_bytes`](Self::libc_bytes).
    pub fn held_bytes(&self) -> usize {
        self.arenas.pools_carved() * POOL_SIZE + self.libc.bytes()
    }

    /// The pool of a live block, if one holds it.
    #[inline]
    fn pool_of(&self, block: *mut u8) -> Option<Pool> {
        // SAFETY: the radix tree covers exactly the mapped arenas' pools; a live block of ours that
        // lies in one is in a carved pool.
        self.arenas.contains(block).then(|| unsafe { Pool::of_block(block) })
    }

    /// Takes a block of a class; null if no arena can be mapped.
    #[inline]
    fn take(&mut self, class: usize) -> *mut u8 {
        let Some(pool) = self.used.first(class) else {
            return self.take_from_new_pool(class);
        };
        // SAFETY: pools in the used list have a free block.
        let (block, full) = unsafe { pool.take() };
        if full {
            // SAFETY: the pool is in its class's list.
            unsafe { self.used.unlink(pool) };
        }
        block
    }

    #[cold]
    fn take_from_new_pool(&mut self, class: usize) -> *mut u8 {
        let Some(pool) = self.arenas.take_pool() else {
            return ptr::null_mut();
        };
        self.pools_in_use += 1;
        self.pools_highwater = self.pools_highwater.max(self.pools_in_use);
        // SAFETY: the pool is free and in no list, and the class's list is empty.
        unsafe { self.used.push_front(class, pool) };
        // SAFETY: the pool holds no live block.
        unsafe { pool.start(class) }
    }

    /// Takes back a block.
    ///
    /// # Safety
    /// `block` is live and in `pool`.
    #[inline]
    unsafe fn give_back(&mut self, pool: Pool, block: *mut u8) {
        // SAFETY: the caller's promise.
        let (was_full, live) = unsafe { pool.give_back(block) };
        if was_full {
            let class = pool.class();
            debug_assert!(class < CLASSES);
            match self.rules.full_pool {
                // SAFETY: a full pool is in no list (invariant 2).
                FullPool::Front => unsafe { self.used.push_front(class, pool) },
                // SAFETY: as above.
                FullPool::Rear => unsafe { self.used.push_rear(class, pool) },
            }
        } else if live == 0 {
            self.retire(pool);
        }
    }

    #[cold]
    fn retire(&mut self, pool: Pool) {
        // SAFETY: it was not full, so it is in its class's list (invariant 2).
        unsafe { self.used.unlink(pool) };
        self.pools_in_use -= 1;
        // SAFETY: it has no live block and is in no list.
        unsafe { self.arenas.give_back_pool(pool) };
    }
}
