//! The port of pymalloc as a subject.
#![allow(unsafe_code, reason = "allocators hand out raw memory")]

use std::alloc::{GlobalAlloc, Layout};
use std::cell::RefCell;

use crate::pymalloc::{Pymalloc, Rules};

/// CPython 3.12's pymalloc, which says how many arenas it has mapped.
pub(super) struct OnPymalloc(RefCell<Pymalloc>);

impl OnPymalloc {
    pub(super) fn new() -> OnPymalloc {
        OnPymalloc(RefCell::new(Pymalloc::new(Rules::CPYTHON)))
    }

    pub(super) fn arenas(&self) -> usize {
        self.0.borrow().arenas()
    }
}

// SAFETY: the port's own contract: blocks are aligned to 16, and no one asks for more.
unsafe impl GlobalAlloc for OnPymalloc {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        self.0.borrow_mut().malloc(layout.size())
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        self.0.borrow_mut().calloc(layout.size())
    }

    unsafe fn dealloc(&self, block: *mut u8, _: Layout) {
        // SAFETY: the caller's promise.
        unsafe { self.0.borrow_mut().free(block) }
    }

    unsafe fn realloc(&self, block: *mut u8, _: Layout, size: usize) -> *mut u8 {
        // SAFETY: the caller's promise.
        unsafe { self.0.borrow_mut().realloc(block, size) }
    }
}
