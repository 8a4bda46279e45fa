//! How many bytes may be held, and how many are: accounts within accounts.
//!
//! ```text
//!   Budget of the process        held = sum of what is charged below it      hard 1 GiB, soft 800 MiB
//!     ^ parent
//!   Budget of one service        held = sum of its heaps                     hard 200 MiB
//!     ^ parent          ^
//!   Heap              Heap       held = headers + touched units + mappings   hard 64 MiB
//! ```
//!
//! A charge goes up from the heap to the root; the first account that refuses it has what lies below it
//! refunded. Pools are charged by the unit (16 KiB) when they are first touched, so no account is asked on a
//! fast path.
#![allow(unsafe_code, reason = "a callback is kept in an atomic word")]
#![cfg_attr(not(loom), allow(unreachable_pub, reason = "public for loom alone"))]

use core::panic::AssertUnwindSafe;

use super::sync::{AtomicBool, AtomicPtr, AtomicUsize, Ordering, const_unless_loom};

/// What a callback is told: see [`Budget::set_soft_limit`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exceeded {
    /// Bytes held when the callback was called.
    pub held_bytes: usize,
    /// The soft limit in bytes.
    pub soft_limit: usize,
}

/// An account of bytes with a hard and a soft limit, within another account or none.
///
/// ```
/// use core::alloc::Layout;
/// use cpymem_allocator::{Budget, Heap};
///
/// static SERVICE: Budget = Budget::new(8 << 20);
/// let (first, second) = (Heap::within(&SERVICE), Heap::within(&SERVICE));
/// let six = Layout::from_size_align(6 << 20, 8).unwrap();
/// let block = first.alloc(six).expect("6 of 8 MiB");
/// assert!(second.alloc(six).is_none(), "they share the 8 MiB");
/// // SAFETY: the block was allocated here with this layout and is not used any more.
/// unsafe { first.dealloc(block, six) };
/// assert!(second.alloc(six).is_some());
/// ```
///
/// # Invariants
/// 1. `held` is the sum of all charges that were not released, and never above the hard limit that stood when
///    the last charge was made.
#[derive(Debug)]
pub struct Budget {
    hard: AtomicUsize,
    soft: AtomicUsize,
    held: AtomicUsize,
    peak: AtomicUsize,
    /// A charge has passed the soft limit, and the callback was not called for it yet.
    passed: AtomicBool,
    /// A `fn(Exceeded)`, or null.
    callback: AtomicPtr<()>,
    parent: Option<&'static Budget>,
}

impl Budget {
    const_unless_loom! {
        /// An account that holds at most `bytes` bytes; `usize::MAX` for no limit.
        pub fn new(bytes: usize) -> Budget {
            Budget::with_parent(bytes, None)
        }
    }

    const_unless_loom! {
        /// An account whose charges also count in `parent`, and which holds at most `bytes` bytes itself.
        pub fn within(parent: &'static Budget, bytes: usize) -> Budget {
            Budget::with_parent(bytes, Some(parent))
        }
    }

    const_unless_loom! {
        pub(crate) fn with_parent(bytes: usize, parent: Option<&'static Budget>) -> Budget {
            Budget {
                hard: AtomicUsize::new(bytes),
                soft: AtomicUsize::new(usize::MAX),
                held: AtomicUsize::new(0),
                peak: AtomicUsize::new(0),
                passed: AtomicBool::new(false),
                callback: AtomicPtr::new(core::ptr::null_mut()),
                parent,
            }
        }
    }

    /// Sets the hard limit in bytes. What is held above it stays; nothing more is charged until it is below.
    pub fn set_hard_limit(&self, bytes: usize) {
        // Relaxed: a charge under way may see the old limit, as if it had been made before.
        self.hard.store(bytes, Ordering::Relaxed);
    }

    /// Calls `callback` whenever what is held passes `bytes`, once for each time that it comes from below.
    ///
    /// It is called by the thread whose charge passed the limit, at the end of its allocation, outside the
    /// allocator's locks; it may allocate and free. A panic in it ends there.
    pub fn set_soft_limit(&self, bytes: usize, callback: fn(Exceeded)) {
        // Release: pairs with the load in `ring`.
        self.callback.store(callback as *mut (), Ordering::Release);
        // Relaxed: whoever sees the new limit too early calls the callback that stands.
        self.soft.store(bytes, Ordering::Relaxed);
    }

    /// Bytes held now.
    pub fn held_bytes(&self) -> usize {
        self.held.load(Ordering::Relaxed)
    }

    /// Most bytes held at one time.
    pub fn peak_held_bytes(&self) -> usize {
        self.peak.load(Ordering::Relaxed)
    }

    /// The hard limit in bytes.
    pub fn hard_limit(&self) -> usize {
        self.hard.load(Ordering::Relaxed)
    }

    /// Charges `bytes` here and in every account around this one, or nothing anywhere and `None` if one of
    /// the limits would be passed.
    pub fn charge(&self, bytes: usize) -> Option<()> {
        self.charge_here(bytes)?;
        let Some(parent) = self.parent else { return Some(()) };
        let charged = parent.charge(bytes);
        if charged.is_none() {
            self.release_here(bytes);
        }
        charged
    }

    /// Takes back a charge.
    pub fn release(&self, bytes: usize) {
        let mut account = Some(self);
        while let Some(budget) = account {
            budget.release_here(bytes);
            account = budget.parent;
        }
    }

    fn charge_here(&self, bytes: usize) -> Option<()> {
        // All relaxed: the account is a number and orders nothing; the exchange keeps it exact.
        let mut held = self.held.load(Ordering::Relaxed);
        let new = loop {
            let new = held.checked_add(bytes).filter(|&new| new <= self.hard.load(Ordering::Relaxed))?;
            match self.held.compare_exchange_weak(held, new, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => break new,
                Err(now) => held = now,
            }
        };
        if new > self.peak.load(Ordering::Relaxed) {
            self.peak.fetch_max(new, Ordering::Relaxed);
        }
        let soft = self.soft.load(Ordering::Relaxed);
        if held <= soft && new > soft {
            self.passed.store(true, Ordering::Relaxed);
        }
        Some(())
    }

    fn release_here(&self, bytes: usize) {
        let before = self.held.fetch_sub(bytes, Ordering::Relaxed);
        debug_assert!(bytes <= before);
    }

    /// The account around this one.
    #[cfg_attr(loom, allow(dead_code, reason = "heaps are not built"))]
    pub(crate) fn parent(&self) -> Option<&'static Budget> {
        self.parent
    }

    /// Calls the callbacks that are due here and in the accounts around. Two loads for each if none is.
    #[inline]
    #[cfg_attr(loom, allow(dead_code, reason = "heaps are not built"))]
    pub(crate) fn ring(&self) {
        let mut account = Some(self);
        while let Some(budget) = account {
            // Relaxed: whoever brings it to false is the one who calls.
            if budget.passed.load(Ordering::Relaxed) && budget.passed.swap(false, Ordering::Relaxed) {
                budget.call();
            }
            account = budget.parent;
        }
    }

    #[cold]
    fn call(&self) {
        // Acquire: pairs with the store in `set_soft_limit`.
        let callback = self.callback.load(Ordering::Acquire);
        if callback.is_null() {
            return;
        }
        // SAFETY: not null, so it is what `set_soft_limit` stored: a `fn(Exceeded)`.
        let callback = unsafe { core::mem::transmute::<*mut (), fn(Exceeded)>(callback) };
        let exceeded =
            Exceeded { held_bytes: self.held_bytes(), soft_limit: self.soft.load(Ordering::Relaxed) };
        // An allocator must not unwind. The payload's own destructor may panic, too: it is not run.
        let result = std::panic::catch_unwind(AssertUnwindSafe(|| callback(exceeded)));
        core::mem::forget(result);
    }
}

/// An account that goes away takes what it holds out of the accounts around it.
impl Drop for Budget {
    fn drop(&mut self) {
        if let Some(parent) = self.parent {
            parent.release(self.held_bytes());
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use core::sync::atomic::AtomicUsize;

    use super::*;

    #[test]
    fn a_refused_charge_leaves_every_account_as_it_was() {
        static ROOT: Budget = Budget::new(100);
        static MIDDLE: Budget = Budget::within(&ROOT, 80);
        let leaf = Budget::within(&MIDDLE, 60);
        assert_eq!(leaf.charge(50), Some(()));
        assert_eq!(leaf.charge(20), None, "the leaf's own limit");
        assert_eq!(MIDDLE.charge(40), None);
        assert_eq!(ROOT.charge(45), Some(()));
        assert_eq!(leaf.charge(6), None, "the root's limit");
        assert_eq!((leaf.held_bytes(), MIDDLE.held_bytes(), ROOT.held_bytes()), (50, 50, 95));
        leaf.release(50);
        assert_eq!((leaf.held_bytes(), MIDDLE.held_bytes(), ROOT.held_bytes()), (0, 0, 45));
        assert_eq!(leaf.charge(usize::MAX), None);
        assert_eq!(ROOT.peak_held_bytes(), 95);
        leaf.charge(10).unwrap();
        drop(leaf);
        assert_eq!((MIDDLE.held_bytes(), ROOT.held_bytes()), (0, 45));
    }

    #[test]
    fn the_callback_comes_once_for_each_passing() {
        static CALLS: AtomicUsize = AtomicUsize::new(0);
        fn called(exceeded: Exceeded) {
            assert!(exceeded.held_bytes > 10 && exceeded.soft_limit == 10);
            if CALLS.fetch_add(1, Ordering::Relaxed) == 1 {
                panic!("a callback that panics");
            }
        }
        let budget = Budget::new(usize::MAX);
        budget.set_soft_limit(10, called);
        for (charge, calls) in [(10, 0), (1, 1), (5, 1)] {
            budget.charge(charge).unwrap();
            budget.ring();
            assert_eq!(CALLS.load(Ordering::Relaxed), calls);
        }
        budget.release(6);
        budget.charge(1).unwrap();
        budget.ring();
        budget.ring();
        assert_eq!(CALLS.load(Ordering::Relaxed), 2, "after it fell to the limit");
    }
}
