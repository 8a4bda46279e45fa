//! Cells that other threads may read for statistics, and hint through.

use core::sync::atomic::{AtomicU8, AtomicU16, AtomicU32, AtomicUsize, Ordering};

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
            #[allow(dead_code, reason = "most lie in memory that is 0")]
            pub(crate) const fn zero() -> Self {
                Relaxed($atomic::new(0))
            }

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

relaxed!(AtomicU8 u8, AtomicU16 u16, AtomicU32 u32, AtomicUsize usize);
