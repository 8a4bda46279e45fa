//! What several tests of the objects use.
#![allow(dead_code, reason = "each test uses a part")]

use std::alloc::Layout;
use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr::NonNull;
use std::rc::Rc;

use allocator_api2::alloc::{AllocError, Allocator, Global};
use cpymem_slots::object::Footprint;

/// Counts what is allocated and held.
#[derive(Clone, Default)]
pub(crate) struct Counting(Rc<Cell<Footprint>>);

impl Counting {
    pub(crate) fn held(&self) -> Footprint {
        self.0.get()
    }
}

// SAFETY: all is passed on to the global allocator.
#[allow(unsafe_code, reason = "an allocator that counts")]
unsafe impl Allocator for Counting {
    fn allocate(&self, layout: Layout) -> Result<NonNull<[u8]>, AllocError> {
        let Footprint { allocations, bytes } = self.held();
        self.0.set(Footprint { allocations: allocations + 1, bytes: bytes + layout.size() });
        Global.allocate(layout)
    }

    unsafe fn deallocate(&self, start: NonNull<u8>, layout: Layout) {
        let Footprint { allocations, bytes } = self.held();
        self.0.set(Footprint { allocations: allocations - 1, bytes: bytes - layout.size() });
        // SAFETY: the caller's promise is the global allocator's.
        unsafe { Global.deallocate(start, layout) };
    }
}

/// An allocator without memory.
#[derive(Clone, Default)]
pub(crate) struct Empty;

// SAFETY: it never hands anything out.
#[allow(unsafe_code, reason = "an allocator without memory")]
unsafe impl Allocator for Empty {
    fn allocate(&self, _: Layout) -> Result<NonNull<[u8]>, AllocError> {
        Err(AllocError)
    }
    unsafe fn deallocate(&self, _: NonNull<u8>, _: Layout) {}
}

/// How often each value was dropped, and which one panics.
pub(crate) struct Ledger {
    drops: RefCell<Vec<u32>>,
    bomb: Option<usize>,
}

pub(crate) struct Value<'l>(pub(crate) &'l Ledger, pub(crate) usize);

impl Drop for Value<'_> {
    fn drop(&mut self) {
        self.0.drops.borrow_mut()[self.1] += 1;
        assert!(self.0.bomb != Some(self.1), "bomb went off: value {}", self.1);
    }
}

impl Ledger {
    pub(crate) fn of(values: usize, bomb: Option<usize>) -> Ledger {
        Ledger { drops: RefCell::new(vec![0; values]), bomb }
    }

    /// Every one of the values was dropped, and dropped once.
    pub(crate) fn close(self) {
        let drops = self.drops.into_inner();
        assert!(drops.iter().all(|&count| count == 1), "drops {drops:?} with bomb {:?}", self.bomb);
    }
}

/// Drops an object, of which a value may panic.
pub(crate) fn drop_quietly<T>(object: T) {
    let _ = catch_unwind(AssertUnwindSafe(|| drop(object)));
}

/// Runs a scenario with no bomb and with each value as the bomb.
pub(crate) fn for_each_bomb(values: usize, scenario: impl Fn(&Ledger)) {
    std::panic::set_hook(Box::new(|info| {
        if !info.to_string().contains("bomb went off") {
            eprintln!("{info}");
        }
    }));
    for bomb in std::iter::once(None).chain((0..values).map(Some)) {
        let ledger = Ledger::of(values, bomb);
        scenario(&ledger);
        ledger.close();
    }
}
