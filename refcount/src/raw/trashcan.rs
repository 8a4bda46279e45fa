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
//! Without the feature `std` there are no thread-locals and no queue: destruction recurses, as with `std::rc`.
//!
//! A queued entry costs [`ENTRY_BYTES`] bytes until it runs. If that storage cannot be allocated, the object is leaked and
//! counted by [`leaked`]. The queue belongs to the thread: a destructor that suspends a stackful coroutine keeps the thread's
//! queue waiting until it is resumed.
#![allow(unsafe_code, reason = "type-erased entries in chunked storage")]

#[cfg(feature = "std")]
pub(super) mod first_panic;
#[cfg(feature = "std")]
mod queue;
#[cfg(feature = "std")]
mod thread;

/// How many disposals may be nested on one thread before the next one is queued.
pub const DEPTH_LIMIT: u32 = 64;

/// What one queued disposal costs in memory.
#[cfg(feature = "std")]
pub const ENTRY_BYTES: usize = size_of::<queue::Entry>();

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
    // All threads of a loom model run on one, and so would share its depth.
    #[cfg(all(feature = "std", not(loom)))]
    // SAFETY: the caller's promise.
    unsafe {
        thread::dispose(dead)
    };
    #[cfg(any(not(feature = "std"), loom))]
    // SAFETY: the caller's promise.
    unsafe {
        dead.dispose()
    };
}

/// One object more has leaked.
#[cfg(feature = "std")]
pub(super) fn leak() {
    thread::leak();
}

/// How many objects this process has leaked because the queue could not grow.
pub fn leaked() -> usize {
    #[cfg(feature = "std")]
    return thread::leaked();
    #[cfg(not(feature = "std"))]
    0
}
