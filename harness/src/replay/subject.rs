//! The allocators that a trace is replayed on.
#![allow(unsafe_code, reason = "allocators hand out raw memory")]

use std::alloc::Layout;
use std::cell::UnsafeCell;
use std::ptr::{self, NonNull};

use cpymem_allocator::Heap;

use super::resident::anonymous_bytes;
use crate::pymalloc::{Pymalloc, Rules};

/// Alignment that every subject gives: what CPython's allocators promise.
const ALIGN: usize = 16;

/// An allocator under replay. Null means that there is no memory.
///
/// # Safety
/// The first 8 bytes of a block that has so many are valid for writes until it is freed, and blocks are aligned to 16.
pub(crate) unsafe trait Subject {
    /// The name in reports.
    const NAME: &'static str;

    /// A fresh allocator.
    fn new() -> Self;

    /// A block; `pooled` tells whether the call belongs to a domain that pymalloc serves.
    fn alloc(&mut self, pooled: bool, size: usize, zeroed: bool) -> *mut u8;

    /// # Safety
    /// `block` came from this subject with `old` bytes and was not freed; a result other than null replaces it.
    unsafe fn realloc(&mut self, block: *mut u8, old: usize, new: usize) -> *mut u8;

    /// # Safety
    /// `block` came from this subject with `size` bytes and was not freed.
    unsafe fn free(&mut self, block: *mut u8, size: usize);

    /// Gives back to the system what the allocator can, where there is a call for it.
    fn purge(&mut self) {}

    /// Called before each portion of steps.
    fn resume(&mut self) {}

    /// Called after each portion of steps.
    fn pause(&mut self) {}

    /// Bytes held from the rest of the machine; `None` if it cannot be known.
    fn held_bytes(&self) -> Option<u64>;

    /// Pools in use and arenas mapped, where there are such.
    fn pools_and_arenas(&self) -> Option<(u64, u64)> {
        None
    }
}

/// A subject whose blocks can be written over their whole length and read back: an allocator.
///
/// # Safety
/// All bytes of a block are valid until it is freed, and no other block has any of them; those of a zeroed one are
/// zeros. A reallocated block keeps its content up to the smaller size.
pub(crate) unsafe trait Distinct: Subject {}

// SAFETY: the heap's own contract.
unsafe impl Distinct for Cpymem {}
// SAFETY: the port's own contract.
unsafe impl Distinct for Pymalloc {}

/// The heap of `cpymem-allocator`.
pub(crate) struct Cpymem(Heap);

/// A request of no bytes gets a block of its own, as CPython's allocators promise.
fn layout(size: usize) -> Option<Layout> {
    Layout::from_size_align(size, ALIGN).ok()
}

fn or_null(block: Option<NonNull<u8>>) -> *mut u8 {
    block.map_or(ptr::null_mut(), NonNull::as_ptr)
}

// SAFETY: the heap's own contract.
unsafe impl Subject for Cpymem {
    const NAME: &'static str = "cpymem";

    fn new() -> Cpymem {
        Cpymem(Heap::new())
    }

    #[inline(never)]
    fn alloc(&mut self, _: bool, size: usize, zeroed: bool) -> *mut u8 {
        let block = layout(size)
            .and_then(|layout| if zeroed { self.0.alloc_zeroed(layout) } else { self.0.alloc(layout) });
        or_null(block)
    }

    #[inline(never)]
    unsafe fn realloc(&mut self, block: *mut u8, old: usize, new: usize) -> *mut u8 {
        let (Some(block), Some(old)) = (NonNull::new(block), layout(old)) else {
            return ptr::null_mut();
        };
        // SAFETY: the caller's promise: allocated here with this layout.
        or_null(unsafe { self.0.realloc(block, old, new) })
    }

    #[inline(never)]
    unsafe fn free(&mut self, block: *mut u8, size: usize) {
        if let (Some(block), Some(layout)) = (NonNull::new(block), layout(size)) {
            // SAFETY: the caller's promise: allocated here with this layout.
            unsafe { self.0.dealloc(block, layout) }
        }
    }

    fn purge(&mut self) {
        self.0.purge();
    }

    fn held_bytes(&self) -> Option<u64> {
        Some(self.0.held_bytes() as u64)
    }

    fn pools_and_arenas(&self) -> Option<(u64, u64)> {
        let stats = self.0.stats();
        Some((stats.pools() as u64, stats.arenas() as u64))
    }
}

// SAFETY: the port's own contract.
unsafe impl Subject for Pymalloc {
    const NAME: &'static str = "pymalloc";

    fn new() -> Pymalloc {
        Pymalloc::new(Rules::CPYTHON)
    }

    #[inline(never)]
    fn alloc(&mut self, pooled: bool, size: usize, zeroed: bool) -> *mut u8 {
        match (pooled, zeroed) {
            (true, false) => self.malloc(size),
            (true, true) => self.calloc(size),
            (false, false) => self.raw_malloc(size),
            (false, true) => self.raw_calloc(size),
        }
    }

    #[inline(never)]
    unsafe fn realloc(&mut self, block: *mut u8, _: usize, new: usize) -> *mut u8 {
        // SAFETY: the caller's promise.
        unsafe { Pymalloc::realloc(self, block, new) }
    }

    #[inline(never)]
    unsafe fn free(&mut self, block: *mut u8, _: usize) {
        // SAFETY: the caller's promise.
        unsafe { Pymalloc::free(self, block) }
    }

    fn held_bytes(&self) -> Option<u64> {
        Some(Pymalloc::held_bytes(self) as u64)
    }

    fn pools_and_arenas(&self) -> Option<(u64, u64)> {
        Some((self.pools_in_use() as u64, self.arenas() as u64))
    }
}

/// The C library's malloc. It keeps no books that tell what of its free memory is resident, so what it holds is
/// what became resident while steps ran.
pub(crate) struct System {
    held: i128,
    before: Option<u64>,
}

// SAFETY: the contract of malloc, calloc, realloc and free; a request of no bytes asks for one.
unsafe impl Subject for System {
    const NAME: &'static str = "system";

    fn new() -> System {
        // What other subjects freed must not serve this one.
        trim();
        System { held: 0, before: None }
    }

    #[inline(never)]
    fn alloc(&mut self, _: bool, size: usize, zeroed: bool) -> *mut u8 {
        let size = size.max(1);
        if zeroed {
            // SAFETY: any size may be asked for.
            return unsafe { libc::calloc(1, size) }.cast();
        }
        // SAFETY: any size may be asked for.
        unsafe { libc::malloc(size) }.cast()
    }

    #[inline(never)]
    unsafe fn realloc(&mut self, block: *mut u8, _: usize, new: usize) -> *mut u8 {
        // SAFETY: the caller's promise: a live block of malloc; the size is not 0, which would free it.
        unsafe { libc::realloc(block.cast(), new.max(1)) }.cast()
    }

    #[inline(never)]
    unsafe fn free(&mut self, block: *mut u8, _: usize) {
        // SAFETY: the caller's promise: a live block of malloc.
        unsafe { libc::free(block.cast()) }
    }

    fn purge(&mut self) {
        trim();
    }

    fn resume(&mut self) {
        self.before = anonymous_bytes();
    }

    fn pause(&mut self) {
        if let (Some(before), Some(after)) = (self.before, anonymous_bytes()) {
            self.held += i128::from(after) - i128::from(before);
        }
    }

    fn held_bytes(&self) -> Option<u64> {
        self.before.map(|_| u64::try_from(self.held).unwrap_or(0))
    }
}

/// Makes the C library give back what it can.
fn trim() {
    // SAFETY: gives free pages back to the system, no more.
    #[cfg(target_env = "gnu")]
    unsafe {
        libc::malloc_trim(0);
    }
}

/// No allocator: every block is the same one. What a replay on it costs is the harness's own part.
pub(crate) struct Null(Box<UnsafeCell<[u128; 4]>>);

// SAFETY: the block that there is has more than 8 bytes, is aligned as a `u128`, and lives as long as `self`; it is
// reached through its cell alone. It is not `Distinct`.
unsafe impl Subject for Null {
    const NAME: &'static str = "null";

    fn new() -> Null {
        Null(Box::new(UnsafeCell::new([0; 4])))
    }

    #[inline(never)]
    fn alloc(&mut self, _: bool, _: usize, _: bool) -> *mut u8 {
        self.0.get().cast()
    }

    #[inline(never)]
    unsafe fn realloc(&mut self, block: *mut u8, _: usize, _: usize) -> *mut u8 {
        block
    }

    #[inline(never)]
    unsafe fn free(&mut self, _: *mut u8, _: usize) {}

    fn held_bytes(&self) -> Option<u64> {
        None
    }
}
