//! The trashcan's storage: type-erased entries on a stack of fixed-size chunks.
#![allow(
    unsafe_code,
    reason = "entries hold values of erased types; chunks are allocated by hand so that failing is no panic"
)]

use super::Dispose;
use core::alloc::Layout;
use core::cell::Cell;
use core::mem::MaybeUninit;
use core::ptr::{self, NonNull};
use std::alloc::{alloc, dealloc};

/// Words of payload in an entry: two for the object pointer and its metadata, two for an allocator.
const PAYLOAD_WORDS: usize = 4;

type Payload = [MaybeUninit<*mut ()>; PAYLOAD_WORDS];

/// A queued disposal.
///
/// # Invariants
///
/// 1. `payload` holds a value of the type that `run` was made for.
///
/// An entry that is dropped without [`Entry::run`] leaks its object.
pub(super) struct Entry {
    payload: Payload,
    run: unsafe fn(&Payload),
}

const _: () = assert!(size_of::<Entry>() == (PAYLOAD_WORDS + 1) * size_of::<usize>());

impl Entry {
    /// Whether values of this type can be queued.
    #[inline]
    pub(super) const fn fits<D>() -> bool {
        size_of::<D>() <= size_of::<Payload>() && align_of::<D>() <= align_of::<Payload>()
    }

    pub(super) fn new<D: Dispose>(dead: D) -> Entry {
        assert!(Entry::fits::<D>(), "the caller has asked `fits`");
        let mut payload: Payload = [MaybeUninit::uninit(); PAYLOAD_WORDS];
        // SAFETY: `fits`: the payload is large enough for a `D` and aligned for it.
        unsafe { payload.as_mut_ptr().cast::<D>().write(dead) };
        Entry { payload, run: run::<D> }
    }

    /// Destroys the object.
    ///
    /// # Safety
    ///
    /// That of [`Dispose::dispose`].
    pub(super) unsafe fn run(self) {
        // SAFETY: invariant 1, and the caller's promise; `self` is consumed, so the payload is read once.
        unsafe { (self.run)(&self.payload) }
    }
}

/// # Safety
///
/// The payload holds a `D`, which is not used again; and that of [`Dispose::dispose`].
unsafe fn run<D: Dispose>(payload: &Payload) {
    // SAFETY: the caller's promise.
    let dead = unsafe { payload.as_ptr().cast::<D>().read() };
    // SAFETY: the caller's promise.
    unsafe { dead.dispose() }
}

/// With its link and length a chunk stays just below 1 KiB. That is what glibc serves from its per-thread cache; a larger one makes
/// its allocator merge every small block that the drain has freed, 10 ns for each of them.
const CHUNK_ENTRIES: usize = 25;

/// # Invariants
///
/// 1. The first `len` entries are initialised.
/// 2. `below` is null or a chunk that is full.
struct Chunk {
    below: *mut Chunk,
    len: usize,
    entries: [MaybeUninit<Entry>; CHUNK_ENTRIES],
}

const _: () = assert!(size_of::<Chunk>() <= 1024);

/// A last-in first-out queue: a chain waiting for destruction then needs one entry, and a tree as many as it is wide, not as many
/// as it has leaves.
///
/// It has no `Drop`: [`Queue::free`] gives the memory back.
///
/// # Invariants
///
/// 1. `top` is null or a chunk allocated here that only this queue knows.
pub(super) struct Queue {
    top: Cell<*mut Chunk>,
}

impl Queue {
    pub(super) const fn new() -> Queue {
        Queue { top: Cell::new(ptr::null_mut()) }
    }

    /// Whether there is memory to give back, and perhaps an entry to run.
    #[inline]
    pub(super) fn has_storage(&self) -> bool {
        !self.top.get().is_null()
    }

    /// Appends an entry, or returns it if there is no memory for a chunk.
    pub(super) fn push(&self, entry: Entry) -> Result<(), Entry> {
        let Some(chunk) = self.top_with_room() else { return Err(entry) };
        // SAFETY: invariant 1 of the queue: nobody else has a reference to the chunk, and no user code runs while we do.
        let chunk = unsafe { &mut *chunk.as_ptr() };
        chunk.entries[chunk.len].write(entry);
        chunk.len += 1;
        Ok(())
    }

    /// Takes the youngest entry.
    pub(super) fn pop(&self) -> Option<Entry> {
        let mut chunk = self.top()?;
        if chunk.len == 0 {
            // Only the top chunk can be empty (invariant 2 of the chunk).
            let below = NonNull::new(chunk.below)?;
            self.replace_top(below.as_ptr());
            chunk = self.top()?;
        }
        chunk.len -= 1;
        // SAFETY: invariant 1 of the chunk; the length no longer covers the entry, so it is read once.
        Some(unsafe { chunk.entries[chunk.len].assume_init_read() })
    }

    /// Frees the memory of an empty queue.
    pub(super) fn free(&self) {
        debug_assert!(self.top().is_none_or(|chunk| chunk.len == 0 && chunk.below.is_null()));
        self.replace_top(ptr::null_mut());
    }

    #[expect(clippy::mut_from_ref, reason = "the chunk is not part of the queue's own memory")]
    fn top(&self) -> Option<&mut Chunk> {
        // SAFETY: invariant 1: null or ours alone. Callers hold one such reference at a time and run no user code meanwhile.
        unsafe { self.top.get().as_mut() }
    }

    fn top_with_room(&self) -> Option<NonNull<Chunk>> {
        let top = self.top.get();
        if self.top().is_some_and(|chunk| chunk.len < CHUNK_ENTRIES) {
            return NonNull::new(top);
        }
        // SAFETY: the layout has a size.
        let chunk = NonNull::new(unsafe { alloc(Layout::new::<Chunk>()) })?.cast::<Chunk>();
        // SAFETY: freshly allocated with the layout of a chunk.
        unsafe { (*chunk.as_ptr()).below = top };
        // SAFETY: as above. With a length of zero the entries may stay uninitialised.
        unsafe { (*chunk.as_ptr()).len = 0 };
        self.top.set(chunk.as_ptr());
        Some(chunk)
    }

    /// Frees the top chunk, if there is one, and puts `top` in its place.
    fn replace_top(&self, top: *mut Chunk) {
        let old = self.top.replace(top);
        if !old.is_null() {
            // SAFETY: invariant 1: allocated in `top_with_room` with this layout, and no longer reachable.
            unsafe { dealloc(old.cast(), Layout::new::<Chunk>()) };
        }
    }
}
