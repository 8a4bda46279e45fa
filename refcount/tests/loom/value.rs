//! What the models look at.

use loom::cell::UnsafeCell;
use loom::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Arc as Outside;

/// A value that loom watches: a drop or an exclusive use beside any other use is reported as a race. It counts how often it died.
pub(crate) struct Value {
    cell: UnsafeCell<u32>,
    deaths: Outside<AtomicUsize>,
}

// SAFETY: loom has it to check: the cell is read by `use_it` and written by `Drop` and by whoever has a `&mut`.
#[allow(unsafe_code, reason = "the models look for exactly what this could break")]
unsafe impl Sync for Value {}

impl Value {
    pub(crate) fn new() -> (Value, Deaths) {
        let deaths = Outside::new(AtomicUsize::new(0));
        (Value { cell: UnsafeCell::new(0), deaths: deaths.clone() }, Deaths(deaths))
    }

    pub(crate) fn use_it(&self) -> u32 {
        #[allow(unsafe_code, reason = "loom reports a writer at the same time")]
        // SAFETY: loom's to check.
        self.cell.with(|value| unsafe { *value })
    }

    pub(crate) fn change_it(&mut self) {
        #[allow(unsafe_code, reason = "loom reports any other use at the same time")]
        // SAFETY: loom's to check.
        self.cell.with_mut(|value| unsafe { *value += 1 });
    }
}

impl Drop for Value {
    fn drop(&mut self) {
        self.change_it();
        self.deaths.fetch_add(1, Ordering::Relaxed);
    }
}

/// How often the value of a model has died.
pub(crate) struct Deaths(Outside<AtomicUsize>);

impl Deaths {
    pub(crate) fn count(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

/// Three preemptions find what there is to find (with two threads, all that these protocols can do); without a bound the model with
/// three threads runs for more than ten minutes.
pub(crate) fn explore(model: fn()) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(builder.preemption_bound.unwrap_or(3));
    builder.check(model);
}
