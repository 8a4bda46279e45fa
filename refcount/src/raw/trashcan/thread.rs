//! One thread's queue, and how deep that thread is.
#![allow(unsafe_code, reason = "disposals are made when they are due")]

use super::first_panic::FirstPanic;
use super::queue::{Entry, Queue};
use super::{DEPTH_LIMIT, Dispose};
use core::cell::Cell;
use core::mem::{self, ManuallyDrop};
use core::sync::atomic::{AtomicUsize, Ordering};

/// [`super::dispose`].
///
/// # Safety
///
/// That of [`Dispose::dispose`].
#[cfg_attr(loom, expect(dead_code, reason = "see `super::dispose`"))]
#[inline]
pub(super) unsafe fn dispose<D: Dispose>(dead: D) {
    let level = Level::enter();
    if level.is_beyond_limit() && Entry::fits::<D>() && dead.is_deferrable() {
        return defer(dead);
    }
    // SAFETY: the caller's promise.
    unsafe { dead.dispose() };
}

#[cold]
#[inline(never)]
fn defer<D: Dispose>(dead: D) {
    let entry = Entry::new(dead);
    let refused =
        TRASHCAN.try_with(|can| can.queue.push(entry)).unwrap_or_else(|_| unreachable!("there is a depth"));
    if let Err(entry) = refused {
        let _leaked = ManuallyDrop::new(entry);
        leak();
    }
}

pub(in crate::raw) fn leak() {
    LEAKED.fetch_add(1, Ordering::Relaxed); // Relaxed: see `leaked`.
}

pub(super) fn leaked() -> usize {
    // Relaxed: a statistic that orders nothing.
    LEAKED.load(Ordering::Relaxed)
}

static LEAKED: AtomicUsize = AtomicUsize::new(0);

/// One thread's trashcan.
///
/// # Invariants
///
/// 1. `depth` is the number of [`Level`]s of this thread.
/// 2. While `depth` is 0 the queue is empty and owns no memory.
struct Trashcan {
    depth: Cell<u32>,
    queue: Queue,
}

// Without drop glue the slot needs no registration and stays usable while the thread's other thread-locals are destroyed.
const _: () = assert!(!mem::needs_drop::<Trashcan>());

thread_local! {
    static TRASHCAN: Trashcan = const { Trashcan { depth: Cell::new(0), queue: Queue::new() } };
}

impl Trashcan {
    /// Runs the queue until it is empty, whatever panics.
    #[cold]
    #[inline(never)]
    fn drain(&self) {
        let mut first_panic = FirstPanic::none();
        self.depth.set(1);
        while let Some(entry) = self.queue.pop() {
            // SAFETY: whoever called `dispose` with this entry's object promised that it may run until the outermost disposal
            // returns, which is the one that is draining. It left the queue, so it runs once.
            first_panic.catch(|| unsafe { entry.run() });
        }
        self.depth.set(0);
        self.queue.free();
        drop(first_panic);
    }
}

/// One disposal on the stack.
struct Level {
    /// How many there were before.
    depth: u32,
}

impl Level {
    #[inline]
    fn enter() -> Level {
        // On targets without native thread-local storage the slot may be gone at the thread's end. Then nothing is queued.
        let depth = TRASHCAN.try_with(|can| can.depth.replace(can.depth.get() + 1)).unwrap_or(0);
        Level { depth }
    }

    #[inline]
    fn is_beyond_limit(&self) -> bool {
        self.depth >= DEPTH_LIMIT
    }
}

impl Drop for Level {
    #[inline]
    fn drop(&mut self) {
        let _gone = TRASHCAN.try_with(|can| {
            can.depth.set(self.depth);
            if self.depth == 0 && can.queue.has_storage() {
                can.drain();
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::rc::Rc;

    /// A chain without any object: `n` disposals, each inside the one before.
    struct Chain {
        n: u32,
        deepest: Rc<Cell<u32>>,
    }

    // SAFETY: owns what it touches.
    unsafe impl Dispose for Chain {
        fn is_deferrable(&self) -> bool {
            true
        }

        unsafe fn dispose(self) {
            let depth = TRASHCAN.with(|can| can.depth.get());
            self.deepest.set(self.deepest.get().max(depth));
            if self.n > 0 {
                // SAFETY: owns what it touches.
                unsafe { dispose(Chain { n: self.n - 1, deepest: self.deepest }) };
            }
        }
    }

    #[test]
    fn depth_is_bounded_and_nothing_is_left() {
        let deepest = Rc::new(Cell::new(0));
        // SAFETY: owns what it touches.
        unsafe { dispose(Chain { n: 100_000, deepest: deepest.clone() }) };
        assert_eq!(deepest.get(), DEPTH_LIMIT);
        assert_eq!(Rc::strong_count(&deepest), 1, "every link has run");
        TRASHCAN.with(|can| assert!(can.depth.get() == 0 && !can.queue.has_storage()));
    }
}
