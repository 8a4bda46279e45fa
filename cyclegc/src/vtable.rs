//! What the collector knows about a type, and how an object says it in 26 bits.
//!
//! ```text
//!   31                          6   5   4   3   2   1   0
//!  +------------------------------+---+---+---+---+---+---+
//!  | type: offset of VTable / 16  | W | D | F | P | T | R |
//!  +------------------------------+---+---+---+---+---+---+
//!   R tracked: collections look into the object     T the type bits are an index into the table of far types
//!   P purple: a reference went and others stayed    F a finalizer is still to run
//!   D the finalizer has run                         W a weak reference with a callback watches the object
//! ```
//!
//! Every type's [`VTable`] is a constant that the compiler placed somewhere in the program, so its distance
//! from another constant, the anchor, is fixed while the program runs and fits 26 bits in steps of 16 bytes
//! unless the two lie in libraries far apart; then a table of pointers takes over.
#![allow(unsafe_code, reason = "a type word becomes a reference again")]

use core::alloc::Layout;
use core::any::TypeId;
use core::ptr::NonNull;
use std::sync::{PoisonError, RwLock};

use cpymem_refcount::raw::Header;

use crate::inquiry::Teardown;
use crate::visitor::{Clearer, Visitor};

/// The operations of one type of objects. Aligned so that its address has four bits to spare.
#[repr(align(16))]
pub(crate) struct VTable {
    /// Reports the edges of the object. It must be alive.
    pub(crate) visit: unsafe fn(NonNull<Header>, &mut Visitor<'_>),
    /// Severs the edges of the object. It must be garbage that nobody else looks at.
    pub(crate) clear: unsafe fn(NonNull<Header>, &mut Clearer<'_>),
    /// Drops the value. It is not used again.
    pub(crate) drop: unsafe fn(NonNull<Header>),
    /// Severs the edges of the object and drops its value. It must be garbage that nobody else looks at, and is not used again.
    pub(crate) dismantle: unsafe fn(NonNull<Header>, &mut Clearer<'_>),
    /// What the type says of such an end.
    pub(crate) teardown: fn() -> Teardown,
    /// Runs the finalizer of the type, if it has one. The object must be alive, and stay so.
    pub(crate) finalize: unsafe fn(NonNull<Header>),
    /// Size and alignment of the object, header included.
    pub(crate) layout: Layout,
    pub(crate) type_id: fn() -> TypeId,
    pub(crate) type_name: fn() -> &'static str,
}

/// An object: the header of [`cpymem_refcount`] and the value.
#[repr(C)]
#[doc(hidden)]
pub struct GcBox<T: ?Sized> {
    pub(crate) header: Header,
    pub(crate) value: T,
}

/// What type offsets are counted from.
static ANCHOR: VTable = VTable {
    visit: |_, _| {},
    clear: |_, _| {},
    drop: |_| {},
    dismantle: |_, _| {},
    teardown: || Teardown::Unknown,
    finalize: |_| {},
    layout: Layout::new::<Header>(),
    type_id: TypeId::of::<()>,
    type_name: core::any::type_name::<()>,
};

/// Types too far from the anchor, in order of their first object.
static FAR: RwLock<Vec<&'static VTable>> = RwLock::new(Vec::new());

/// The embedder's 32 bits of an object's header.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Meta(pub(crate) u32);

impl Meta {
    const TRACKED: u32 = 1;
    const FAR: u32 = 1 << 1;
    const PURPLE: u32 = 1 << 2;
    const TO_FINALIZE: u32 = 1 << 3;
    const FINALIZED: u32 = 1 << 4;
    const WATCHED: u32 = 1 << 5;
    const TYPE_SHIFT: u32 = 6;
    const TYPE_BITS: u32 = 32 - Self::TYPE_SHIFT;

    /// The word of an untracked object of a type without flags; `None` if the table of far types is full.
    #[inline]
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

    #[inline(always)]
    fn anchor() -> usize {
        (&raw const ANCHOR).expose_provenance()
    }

    /// The type's operations.
    #[inline(always)]
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

    #[inline(always)]
    const fn has(self, flag: u32) -> bool {
        self.0 & flag != 0
    }

    /// True if collections look into the object.
    #[inline(always)]
    pub(crate) const fn is_tracked(self) -> bool {
        self.has(Self::TRACKED)
    }

    #[inline(always)]
    pub(crate) const fn tracked(self) -> Meta {
        Meta(self.0 | Self::TRACKED)
    }

    pub(crate) const fn untracked(self) -> Meta {
        Meta(self.0 & !Self::TRACKED)
    }

    /// True if the object lost a reference, and not the last one, since a full pass looked at it.
    #[inline(always)]
    pub(crate) const fn is_purple(self) -> bool {
        self.has(Self::PURPLE)
    }

    /// Tracked and not purple: the next decrement has to be noted.
    #[inline(always)]
    pub(crate) const fn turns_purple(self) -> bool {
        self.0 & (Self::TRACKED | Self::PURPLE) == Self::TRACKED
    }

    #[inline(always)]
    pub(crate) const fn purple(self) -> Meta {
        Meta(self.0 | Self::PURPLE)
    }

    #[inline(always)]
    pub(crate) const fn not_purple(self) -> Meta {
        Meta(self.0 & !Self::PURPLE)
    }

    /// True if the object's finalizer has not run yet.
    #[inline(always)]
    pub(crate) const fn is_to_finalize(self) -> bool {
        self.has(Self::TO_FINALIZE)
    }

    #[inline(always)]
    pub(crate) const fn to_finalize(self) -> Meta {
        Meta(self.0 | Self::TO_FINALIZE)
    }

    pub(crate) const fn is_finalized(self) -> bool {
        self.has(Self::FINALIZED)
    }

    pub(crate) const fn finalized(self) -> Meta {
        Meta(self.0 & !Self::TO_FINALIZE | Self::FINALIZED)
    }

    /// True if a weak reference with a callback was made.
    #[inline(always)]
    pub(crate) const fn is_watched(self) -> bool {
        self.has(Self::WATCHED)
    }

    pub(crate) const fn watched(self) -> Meta {
        Meta(self.0 | Self::WATCHED)
    }

    /// What says of which type the object is, without the flags.
    #[inline(always)]
    pub(crate) const fn type_word(self) -> u32 {
        self.0 & (u32::MAX << Self::TYPE_SHIFT | Self::FAR)
    }

    /// The type word, and whether the object is [eventful](Self::is_eventful).
    #[inline(always)]
    pub(crate) const fn type_and_events(self) -> u32 {
        self.type_word() | self.0 & (Self::TO_FINALIZE | Self::WATCHED)
    }

    /// True if user code runs when the object dies, beside its destructor.
    #[inline(always)]
    pub(crate) const fn is_eventful(self) -> bool {
        self.0 & (Self::TO_FINALIZE | Self::WATCHED) != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_and_far_types_come_back() {
        static A: VTable = VTable { layout: Layout::new::<u64>(), ..ANCHOR_COPY };
        static B: VTable = VTable { layout: Layout::new::<[u64; 2]>(), ..ANCHOR_COPY };
        const ANCHOR_COPY: VTable = VTable {
            visit: |_, _| {},
            clear: |_, _| {},
            drop: |_| {},
            dismantle: |_, _| {},
            teardown: || Teardown::Unknown,
            finalize: |_| {},
            layout: Layout::new::<()>(),
            type_id: TypeId::of::<()>,
            type_name: core::any::type_name::<()>,
        };
        for vtable in [&A, &B] {
            for meta in [Meta::of_type(vtable).unwrap(), Meta::of_far_type(vtable).unwrap()] {
                let flagged = meta.tracked().purple().to_finalize().watched();
                assert!(core::ptr::eq(flagged.vtable(), vtable));
                assert!(flagged.is_tracked() && flagged.is_purple() && flagged.is_watched());
                assert!(flagged.is_to_finalize() && !flagged.is_finalized() && !flagged.turns_purple());
                let finalized = flagged.finalized().not_purple();
                assert!(finalized.is_finalized() && !finalized.is_to_finalize() && finalized.turns_purple());
                assert!(core::ptr::eq(finalized.vtable(), vtable));
            }
        }
        assert_eq!(Meta::of_far_type(&A), Meta::of_far_type(&A));
    }
}
