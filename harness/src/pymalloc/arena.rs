#![allow(unsafe_code, reason = "maps arenas and carves pools out of them")]
//! Arenas: 1 MiB mappings that give out pools, the fullest usable one first.

use std::ptr::{self, NonNull};

use super::pool::Pool;
use super::radix::RadixTree;
use super::{ARENA_SIZE, POOL_SIZE};

/// Pools of an arena whose mapping is aligned to a pool; one less otherwise.
const MAX_POOLS: usize = ARENA_SIZE / POOL_SIZE;

/// The arena's index in the table; links between arenas are indices, since the table grows.
type Index = u32;

/// One arena (`struct arena_object`).
#[derive(Debug)]
struct Arena {
    /// The mapping; none while the entry of the table is unused.
    mapping: Option<NonNull<u8>>,
    /// Offset of the next pool to carve.
    carve: usize,
    /// Pools carved and given back.
    free: Option<Pool>,
    /// Pools that can be taken: carved and given back, or never carved.
    free_pools: usize,
    /// Pools in all: 64 or 63.
    total_pools: usize,
    next: Option<Index>,
    prev: Option<Index>,
}

impl Arena {
    /// Where the first pool begins: what the mapping lacks to alignment.
    fn first_pool(&self) -> usize {
        ARENA_SIZE - self.total_pools * POOL_SIZE - self.tail()
    }

    /// Bytes behind the last pool.
    fn tail(&self) -> usize {
        self.mapping.map_or(0, |start| start.addr().get() % POOL_SIZE)
    }

    fn carved(&self) -> usize {
        (self.carve - self.first_pool()) / POOL_SIZE
    }
}

/// All arenas of an allocator.
///
/// # Invariants
/// 1. The usable list (from `usable` over `next`) holds exactly the mapped arenas with a free pool,
///    in ascending order of `free_pools`.
/// 2. `last_with[n]` is the last arena of that list with `free_pools == n`, or none.
/// 3. The tree covers exactly the mapped arenas; `mapped` counts them.
/// 4. `carved` = sum of the carved pools of the mapped arenas.
/// 5. Every pool on an arena's free list is carved, in it, and in no other list.
#[derive(Debug)]
pub(super) struct Arenas {
    table: Vec<Arena>,
    /// Entries of the table without a mapping, over `next`.
    unused: Option<Index>,
    usable: Option<Index>,
    last_with: [Option<Index>; MAX_POOLS + 1],
    tree: RadixTree,
    mapped: usize,
    highwater: usize,
    carved: usize,
}

impl Arenas {
    pub(super) fn new() -> Self {
        Self {
            table: Vec::new(),
            unused: None,
            usable: None,
            last_with: [None; MAX_POOLS + 1],
            tree: RadixTree::new(),
            mapped: 0,
            highwater: 0,
            carved: 0,
        }
    }

    pub(super) fn mapped(&self) -> usize {
        self.mapped
    }

    pub(super) fn highwater(&self) -> usize {
        self.highwater
    }

    /// Pools of mapped arenas that were ever carved, and so touched.
    pub(super) fn pools_carved(&self) -> usize {
        self.carved
    }

    /// Whether an address is inside an arena.
    #[inline]
    pub(super) fn contains(&self, block: *const u8) -> bool {
        self.tree.contains(block.addr())
    }

    /// A free pool of the fullest usable arena, in no list; none if no arena can be mapped.
    pub(super) fn take_pool(&mut self) -> Option<Pool> {
        let index = match self.usable {
            Some(index) => index,
            None => self.map_first()?,
        };
        let free_pools = self.at(index).free_pools;
        // The first arena has the fewest free pools of all, and one less keeps it first: the list is
        // still sorted, only the fingers change.
        if self.last_with[free_pools] == Some(index) {
            self.last_with[free_pools] = None;
        }
        if free_pools > 1 {
            self.last_with[free_pools - 1] = Some(index);
        }
        let pool = self.take_from(index);
        let arena = self.at_mut(index);
        arena.free_pools -= 1;
        if arena.free_pools == 0 {
            self.unlink(index);
        }
        Some(pool)
    }

    /// A pool that was given back before an untouched one.
    fn take_from(&mut self, index: Index) -> Pool {
        let arena = self.at_mut(index);
        if let Some(pool) = arena.free {
            arena.free = pool.next_free();
            return pool;
        }
        let mapping = arena.mapping.expect("usable arenas are mapped");
        let at = arena.carve;
        arena.carve += POOL_SIZE;
        debug_assert!(arena.carve <= ARENA_SIZE);
        self.carved += 1;
        // SAFETY: a usable arena has a free pool and none was given back, so the one at `carve` is
        // inside the mapping.
        let start = unsafe { mapping.add(at) };
        // SAFETY: it was never handed out, and `first_pool` made the offset a pool's.
        unsafe { Pool::carve(start, index) }
    }

    /// Takes back a pool.
    ///
    /// # Safety
    /// The pool came from `take_pool` of these arenas, has no live block and is in no list.
    pub(super) unsafe fn give_back_pool(&mut self, pool: Pool) {
        let index = pool.arena();
        let arena = self.at_mut(index);
        // SAFETY: the caller's promise.
        unsafe { pool.set_next_free(arena.free) };
        arena.free = Some(pool);
        let before = arena.free_pools;
        arena.free_pools += 1;
        let now = arena.free_pools;

        let last_before = self.last_with[before];
        if last_before == Some(index) {
            // Its left neighbour is the last with that many now, if it has as many.
            let left = self.at(index).prev;
            self.last_with[before] = left.filter(|&left| self.at(left).free_pools == before);
        }
        if now == self.at(index).total_pools && self.at(index).next.is_some() {
            self.unlink(index);
            self.unmap(index);
        } else if before == 0 {
            // It was full and in no list; with one free pool it belongs in front.
            self.link_front(index);
            if self.last_with[now].is_none() {
                self.last_with[now] = Some(index);
            }
        } else {
            if self.last_with[now].is_none() {
                self.last_with[now] = Some(index);
            }
            // Unless it was the last with its old number, it slides right behind that one.
            if let Some(last) = last_before.filter(|&last| last != index) {
                self.unlink(index);
                self.link_after(last, index);
            }
        }
    }

    /// Maps an arena and makes it the only usable one; CPython maps none while another is usable.
    #[cold]
    fn map_first(&mut self) -> Option<Index> {
        let mapping = map_arena()?;
        if !self.tree.add(mapping.addr().get()) {
            // SAFETY: it was just mapped and nothing refers to it.
            unsafe { unmap_arena(mapping) };
            return None;
        }
        let excess = mapping.addr().get() % POOL_SIZE;
        let total_pools = if excess == 0 { MAX_POOLS } else { MAX_POOLS - 1 };
        let arena = Arena {
            mapping: Some(mapping),
            carve: if excess == 0 { 0 } else { POOL_SIZE - excess },
            free: None,
            free_pools: total_pools,
            total_pools,
            next: None,
            prev: None,
        };
        let index = match self.unused {
            Some(index) => {
                self.unused = self.at(index).next;
                *self.at_mut(index) = arena;
                index
            }
            None => {
                self.table.push(arena);
                (self.table.len() - 1) as Index
            }
        };
        self.mapped += 1;
        self.highwater = self.highwater.max(self.mapped);
        self.usable = Some(index);
        self.last_with[total_pools] = Some(index);
        Some(index)
    }

    fn unmap(&mut self, index: Index) {
        let unused = self.unused;
        self.carved -= self.at(index).carved();
        let arena = self.at_mut(index);
        arena.next = unused;
        arena.free = None;
        arena.free_pools = 0;
        let mapping = arena.mapping.take();
        self.unused = Some(index);
        self.mapped -= 1;
        if let Some(mapping) = mapping {
            self.tree.remove(mapping.addr().get());
            // SAFETY: all its pools are free, so no block in it is live, and its pools' headers were
            // reached only through the free list, forgotten above.
            unsafe { unmap_arena(mapping) };
        }
    }

    fn at(&self, index: Index) -> &Arena {
        &self.table[index as usize]
    }

    fn at_mut(&mut self, index: Index) -> &mut Arena {
        &mut self.table[index as usize]
    }

    fn link_front(&mut self, index: Index) {
        let next = self.usable;
        let arena = self.at_mut(index);
        (arena.prev, arena.next) = (None, next);
        if let Some(next) = next {
            self.at_mut(next).prev = Some(index);
        }
        self.usable = Some(index);
    }

    fn link_after(&mut self, left: Index, index: Index) {
        let next = self.at_mut(left).next.replace(index);
        let arena = self.at_mut(index);
        (arena.prev, arena.next) = (Some(left), next);
        if let Some(next) = next {
            self.at_mut(next).prev = Some(index);
        }
    }

    fn unlink(&mut self, index: Index) {
        let arena = self.at_mut(index);
        let (prev, next) = (arena.prev.take(), arena.next.take());
        match prev {
            Some(prev) => self.at_mut(prev).next = next,
            None => self.usable = next,
        }
        if let Some(next) = next {
            self.at_mut(next).prev = prev;
        }
    }
}

impl Drop for Arenas {
    fn drop(&mut self) {
        for arena in &self.table {
            if let Some(mapping) = arena.mapping {
                // SAFETY: the allocator goes, and its contract ends the life of its blocks with it.
                unsafe { unmap_arena(mapping) };
            }
        }
    }
}

/// 1 MiB of zeroed memory from the system, where the system likes.
fn map_arena() -> Option<NonNull<u8>> {
    let (access, kind) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
    // SAFETY: a new private mapping touches nothing that exists.
    let start = unsafe { libc::mmap(ptr::null_mut(), ARENA_SIZE, access, kind, -1, 0) };
    if start == libc::MAP_FAILED { None } else { NonNull::new(start.cast()) }
}

/// Gives an arena back to the system.
///
/// # Safety
/// `start` came from `map_arena`, and nothing in it is used any more.
unsafe fn unmap_arena(start: NonNull<u8>) {
    // SAFETY: the caller's promise. Failing would mean that there is no such mapping.
    let outcome = unsafe { libc::munmap(start.as_ptr().cast(), ARENA_SIZE) };
    debug_assert_eq!(outcome, 0, "munmap failed");
}

/// The invariants, checked the slow way.
#[cfg(test)]
impl Arenas {
    pub(super) fn check(&self) {
        let mut listed = vec![false; self.table.len()];
        let (mut at, mut left) = (self.usable, None);
        let mut last_with = [None; MAX_POOLS + 1];
        while let Some(index) = at {
            let arena = self.at(index);
            assert_eq!(arena.prev, left, "neighbours agree");
            assert!(left.is_none_or(|left| self.at(left).free_pools <= arena.free_pools), "sorted");
            last_with[arena.free_pools] = Some(index);
            listed[index as usize] = true;
            (left, at) = (Some(index), arena.next);
        }
        assert_eq!(self.last_with, last_with);
        for (arena, listed) in self.table.iter().zip(listed) {
            assert_eq!(listed, arena.mapping.is_some() && arena.free_pools > 0);
            if arena.mapping.is_some() {
                let freed = std::iter::successors(arena.free, |pool| pool.next_free()).count();
                assert_eq!(arena.free_pools, freed + arena.total_pools - arena.carved());
            }
        }
        let mapped = || self.table.iter().filter(|arena| arena.mapping.is_some());
        assert_eq!((mapped().count(), mapped().map(Arena::carved).sum()), (self.mapped, self.carved));
    }
}
