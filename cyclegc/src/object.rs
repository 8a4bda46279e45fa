//! An object of any type, by the address of its header.
#![allow(unsafe_code, reason = "the only code that reaches a header from an erased pointer")]

use core::ptr::NonNull;

use cpymem_allocator::pool::Pool;
use cpymem_refcount::raw::{Header, Side};

use crate::side_word::{SidePtr, SideWord};
use crate::visitor::{Clearer, Target, Visitor};
use crate::vtable::{Meta, VTable};

/// Side bytes of a block: one [`SideWord`].
pub(crate) const SIDE_BYTES: usize = size_of::<SideWord>();

/// An object of some heap.
///
/// # Invariants
/// 1. It points to the header of a block of a heap's pools, and whoever has the `ObjPtr` knows that the block
///    is not freed while it is used: it owns a reference, the heap is in a pass that runs no user code, or
///    the object is garbage that the collector holds a reference to.
/// 2. The header's meta is a [`Meta`] of the object's type.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(transparent)]
pub(crate) struct ObjPtr(Target);

impl ObjPtr {
    /// # Safety
    /// The invariants of [`ObjPtr`] must hold.
    #[inline(always)]
    pub(crate) unsafe fn new(header: Target) -> ObjPtr {
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

    /// The header's address, as edges carry it.
    #[inline(always)]
    pub(crate) fn as_ptr(self) -> Target {
        self.0
    }

    #[inline(always)]
    pub(crate) fn addr(self) -> usize {
        self.0.addr().get()
    }

    /// The pool that the object lies in, for as long as the object is there.
    #[inline(always)]
    pub(crate) fn pool(self) -> Pool<'static> {
        // SAFETY: invariant 1: a block of a heap's pools, which have these side bytes.
        unsafe { Pool::holding(self.block(), SIDE_BYTES) }
    }

    /// The side bytes of the object's block.
    #[inline(always)]
    pub(crate) fn side_ptr(self) -> SidePtr {
        let side = self.pool().side_at(self.block());
        // SAFETY: the side bytes of the block; the object keeps the pool.
        unsafe { SidePtr::new(side) }
    }

    /// Reports the edges of the object. The caller lets no user code run that could change it meanwhile.
    #[inline(always)]
    pub(crate) fn visit(self, visitor: &mut Visitor<'_>) {
        // SAFETY: invariant 1: the object is alive.
        unsafe { (self.vtable().visit)(self.0, visitor) }
    }

    /// Severs the edges of the object.
    ///
    /// # Safety
    /// The object is garbage: nothing outside the garbage refers to it, its weak references are dead, and no
    /// user code looks at it before this returns.
    #[inline(always)]
    pub(crate) unsafe fn clear(self, clearer: &mut Clearer<'_>) {
        // SAFETY: the caller's promise.
        unsafe { (self.vtable().clear)(self.0, clearer) }
    }

    /// Severs the edges of the object and drops its value.
    ///
    /// # Safety
    /// As for [`clear`](Self::clear); the value is not used again.
    #[inline(always)]
    pub(crate) unsafe fn dismantle(self, clearer: &mut Clearer<'_>) {
        // SAFETY: the caller's promise.
        unsafe { (self.vtable().dismantle)(self.0, clearer) }
    }
}
