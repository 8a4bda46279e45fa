//! The living finalizers of one heap, by age.

use core::cell::{Cell, RefCell};
use core::fmt;
use std::collections::BTreeMap;
use std::rc::Rc;

/// A finalizer whose types are forgotten.
pub(crate) trait Pending {
    /// Whether it runs at the end of its collector.
    fn is_at_exit(&self) -> bool;

    /// Calls the callable, unless the finalizer is dead by now, and drops what it returns.
    fn run(&self);

    /// Makes it dead without a call.
    fn give_up(&self);
}

/// See [`finalize`](crate::finalize()).
#[derive(Default)]
pub(crate) struct Finalizers {
    alive: RefCell<BTreeMap<u64, Rc<dyn Pending>>>,
    /// The index of the next one; indices grow with time.
    next: Cell<u64>,
}

impl fmt::Debug for Finalizers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Finalizers").field("alive", &self.alive.borrow().len()).finish_non_exhaustive()
    }
}

impl Finalizers {
    /// The index of a finalizer that is about to be entered.
    pub(crate) fn next_index(&self) -> u64 {
        self.next.replace(self.next.get() + 1)
    }

    pub(crate) fn enter(&self, index: u64, finalizer: Rc<dyn Pending>) {
        self.alive.borrow_mut().insert(index, finalizer);
    }

    /// Forgets one. What is returned is dropped outside of any borrow.
    pub(crate) fn forget(&self, index: u64) -> Option<Rc<dyn Pending>> {
        self.alive.borrow_mut().remove(&index)
    }

    /// Hands every finalizer that is to run at the end to `run`, newest first; one that is made meanwhile is the next.
    /// Their number.
    pub(crate) fn drain_at_exit(&self, mut run: impl FnMut(Rc<dyn Pending>)) -> usize {
        let (mut ran, mut made, mut below) = (0, self.next.get(), u64::MAX);
        loop {
            if made != self.next.get() {
                (made, below) = (self.next.get(), u64::MAX);
            }
            let newest = {
                let mut alive = self.alive.borrow_mut();
                let newest = alive.range(..below).rev().find(|(_, finalizer)| finalizer.is_at_exit());
                let newest = newest.map(|(&index, _)| index);
                newest.and_then(|index| Some((index, alive.remove(&index)?)))
            };
            let Some((index, finalizer)) = newest else { return ran };
            below = index;
            ran += 1;
            run(finalizer);
        }
    }

    /// Hands all that are left to `give_up`.
    pub(crate) fn drain(&self, give_up: impl FnMut(Rc<dyn Pending>)) {
        self.alive.take().into_values().for_each(give_up);
    }
}
