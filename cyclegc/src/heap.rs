//! The objects of one collector.
#![allow(unsafe_code, reason = "a heap is shared by its objects and freed by the last of them")]

use core::alloc::Layout;
use core::cell::{Cell, OnceCell, RefCell};
use core::mem::MaybeUninit;
use core::ptr::NonNull;
use std::rc::Rc;

use cpymem_allocator::pool::{Pool, PoolConfig, PoolHeap};
use cpymem_refcount::raw::Header;

use crate::events::Events;
use crate::finalizers::Finalizers;
use crate::listing::Listing;
use crate::object::{ObjPtr, SIDE_BYTES};
use crate::schedule::Schedule;
use crate::side_word::{SidePtr, SideWord};
use crate::vtable::{Meta, VTable};
use crate::watcher::Watchers;

/// Flags of a pool in [`Heap::recent`].
pub(crate) const HAS_YOUNG: u8 = 1;
pub(crate) const HAS_MIDDLE: u8 = 2;

/// The user word of pools that [`Heap::purple`] uses.
pub(crate) const PURPLE_WORD: usize = 1;

/// Objects from which on a full pass has several threads, if nobody has said otherwise.
const PARALLEL_FROM: usize = 4 << 20;

/// When weak references without a callback die.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WeakrefOrder {
    /// After the finalizers, which may still use them (CPython from 3.14 on).
    #[default]
    AfterFinalizers,
    /// Before the finalizers, together with those that have one (CPython to 3.13).
    Py313,
}

/// What was done to one generation.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) collections: Cell<usize>,
    pub(crate) collected: Cell<usize>,
}

/// Pools and state of one collector.
pub(crate) struct Heap {
    pub(crate) pools: PoolHeap,
    /// Pools that hold young or middle objects.
    pub(crate) recent: Listing,
    /// Pools that hold purple objects.
    pub(crate) purple: Listing,
    /// There was no full pass yet, or the last one could not look at everything: the next one is not skipped,
    /// even if nothing is purple.
    pub(crate) leftover: Cell<bool>,
    pub(crate) frozen: Cell<usize>,
    pub(crate) schedule: Schedule,
    pub(crate) tallies: [Tally; 3],
    pub(crate) inconsistent: Cell<usize>,
    pub(crate) events: Events,
    pub(crate) watchers: Watchers,
    /// Made with the first finalizer.
    pub(crate) finalizers: OnceCell<Rc<Finalizers>>,
    /// Objects that `Debug::SAVEALL` kept; one reference to each is the heap's.
    pub(crate) garbage: RefCell<Vec<ObjPtr>>,
    pub(crate) weakref_order: Cell<WeakrefOrder>,
    /// Threads of a full pass over at least `parallel_from` objects; 0 for as many as there are cores.
    pub(crate) collecting_threads: Cell<usize>,
    pub(crate) parallel_from: Cell<usize>,
    /// Blocks when the last step or full pass left nothing to look at.
    pub(crate) step_baseline: Cell<usize>,
    /// Objects that steps have left to the next full pass.
    pub(crate) given_up: Cell<usize>,
    /// A pass or its teardown runs: another one would be a no-op.
    pub(crate) collecting: Cell<bool>,
    /// Nobody but objects refers to the heap any more.
    orphaned: Cell<bool>,
}

/// A heap, by address.
///
/// # Invariants
/// 1. It points to a heap made by [`HeapPtr::create`] that is not freed: it is not orphaned, or has an
///    object, or is collecting.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(transparent)]
pub(crate) struct HeapPtr(NonNull<Heap>);

impl core::ops::Deref for HeapPtr {
    type Target = Heap;

    #[inline(always)]
    fn deref(&self) -> &Heap {
        // SAFETY: invariant 1; a heap is only ever borrowed shared, by one thread.
        unsafe { self.0.as_ref() }
    }
}

impl HeapPtr {
    /// A new, empty heap. It must be given to [`orphan`](Self::orphan) one day.
    pub(crate) fn create() -> HeapPtr {
        let memory: &mut MaybeUninit<Heap> = Box::leak(Box::new_uninit());
        let tag = memory.as_mut_ptr().expose_provenance();
        let config = PoolConfig { link_offset: 8, side_bytes_per_block: SIDE_BYTES, tag };
        let heap = memory.write(Heap {
            pools: PoolHeap::new(config),
            recent: Listing::new(0),
            purple: Listing::new(PURPLE_WORD),
            leftover: Cell::new(true),
            frozen: Cell::new(0),
            schedule: Schedule::new(),
            tallies: Default::default(),
            inconsistent: Cell::new(0),
            events: Events::default(),
            watchers: Watchers::default(),
            finalizers: OnceCell::new(),
            garbage: RefCell::default(),
            weakref_order: Cell::default(),
            collecting_threads: Cell::new(1),
            parallel_from: Cell::new(PARALLEL_FROM),
            step_baseline: Cell::new(0),
            given_up: Cell::new(0),
            collecting: Cell::new(false),
            orphaned: Cell::new(false),
        });
        HeapPtr(NonNull::from(heap))
    }

    /// The heap of an object.
    #[inline(always)]
    pub(crate) fn of(object: ObjPtr) -> HeapPtr {
        let ptr = core::ptr::with_exposed_provenance_mut(object.pool().tag());
        // SAFETY: the tag of the pools is the address of their heap, which lives as long as any object.
        HeapPtr(unsafe { NonNull::new_unchecked(ptr) })
    }

    /// Memory for an object with a header that counts one reference; the value is uninitialised and the object
    /// untracked.
    #[inline(always)]
    pub(crate) fn alloc(self, vtable: &'static VTable, layout: Layout) -> (Pool<'static>, ObjPtr) {
        let (Some((_, block)), Some(meta)) = (self.pools.alloc_in_pool(layout), Meta::of_type(vtable)) else {
            std::alloc::handle_alloc_error(layout);
        };
        // SAFETY: the block has the layout of the object and is ours; the header comes first in it.
        unsafe { block.cast::<Header>().write(Header::new(meta.0)) };
        // SAFETY: a header of the type in a block of ours.
        let object = unsafe { ObjPtr::new(block.cast()) };
        (object.pool(), object)
    }

    /// Makes a complete object, which lies in `pool`, a young one that collections look into.
    #[inline(always)]
    pub(crate) fn track(self, pool: Pool<'static>, object: ObjPtr) {
        object.set_meta(object.meta().tracked());
        // SAFETY: the side bytes of the object's block.
        unsafe { SidePtr::new(pool.side_at(object.block())) }.set(SideWord::YOUNG);
        if self.recent.flags(pool) & HAS_YOUNG == 0 {
            self.recent.add(pool, HAS_YOUNG);
        }
    }

    /// Frees an object's memory, and the heap with it if nothing needs it any more.
    ///
    /// # Safety
    /// The block was allocated on this heap with `layout`; its object is dropped and not used again.
    #[inline]
    pub(crate) unsafe fn dealloc(self, block: NonNull<u8>, layout: Layout) {
        // SAFETY: a block of this heap, whose pools have these side bytes.
        let pool: Pool<'_> = unsafe { Pool::holding(block, SIDE_BYTES) };
        if pool.live() == 1 {
            self.recent.remove(pool);
            self.purple.remove(pool);
        }
        // SAFETY: the caller's promise. No walk is under way: walks run no user code, so nothing dies then.
        unsafe { self.pools.dealloc(block, layout) };
        self.free_if_unused();
    }

    /// Frees the memory of every object in a pool.
    ///
    /// # Safety
    /// All of them are dropped and not used again, nor is the pool.
    pub(crate) unsafe fn dealloc_pool(self, pool: Pool<'_>) {
        self.recent.remove(pool);
        self.purple.remove(pool);
        // SAFETY: the caller's promise. No walk is under way, as in `dealloc`.
        unsafe { self.pools.dealloc_pool(pool) };
    }

    /// As [`orphan`](Self::orphan), for a heap that gets its first object next.
    pub(crate) fn mark_orphaned(self) {
        self.orphaned.set(true);
    }

    /// The handle on the heap is gone; from now on the last object frees it.
    pub(crate) fn orphan(self) {
        self.orphaned.set(true);
        self.free_if_unused();
    }

    /// Frees an orphaned heap without objects. Whoever calls it does not use the heap afterwards, or knows
    /// that it is collecting, not orphaned, or has an object.
    #[inline]
    pub(crate) fn free_if_unused(self) {
        if self.orphaned.get() && self.pools.live_blocks() == 0 && !self.collecting.get() {
            if CURRENT.get() == Some(self) {
                CURRENT.set(None);
            }
            // SAFETY: made by `create` from a box; no handle and no object refers to it.
            drop(unsafe { Box::from_raw(self.0.as_ptr()) });
        }
    }
}

impl Heap {
    /// Every object that is not being destroyed, with its side bytes, in address order. The caller runs no user
    /// code while it walks, so no object dies and the heap stays.
    #[inline(always)]
    pub(crate) fn for_each_block(&self, mut each: impl FnMut(NonNull<u8>, SidePtr)) {
        for pool in self.pools.pools() {
            for (block, side) in pool.blocks() {
                // SAFETY: the side bytes of a carved block; the pool stays while the walk goes on.
                each(block, unsafe { SidePtr::new(side) });
            }
        }
    }

    /// Every tracked object that is not being destroyed. The caller runs no user code while it walks.
    pub(crate) fn for_each_tracked(&self, mut each: impl FnMut(ObjPtr, SidePtr)) {
        self.for_each_block(|block, side| {
            // SAFETY: a carved block of the heap's pools.
            let object = unsafe { ObjPtr::in_block(block) };
            if let Some(object) = object.filter(|object| object.meta().is_tracked()) {
                each(object, side);
            }
        });
    }
}

thread_local! {
    /// The thread's own heap. Without a destructor, so that it can be used while the thread ends.
    static CURRENT: Cell<Option<HeapPtr>> = const { Cell::new(None) };
}

/// The thread's own heap, if it has one.
#[inline(always)]
pub(crate) fn current() -> Option<HeapPtr> {
    CURRENT.get()
}

/// Replaces the thread's own heap.
pub(crate) fn set_current(heap: Option<HeapPtr>) -> Option<HeapPtr> {
    CURRENT.replace(heap)
}
