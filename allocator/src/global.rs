//! [`Global`]: the process-wide allocator, a heap for each thread behind it.
//!
//! A thread's slot holds its heap's address from its first allocation to its end. The slot has no destructor,
//! so it can be read at any time; a second thread-local, the guard, has one and does nothing else than to
//! abandon the heap. From then on, while the destructors of other thread-locals run, the slot holds
//! [`ENDED`]: allocations go to a heap that all ending threads share under a lock, and frees are delivered one
//! by one.
#![allow(unsafe_code, reason = "an allocator hands out raw memory")]

use core::alloc::{GlobalAlloc, Layout};
use core::cell::Cell;
use core::ptr::{self, NonNull};
use core::sync::atomic::{AtomicBool, Ordering};

use allocator_api2::alloc::{AllocError, Allocator};

use crate::heap::Route;
use crate::lock::Lock;
use crate::mapping;
use crate::stats::Stats;
use crate::thread_heap::{self, Owned, ThreadHeap};

/// The process-wide allocator: a heap for each thread, of which each thread frees and allocates without locks
/// or atomic operations.
///
/// ```no_run
/// #[global_allocator]
/// static GLOBAL: cpymem_allocator::Global = cpymem_allocator::Global;
/// fn main() {}
/// ```
///
/// A block that one thread frees and another has allocated goes to the freeing thread's bin first, to be used
/// again there; when it leaves the bin it goes home in a chain, one compare-and-swap for up to 32 blocks. When
/// a thread ends, its heap is abandoned: whoever frees one of its blocks sorts them in, and the next thread
/// that starts adopts the heap with all it holds.
///
/// It can be used before `main`, in destructors of thread-locals and during the end of a thread. It can be used
/// in the child of a `fork`: what the heaps of the other threads held stays as it was and is not given back.
///
/// # Cost
/// As [`Heap`](crate::Heap), and a look at the thread's slot.
#[derive(Clone, Copy, Debug, Default)]
pub struct Global;

/// The slot of a thread that has abandoned its heap.
const ENDED: *mut ThreadHeap = ptr::without_provenance_mut(1);

thread_local! {
    static SLOT: Cell<*mut ThreadHeap> = const { Cell::new(ptr::null_mut()) };
    static GUARD: Guard = const { Guard };
}

struct Guard;

impl Drop for Guard {
    fn drop(&mut self) {
        if let Some(owned) = Global::leave() {
            owned.abandon();
        }
    }
}

/// The locks are taken before a `fork` and given back after it on both sides, so that none of them is taken for
/// ever in the child. The heaps of other threads have no owner there; their state stays Active or Busy, so that
/// nobody takes them, and what is freed to them waits in their inboxes.
mod fork {
    use super::{AtomicBool, LAST_HEAP, Ordering, thread_heap};

    static REGISTERED: AtomicBool = AtomicBool::new(false);

    extern "C" fn before() {
        LAST_HEAP.take();
        thread_heap::arenas_lock().take();
    }

    extern "C" fn after() {
        thread_heap::arenas_lock().give_back();
        LAST_HEAP.give_back();
    }

    /// Registers the handlers, once in a process.
    pub(super) fn register() {
        // Relaxed: it orders nothing; one thread wins.
        if !REGISTERED.swap(true, Ordering::Relaxed) {
            // SAFETY: the handlers take and give back locks, which is allowed on either side of a fork. If there
            // is no memory for the registration, forks are as unsafe as without it.
            unsafe { libc::pthread_atfork(Some(before), Some(after), Some(after)) };
        }
    }
}

/// The heap of threads that are ending, made when the first of them allocates.
static LAST_HEAP: Lock<Option<SendOwned>> = Lock::new(None);

/// A heap that moves between threads under a lock.
struct SendOwned(Owned);

// SAFETY: a heap is not tied to a thread; only whoever has the `Owned` touches it.
unsafe impl Send for SendOwned {}

impl Global {
    /// What all heaps of the process hold. Walks their pools; the numbers are of about one moment.
    pub fn stats() -> Stats {
        let mut stats = thread_heap::stats();
        let (count, bytes) = mapping::held();
        stats.add_mappings(count, bytes);
        stats
    }

    /// Gives everything that is free back to the system: of this thread's heap, of the heaps of threads that
    /// have ended. Other threads are asked to empty their bins, which they do at their next frees. Returns
    /// the bytes that went back.
    pub fn purge() -> usize {
        let own = Self::owned();
        let mut bytes = 0;
        if let Some(owned) = &own {
            owned.flush();
            bytes += owned.heap().purge();
            owned.heap().send_all();
        }
        bytes + thread_heap::purge_others(own.map(|owned| owned.ptr()))
    }

    /// Empties this thread's bins and delivers what it holds of others, for a thread that is about to wait for
    /// long.
    pub fn flush_thread() {
        if let Some(owned) = Self::owned() {
            owned.flush();
            owned.heap().send_all();
        }
    }

    /// The thread's heap, if it has one.
    #[inline(always)]
    fn owned() -> Option<Owned> {
        let heap = SLOT.get();
        if heap.addr() <= ENDED.addr() {
            return None;
        }
        // SAFETY: the slot's heap is owned by this thread until `leave`. `Owned` is used for one call at a
        // time: nothing that a heap calls comes back here, since it allocates nothing.
        NonNull::new(heap).map(|heap| unsafe { Owned::new(heap) })
    }

    /// Takes the heap out of the slot for good.
    fn leave() -> Option<Owned> {
        let owned = Self::owned();
        SLOT.set(ENDED);
        owned
    }

    /// The thread's heap, made or adopted if this is its first use. `None` without memory and at the
    /// thread's end.
    #[cold]
    #[inline(never)]
    fn first_use() -> Option<Owned> {
        if SLOT.get() == ENDED {
            return None;
        }
        let owned = thread_heap::adopt_or_create()?;
        // First the slot, then the guard: registering its destructor may allocate.
        SLOT.set(owned.ptr().as_ptr());
        fork::register();
        if GUARD.try_with(|_| ()).is_err() {
            // The thread is at its end already.
            Self::leave();
            owned.abandon();
            return None;
        }
        Some(owned)
    }

    #[inline]
    fn allocate_block(layout: Layout) -> Option<NonNull<u8>> {
        match Route::of(layout) {
            Route::Class(class) => match Self::owned().and_then(|owned| owned.heap().pop(class)) {
                Some(block) => Some(block),
                None => Self::allocate_slow(layout),
            },
            Route::Run(_) => Self::allocate_slow(layout),
            Route::Mapping => mapping::alloc(layout),
        }
    }

    #[cold]
    #[inline(never)]
    fn allocate_slow(layout: Layout) -> Option<NonNull<u8>> {
        let allocate = |owned: &Owned| {
            owned.sort_inbox();
            match Route::of(layout) {
                Route::Class(class) => owned.heap().pop(class).or_else(|| owned.heap().refill(class)),
                _ => owned.heap().alloc(layout),
            }
        };
        if let Some(owned) = Self::owned().or_else(Self::first_use) {
            return allocate(&owned);
        }
        let mut last = LAST_HEAP.lock();
        if last.is_none() {
            *last = thread_heap::create().map(SendOwned);
        }
        last.as_ref().and_then(|owned| allocate(&owned.0))
    }

    /// # Safety
    /// `ptr` was allocated by `Global` with `layout` and is not used again.
    #[inline]
    unsafe fn free_block(ptr: NonNull<u8>, layout: Layout) {
        if Route::of(layout) == Route::Mapping {
            // SAFETY: the caller's promise.
            return unsafe { mapping::dealloc(ptr, layout) };
        }
        match Self::owned() {
            // SAFETY: the caller's promise; the heap sends home what is not its own.
            Some(owned) => unsafe { owned.heap().dealloc(ptr, layout) },
            // SAFETY: the caller's promise.
            None => unsafe { Self::free_without_heap(ptr, layout) },
        }
    }

    /// # Safety
    /// As `free_block`.
    #[cold]
    #[inline(never)]
    unsafe fn free_without_heap(ptr: NonNull<u8>, layout: Layout) {
        if let Some(owned) = Self::first_use() {
            // SAFETY: the caller's promise.
            return unsafe { owned.heap().dealloc(ptr, layout) };
        }
        // SAFETY: the caller's promise.
        unsafe { thread_heap::send_home(ptr) }
    }

    /// # Safety
    /// `ptr` was allocated by `Global` with `layout`; after `Some` it is not used again and the block has the
    /// new size, after `None` nothing has changed.
    unsafe fn change_size(ptr: NonNull<u8>, layout: Layout, new_size: usize) -> Option<NonNull<u8>> {
        let new = Layout::from_size_align(new_size, layout.align()).ok()?;
        match (Route::of(layout), Route::of(new)) {
            (Route::Mapping, Route::Mapping) => {
                // SAFETY: the caller's promise, and both sizes are mappings.
                if let Some(moved) = unsafe { mapping::realloc(ptr, layout, new_size) } {
                    return Some(moved);
                }
            }
            (old, new) if old == new => return Some(ptr),
            _ => {}
        }
        let moved = Self::allocate_block(new)?;
        let bytes = layout.size().min(new_size);
        // SAFETY: both blocks have at least `bytes` bytes and are distinct.
        unsafe { ptr.copy_to_nonoverlapping(moved, bytes) };
        // SAFETY: the caller's promise.
        unsafe { Self::free_block(ptr, layout) };
        Some(moved)
    }
}

fn or_null(block: Option<NonNull<u8>>) -> *mut u8 {
    block.map_or(ptr::null_mut(), NonNull::as_ptr)
}

// SAFETY: blocks are valid, aligned and distinct until they are freed, whichever thread does so; nothing
// unwinds.
unsafe impl GlobalAlloc for Global {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        or_null(Global::allocate_block(layout))
    }

    #[inline]
    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        if let Some(ptr) = NonNull::new(ptr) {
            // SAFETY: the caller's promise.
            unsafe { Global::free_block(ptr, layout) }
        }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        let block = Global::allocate_block(layout);
        if let Some(block) = block
            && Route::of(layout) != Route::Mapping
        {
            // SAFETY: the block has `layout.size()` bytes and is ours until it is returned.
            unsafe { block.write_bytes(0, layout.size()) };
        }
        or_null(block)
    }

    unsafe fn realloc(&self, ptr: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        // SAFETY: the caller's promise.
        or_null(NonNull::new(ptr).and_then(|ptr| unsafe { Global::change_size(ptr, layout, new_size) }))
    }
}

// SAFETY: as for `GlobalAlloc`; all copies of `Global` are the same allocator. A request for no bytes gets a
// dangling pointer that is never freed.
unsafe impl Allocator for Global {
    #[inline]
    fn allocate(&self, layout: Layout) -> Result<NonNull<[u8]>, AllocError> {
        let ptr = match layout.size() {
            0 => crate::heap::dangling(layout),
            _ => Global::allocate_block(layout).ok_or(AllocError)?,
        };
        Ok(NonNull::slice_from_raw_parts(ptr, layout.size()))
    }

    #[inline]
    unsafe fn deallocate(&self, ptr: NonNull<u8>, layout: Layout) {
        if layout.size() != 0 {
            // SAFETY: the caller's promise; only blocks of size 0 are dangling.
            unsafe { Global::free_block(ptr, layout) }
        }
    }
}
