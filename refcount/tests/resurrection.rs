//! An embedder of `raw` whose finalizers resurrect, as CPython's `tp_finalize` may (PEP 442): a destructor of `Rc` and `Arc` cannot, since the
//! count of a dead object stays zero (with the feature `checked` the attempt is caught).
#![allow(unsafe_code, reason = "the raw interface is unsafe")]

use allocator_api2::alloc::Global;
use cpymem_refcount::raw::trashcan::{self, Dispose};
use cpymem_refcount::raw::{Header, Side};
use std::cell::{Cell, RefCell};
use std::ptr::NonNull;

const FINALIZED: u32 = 1;

/// An object of the embedder's: it owns the rest of a chain, and is saved by its finalizer if it says so.
#[repr(C)]
struct Object {
    header: Header,
    next: Cell<Option<NonNull<Object>>>,
    saved: bool,
}

thread_local! {
    static FREED: Cell<usize> = const { Cell::new(0) };
    static SAVED: RefCell<Vec<NonNull<Object>>> = const { RefCell::new(Vec::new()) };
}

fn new(next: Option<NonNull<Object>>, saved: bool) -> NonNull<Object> {
    let object = Object { header: Header::new(0), next: Cell::new(next), saved };
    NonNull::from(Box::leak(Box::new(object)))
}

/// Gives up a reference.
fn release(object: NonNull<Object>) {
    // SAFETY: the reference keeps it.
    if unsafe { object.as_ref() }.header.decrement() {
        // SAFETY: it was the last one, and says so once.
        unsafe { trashcan::dispose(Dead(object)) };
    }
}

struct Dead(NonNull<Object>);

// SAFETY: what an object owns is `'static`.
unsafe impl Dispose for Dead {
    fn is_deferrable(&self) -> bool {
        true
    }

    unsafe fn dispose(self) {
        // SAFETY: dead, but not freed yet.
        let object = unsafe { self.0.as_ref() };
        let header = &object.header;
        if header.meta() & FINALIZED == 0 {
            header.set_meta(header.meta() | FINALIZED);
            header.resurrect();
            if object.saved {
                header.increment();
                SAVED.with_borrow_mut(|saved| saved.push(self.0));
            }
            if !header.decrement() {
                return;
            }
        }
        if let Some(side) = header.side() {
            // SAFETY: the object still has its share.
            unsafe { Side::call_watches(side) };
        }
        if let Some(next) = object.next.take() {
            release(next);
        }
        // SAFETY: the allocator of all side headers here; the object is dead.
        unsafe { header.release_side(&Global) };
        FREED.set(FREED.get() + 1);
        // SAFETY: made by `new`, and freed once.
        drop(unsafe { Box::from_raw(self.0.as_ptr()) });
    }
}

#[test]
fn finalizers_that_save_every_thousandth_link() {
    const LENGTH: usize = 1_000_000;
    let run = || {
        let called = std::rc::Rc::new(Cell::new(0));
        let mut head = None;
        for i in 0..LENGTH {
            let object = new(head, i % 1000 == 0);
            if i % 1000 == 0 {
                // SAFETY: just made.
                let side = unsafe { object.as_ref() }.header.side_or_insert(&Global).unwrap();
                // SAFETY: the object has its share.
                let side = unsafe { side.as_ref() };
                let called = called.clone();
                let callback = move || called.set(called.get() + 1);
                // SAFETY: the allocator of the side header; the callback is `'static`.
                let watch = unsafe { side.watch(callback, &Global) }.unwrap();
                // SAFETY: registered there, and the object has its share.
                unsafe { side.detach_watch(watch) };
            }
            head = Some(object);
        }
        // The first run stops at the first saved link; each of the next ones frees a stretch, finalized links among them once only.
        release(head.unwrap());
        let mut runs = 1;
        while let Some(saved) = SAVED.with_borrow_mut(Vec::pop) {
            assert_eq!(called.get(), runs - 1, "resurrected objects keep their weak references");
            release(saved);
            runs += 1;
        }
        assert_eq!((runs, called.get()), (LENGTH / 1000 + 1, LENGTH / 1000));
        assert_eq!(FREED.get(), LENGTH);
        assert_eq!(std::rc::Rc::strong_count(&called), 1);
        assert_eq!(trashcan::leaked(), 0);
    };
    std::thread::Builder::new().stack_size(512 << 10).spawn(run).unwrap().join().unwrap();
}
