//! Destruction of bounded depth: however deep a structure is, dropping it needs a bounded part of the stack.
//!
//! CPython's trashcan (`Objects/object.c`), with a depth counter and not with a probe of the stack: a probe is wrong on foreign
//! stacks. The first [`DEPTH_LIMIT`] nested disposals run where they are. The next one is queued, and the outermost disposal
//! runs the queue before it returns. Nothing is ever left over: when the outermost [`dispose`] returns, the queue is empty
//! and its memory freed.
//!
//! ```text
//!  dispose ─ dispose ─ … ─ dispose (64th)        depth
//!     │                       └─ dispose ──► queue ──┐
//!     └─ returning: ◄── one after the other, at depth 1
//! ```
//!
//! # Panics in destructors
//!
//! A panic inside the nested disposals unwinds as it would without this module. Each queued disposal is run to its own end: the
//! queue is drained even if some of them panic, and the first panic resumes afterwards. If the thread is unwinding already, a
//! queued disposal's panic is discarded, as a second one would abort the process.
//!
//! # Limits
//!
//! A queued entry costs [`ENTRY_BYTES`] bytes until it runs. If that storage cannot be allocated, the object is leaked and
//! counted by [`leaked`]. The queue belongs to the thread: a destructor that suspends a stackful coroutine keeps the thread's
//! queue waiting until it is resumed.
#![allow(unsafe_code, reason = "type-erased entries in chunked storage")]

mod queue;

use core::cell::Cell;
use core::mem::{self, ManuallyDrop};
use core::sync::atomic::{AtomicUsize, Ordering};
use queue::{Entry, Queue};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::thread;

/// How many disposals may be nested on one thread before the next one is queued.
pub const DEPTH_LIMIT: u32 = 64;

/// What one queued disposal costs in memory.
pub const ENTRY_BYTES: usize = size_of::<Entry>();

/// A dead object that knows how to destroy itself: the object pointer with its metadata, and the allocator if it has a size.
///
/// Up to four words fit into the queue. What is larger is never queued: its disposal recurses.
///
/// # Safety
///
/// `is_deferrable` keeps its promise.
pub unsafe trait Dispose: Sized {
    /// Whether the disposal may be queued; asked at the depth limit only. If not, it recurses.
    ///
    /// `true` promises that nothing its destruction touches ends before the outermost disposal of this thread returns: that is
    /// what `'static` promises, and nothing shorter does.
    fn is_deferrable(&self) -> bool;

    /// Drops the value and frees the object.
    ///
    /// # Safety
    ///
    /// The object is dead, and no one else destroys it.
    unsafe fn dispose(self);
}

/// Destroys `dead`: now, or, if this thread is [`DEPTH_LIMIT`] disposals deep, before the outermost of them returns.
///
/// # Safety
///
/// That of [`Dispose::dispose`].
///
/// # Panics
///
/// With the panic of the object's destructor, or of the first queued destructor that panicked.
#[inline]
pub unsafe fn dispose<D: Dispose>(dead: D) {
    if cfg!(loom) {
        // All threads of a model run on one, and so would share its depth.
        // SAFETY: the caller's promise.
        return unsafe { dead.dispose() };
    }
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
        LEAKED.fetch_add(1, Ordering::Relaxed); // Relaxed: see `leaked`.
    }
}

/// How many objects this process has leaked because the queue could not grow.
pub fn leaked() -> usize {
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
        let mut first_panic = None;
        self.depth.set(1);
        while let Some(entry) = self.queue.pop() {
            // SAFETY: whoever called `dispose` with this entry's object promised that it may run until the outermost disposal
            // returns, which is the one that is draining. It left the queue, so it runs once.
            let run = catch_unwind(AssertUnwindSafe(|| unsafe { entry.run() }));
            if let Err(panic) = run {
                match first_panic {
                    None => first_panic = Some(panic),
                    Some(_) => discard(panic),
                }
            }
        }
        self.depth.set(0);
        self.queue.free();
        match first_panic {
            None => {}
            Some(panic) if thread::panicking() => discard(panic),
            Some(panic) => resume_unwind(panic),
        }
    }
}

/// Drops a panic's payload, which may itself panic; a payload that keeps doing so is forgotten.
fn discard(panic: Box<dyn core::any::Any + Send>) {
    if let Err(again) = catch_unwind(AssertUnwindSafe(|| drop(panic))) {
        mem::forget(again);
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
