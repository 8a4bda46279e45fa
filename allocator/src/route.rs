//! Where a layout leads: the same way when a block is made and when it is freed.

use core::alloc::Layout;

use crate::arena::ARENA_SIZE;
use crate::block::Link;
use crate::size_class::{POOLED_MAX, SizeClass};

/// log2 of the bytes of a unit, CPython's `POOL_BITS`.
pub(crate) const SHIFT: u32 = 14;
/// Bytes of a unit: the smallest pool.
pub(crate) const UNIT: usize = 1 << SHIFT;
/// Free blocks carry their link in the first word.
pub(crate) const LINK: Link = Link(0);
/// Largest run of units in bytes; larger blocks get a mapping of their own.
const RUN_MAX: usize = ARENA_SIZE / 2;

/// The way of a layout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Route {
    /// A block of a pool.
    Class(SizeClass),
    /// Neighbouring units of an arena.
    Run(usize),
    /// A mapping of its own.
    Mapping,
}

impl Route {
    #[inline(always)]
    pub(crate) fn of(layout: Layout) -> Route {
        // Pools and runs start at multiples of a unit.
        match SizeClass::of(layout, POOLED_MAX) {
            Some(class) if layout.align() <= UNIT => Route::Class(class),
            _ if layout.align() <= UNIT && layout.size() <= RUN_MAX => {
                Route::Run(layout.size().div_ceil(UNIT).max(1))
            }
            _ => Route::Mapping,
        }
    }
}
