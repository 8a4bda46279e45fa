//! [`Subject`]: an allocator that patterns call through a table of functions.
#![allow(unsafe_code, reason = "allocators hand out raw memory")]

use core::alloc::{GlobalAlloc, Layout};
use core::marker::PhantomData;

/// The functions of an allocator. Each takes the allocator's address first.
#[derive(Clone, Copy, Debug)]
pub struct Table {
    alloc: unsafe fn(*const (), Layout) -> *mut u8,
    alloc_zeroed: unsafe fn(*const (), Layout) -> *mut u8,
    dealloc: unsafe fn(*const (), *mut u8, Layout),
    realloc: unsafe fn(*const (), *mut u8, Layout, usize) -> *mut u8,
}

impl Table {
    const fn of<A: GlobalAlloc>() -> Table {
        Table {
            alloc: alloc::<A>,
            alloc_zeroed: alloc_zeroed::<A>,
            dealloc: dealloc::<A>,
            realloc: realloc::<A>,
        }
    }
}

/// # Safety
/// `state` points to an `A`, and `layout` is as [`GlobalAlloc::alloc`] wants it.
#[inline(never)]
unsafe fn alloc<A: GlobalAlloc>(state: *const (), layout: Layout) -> *mut u8 {
    // SAFETY: the caller's promise.
    let allocator = unsafe { &*state.cast::<A>() };
    // SAFETY: the caller's promise.
    unsafe { allocator.alloc(layout) }
}

/// # Safety
/// As `alloc`.
#[inline(never)]
unsafe fn alloc_zeroed<A: GlobalAlloc>(state: *const (), layout: Layout) -> *mut u8 {
    // SAFETY: the caller's promise.
    let allocator = unsafe { &*state.cast::<A>() };
    // SAFETY: the caller's promise.
    unsafe { allocator.alloc_zeroed(layout) }
}

/// # Safety
/// `state` points to an `A`; the rest is as [`GlobalAlloc::dealloc`] wants it.
#[inline(never)]
unsafe fn dealloc<A: GlobalAlloc>(state: *const (), block: *mut u8, layout: Layout) {
    // SAFETY: the caller's promise.
    let allocator = unsafe { &*state.cast::<A>() };
    // SAFETY: the caller's promise.
    unsafe { allocator.dealloc(block, layout) }
}

/// # Safety
/// `state` points to an `A`; the rest is as [`GlobalAlloc::realloc`] wants it.
#[inline(never)]
unsafe fn realloc<A: GlobalAlloc>(state: *const (), block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
    // SAFETY: the caller's promise.
    let allocator = unsafe { &*state.cast::<A>() };
    // SAFETY: the caller's promise.
    unsafe { allocator.realloc(block, layout, size) }
}

/// An allocator for patterns.
///
/// # Invariants
/// 1. `state` points to an allocator that lives for `'a`, and `table` has that allocator's functions.
/// 2. If `shared`, the allocator is `Sync` and takes back on any thread what any thread allocated.
/// 3. `release`, if any, may be called with `state` once no block is used any more.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    table: Table,
    state: *const (),
    shared: bool,
    /// Whether a free makes room for another block.
    frees: bool,
    release: Option<unsafe fn(*const ())>,
    lifetime: PhantomData<&'a ()>,
}

impl<'a> Subject<'a> {
    /// An allocator for one thread.
    pub const fn local<A: GlobalAlloc>(allocator: &'a A) -> Subject<'a> {
        Subject {
            table: Table::of::<A>(),
            state: (&raw const *allocator).cast(),
            shared: false,
            frees: true,
            release: None,
            lifetime: PhantomData,
        }
    }

    /// An allocator for any number of threads.
    pub const fn shared<A: GlobalAlloc + Sync>(allocator: &'a A) -> Subject<'a> {
        let mut subject = Subject::local(allocator);
        subject.shared = true;
        subject
    }

    /// The same with a way to give everything back at once. With `frees` false that is the only one: single
    /// frees do nothing.
    ///
    /// # Safety
    /// `release` may be called with the allocator's address on the thread that uses it, when no block is used any
    /// more, and leaves an allocator that can be used again.
    pub const unsafe fn releasing(mut self, release: unsafe fn(*const ()), frees: bool) -> Subject<'a> {
        self.release = Some(release);
        self.frees = frees;
        self
    }

    /// Whether threads may share it.
    pub const fn is_shared(&self) -> bool {
        self.shared
    }

    /// Whether single frees make room.
    pub const fn frees(&self) -> bool {
        self.frees
    }

    /// Whether everything can be given back at once.
    pub const fn releases(&self) -> bool {
        self.release.is_some()
    }

    /// A block, or null if there is no memory.
    ///
    /// # Safety
    /// The size is not 0.
    #[inline(always)]
    pub unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: invariant 1, and the caller's promise.
        unsafe { (self.table.alloc)(self.state, layout) }
    }

    /// A block that reads 0, or null if there is no memory.
    ///
    /// # Safety
    /// The size is not 0.
    #[inline(always)]
    pub unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: invariant 1, and the caller's promise.
        unsafe { (self.table.alloc_zeroed)(self.state, layout) }
    }

    /// Frees a block.
    ///
    /// # Safety
    /// The block is live, came from this subject with this layout, and on this thread unless it is shared.
    #[inline(always)]
    pub unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: invariant 1, and the caller's promise.
        unsafe { (self.table.dealloc)(self.state, block, layout) }
    }

    /// Changes a block's size; null if there is no memory, and then nothing has changed.
    ///
    /// # Safety
    /// As [`dealloc`](Self::dealloc); the size is not 0 and not too large for the layout's alignment.
    #[inline(always)]
    pub unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: invariant 1, and the caller's promise.
        unsafe { (self.table.realloc)(self.state, block, layout, size) }
    }

    /// Gives everything back, if the subject can.
    ///
    /// # Safety
    /// No block is used any more.
    pub unsafe fn release(&self) {
        if let Some(release) = self.release {
            // SAFETY: invariant 3, and the caller's promise.
            unsafe { release(self.state) }
        }
    }

    /// The subject for other threads, if it is shared.
    pub(super) fn across(self) -> Option<Across<'a>> {
        self.shared.then_some(Across(self))
    }
}

/// A subject that several threads use.
#[derive(Clone, Copy)]
pub(super) struct Across<'a>(Subject<'a>);

// SAFETY: only `across` makes one, of a subject that is shared: `Subject`, invariant 2.
unsafe impl Send for Across<'_> {}
// SAFETY: as for Send.
unsafe impl Sync for Across<'_> {}

impl<'a> Across<'a> {
    pub(super) fn subject(self) -> Subject<'a> {
        self.0
    }
}
