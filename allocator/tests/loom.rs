//! The protocols between threads, in every order that loom can make of them:
//!
//! ```text
//! RUSTFLAGS="--cfg loom" cargo test --release -p cpymem-allocator --test loom
//! ```
#![cfg(loom)]
#![allow(unsafe_code, reason = "loom's cells are read through pointers")]

use std::sync::atomic::AtomicUsize as StdAtomicUsize;

use cpymem_allocator::protocol::budget::Budget;
use cpymem_allocator::protocol::handover::{Handover, Links, State};
use cpymem_allocator::protocol::interval::Interval;
use cpymem_allocator::protocol::lock::RawLock;
use cpymem_allocator::protocol::request::Request;
use loom::cell::UnsafeCell;
use loom::sync::Arc;
use loom::sync::atomic::{AtomicUsize, Ordering};
use loom::thread;

loom::lazy_static! {
    /// The links of blocks 1 to 4; a cell, so that loom sees an access that nothing orders.
    static ref NEXT: [UnsafeCell<usize>; 5] = std::array::from_fn(|_| UnsafeCell::new(0));
}

struct InTable;

impl Links for InTable {
    fn set_next(block: usize, next: usize) {
        // SAFETY: the block belongs to the caller; loom checks that.
        NEXT[block].with_mut(|at| unsafe { *at = next });
    }
}

/// A heap that counts its blocks; loom sees two owners at once, or an owner that the last one is not ordered
/// before.
struct Heap {
    handover: Handover<InTable>,
    blocks: UnsafeCell<usize>,
}

impl Heap {
    fn new() -> Arc<Heap> {
        Arc::new(Heap { handover: Handover::new(), blocks: UnsafeCell::new(0) })
    }

    /// What an owner does with a chain.
    fn sort(&self, mut first: usize) {
        while first != 0 {
            // SAFETY: the caller owns the heap; loom checks that.
            self.blocks.with_mut(|blocks| unsafe { *blocks += 1 });
            // SAFETY: the block was delivered to this heap.
            first = NEXT[first].with(|next| unsafe { *next });
        }
    }

    fn deliver(&self, first: usize, last: usize) {
        self.handover.deliver(first, last, |first| self.sort(first));
    }

    fn abandon(&self) {
        self.sort(self.handover.take());
        self.handover.release(|first| self.sort(first));
    }

    /// Blocks sorted in and blocks that wait, once all threads are gone.
    fn all(&self) -> (usize, usize) {
        // SAFETY: all threads are gone; loom checks that.
        let sorted = self.blocks.with(|blocks| unsafe { *blocks });
        let (mut waiting, mut first) = (0, self.handover.take());
        while first != 0 {
            waiting += 1;
            // SAFETY: as above.
            first = NEXT[first].with(|next| unsafe { *next });
        }
        (sorted, waiting)
    }
}

#[test]
fn two_deliverers_and_an_owner_that_takes() {
    loom::model(|| {
        let heap = Heap::new();
        let threads = [(1, 1), (2, 2)].map(|(first, last)| {
            let heap = heap.clone();
            thread::spawn(move || heap.deliver(first, last))
        });
        heap.sort(heap.handover.take());
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        let (sorted, waiting) = heap.all();
        assert_eq!(sorted + waiting, 2, "no block is lost, none is seen twice");
    });
}

#[test]
fn a_chain_arrives_whole() {
    loom::model(|| {
        let heap = Heap::new();
        let deliverer = {
            let heap = heap.clone();
            thread::spawn(move || {
                InTable::set_next(1, 2);
                InTable::set_next(2, 3);
                heap.deliver(1, 3);
            })
        };
        heap.deliver(4, 4);
        heap.sort(heap.handover.take());
        deliverer.join().unwrap();
        let (sorted, waiting) = heap.all();
        assert_eq!(sorted + waiting, 4);
    });
}

/// Threads that deliver a block each to a heap that is given up meanwhile.
fn abandon_against(deliverers: usize) {
    let heap = Heap::new();
    let threads: Vec<_> = (1..=deliverers)
        .map(|block| {
            let heap = heap.clone();
            thread::spawn(move || heap.deliver(block, block))
        })
        .collect();
    heap.abandon();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    assert_eq!(heap.all(), (deliverers, 0));
}

#[test]
fn nothing_waits_in_a_heap_whose_owner_has_gone() {
    loom::model(|| abandon_against(1));
}

/// Two preemptions, as every order of three threads would take hours.
#[test]
fn nothing_waits_after_two_deliverers_either() {
    let mut model = loom::model::Builder::new();
    model.preemption_bound = Some(2);
    model.check(|| abandon_against(2));
}

#[test]
fn an_abandoned_heap_has_one_owner_at_a_time() {
    loom::model(|| {
        let heap = Heap::new();
        heap.abandon();
        let adopters = Arc::new(AtomicUsize::new(0));
        let threads = [0, 1].map(|_| {
            let (heap, adopters) = (heap.clone(), adopters.clone());
            thread::spawn(move || {
                if heap.handover.claim(State::Active) {
                    adopters.fetch_add(1, Ordering::Relaxed);
                    // SAFETY: the heap is this thread's now; loom checks that.
                    heap.blocks.with_mut(|blocks| unsafe { *blocks += 10 });
                }
            })
        });
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        assert_eq!((adopters.load(Ordering::Relaxed), heap.all()), (1, (10, 0)));
    });
}

#[test]
fn a_delivery_races_an_adoption() {
    static ADOPTED: StdAtomicUsize = StdAtomicUsize::new(0);
    loom::model(|| {
        let heap = Heap::new();
        heap.abandon();
        let deliverer = {
            let heap = heap.clone();
            thread::spawn(move || heap.deliver(1, 1))
        };
        let adopted = heap.handover.claim(State::Active);
        if adopted {
            ADOPTED.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            heap.sort(heap.handover.take());
        }
        deliverer.join().unwrap();
        let (sorted, waiting) = heap.all();
        assert_eq!(sorted + waiting, 1);
        // With an owner the block may wait for it; without one it may not.
        assert!(adopted || waiting == 0);
    });
    assert!(ADOPTED.load(std::sync::atomic::Ordering::Relaxed) > 0);
}

/// The purge of a thread that does not own the heap, against the owner that takes a unit and writes to it. Both
/// hold the lock while they look at the maps; the content is the owner's alone once the unit is taken.
#[test]
fn a_purge_never_touches_a_unit_that_is_being_taken() {
    struct Unit {
        lock: RawLock,
        free: UnsafeCell<bool>,
        content: UnsafeCell<u8>,
    }
    static PURGED_FIRST: StdAtomicUsize = StdAtomicUsize::new(0);
    // Waiting for a spin lock has no bound; two preemptions show every order of the two critical sections.
    let mut model = loom::model::Builder::new();
    model.preemption_bound = Some(2);
    model.check(|| {
        let unit =
            Arc::new(Unit { lock: RawLock::new(), free: UnsafeCell::new(true), content: UnsafeCell::new(1) });
        let purger = {
            let unit = unit.clone();
            thread::spawn(move || {
                let _alone = unit.lock.lock();
                // SAFETY: under the lock; loom checks that.
                if unit.free.with(|free| unsafe { *free }) {
                    // SAFETY: a free unit, under the lock.
                    unit.content.with_mut(|content| unsafe { *content = 0 });
                }
            })
        };
        {
            let _alone = unit.lock.lock();
            // SAFETY: under the lock.
            unit.free.with_mut(|free| unsafe { *free = false });
        }
        // Outside the lock, as the owner writes to its blocks.
        // SAFETY: the unit is taken; loom sees the purger if it still writes.
        let before = unit.content.with(|content| unsafe { *content });
        PURGED_FIRST.fetch_add(usize::from(before == 0), std::sync::atomic::Ordering::Relaxed);
        // SAFETY: as above.
        unit.content.with_mut(|content| unsafe { *content = 7 });
        purger.join().unwrap();
        // SAFETY: the purger is gone.
        assert_eq!(unit.content.with(|content| unsafe { *content }), 7);
    });
    assert!(PURGED_FIRST.load(std::sync::atomic::Ordering::Relaxed) > 0);
}

#[test]
fn a_hard_limit_is_never_passed_and_no_refund_is_lost() {
    loom::model(|| {
        let parent: &'static Budget = Box::leak(Box::new(Budget::new(3)));
        let threads = [2, 2].map(|bytes| {
            thread::spawn(move || {
                let heap = Budget::within(parent, usize::MAX);
                let charged = heap.charge(bytes).is_some();
                assert!(parent.held_bytes() <= 3);
                if charged {
                    heap.release(1);
                }
                let held = heap.held_bytes();
                std::mem::forget(heap); // which would give back the rest
                (charged, held)
            })
        });
        let results = threads.map(|thread| thread.join().unwrap());
        assert!(results.iter().any(|&(charged, _)| charged), "one of them fits");
        let held: usize = results.iter().map(|&(_, held)| held).sum();
        assert_eq!(parent.held_bytes(), held);
        assert!(parent.peak_held_bytes() <= 3);
    });
}

#[test]
fn one_thread_purges_when_it_is_time_to() {
    loom::model(|| {
        let interval = Arc::new(Interval::new());
        let threads = [1_000, 1_001].map(|now| {
            let interval = interval.clone();
            thread::spawn(move || interval.is_due(now, 500))
        });
        let due: usize = threads.into_iter().map(|thread| usize::from(thread.join().unwrap())).sum();
        assert_eq!(due, 1);
        assert!(interval.is_due(1_501, 500), "and the next one half a second later");
    });
}

/// Somebody asks the owner to flush while it looks for requests: each request is followed by a flush.
#[test]
fn a_request_to_flush_is_done_after_it_was_made() {
    loom::model(|| {
        let request = Arc::new(Request::new());
        let asker = {
            let request = request.clone();
            thread::spawn(move || request.ask())
        };
        request.ask();
        let flushed = usize::from(request.take()) + usize::from(request.take());
        asker.join().unwrap();
        let after = usize::from(request.take());
        assert!((1..=2).contains(&(flushed + after)), "at least once for two requests, at most twice");
        assert!(!request.take());
    });
}
