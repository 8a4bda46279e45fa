//! The heaps behind [`Global`](crate::Global): one for each thread, handed on when a thread ends as
//! [`crate::protocol::handover`] tells.
//!
//! The memory of a heap's own structure is never freed, so a pointer to it, which every arena carries as its
//! tag, is valid for ever.
#![allow(unsafe_code, reason = "heaps lie in mapped memory that is never unmapped")]

use core::ptr::{self, NonNull};
use core::sync::atomic::{AtomicPtr, Ordering};

use crate::block::Block;
use crate::clock;
use crate::heap::{Heap, Neighbours};
use crate::inbox::{Chain, InBlocks, received, single};
use crate::mode::Mode;
use crate::pin_map::ArenaFill;
use crate::protocol::budget::Budget;
use crate::protocol::handover::{Handover, State};
use crate::protocol::interval::Interval;
use crate::protocol::lock::RawLock;
use crate::source::{ArenaSource, Os};
use crate::stats::Stats;

/// All heaps that were ever made, latest first. Heaps are only added.
static ALL: AtomicPtr<ThreadHeap> = AtomicPtr::new(ptr::null_mut());
/// Held while one more is made.
static CREATING: RawLock = RawLock::new();
/// The account of the process.
pub(crate) static PROCESS: Budget = Budget::new(usize::MAX);
/// When everything that is free was given back last.
static PURGES: Interval = Interval::new();

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
        // Others come by as seldom as this owner, and wait for theirs.
        self.heap().send_all();
    }

    /// Empties bins, outbox and inbox, and returns free pools to their arenas.
    pub(crate) fn flush(&self) {
        self.sort_inbox_now();
        self.heap().flush();
    }

    /// Takes in what others have freed, does what they have asked, and gives everything back that is free
    /// anywhere, if it is time to. About 5 ns if there is nothing to do.
    #[inline]
    pub(crate) fn look_around(&self) {
        self.sort_inbox();
        self.heap().flush_if_asked();
        purge_if_due(Some(self));
    }

    /// Gives the heap up for others to take. What it has free stays in its arenas until the next purge.
    pub(crate) fn abandon(self) {
        self.flush();
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

/// Called by a heap after a free that was slow, with its own tag.
fn slow_free(tag: usize) {
    if let Some(heap) = NonNull::new(ptr::with_exposed_provenance_mut::<ThreadHeap>(tag)) {
        // SAFETY: only the owner frees with a heap, and the call is the last thing that the free does.
        unsafe { Owned::new(heap) }.look_around();
    }
}

/// Delivers one block, for a thread without a heap.
///
/// # Safety
/// `ptr` is a block of a pool or a run of some heap here, and is not used again.
pub(crate) unsafe fn send_home(ptr: NonNull<u8>) {
    // SAFETY: the caller's promise.
    let (tag, pool) = unsafe { Heap::<Os>::home_of(ptr) };
    // SAFETY: the caller gives the block up.
    deliver(tag, single(pool, unsafe { Block::new(ptr) }));
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

/// Takes every lock, so that a `fork` finds no arena half changed.
pub(crate) fn take_locks() {
    CREATING.take();
    all().for_each(|heap| heap.shared().heap.arenas_lock().take());
}

/// Gives back what [`take_locks`] took, in the parent and in the child.
pub(crate) fn give_locks_back() {
    all().for_each(|heap| heap.shared().heap.arenas_lock().give_back());
    CREATING.give_back();
}

/// A new heap, entered in the registry, which the caller owns.
pub(crate) fn create() -> Option<Owned> {
    let _alone = CREATING.lock();
    let memory = Os.map(size_of::<ThreadHeap>().next_multiple_of(4096), 4096)?.cast::<ThreadHeap>();
    let tag = memory.as_ptr().expose_provenance();
    let heap = ThreadHeap {
        heap: Heap::tagged(Os, &PROCESS, tag, Neighbours { deliver, slow_free }),
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

/// Gives everything back that is free, as `purge`, if it is time to.
#[inline]
pub(crate) fn purge_if_due(own: Option<&Owned>) {
    if PURGES.is_due(clock::now(), Mode::now().interval()) {
        purge(own);
    }
}

/// Gives everything back that is free: of the caller's own heap and of abandoned heaps all of it; of others the
/// units that no pool has, and their owners are asked to empty their bins. Returns the bytes that went back.
pub(crate) fn purge(own: Option<&Owned>) -> usize {
    let mut bytes = 0;
    if let Some(own) = own {
        own.flush();
        bytes += own.heap().purge_arenas();
    }
    for heap in all().filter(|&heap| own.is_none_or(|own| own.0 != heap)) {
        match heap.claim(State::Busy) {
            Some(owned) => {
                owned.flush();
                bytes += owned.heap().purge_arenas();
                heap.release();
            }
            None => {
                heap.shared().heap.ask_to_flush();
                bytes += heap.shared().heap.purge_arenas();
            }
        }
    }
    bytes
}

/// What all heaps hold, of which the caller owns `own`. The owners of the others may be at work, so the numbers are of about the same moment, no more.
pub(crate) fn stats(own: Option<&Owned>) -> Stats {
    let mut stats = Stats::empty();
    all().for_each(|heap| match own {
        Some(own) if own.0 == heap => stats.add(&own.heap().stats()),
        _ => heap.shared().heap.add_from_outside(&mut stats),
    });
    stats
}

/// Every arena of every heap, by heap and address, as it is when the iterator reaches it.
pub(crate) fn arenas() -> impl Iterator<Item = ArenaFill> {
    all().flat_map(|heap| heap.shared().heap.arenas())
}
