//! Blocks of an allocator by number, so that workloads need no pointers.
#![allow(unsafe_code, reason = "calls allocators and writes into their blocks")]

use std::marker::PhantomData;

use crate::replay::subject::Subject;

/// Which bytes of a block are written when it is made and read when it dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Watch {
    /// The first and the last.
    Ends,
    /// All of them.
    EveryByte,
}

/// An allocator of its own, and its live blocks.
///
/// # Invariants
/// 1. Every entry that is not null came from `allocator` with that size, is live, and the bytes that `watch` names were
///    written.
/// 2. No pointer leaves this type.
pub(crate) struct Blocks<S: Subject> {
    allocator: S,
    live: Vec<(*mut u8, usize)>,
    watch: Watch,
    live_bytes: u64,
    clobbered: u64,
    out_of_memory: u64,
    moves: u64,
    moved_bytes: u64,
    one_thread: PhantomData<*const ()>,
}

impl<S: Subject> Blocks<S> {
    /// A fresh allocator with `places` for blocks, all empty.
    pub(crate) fn new(places: usize) -> Blocks<S> {
        Blocks::watched(places, Watch::Ends)
    }

    /// The same with blocks watched closer.
    pub(crate) fn watched(places: usize, watch: Watch) -> Blocks<S> {
        // What holds the places is the program's, and is touched before anything of the allocator is counted.
        let live = vec![(std::ptr::dangling_mut::<u8>(), 1); places];
        let mut blocks = Blocks {
            allocator: S::new(),
            live,
            watch,
            live_bytes: 0,
            clobbered: 0,
            out_of_memory: 0,
            moves: 0,
            moved_bytes: 0,
            one_thread: PhantomData,
        };
        blocks.live.fill((std::ptr::null_mut(), 0));
        blocks
    }

    /// Does work of which the allocator's resident memory is counted; nothing else should allocate meanwhile.
    pub(crate) fn during<R>(&mut self, work: impl FnOnce(&mut Blocks<S>) -> R) -> R {
        self.allocator.resume();
        let result = work(self);
        self.allocator.pause();
        result
    }

    /// Puts a block of `size` bytes at a place; what was there is freed after it.
    ///
    /// # Panics
    /// If there is no such place.
    #[inline]
    pub(crate) fn put(&mut self, place: usize, size: usize) {
        let block = self.allocator.alloc(true, size, false);
        if block.is_null() {
            self.out_of_memory += 1;
        } else {
            // SAFETY: the block is fresh and has `size` bytes.
            unsafe { self.watch.stamp(block, size) };
            self.live_bytes += size as u64;
        }
        let old = std::mem::replace(&mut self.live[place], (block, size));
        self.give_back(old);
    }

    /// Changes the size of the block at a place; a block is put there if there is none.
    ///
    /// # Panics
    /// If there is no such place.
    pub(crate) fn resize(&mut self, place: usize, size: usize) {
        let (block, old) = self.live[place];
        if block.is_null() {
            return self.put(place, size);
        }
        // SAFETY: invariant 1.
        let new = unsafe { self.allocator.realloc(block, old, size) };
        if new.is_null() {
            self.out_of_memory += 1;
            return;
        }
        let kept = old.min(size);
        if new != block {
            self.moves += 1;
            self.moved_bytes += kept as u64;
        }
        // SAFETY: the block has `size` bytes, of which the first `kept` were stamped as a block of `old` bytes.
        let first = unsafe { new.read() };
        self.clobbered += u64::from(kept > 0 && first != mark(old));
        // SAFETY: as above.
        unsafe { self.watch.stamp(new, size) };
        self.live_bytes = self.live_bytes + size as u64 - old as u64;
        self.live[place] = (new, size);
    }

    /// Frees the block at a place, if there is one.
    ///
    /// # Panics
    /// If there is no such place.
    #[inline]
    pub(crate) fn free(&mut self, place: usize) {
        let old = std::mem::replace(&mut self.live[place], (std::ptr::null_mut(), 0));
        self.give_back(old);
    }

    #[inline]
    fn give_back(&mut self, (block, size): (*mut u8, usize)) {
        if block.is_null() {
            return;
        }
        // SAFETY: invariant 1; the entry was taken out.
        self.clobbered += u64::from(unsafe { !self.watch.is_stamped(block, size) });
        self.live_bytes -= size as u64;
        // SAFETY: invariant 1; the entry was taken out, so nobody uses the block again.
        unsafe { self.allocator.free(block, size) };
    }

    /// Overwrites a byte in the midst of the block at a place, as a wild pointer would.
    ///
    /// # Panics
    /// If there is no such place.
    pub(crate) fn overwrite(&mut self, place: usize) {
        let (block, size) = self.live[place];
        if !block.is_null() && size > 2 {
            // SAFETY: a byte of a live block (invariant 1).
            let byte = unsafe { block.add(size / 2) };
            // SAFETY: as above; nobody else uses it (invariant 2).
            unsafe { byte.write(!mark(size)) };
        }
    }

    /// Frees every block.
    pub(crate) fn clear(&mut self) {
        (0..self.live.len()).for_each(|place| self.free(place));
    }

    /// Gives back to the system what the allocator can, where there is a call for it.
    pub(crate) fn purge(&mut self) {
        self.allocator.purge();
    }

    /// How often a block was elsewhere after its size had changed, and the bytes that were kept in these moves.
    pub(crate) fn moves(&self) -> (u64, u64) {
        (self.moves, self.moved_bytes)
    }

    /// Bytes live, as asked for.
    pub(crate) fn live_bytes(&self) -> u64 {
        self.live_bytes
    }

    /// Bytes held from the rest of the machine; 0 where that cannot be known.
    pub(crate) fn held_bytes(&self) -> u64 {
        self.allocator.held_bytes().unwrap_or(0)
    }

    /// Pools in use and arenas mapped, where there are such.
    pub(crate) fn pools_and_arenas(&self) -> Option<(u64, u64)> {
        self.allocator.pools_and_arenas()
    }

    /// Blocks that were not what had been written when they were freed or resized.
    pub(crate) fn clobbered(&self) -> u64 {
        self.clobbered
    }

    /// Requests that got no block.
    pub(crate) fn out_of_memory(&self) -> u64 {
        self.out_of_memory
    }
}

impl<S: Subject> Drop for Blocks<S> {
    fn drop(&mut self) {
        self.clear();
    }
}

fn mark(size: usize) -> u8 {
    (size as u8) ^ 0xa5
}

impl Watch {
    /// # Safety
    /// `block` has `size` bytes that nobody else uses.
    #[inline]
    unsafe fn stamp(self, block: *mut u8, size: usize) {
        match self {
            Watch::EveryByte => {
                // SAFETY: the caller's promise.
                unsafe { block.write_bytes(mark(size), size) };
            }
            Watch::Ends if size > 0 => {
                // SAFETY: the caller's promise.
                unsafe { block.write(mark(size)) };
                // SAFETY: the last byte of the block.
                let last = unsafe { block.add(size - 1) };
                // SAFETY: the caller's promise.
                unsafe { last.write(mark(size)) };
            }
            Watch::Ends => {}
        }
    }

    /// # Safety
    /// `block` has `size` bytes that nobody else uses, which were stamped.
    #[inline]
    unsafe fn is_stamped(self, block: *mut u8, size: usize) -> bool {
        match self {
            Watch::EveryByte => {
                // SAFETY: the caller's promise.
                let bytes = unsafe { std::slice::from_raw_parts(block, size) };
                bytes.iter().all(|&byte| byte == mark(size))
            }
            Watch::Ends if size > 0 => {
                // SAFETY: the caller's promise.
                let first = unsafe { block.read() };
                // SAFETY: the last byte of the block.
                let last = unsafe { block.add(size - 1) };
                // SAFETY: the caller's promise.
                first == mark(size) && unsafe { last.read() } == mark(size)
            }
            Watch::Ends => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pymalloc::Pymalloc;
    use crate::replay::subject::{Cpymem, System};

    fn lives<S: Subject>() {
        let mut blocks: Blocks<S> = Blocks::new(3);
        blocks.during(|blocks| {
            blocks.put(0, 100);
            blocks.put(1, 0);
            blocks.put(2, 100_000);
            blocks.put(0, 24);
            blocks.resize(0, 600);
            blocks.resize(0, 7);
            blocks.resize(1, 16);
        });
        assert_eq!(blocks.live_bytes(), 7 + 16 + 100_000, "{}", S::NAME);
        if S::NAME != "system" {
            // The C library may serve this from memory that is resident already.
            assert!(blocks.held_bytes() >= blocks.live_bytes());
        }
        blocks.free(2);
        blocks.free(2);
        assert_eq!(blocks.live_bytes(), 23);
        blocks.clear();
        assert_eq!((blocks.clobbered(), blocks.out_of_memory(), blocks.live_bytes()), (0, 0, 0));
    }

    #[test]
    fn blocks_live_on_every_allocator() {
        lives::<Cpymem>();
        lives::<Pymalloc>();
        lives::<System>();
    }
}
