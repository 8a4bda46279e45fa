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

use crate::allocator_impl::Blocks;
use crate::heap::Heap;
use crate::mapping;
use crate::mode::Mode;
use crate::pin_map::ArenaFill;
use crate::protocol::budget::Budget;
use crate::protocol::lock::Lock;
use crate::route::Route;
use crate::size_class::SizeClass;
use crate::source::Os;
use crate::stats::Stats;
use crate::thread_heap::{self, Owned, PROCESS, ThreadHeap};

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
/// ever in the child and no arena is half changed there. The heaps of other threads have no owner in the child;
/// their state stays Active or Busy, so that nobody takes them, and what is freed to them waits in their inboxes.
mod fork {
    use super::{AtomicBool, LAST_HEAP, Ordering, thread_heap};

    static REGISTERED: AtomicBool = AtomicBool::new(false);

    extern "C" fn before() {
        LAST_HEAP.raw().take();
        thread_heap::take_locks();
    }

    extern "C" fn after() {
        thread_heap::give_locks_back();
        LAST_HEAP.raw().give_back();
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
        let mut stats = thread_heap::stats(Self::owned().as_ref());
        let (count, bytes) = mapping::held();
        stats.add_mappings(count, bytes);
        stats
    }

    /// Every arena with the fill of its pools: which blocks keep what memory from going back.
    ///
    /// Each arena is copied when the iterator reaches it, under its heap's lock, and lent without: the caller may
    /// allocate. Items are about 4 KiB.
    pub fn arenas() -> impl Iterator<Item = ArenaFill> {
        thread_heap::arenas()
    }

    /// Gives everything that is free back to the system: all of this thread's heap and of the heaps of threads
    /// that have ended; of running threads what no pool uses. Those are asked to empty their bins, which each
    /// does at its next free of that size; until then [`Stats::idle_bytes`] shows what they keep. A thread that is
    /// about to wait calls [`flush_thread`](Self::flush_thread). Returns the bytes that went back.
    ///
    /// Costs about 1 us for each heap, and 2 us for each range of pages.
    pub fn purge() -> usize {
        thread_heap::purge(Self::owned().as_ref())
    }

    /// Empties this thread's bins and delivers what it holds of others, for a thread that is about to wait for
    /// long.
    pub fn flush_thread() {
        if let Some(owned) = Self::owned() {
            owned.flush();
        }
    }

    /// The account of the process: its limits hold for all threads together, blocks above 1 MiB included.
    ///
    /// ```
    /// cpymem_allocator::Global::budget().set_hard_limit(4 << 30);
    /// ```
    ///
    /// An allocation that would pass the hard limit first purges everything; if that is not enough, it fails,
    /// which most programs answer by aborting.
    pub fn budget() -> &'static Budget {
        &PROCESS
    }

    /// Starts a thread that gives free memory back in an idle process, too: it wakes as often as the mode says (once
    /// a second in `Mode::Balanced`) and purges if nobody else has since. The second call does nothing; a
    /// child of a `fork` has no such thread.
    ///
    /// # Errors
    /// If the system has no thread to give.
    #[cfg(feature = "purge-thread")]
    pub fn start_purge_thread() -> std::io::Result<()> {
        static STARTED: AtomicBool = AtomicBool::new(false);
        // Relaxed: it orders nothing; one thread wins.
        if STARTED.swap(true, Ordering::Relaxed) {
            return Ok(());
        }
        let run = || loop {
            std::thread::sleep(core::time::Duration::from_millis(Mode::now().interval()));
            thread_heap::purge_if_due(Self::owned().as_ref());
        };
        let thread = std::thread::Builder::new().name("cpymem-purge".into()).stack_size(64 << 10).spawn(run);
        if thread.is_err() {
            STARTED.store(false, Ordering::Relaxed);
        }
        thread.map(drop)
    }

    /// How soon free memory goes back, for all threads. See [`Configured`](crate::Configured) for a mode that
    /// holds before `main`.
    pub fn set_mode(mode: Mode) {
        mode.set();
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

    /// A block. `prepare` is called on the slow path only.
    #[inline(always)]
    pub(crate) fn allocate_block(layout: Layout, prepare: impl FnOnce()) -> Option<NonNull<u8>> {
        if let Some(class) = SizeClass::of_small(layout)
            && let Some(block) = Self::owned().and_then(|owned| owned.heap().pop(class))
        {
            return Some(block);
        }
        prepare();
        Self::allocate_other(layout)
    }

    #[inline(never)]
    fn allocate_other(layout: Layout) -> Option<NonNull<u8>> {
        if let Route::Class(class) = Route::of(layout)
            && let Some(block) = Self::owned().and_then(|owned| owned.heap().pop(class))
        {
            return Some(block);
        }
        Self::allocate_slow(layout)
    }

    /// As [`allocate_block`](Self::allocate_block), with every byte 0.
    pub(crate) fn allocate_zeroed_block(layout: Layout, prepare: impl FnOnce()) -> Option<NonNull<u8>> {
        let block = Self::allocate_block(layout, prepare)?;
        // SAFETY: just made with this layout.
        unsafe { Heap::<Os>::clear(block, layout) };
        Some(block)
    }

    #[cold]
    #[inline(never)]
    fn allocate_slow(layout: Layout) -> Option<NonNull<u8>> {
        let block = Self::allocate_once(layout).or_else(|| {
            // Somebody else may have what the limit, or the machine, does not give.
            Self::purge();
            Self::allocate_once(layout)
        });
        PROCESS.ring();
        block
    }

    fn allocate_once(layout: Layout) -> Option<NonNull<u8>> {
        if Route::of(layout) == Route::Mapping {
            return mapping::alloc(&PROCESS, layout);
        }
        if let Some(owned) = Self::owned().or_else(Self::first_use) {
            owned.look_around();
            return owned.heap().alloc_unrung(layout);
        }
        let mut last = LAST_HEAP.lock();
        if last.is_none() {
            *last = thread_heap::create().map(SendOwned);
        }
        let owned = &last.as_ref()?.0;
        owned.sort_inbox();
        owned.heap().alloc_unrung(layout)
    }

    /// # Safety
    /// `ptr` was allocated by `Global` with `layout` and is not used again.
    #[inline(always)]
    pub(crate) unsafe fn free_block(ptr: NonNull<u8>, layout: Layout) {
        match Self::owned() {
            Some(owned) if SizeClass::is_in_one_unit(layout) => {
                // SAFETY: the caller's promise; the heap sends home what is not its own.
                unsafe { owned.heap().dealloc_small(ptr) }
            }
            // SAFETY: the caller's promise.
            _ => unsafe { Self::free_other(ptr, layout) },
        }
    }

    /// # Safety
    /// As `free_block`.
    #[inline(never)]
    unsafe fn free_other(ptr: NonNull<u8>, layout: Layout) {
        let route = Route::of(layout);
        if route == Route::Mapping {
            // SAFETY: the caller's promise.
            return unsafe { mapping::dealloc(&PROCESS, ptr, layout) };
        }
        match Self::owned() {
            // SAFETY: the caller's promise.
            Some(owned) => unsafe { owned.heap().dealloc_by(route, ptr, layout.align()) },
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
    pub(crate) unsafe fn change_size(
        ptr: NonNull<u8>,
        layout: Layout,
        new_size: usize,
        prepare: impl FnOnce(),
    ) -> Option<NonNull<u8>> {
        let new = Layout::from_size_align(new_size, layout.align()).ok()?;
        match (Route::of(layout), Route::of(new)) {
            (Route::Mapping, Route::Mapping) => {
                // SAFETY: the caller's promise, and both sizes are mappings.
                let moved = unsafe { mapping::realloc(&PROCESS, ptr, layout, new_size) };
                PROCESS.ring();
                if moved.is_some() {
                    return moved;
                }
            }
            (old, new) if old == new => return Some(ptr),
            _ => {}
        }
        let moved = Self::allocate_block(new, prepare)?;
        let bytes = layout.size().min(new_size);
        // SAFETY: both blocks have at least `bytes` bytes and are distinct.
        unsafe { ptr.copy_to_nonoverlapping(moved, bytes) };
        // SAFETY: the caller's promise.
        unsafe { Self::free_block(ptr, layout) };
        Some(moved)
    }
}

/// The address, or null, as `GlobalAlloc` has it.
#[inline(always)]
pub(crate) fn or_null(block: Option<NonNull<u8>>) -> *mut u8 {
    block.map_or(ptr::null_mut(), NonNull::as_ptr)
}

fn nothing() {}

// SAFETY: blocks are valid, aligned and distinct until they are freed, whichever thread does so; nothing
// unwinds.
unsafe impl GlobalAlloc for Global {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        or_null(Global::allocate_block(layout, nothing))
    }

    #[inline]
    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise: a block, which is never at address 0.
        let block = unsafe { NonNull::new_unchecked(ptr) };
        // SAFETY: the caller's promise.
        unsafe { Global::free_block(block, layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        or_null(Global::allocate_zeroed_block(layout, nothing))
    }

    unsafe fn realloc(&self, ptr: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        // SAFETY: the caller's promise.
        or_null(
            NonNull::new(ptr).and_then(|ptr| unsafe { Global::change_size(ptr, layout, new_size, nothing) }),
        )
    }
}

// SAFETY: as for `GlobalAlloc`; all copies of `Global` are the same allocator.
unsafe impl Blocks for Global {
    #[inline]
    fn take(&self, layout: Layout) -> Option<NonNull<u8>> {
        Global::allocate_block(layout, nothing)
    }

    fn take_zeroed(&self, layout: Layout) -> Option<NonNull<u8>> {
        Global::allocate_zeroed_block(layout, nothing)
    }

    #[inline]
    unsafe fn give_back(&self, block: NonNull<u8>, layout: Layout) {
        // SAFETY: the caller's promise.
        unsafe { Global::free_block(block, layout) }
    }

    unsafe fn resize(&self, block: NonNull<u8>, layout: Layout, new_size: usize) -> Option<NonNull<u8>> {
        // SAFETY: the caller's promise.
        unsafe { Global::change_size(block, layout, new_size, nothing) }
    }
}
