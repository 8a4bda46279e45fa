//! The objects of one collector.
#![allow(unsafe_code, reason = "a heap is shared by its objects and freed by the last of them")]

use core::alloc::Layout;
use core::cell::Cell;
use core::mem::MaybeUninit;
use core::ptr::NonNull;

use cpymem_allocator::pool::{PoolConfig, PoolHeap};
use cpymem_refcount::raw::Header;

use crate::collector;
use crate::object::ObjPtr;
use crate::trace::Trace;
use crate::vtable::{Epoch, GcBox, Meta};

/// Pools and state of one collector.
pub(crate) struct Heap {
    pub(crate) pools: PoolHeap,
    /// The mark that every object carries between passes.
    pub(crate) epoch: Cell<Epoch>,
    /// A pass or its teardown runs: another one would be a no-op.
    pub(crate) collecting: Cell<bool>,
    /// Nobody but objects refers to the heap any more.
    orphaned: Cell<bool>,
    pub(crate) collections: Cell<usize>,
    pub(crate) collected: Cell<usize>,
    pub(crate) inconsistent: Cell<usize>,
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
        let config = PoolConfig { link_offset: 8, side_bytes_per_block: 2, tag };
        let heap = memory.write(Heap {
            pools: PoolHeap::new(config),
            epoch: Cell::new(Epoch::FIRST),
            collecting: Cell::new(false),
            orphaned: Cell::new(false),
            collections: Cell::new(0),
            collected: Cell::new(0),
            inconsistent: Cell::new(0),
        });
        HeapPtr(NonNull::from(heap))
    }

    /// The heap whose pools carry `tag`.
    ///
    /// # Safety
    /// Pools of a heap that is not freed carry that tag.
    #[inline(always)]
    pub(crate) unsafe fn from_tag(tag: usize) -> HeapPtr {
        let ptr = core::ptr::with_exposed_provenance_mut(tag);
        // SAFETY: the tag is the address of a heap, not 0.
        HeapPtr(unsafe { NonNull::new_unchecked(ptr) })
    }

    /// Memory for an object of type `T` with a header that counts one reference; the value is uninitialised
    /// and the object untracked.
    #[inline]
    pub(crate) fn alloc<T: Trace + 'static>(self) -> NonNull<GcBox<T>> {
        let layout = Layout::new::<GcBox<T>>();
        let meta = Meta::of_type(GcBox::<T>::VTABLE);
        let (Some(block), Some(meta)) = (self.pools.alloc(layout), meta) else {
            std::alloc::handle_alloc_error(layout);
        };
        let object = block.cast::<GcBox<T>>();
        // SAFETY: the block has the layout of the object and is ours; the header is its first field.
        unsafe { object.cast::<Header>().write(Header::new(meta.marked(self.epoch.get()).0)) };
        object
    }

    /// Every object that is not being destroyed, in address order. The caller runs no user code while it
    /// walks, so no object dies and the heap stays.
    pub(crate) fn objects(&self) -> impl Iterator<Item = ObjPtr> {
        self.pools
            .pools()
            .flat_map(|pool| pool.allocated_blocks())
            // SAFETY: a carved block of the heap's pools.
            .filter_map(|(_, block)| unsafe { ObjPtr::in_block(block) })
    }

    /// Frees an object's memory, and the heap with it if nothing needs it any more.
    ///
    /// # Safety
    /// The block was allocated on this heap with `layout`; its object is dropped and not used again.
    pub(crate) unsafe fn dealloc(self, block: NonNull<u8>, layout: Layout) {
        // SAFETY: the caller's promise. No walk is under way: walks run no user code, so nothing dies then.
        unsafe { self.pools.dealloc(block, layout) };
        self.free_if_unused();
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
    pub(crate) fn free_if_unused(self) {
        if self.orphaned.get() && self.pools.live_blocks() == 0 && !self.collecting.get() {
            collector::forget(self);
            // SAFETY: made by `create` from a box; no handle and no object refers to it.
            drop(unsafe { Box::from_raw(self.0.as_ptr()) });
        }
    }
}
