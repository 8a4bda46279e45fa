//! What a dict object points to: values over shared keys, or a table of its own.
#![allow(unsafe_code, reason = "one pointer serves for both, told apart by the first word it points to")]

use core::marker::PhantomData;
use core::mem::ManuallyDrop;
use core::ptr::NonNull;

use allocator_api2::alloc::Allocator;
use allocator_api2::boxed::Box;

use super::block::Block;
use super::compact_dict::CompactDict;
use super::id::Id;
use super::name::Name;

/// Values over shared keys.
pub(super) type Keyed<V, A> = Block<V, A, true>;

/// The body of a dict object, one pointer (and the allocator, if it is not a unit type).
///
/// # Invariants
/// 1. `first` holds the body: `own` if the first word it points to is [`Id::OWN_TABLE`], else `keyed`.
/// 2. Both variants are `repr(C)` and begin with a pointer to memory that begins with an `Id`.
pub(super) struct Body<V, A: Allocator> {
    variant: Variant<V, A>,
}

#[repr(C)]
union Variant<V, A: Allocator> {
    first: NonNull<Id>,
    keyed: ManuallyDrop<Keyed<V, A>>,
    own: ManuallyDrop<Own<V, A>>,
}

/// A table behind a pointer.
///
/// # Invariants
/// `node` came from `Box::into_raw_with_allocator` with `alloc`, and is freed by this value's drop only.
#[repr(C)]
struct Own<V, A: Allocator> {
    node: NonNull<OwnNode<V, A>>,
    alloc: ManuallyDrop<A>,
    table: PhantomData<CompactDict<Name, V, A>>,
}

#[repr(C)]
struct OwnNode<V, A: Allocator> {
    id: Id,
    table: CompactDict<Name, V, A>,
}

/// A body, looked at.
pub(super) enum View<K, T> {
    Keyed(K),
    Own(T),
}

// SAFETY: a body owns what it points to.
unsafe impl<V: Send, A: Allocator + Send> Send for Body<V, A> {}
// SAFETY: a shared body lends nothing but shared values.
unsafe impl<V: Sync, A: Allocator + Sync> Sync for Body<V, A> {}

impl<V, A: Allocator> Body<V, A> {
    /// Values over shared keys.
    pub(super) fn keyed(block: Keyed<V, A>) -> Self {
        Body { variant: Variant { keyed: ManuallyDrop::new(block) } }
    }

    /// A table of its own.
    pub(super) fn own(table: CompactDict<Name, V, A>, alloc: A) -> Self {
        let (node, alloc) =
            Box::into_raw_with_allocator(Box::new_in(OwnNode { id: Id::OWN_TABLE, table }, alloc));
        // SAFETY: a box is never null.
        let node = unsafe { NonNull::new_unchecked(node) };
        let own = Own { node, alloc: ManuallyDrop::new(alloc), table: PhantomData };
        Body { variant: Variant { own: ManuallyDrop::new(own) } }
    }

    /// The shared keys, or [`Id::OWN_TABLE`].
    #[inline]
    pub(super) fn id(&self) -> Id {
        // SAFETY: whichever variant it is, it begins with a pointer: invariant 2.
        let first = unsafe { self.variant.first };
        // SAFETY: what it points to begins with an id: invariant 2.
        unsafe { *first.as_ref() }
    }

    /// The block of a body over shared keys.
    ///
    /// # Safety
    /// `self.id() != Id::OWN_TABLE`.
    #[inline]
    pub(super) unsafe fn block(&self) -> &Keyed<V, A> {
        // SAFETY: by the caller's promise and invariant 1.
        unsafe { &self.variant.keyed }
    }

    /// The block of a body over shared keys, to change it.
    ///
    /// # Safety
    /// `self.id() != Id::OWN_TABLE`.
    #[inline]
    pub(super) unsafe fn block_mut(&mut self) -> &mut Keyed<V, A> {
        // SAFETY: by the caller's promise and invariant 1.
        unsafe { &mut self.variant.keyed }
    }

    pub(super) fn view(&self) -> View<&Keyed<V, A>, &CompactDict<Name, V, A>> {
        if self.id() != Id::OWN_TABLE {
            // SAFETY: just compared.
            return View::Keyed(unsafe { self.block() });
        }
        // SAFETY: just compared: invariant 1.
        let own = unsafe { &self.variant.own };
        // SAFETY: the node is a live box that only `&mut self` writes to.
        View::Own(unsafe { &own.node.as_ref().table })
    }

    pub(super) fn view_mut(&mut self) -> View<&mut Keyed<V, A>, &mut CompactDict<Name, V, A>> {
        if self.id() != Id::OWN_TABLE {
            // SAFETY: just compared.
            return View::Keyed(unsafe { self.block_mut() });
        }
        // SAFETY: just compared: invariant 1.
        let own = unsafe { &mut self.variant.own };
        // SAFETY: the node is a live box, borrowed as long as `&mut self`.
        View::Own(unsafe { &mut own.node.as_mut().table })
    }

    /// Bytes of the node that holds a table.
    pub(super) const NODE_BYTES: usize = size_of::<OwnNode<V, A>>();
}

impl<V, A: Allocator> Drop for Body<V, A> {
    fn drop(&mut self) {
        if self.id() == Id::OWN_TABLE {
            // SAFETY: just compared: invariant 1.
            let own = unsafe { &mut self.variant.own };
            // SAFETY: the body is not used again.
            unsafe { ManuallyDrop::drop(own) };
        } else {
            // SAFETY: just compared: invariant 1.
            let keyed = unsafe { &mut self.variant.keyed };
            // SAFETY: the body is not used again.
            unsafe { ManuallyDrop::drop(keyed) };
        }
    }
}

impl<V, A: Allocator> Drop for Own<V, A> {
    fn drop(&mut self) {
        // SAFETY: this is the only place that takes the allocator, and the value is not used again.
        let alloc = unsafe { ManuallyDrop::take(&mut self.alloc) };
        // SAFETY: the node came from such a box: the type's invariant.
        let node = unsafe { Box::from_raw_in(self.node.as_ptr(), alloc) };
        // The node is freed first, so that a value that panics when it is dropped leaks nothing.
        drop(Box::into_inner(node));
    }
}
