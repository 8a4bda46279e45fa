//! An object of any type, by the address of its header.
#![allow(unsafe_code, reason = "the only code that reaches a header from an erased pointer")]

use core::ptr::NonNull;

use allocator_api2::alloc::Global;
use cpymem_allocator::pool::{Pool, PoolHeap};
use cpymem_refcount::raw::trashcan::{self, Dispose};
use cpymem_refcount::raw::{Header, Side};

use crate::heap::HeapPtr;
use crate::vtable::{Meta, VTable};

/// An object of some heap.
///
/// # Invariants
/// 1. It points to the header of a block of a heap's pools, and whoever has the `ObjPtr` knows that the block
///    is not freed while it is used: it owns a reference, the heap is in a pass that runs no user code, or
///    the object is garbage that the collector holds a reference to.
/// 2. It carries the provenance of the whole block.
/// 3. The header's meta is a [`Meta`] of the object's type.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(transparent)]
pub(crate) struct ObjPtr(NonNull<Header>);

impl ObjPtr {
    /// # Safety
    /// The invariants of [`ObjPtr`] must hold.
    #[inline(always)]
    pub(crate) unsafe fn new(header: NonNull<Header>) -> ObjPtr {
        ObjPtr(header)
    }

    /// The object in a block, or `None` if the block is free or its object is being destroyed: a destroyed
    /// object's edges must not be looked at, and what they lead to keeps its counts meanwhile.
    ///
    /// # Safety
    /// The block is a carved block of a heap's pools.
    #[inline(always)]
    pub(crate) unsafe fn in_block(block: NonNull<u8>) -> Option<ObjPtr> {
        // SAFETY: the first word of a carved block is 0 or a header.
        let header = unsafe { Header::peek(block.cast()) }?;
        (!header.count().is_zero()).then_some(ObjPtr(block.cast()))
    }

    /// The header.
    #[inline(always)]
    pub(crate) fn header(&self) -> &Header {
        // SAFETY: invariant 1; headers are only ever borrowed shared.
        unsafe { self.0.as_ref() }
    }

    #[inline(always)]
    pub(crate) fn meta(self) -> Meta {
        Meta(self.header().meta())
    }

    #[inline(always)]
    pub(crate) fn set_meta(self, meta: Meta) {
        self.header().set_meta(meta.0);
    }

    /// The side header, if there is or was a weak reference to the object.
    pub(crate) fn side(&self) -> Option<&Side> {
        // SAFETY: an outlined object's side header lives as long as the object.
        self.header().side().map(|side| unsafe { side.as_ref() })
    }

    #[inline(always)]
    pub(crate) fn vtable(self) -> &'static VTable {
        self.meta().vtable()
    }

    /// Address of the object's block.
    #[inline(always)]
    pub(crate) fn block(self) -> NonNull<u8> {
        self.0.cast()
    }

    /// The header's address, for the operations of the type.
    #[inline(always)]
    pub(crate) fn as_ptr(self) -> NonNull<Header> {
        self.0
    }

    /// The heap that the object lives on.
    #[inline(always)]
    pub(crate) fn heap(self) -> HeapPtr {
        // SAFETY: invariant 1: a block of a heap's pools.
        let tag = unsafe { PoolHeap::<cpymem_allocator::Os>::tag_of(self.block()) };
        // SAFETY: the tag of such pools is the address of their heap, which lives as long as any object.
        unsafe { HeapPtr::from_tag(tag) }
    }

    /// The `gc_refs` of the object: the side bytes of its block.
    #[inline(always)]
    pub(crate) fn gc_refs(self, pools: &PoolHeap) -> NonNull<u16> {
        // SAFETY: the caller passes the pools of the object's heap; the object's block is allocated.
        let pool: Pool<'_> = unsafe { pools.pool_of(self.block()) };
        // SAFETY: the side bytes of the block lie `index * 2` bytes into the side array.
        unsafe { pool.side().cast::<u16>().add(pool.index_of(self.block())) }
    }

    /// Gives up a reference that the caller owns; destroys the object if it was the last.
    pub(crate) fn release(self) {
        if self.header().decrement() {
            self.dispose();
        }
    }

    /// Destroys an object whose count has just fallen to zero, at bounded depth.
    pub(crate) fn dispose(self) {
        // SAFETY: the count is zero, and the decrement that made it so says so once. Objects are `'static`,
        // so their destruction may wait for the outermost one of the thread.
        unsafe { trashcan::dispose(Dead(self)) }
    }
}

/// An object whose count is zero.
struct Dead(ObjPtr);

// SAFETY: what an object owns is `'static`; the heap waits for its last object.
unsafe impl Dispose for Dead {
    fn is_deferrable(&self) -> bool {
        true
    }

    unsafe fn dispose(self) {
        /// Frees the memory, also when the value's destructor panics.
        struct Memory(ObjPtr, &'static VTable);
        impl Drop for Memory {
            fn drop(&mut self) {
                let heap = self.0.heap();
                // SAFETY: `Global` is what every side header of an object comes from.
                unsafe { self.0.header().release_side(&Global) };
                // SAFETY: the object was allocated on this heap with its type's layout; it is dead.
                unsafe { heap.dealloc(self.0.block(), self.1.layout) };
            }
        }
        let vtable = self.0.vtable();
        let _memory = Memory(self.0, vtable);
        // SAFETY: the object is dead: its value is dropped once, here.
        unsafe { (vtable.drop)(self.0.as_ptr()) }
    }
}
