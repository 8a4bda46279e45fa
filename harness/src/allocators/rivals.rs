//! Allocators written in C and C++, called as their authors mean it.
#![allow(unsafe_code, reason = "calls of C")]

use std::alloc::{GlobalAlloc, Layout};
use std::ptr;

use libmimalloc_sys as mi;

pub(super) use snmalloc_rs::SnMalloc;
pub(super) use tikv_jemallocator::Jemalloc;

/// mimalloc through its plain calls where they give the alignment: they are faster than the aligned ones, which the
/// crate `mimalloc` uses for every layout.
pub(super) struct Mimalloc;

pub(super) fn purge_mimalloc() {
    // SAFETY: may be called at any time.
    unsafe { mi::mi_collect(true) }
}

pub(super) fn purge_jemalloc() {
    // The name of all arenas together is their largest number.
    for name in [c"thread.tcache.flush", c"arena.4096.purge"] {
        // SAFETY: neither call reads or writes a value; a name that is unknown is an error that is returned.
        unsafe {
            tikv_jemalloc_sys::mallctl(name.as_ptr(), ptr::null_mut(), ptr::null_mut(), ptr::null_mut(), 0)
        };
    }
}

/// Blocks of at least their alignment are aligned to 16, smaller ones to 8.
fn is_plain(layout: Layout) -> bool {
    layout.align() <= 8 || (layout.align() == 16 && layout.size() >= 16)
}

// SAFETY: mimalloc's contract.
unsafe impl GlobalAlloc for Mimalloc {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if is_plain(layout) {
            // SAFETY: any size may be asked for.
            return unsafe { mi::mi_malloc(layout.size()) }.cast();
        }
        // SAFETY: as above; a layout's alignment is a power of two.
        unsafe { mi::mi_malloc_aligned(layout.size(), layout.align()) }.cast()
    }

    #[inline]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        if is_plain(layout) {
            // SAFETY: any size may be asked for.
            return unsafe { mi::mi_zalloc(layout.size()) }.cast();
        }
        // SAFETY: as above; a layout's alignment is a power of two.
        unsafe { mi::mi_zalloc_aligned(layout.size(), layout.align()) }.cast()
    }

    #[inline]
    unsafe fn dealloc(&self, block: *mut u8, _: Layout) {
        // SAFETY: the caller's promise.
        unsafe { mi::mi_free(block.cast()) }
    }

    #[inline]
    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        if layout.align() <= 8 || (layout.align() == 16 && size >= 16) {
            // SAFETY: the caller's promise.
            return unsafe { mi::mi_realloc(block.cast(), size) }.cast();
        }
        // SAFETY: the caller's promise.
        unsafe { mi::mi_realloc_aligned(block.cast(), size, layout.align()) }.cast()
    }
}
