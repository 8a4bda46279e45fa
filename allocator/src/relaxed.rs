//! Cells that other threads may read for statistics, and hint through.

use core::sync::atomic::{AtomicU8, AtomicU16, AtomicUsize, Ordering};

/// A number with one writer at a time and any number of readers that can live with an old value.
///
/// All accesses are relaxed: they order nothing and cost what a plain load or store costs. Whoever needs more
/// than a plausible value must own the heap.
#[derive(Debug, Default)]
#[repr(transparent)]
pub(crate) struct Relaxed<A>(A);

macro_rules! relaxed {
    ($($atomic:ident $number:ident),*) => { $(
        impl Relaxed<$atomic> {
            #[inline(always)]
            pub(crate) fn get(&self) -> $number {
                self.0.load(Ordering::Relaxed)
            }

            #[inline(always)]
            pub(crate) fn set(&self, value: $number) {
                self.0.store(value, Ordering::Relaxed);
            }
        }
    )* };
}

impl Relaxed<AtomicUsize> {
    pub(crate) const fn zero() -> Self {
        Relaxed(AtomicUsize::new(0))
    }
}

relaxed!(AtomicU8 u8, AtomicU16 u16, AtomicUsize usize);
