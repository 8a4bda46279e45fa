//! The heaps behind [`Global`](crate::Global): one for each thread, handed on when a thread ends as
//! [`crate::handover`] tells.
//!
//! The memory of a heap's own structure is never freed, so a pointer to it, which every arena carries as its
//! tag, is valid for ever.
#![allow(unsafe_code, reason = "heaps lie in mapped memory that is never unmapped")]

use core::ptr::{self, NonNull};
use core::sync::atomic::{AtomicPtr, Ordering};

use crate::block::Block;
use crate::handover::{Handover, State};
use crate::heap::Heap;
use crate::inbox::{Chain, InBlocks, received};
use crate::lock::Lock;
use crate::source::{ArenaSource, Os};
use crate::stats::Stats;

/// All heaps that were ever made, latest first. Heaps are only added.
static ALL: AtomicPtr<ThreadHeap> = AtomicPtr::new(ptr::null_mut());
/// Held while an arena of any of them is mapped or unmapped, and while somebody walks another's arenas.
static ARENAS: Lock<()> = Lock::new(());

/// A heap that threads hand on to one another.
pub(crate) struct ThreadHeap {
    /// Touched by the owner only, except for numbers that others may read.
    heap: Heap<Os>,
    handover: Handover<InBlocks>,
    /// The heap that was made before this one.
    next: *mut ThreadHeap,
}

/// A heap of the registry, by address.
///
/// # Invariants
/// 1. It points to a `ThreadHeap` that was made by [`create`] and is never freed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(transparent)]
pub(crate) struct ThreadHeapPtr(NonNull<ThreadHeap>);

impl ThreadHeapPtr {
    fn shared(&self) -> &'static ThreadHeap {
        // SAFETY: invariant 1. The parts that are not `Sync` are touched through `Owned` alone.
        unsafe { self.0.as_ref() }
    }

    pub(crate) fn as_ptr(self) -> *mut ThreadHeap {
        self.0.as_ptr()
    }
}

/// A heap that the caller owns.
///
/// # Invariants
/// 1. The state of the heap is Active or Busy, and no other `Owned` of it is in use at the same time.
#[derive(Debug)]
pub(crate) struct Owned(ThreadHeapPtr);

impl Owned {
    /// # Safety
    /// The caller owns the heap, see the invariants.
    #[inline(always)]
    pub(crate) unsafe fn new(heap: NonNull<ThreadHeap>) -> Owned {
        Owned(ThreadHeapPtr(heap))
    }

    /// The heap itself.
    #[inline(always)]
    pub(crate) fn heap(&self) -> &Heap<Os> {
        &self.0.shared().heap
    }

    pub(crate) fn ptr(&self) -> ThreadHeapPtr {
        self.0
    }

    /// Takes in what others have freed. A look at one word if there is nothing.
    #[inline]
    pub(crate) fn sort_inbox(&self) {
        if !self.0.shared().handover.is_empty() {
            self.sort_inbox_now();
        }
    }

    #[cold]
    fn sort_inbox_now(&self) {
        self.sort(self.0.shared().handover.take());
    }

    /// Takes in a chain from the inbox.
    fn sort(&self, first: usize) {
        // SAFETY: the caller has taken it, and owns the heap.
        self.heap().receive(&unsafe { received(first) });
        // What was received are blocks of this heap, but its bins may have had others.
        self.heap().send_all();
    }

    /// Empties bins, outbox and inbox.
    pub(crate) fn flush(&self) {
        self.heap().flush();
        self.sort_inbox_now();
    }

    /// Gives the heap up for others to take.
    pub(crate) fn abandon(self) {
        self.flush();
        self.heap().purge();
        self.heap().send_all();
        self.0.release();
    }
}

impl ThreadHeapPtr {
    /// Takes an abandoned heap, as `state`.
    fn claim(self, state: State) -> Option<Owned> {
        self.shared().handover.claim(state).then_some(Owned(self))
    }

    /// Gives up a heap that the caller owns.
    fn release(self) {
        // While `sort` is called, this thread owns the heap.
        self.shared().handover.release(|first| Owned(self).sort(first));
    }
}

/// Brings a chain to the heap with this tag; the function that outboxes call.
fn deliver(tag: usize, chain: Chain) {
    let ptr = ptr::with_exposed_provenance_mut::<ThreadHeap>(tag);
    if let (Some(heap), Some((first, last))) = (NonNull::new(ptr).map(ThreadHeapPtr), chain.into_ends()) {
        // While `sort` is called, this thread owns the heap.
        heap.shared().handover.deliver(first, last, |first| Owned(heap).sort(first));
    }
}

/// Delivers one block, for a thread without a heap.
///
/// # Safety
/// `ptr` is a block of a pool or a run of some heap here, and is not used again.
pub(crate) unsafe fn send_home(ptr: NonNull<u8>) {
    // SAFETY: the caller's promise.
    let tag = unsafe { Heap::<Os>::tag_of(ptr) };
    let chain = Chain::new();
    // SAFETY: the caller gives the block up.
    chain.add(unsafe { Block::new(ptr) });
    deliver(tag, chain);
}

/// Every heap, latest first.
fn all() -> impl Iterator<Item = ThreadHeapPtr> {
    // Acquire: pairs with the exchange in `create`, so the heap behind the pointer is complete.
    let first = NonNull::new(ALL.load(Ordering::Acquire));
    core::iter::successors(first.map(ThreadHeapPtr), |heap| {
        NonNull::new(heap.shared().next).map(ThreadHeapPtr)
    })
}

/// A heap for a thread: an abandoned one if there is any, else a new one. `None` if there is no memory.
pub(crate) fn adopt_or_create() -> Option<Owned> {
    all().find_map(|heap| heap.claim(State::Active)).or_else(create)
}

/// The lock of the arenas, for the handlers of a `fork`.
pub(crate) fn arenas_lock() -> &'static Lock<()> {
    &ARENAS
}

/// A new heap, entered in the registry, which the caller owns.
pub(crate) fn create() -> Option<Owned> {
    let memory = Os.map(size_of::<ThreadHeap>().next_multiple_of(4096), 4096)?.cast::<ThreadHeap>();
    let tag = memory.as_ptr().expose_provenance();
    let heap = ThreadHeap {
        heap: Heap::tagged(Os, usize::MAX, tag, deliver, Some(&ARENAS)),
        handover: Handover::new(),
        next: ptr::null_mut(),
    };
    // SAFETY: the mapping is large enough, aligned to a page, and ours.
    unsafe { memory.write(heap) };
    // Relaxed: only compared.
    let mut head = ALL.load(Ordering::Relaxed);
    loop {
        // SAFETY: the mapping holds a complete heap, which nobody else knows yet.
        unsafe { (*memory.as_ptr()).next = head };
        // Release: publishes the heap to `all`.
        match ALL.compare_exchange_weak(head, memory.as_ptr(), Ordering::AcqRel, Ordering::Relaxed) {
            Ok(_) => return Some(Owned(ThreadHeapPtr(memory))),
            Err(now) => head = now,
        }
    }
}

/// Purges every abandoned heap and asks the owners of the others to empty their bins. Returns the bytes that
/// went back.
pub(crate) fn purge_others(own: Option<ThreadHeapPtr>) -> usize {
    let mut bytes = 0;
    for heap in all().filter(|&heap| Some(heap) != own) {
        match heap.claim(State::Busy) {
            Some(owned) => {
                owned.sort_inbox_now();
                bytes += owned.heap().purge();
                heap.release();
            }
            None => heap.shared().heap.ask_to_flush(),
        }
    }
    bytes
}

/// What all heaps hold. Their owners may be at work, so the numbers are of about the same moment, no more.
pub(crate) fn stats() -> Stats {
    let _arenas_stay = ARENAS.lock();
    let mut stats = Stats::empty();
    for heap in all() {
        heap.shared().heap.add_to(&mut stats);
    }
    stats
}
