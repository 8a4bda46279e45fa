//! Free lists: blocks come back from them, whole, once, and no more of them than allowed.
// With `checked` the memory of dead objects waits.
#![cfg(not(feature = "checked"))]
#![allow(unsafe_code, reason = "an allocator of the test's own, and blocks by hand")]

use allocator_api2::alloc::{AllocError, Allocator, Global};
use cpymem_refcount::freelist::{FreeLists, PER_THREAD_LIMIT, PerThread};
use cpymem_refcount::{rc, sync};
use proptest::prelude::*;
use std::alloc::Layout;
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::ptr::NonNull;

/// Knows every block that is out, with its layout.
#[derive(Default)]
struct Ledger {
    out: RefCell<HashMap<usize, Layout>>,
    asked: Cell<usize>,
}

// SAFETY: passes the blocks of `Global` through.
unsafe impl Allocator for &Ledger {
    fn allocate(&self, layout: Layout) -> Result<NonNull<[u8]>, AllocError> {
        let block = Global.allocate(layout)?;
        self.asked.set(self.asked.get() + 1);
        assert!(self.out.borrow_mut().insert(block.cast::<u8>().addr().get(), layout).is_none());
        Ok(block)
    }

    unsafe fn deallocate(&self, block: NonNull<u8>, layout: Layout) {
        assert_eq!(self.out.borrow_mut().remove(&block.addr().get()), Some(layout));
        // SAFETY: the caller's promise.
        unsafe { Global.deallocate(block, layout) };
    }
}

#[test]
fn the_next_object_gets_the_memory() {
    let ledger = Ledger::default();
    let lists = FreeLists::new(2, &ledger);
    for round in 0..10_u64 {
        let object = rc::Rc::new_borrowed_in(round, &lists);
        let weak = rc::Rc::downgrade(&object);
        drop((object, weak));
        let object = sync::Arc::new_borrowed_in(round, &lists);
        let weak = sync::Arc::downgrade(&object);
        drop((object, weak));
    }
    assert_eq!(ledger.asked.get(), 2, "one block for the object, one for the side header");
    assert_eq!((lists.kept_blocks(), lists.kept_bytes()), (2, 32));
    assert_eq!(format!("{lists:?}"), "FreeLists { limit: 2, kept_blocks: 2, kept_bytes: 32, .. }");
    lists.clear();
    assert!(lists.kept_blocks() == 0 && ledger.out.borrow().is_empty());
}

#[test]
fn no_more_than_the_limit_stays() {
    let ledger = Ledger::default();
    let lists = FreeLists::new(3, &ledger);
    let objects: Vec<_> = (0..10_u32).map(|i| rc::Rc::new_borrowed_in(i, &lists)).collect();
    drop(objects);
    assert_eq!((lists.kept_blocks(), ledger.out.borrow().len()), (3, 3));
    drop(lists);
    assert!(ledger.out.borrow().is_empty());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    /// Blocks of all layouts, filled with bytes of their own: none is handed out twice, moves, or is too small.
    #[test]
    fn blocks_never_overlap(trace in proptest::collection::vec((1_usize..600, 0_u32..7, any::<usize>()), 1..300)) {
        let ledger = Ledger::default();
        let lists = FreeLists::new(4, &ledger);
        let alloc = &lists;
        let mut live: Vec<(NonNull<u8>, Layout, u8)> = Vec::new();
        let check = |&(block, layout, mark): &(NonNull<u8>, Layout, u8)| {
            // SAFETY: written below, and not freed since.
            let bytes = unsafe { std::slice::from_raw_parts(block.as_ptr(), layout.size()) };
            bytes.iter().all(|byte| *byte == mark)
        };
        for (step, &(size, align, choice)) in trace.iter().enumerate() {
            if choice % 3 == 0 && !live.is_empty() {
                let entry = live.swap_remove(choice / 3 % live.len());
                prop_assert!(check(&entry));
                // SAFETY: allocated below with this layout.
                unsafe { alloc.deallocate(entry.0, entry.1) };
            } else {
                let layout = Layout::from_size_align(size, 1 << align).unwrap();
                let block = alloc.allocate(layout).unwrap();
                prop_assert!(block.len() >= size && block.cast::<u8>().addr().get().is_multiple_of(1 << align));
                let mark = step as u8;
                // SAFETY: so many bytes are ours.
                unsafe { block.cast::<u8>().write_bytes(mark, size) };
                live.push((block.cast(), layout, mark));
            }
        }
        for entry in live {
            prop_assert!(check(&entry));
            // SAFETY: allocated above with this layout.
            unsafe { alloc.deallocate(entry.0, entry.1) };
        }
        drop(lists);
        prop_assert!(ledger.out.borrow().is_empty());
    }
}

#[test]
fn every_thread_has_its_own() {
    std::thread::spawn(|| {
        assert_eq!(PerThread::kept_blocks(), 0);
        let objects: Vec<_> = (0..1000_u64).map(|i| sync::Arc::new_in(i, PerThread)).collect();
        let weak: Vec<_> = objects.iter().map(sync::Arc::downgrade).collect();
        std::thread::spawn(move || {
            drop(objects);
            assert_eq!(PerThread::kept_blocks(), PER_THREAD_LIMIT as usize);
            PerThread::clear();
            assert_eq!(PerThread::kept_blocks(), 0);
        })
        .join()
        .unwrap();
        assert_eq!(PerThread::kept_blocks(), 0);
        drop(weak);
        assert_eq!(PerThread::kept_blocks(), PER_THREAD_LIMIT as usize);
    })
    .join()
    .unwrap();
}

#[test]
fn the_end_of_a_thread() {
    thread_local! {
        static LATE: RefCell<Vec<rc::Rc<String, PerThread>>> = const { RefCell::new(Vec::new()) };
    }
    // The objects are freed when the thread's lists may be gone already.
    std::thread::spawn(|| {
        LATE.with_borrow_mut(|late| late.extend((0..200).map(|i| rc::Rc::new_in(i.to_string(), PerThread))));
        drop(rc::Rc::new_in(String::from("first use of the lists"), PerThread));
    })
    .join()
    .unwrap();
}
