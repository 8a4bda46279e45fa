//! What the collector knows about a type, and how an object says it in 27 bits.
//!
//! ```text
//!   31                              5   4   3   2   1   0
//!  +----------------------------------+---+---+---+---+---+
//!  |  type: offset of the VTable / 16 | - | - | T | M | R |
//!  +----------------------------------+---+---+---+---+---+
//!   R tracked: collections look into the object   M mark: equal to the heap's epoch once reached
//!   T the type bits are an index into the table
//! ```
//!
//! Every type's [`VTable`] is a constant that the compiler placed somewhere in the program, so its distance
//! from another constant, the anchor, is fixed while the program runs and fits 27 bits in steps of 16 bytes
//! unless the two lie in libraries far apart; then a table of pointers takes over.
#![allow(unsafe_code, reason = "a type word becomes a reference again")]

use core::alloc::Layout;
use core::ptr::NonNull;
use std::sync::{PoisonError, RwLock};

use cpymem_refcount::raw::Header;

use crate::trace::{Clearer, Trace, Visitor};

/// The operations of one type of objects. Aligned so that its address has four bits to spare.
#[repr(align(16))]
pub(crate) struct VTable {
    /// Reports the edges of the object. It must be alive and tracked.
    pub(crate) visit: unsafe fn(NonNull<Header>, &mut Visitor<'_>),
    /// Severs the edges of the object. It must be garbage that nobody else looks at.
    pub(crate) clear: unsafe fn(NonNull<Header>, &mut Clearer<'_>),
    /// Drops the value. It is not used again.
    pub(crate) drop: unsafe fn(NonNull<Header>),
    /// Size and alignment of the object, header included.
    pub(crate) layout: Layout,
}

/// An object: the header of [`cpymem_refcount`] and the value.
#[repr(C)]
pub(crate) struct GcBox<T: ?Sized> {
    pub(crate) header: Header,
    pub(crate) value: T,
}

impl<T: Trace + 'static> GcBox<T> {
    pub(crate) const VTABLE: &'static VTable = &VTable {
        visit: |object, visitor| {
            // SAFETY: the caller's promise: the object is alive, and of this type since it has this table.
            unsafe { object.cast::<GcBox<T>>().as_ref() }.value.visit(visitor);
        },
        clear: |object, clearer| {
            // SAFETY: as above, and nobody else has a reference to it.
            unsafe { object.cast::<GcBox<T>>().as_mut() }.value.clear(clearer);
        },
        drop: |object| {
            // SAFETY: as above.
            let value = unsafe { &raw mut (*object.cast::<GcBox<T>>().as_ptr()).value };
            // SAFETY: the value is valid and, as the caller says, not used again.
            unsafe { value.drop_in_place() }
        },
        layout: Layout::new::<GcBox<T>>(),
    };
}

/// What type offsets are counted from.
static ANCHOR: &VTable = <GcBox<()>>::VTABLE;

/// Types too far from the anchor, in order of their first object.
static FAR: RwLock<Vec<&'static VTable>> = RwLock::new(Vec::new());

/// The embedder's 32 bits of an object's header.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Meta(pub(crate) u32);

impl Meta {
    const TRACKED: u32 = 1;
    const MARK: u32 = 1 << 1;
    const FAR: u32 = 1 << 2;
    const TYPE_SHIFT: u32 = 5;
    const TYPE_BITS: u32 = 32 - Self::TYPE_SHIFT;

    /// The word of an untracked, unmarked object of a type; `None` if the table of far types is full.
    pub(crate) fn of_type(vtable: &'static VTable) -> Option<Meta> {
        let distance = (&raw const *vtable).expose_provenance() as isize - Self::anchor() as isize;
        let steps = distance >> 4;
        let limit = 1 << (Self::TYPE_BITS - 1);
        if (-limit..limit).contains(&steps) {
            return Some(Meta((steps as u32) << Self::TYPE_SHIFT));
        }
        Self::of_far_type(vtable)
    }

    #[cold]
    fn of_far_type(vtable: &'static VTable) -> Option<Meta> {
        let known = |far: &[&'static VTable]| far.iter().position(|&other| core::ptr::eq(other, vtable));
        let position = known(&FAR.read().unwrap_or_else(PoisonError::into_inner));
        let position = position.unwrap_or_else(|| {
            let mut far = FAR.write().unwrap_or_else(PoisonError::into_inner);
            known(&far).unwrap_or_else(|| {
                far.push(vtable);
                far.len() - 1
            })
        });
        let index = u32::try_from(position).ok()?;
        if index >> Self::TYPE_BITS != 0 {
            return None;
        }
        Some(Meta(index << Self::TYPE_SHIFT | Self::FAR))
    }

    fn anchor() -> usize {
        (&raw const *ANCHOR).expose_provenance()
    }

    /// The type's operations.
    #[inline]
    pub(crate) fn vtable(self) -> &'static VTable {
        if self.0 & Self::FAR != 0 {
            return Self::far_vtable(self.0 >> Self::TYPE_SHIFT);
        }
        let steps = (self.0.cast_signed() >> Self::TYPE_SHIFT) as isize;
        let address = Self::anchor().wrapping_add_signed(steps << 4);
        // SAFETY: a word without `FAR` is only made from a table at this distance (flags do not touch the
        // type bits), which is a constant and whose provenance was exposed then.
        unsafe { &*core::ptr::with_exposed_provenance(address) }
    }

    #[cold]
    fn far_vtable(index: u32) -> &'static VTable {
        FAR.read().unwrap_or_else(PoisonError::into_inner)[index as usize]
    }

    #[inline]
    pub(crate) fn is_tracked(self) -> bool {
        self.0 & Self::TRACKED != 0
    }

    #[inline]
    pub(crate) fn tracked(self) -> Meta {
        Meta(self.0 | Self::TRACKED)
    }

    /// True if the object was reached in the pass with this epoch.
    #[inline]
    pub(crate) fn is_marked(self, epoch: Epoch) -> bool {
        (self.0 & Self::MARK != 0) == epoch.0
    }

    #[inline]
    pub(crate) fn marked(self, epoch: Epoch) -> Meta {
        Meta(self.0 & !Self::MARK | if epoch.0 { Self::MARK } else { 0 })
    }
}

/// The value of the mark bit that means "reached". It flips with every pass, so marks need no clearing:
/// between passes every object carries the mark of the last one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Epoch(bool);

impl Epoch {
    pub(crate) const FIRST: Epoch = Epoch(false);

    pub(crate) fn next(self) -> Epoch {
        Epoch(!self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_and_far_types_come_back() {
        let (a, b) = (<GcBox<u64>>::VTABLE, <GcBox<String>>::VTABLE);
        for vtable in [a, b] {
            for meta in [Meta::of_type(vtable).unwrap(), Meta::of_far_type(vtable).unwrap()] {
                let epoch = Epoch::FIRST.next();
                let flagged = meta.tracked().marked(epoch);
                assert!(core::ptr::eq(flagged.vtable(), vtable));
                assert!(flagged.is_tracked() && flagged.is_marked(epoch));
                assert_eq!(flagged.marked(epoch.next()), meta.tracked());
                assert!(!meta.is_tracked() && meta.is_marked(Epoch::FIRST));
            }
        }
        assert_eq!(Meta::of_far_type(a), Meta::of_far_type(a));
        assert_eq!(a.layout.size(), 16);
    }
}
