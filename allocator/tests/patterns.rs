//! Every pattern, small, on every kind of subject, with every byte of every block checked.
#![cfg(feature = "patterns")]
#![allow(unsafe_code, reason = "an allocator that forgets implements GlobalAlloc")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use cpymem_allocator::Global;
use cpymem_allocator::patterns::{Fill, PATTERNS, Scale, Subject};

fn small() -> Scale {
    Scale::new(0.002)
}

#[test]
fn every_pattern_gives_right_answers_on_global_and_system() {
    for subject in [Subject::shared(&Global), Subject::shared(&System)] {
        for pattern in PATTERNS.iter().filter(|pattern| pattern.plays(&subject)) {
            for fill in [Fill::Word, Fill::Whole] {
                let outcome = pattern.run_filled(&subject, small(), fill);
                assert_eq!(outcome.clobbered, 0, "{} {fill:?}", pattern.name);
                assert!(outcome.operations > 0 && !outcome.elapsed.is_zero(), "{}", pattern.name);
            }
        }
    }
}

/// Gives the same block to everybody: what a check that cannot fail would not notice.
#[derive(Default)]
struct Forgetful {
    /// Null until it is asked for.
    block: Cell<*mut u8>,
}

impl Forgetful {
    /// The block that there is.
    const BLOCK: Layout = Layout::new::<[u64; 16384]>();

    /// The block, if it is large enough for this; null otherwise.
    fn give(&self, size: usize, align: usize) -> *mut u8 {
        if size > Self::BLOCK.size() || align > Self::BLOCK.align() {
            return std::ptr::null_mut();
        }
        if self.block.get().is_null() {
            // SAFETY: the layout is not empty.
            self.block.set(unsafe { System.alloc(Self::BLOCK) });
        }
        self.block.get()
    }
}

// SAFETY: what it gives is null, or fits the layout and stays allocated as long as this exists; `realloc` keeps the contents, as the
// block is the same; nothing unwinds. Others may have been given the same block. The patterns of this test reach their
// blocks through raw pointers alone, one after the other on one thread, so that they find other bytes than they wrote, and no more.
unsafe impl GlobalAlloc for Forgetful {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        self.give(layout.size(), layout.align())
    }

    unsafe fn dealloc(&self, _: *mut u8, _: Layout) {}

    unsafe fn realloc(&self, _: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        self.give(size, layout.align())
    }
}

impl Drop for Forgetful {
    fn drop(&mut self) {
        if !self.block.get().is_null() {
            // SAFETY: the block was allocated with this layout, and goes once; a subject would borrow `self`.
            unsafe { System.dealloc(self.block.get(), Self::BLOCK) };
        }
    }
}

#[test]
fn blocks_that_overlap_are_found() {
    let forgetful = Forgetful::default();
    let subject = Subject::local(&forgetful);
    for name in ["lifo", "fifo", "random-batches", "churn-10k", "churn-1m", "mixed-8k", "free-1m", "realloc"]
    {
        let pattern = PATTERNS.iter().find(|pattern| pattern.name == name).unwrap();
        for fill in [Fill::Word, Fill::Whole] {
            let outcome = pattern.run_filled(&subject, small(), fill);
            assert!(outcome.clobbered > 0, "{name} {fill:?}");
        }
    }
}

#[test]
fn a_local_subject_stays_on_its_thread() {
    let subject = Subject::local(&System);
    for pattern in PATTERNS.iter().filter(|pattern| pattern.threads() == 2) {
        assert!(!pattern.plays(&subject));
        assert_eq!(pattern.run(&subject, small()).operations, 0, "{}", pattern.name);
    }
}
