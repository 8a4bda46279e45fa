//! Every pattern, small, on every kind of subject, with every byte of every block checked.
#![cfg(feature = "patterns")]
#![allow(unsafe_code, reason = "an allocator that forgets is an unsafe impl")]

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

/// Gives the same few blocks to everybody: what a check that cannot fail would not notice.
struct Forgetful {
    block: Cell<*mut u8>,
}

// SAFETY: it is not an allocator; the patterns of this test write within the one block that there is.
unsafe impl GlobalAlloc for Forgetful {
    unsafe fn alloc(&self, _: Layout) -> *mut u8 {
        if self.block.get().is_null() {
            let layout = Layout::new::<[u64; 16384]>();
            // SAFETY: the layout is not empty.
            self.block.set(unsafe { System.alloc(layout) });
        }
        self.block.get()
    }

    unsafe fn dealloc(&self, _: *mut u8, _: Layout) {}

    unsafe fn realloc(&self, block: *mut u8, _: Layout, _: usize) -> *mut u8 {
        block
    }
}

#[test]
fn blocks_that_overlap_are_found() {
    let forgetful = Forgetful { block: Cell::new(std::ptr::null_mut()) };
    let subject = Subject::local(&forgetful);
    for name in ["lifo", "fifo", "random-batches", "churn-10k", "churn-1m", "mixed-8k", "free-1m", "realloc"]
    {
        let pattern = PATTERNS.iter().find(|pattern| pattern.name == name).unwrap();
        for fill in [Fill::Word, Fill::Whole] {
            let outcome = pattern.run_filled(&subject, small(), fill);
            assert!(outcome.clobbered > 0, "{name} {fill:?}");
        }
    }
    // SAFETY: the one block that was made, with its layout; the subject is not used any more.
    unsafe { System.dealloc(forgetful.block.get(), Layout::new::<[u64; 16384]>()) };
}

#[test]
fn a_local_subject_stays_on_its_thread() {
    let subject = Subject::local(&System);
    for pattern in PATTERNS.iter().filter(|pattern| pattern.threads() == 2) {
        assert!(!pattern.plays(&subject));
        assert_eq!(pattern.run(&subject, small()).operations, 0, "{}", pattern.name);
    }
}
