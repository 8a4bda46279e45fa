//! The queue cannot grow: objects leak, are counted, and nothing else happens. Alone in its process, as it replaces the allocator.
// `checked` needs memory to note a death.
#![cfg(not(feature = "checked"))]
#![allow(unsafe_code, reason = "a global allocator of the test's own")]

use cpymem_refcount::raw::trashcan::{self, DEPTH_LIMIT};
use cpymem_refcount::rc::Rc;
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::ptr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

struct Refusing;

static REFUSE: AtomicBool = AtomicBool::new(false);

// SAFETY: passes the blocks of `System` through; null is an answer an allocator may give.
unsafe impl GlobalAlloc for Refusing {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if REFUSE.load(Ordering::Relaxed) {
            return ptr::null_mut();
        }
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(block, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Refusing = Refusing;

thread_local! {
    static DROPS: Cell<u32> = const { Cell::new(0) };
}

/// Every link, in sight of leak checkers.
static LINKS: Mutex<Vec<usize>> = Mutex::new(Vec::new());

struct Link(#[expect(dead_code, reason = "owns the rest")] Option<Rc<Link>>);

impl Drop for Link {
    fn drop(&mut self) {
        DROPS.set(DROPS.get() + 1);
    }
}

#[test]
fn objects_leak_and_are_counted() {
    let link = |next, _| {
        let link = Rc::new(Link(next));
        LINKS.lock().unwrap().push(Rc::as_ptr(&link).expose_provenance());
        Some(link)
    };
    let chain = || (0..DEPTH_LIMIT + 10).fold(None, link);
    let head = chain();
    REFUSE.store(true, Ordering::Relaxed);
    drop(head);
    REFUSE.store(false, Ordering::Relaxed);
    // The object beyond the limit leaks, and with it what only it owned.
    assert_eq!((DROPS.replace(0), trashcan::leaked()), (DEPTH_LIMIT, 1));

    drop(chain());
    assert_eq!((DROPS.get(), trashcan::leaked()), (DEPTH_LIMIT + 10, 1));
}
