//! The first of several panics.

#[cfg(feature = "std")]
use alloc::boxed::Box;
#[cfg(feature = "std")]
use core::any::Any;
#[cfg(feature = "std")]
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

/// Keeps the first panic of several pieces of user code that must all run; the others are discarded.
///
/// When it is dropped the panic goes on, unless the thread is unwinding already: a second one would abort the process. Without `std`
/// panics cannot be caught: they go on at once.
pub(crate) struct FirstPanic {
    #[cfg(feature = "std")]
    payload: Option<Box<dyn Any + Send>>,
}

impl FirstPanic {
    pub(crate) fn none() -> FirstPanic {
        FirstPanic {
            #[cfg(feature = "std")]
            payload: None,
        }
    }

    /// The panic, if there was one, goes on now.
    pub(crate) fn go_on(self) {}

    /// Runs `code`. What it leaves behind in a panic must be fit to be seen by the next.
    pub(crate) fn catch(&mut self, code: impl FnOnce()) {
        #[cfg(feature = "std")]
        if let Err(panic) = catch_unwind(AssertUnwindSafe(code)) {
            match self.payload {
                None => self.payload = Some(panic),
                Some(_) => discard(panic),
            }
        }
        #[cfg(not(feature = "std"))]
        code();
    }
}

#[cfg(feature = "std")]
impl Drop for FirstPanic {
    fn drop(&mut self) {
        match self.payload.take() {
            None => {}
            Some(panic) if std::thread::panicking() => discard(panic),
            Some(panic) => resume_unwind(panic),
        }
    }
}

/// Drops a panic's payload, which may itself panic; a payload that keeps doing so is forgotten.
#[cfg(feature = "std")]
fn discard(panic: Box<dyn Any + Send>) {
    if let Err(again) = catch_unwind(AssertUnwindSafe(|| drop(panic))) {
        core::mem::forget(again);
    }
}
