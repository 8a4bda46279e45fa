//! How many bytes a heap may hold, and how many it holds.

use core::sync::atomic::AtomicUsize;

use crate::relaxed::Relaxed;

/// The account of one heap.
///
/// `held = arena headers + units that were touched and not purged since + large blocks with their headers`,
/// and `held <= limit` at all times.
#[derive(Debug)]
pub(crate) struct Budget {
    limit: usize,
    held: Relaxed<AtomicUsize>,
    peak: Relaxed<AtomicUsize>,
}

impl Budget {
    pub(crate) const fn new(limit: usize) -> Budget {
        Budget { limit, held: Relaxed::zero(), peak: Relaxed::zero() }
    }

    /// Charges `bytes`, or nothing and `None` if the limit would be passed.
    pub(crate) fn charge(&self, bytes: usize) -> Option<()> {
        let held = self.held.get().checked_add(bytes).filter(|&held| held <= self.limit)?;
        self.held.set(held);
        self.peak.set(self.peak.get().max(held));
        Some(())
    }

    /// Takes back a charge.
    pub(crate) fn release(&self, bytes: usize) {
        debug_assert!(bytes <= self.held.get());
        self.held.set(self.held.get() - bytes);
    }

    pub(crate) fn held(&self) -> usize {
        self.held.get()
    }

    pub(crate) fn peak(&self) -> usize {
        self.peak.get()
    }
}
