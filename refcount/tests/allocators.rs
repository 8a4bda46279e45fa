//! Any allocator: every block goes back with the layout it was asked for, and an allocator that has nothing is no disaster.
// With `checked` the memory of dead objects waits.
#![cfg(not(feature = "checked"))]
#![allow(unsafe_code, reason = "allocators of the tests' own")]

use allocator_api2::alloc::{AllocError, Allocator, Global};
use cpymem_refcount::raw::trashcan;
use cpymem_refcount::rc::{Rc, Weak};
use std::alloc::Layout;
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::ops::Deref;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr::NonNull;

/// Knows every block that is out, and can be told to refuse.
#[derive(Default)]
struct Ledger {
    out: RefCell<HashMap<usize, Layout>>,
    handed_out: Cell<usize>,
    refuse: Cell<bool>,
}

impl Ledger {
    fn outstanding(&self) -> Vec<Layout> {
        self.out.borrow().values().copied().collect()
    }
}

// SAFETY: passes the blocks of `Global` through.
unsafe impl Allocator for &Ledger {
    fn allocate(&self, layout: Layout) -> Result<NonNull<[u8]>, AllocError> {
        if self.refuse.get() {
            return Err(AllocError);
        }
        let block = Global.allocate(layout)?;
        self.handed_out.set(self.handed_out.get() + 1);
        assert!(self.out.borrow_mut().insert(block.cast::<u8>().addr().get(), layout).is_none());
        Ok(block)
    }

    unsafe fn deallocate(&self, block: NonNull<u8>, layout: Layout) {
        assert_eq!(self.out.borrow_mut().remove(&block.addr().get()), Some(layout));
        // SAFETY: the caller's promise.
        unsafe { Global.deallocate(block, layout) };
    }
}

/// The same, `'static`.
#[derive(Clone, Default)]
struct Shared(std::rc::Rc<Ledger>);

impl Deref for Shared {
    type Target = Ledger;

    fn deref(&self) -> &Ledger {
        &self.0
    }
}

// SAFETY: as for `&Ledger`; clones share the ledger.
unsafe impl Allocator for Shared {
    fn allocate(&self, layout: Layout) -> Result<NonNull<[u8]>, AllocError> {
        (&**self).allocate(layout)
    }

    unsafe fn deallocate(&self, block: NonNull<u8>, layout: Layout) {
        // SAFETY: the caller's promise.
        unsafe { (&**self).deallocate(block, layout) };
    }
}

#[test]
fn what_is_allocated() {
    let ledger = Ledger::default();
    let rc = Rc::new_borrowed_in(7_u64, &ledger);
    assert_eq!(ledger.outstanding(), [Layout::from_size_align(8 + 8, 8).unwrap()]);
    let weak = Rc::downgrade(&rc);
    let second = Rc::downgrade(&rc);
    assert_eq!(ledger.outstanding().len(), 2);
    drop(rc);
    assert_eq!(
        ledger.outstanding(),
        [Layout::from_size_align(16, 8).unwrap()],
        "only the side header is left"
    );
    drop(weak);
    assert_eq!(ledger.outstanding().len(), 1);
    drop(second);
    assert_eq!(ledger.outstanding(), []);

    drop(Rc::new_borrowed_in((), &ledger));
    drop(Weak::<u64, _>::new_in(&ledger));
    assert_eq!((ledger.handed_out.get(), ledger.outstanding().len()), (3, 0));
}

#[test]
fn everything_comes_back() {
    #[derive(Clone)]
    #[repr(align(128))]
    struct Aligned(u8);

    let ledger = Ledger::default();
    let mut rc = Rc::new_borrowed_in(Aligned(1), &ledger);
    let weak = Rc::downgrade(&rc);
    Rc::make_mut_borrowed(&mut rc).0 = 2;
    assert!(weak.upgrade().is_none());
    let shared = rc.clone();
    Rc::make_mut_borrowed(&mut rc).0 = 3;
    let shared_weak = Rc::downgrade(&shared);
    let (pointer, alloc) = Rc::into_raw_with_allocator(shared);
    // SAFETY: both come from the line above.
    let shared = unsafe { Rc::from_raw_in(pointer, alloc) };
    assert_eq!((shared.0, rc.0), (2, 3));
    assert_eq!(Rc::try_unwrap(shared).ok().unwrap().0, 2);
    assert_eq!(Rc::into_inner(rc).unwrap().0, 3);
    assert_eq!(ledger.outstanding().len(), 2, "two side headers");
    drop((weak, shared_weak));
    assert_eq!(ledger.outstanding(), []);
}

#[test]
fn constructors_that_panic_give_everything_back() {
    let ledger = Shared::default();
    struct Node(Weak<Node, Shared>);
    let rc = Rc::new_cyclic_in(|me| Node(Weak::clone(me)), ledger.clone());
    assert!(Rc::ptr_eq(&rc.0.upgrade().unwrap(), &rc));
    drop(rc);
    assert_eq!(ledger.outstanding(), []);
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        Rc::new_cyclic_in(|_: &Weak<u64, Shared>| -> u64 { panic!("no value") }, ledger.clone())
    }));
    assert!(panicked.is_err());
    assert_eq!(ledger.outstanding(), []);
}

#[test]
fn no_memory() {
    let ledger = Shared::default();
    ledger.refuse.set(true);
    assert!(Rc::try_new_in(String::from("x"), ledger.clone()).is_err());
    ledger.refuse.set(false);
    assert_eq!(*Rc::try_new_in(String::from("x"), ledger.clone()).unwrap(), "x");
    assert_eq!(ledger.outstanding(), []);
}

#[test]
fn an_allocator_waits_in_the_queue_with_its_object() {
    let ledger = Shared::default();
    struct Link(#[expect(dead_code, reason = "owns the rest")] Option<Rc<Link, Shared>>);
    let head = (0..10_000).fold(None, |next, _| Some(Rc::new_in(Link(next), ledger.clone())));
    drop(head);
    assert_eq!((ledger.handed_out.get(), ledger.outstanding().len()), (10_000, 0));
    assert_eq!(trashcan::leaked(), 0);
}

#[test]
fn an_allocator_that_does_not_fit_into_the_queue() {
    #[derive(Clone)]
    struct Large {
        _room: [usize; 4],
        _token: std::rc::Rc<()>,
    }
    // SAFETY: `Global`'s blocks.
    unsafe impl Allocator for Large {
        fn allocate(&self, layout: Layout) -> Result<NonNull<[u8]>, AllocError> {
            Global.allocate(layout)
        }
        unsafe fn deallocate(&self, block: NonNull<u8>, layout: Layout) {
            // SAFETY: the caller's promise.
            unsafe { Global.deallocate(block, layout) };
        }
    }
    struct Link(#[expect(dead_code, reason = "owns the rest")] Option<Rc<Link, Large>>);
    let token = std::rc::Rc::new(());
    let head = (0..300)
        .fold(None, |next, _| Some(Rc::new_in(Link(next), Large { _room: [0; 4], _token: token.clone() })));
    let clone = head.clone();
    drop(head);
    drop(clone);
    assert_eq!(std::rc::Rc::strong_count(&token), 1, "every clone of the allocator is dropped");
}
