//! The first of several panics.

use super::super::unraisable::discard;
use alloc::boxed::Box;
use core::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

/// Keeps the first panic of several destructors that must all run; the others are discarded.
///
/// When it is dropped the panic goes on, unless the thread is unwinding already: a second one would abort the process.
pub(in crate::raw) struct FirstPanic(Option<Box<dyn Any + Send>>);

impl FirstPanic {
    pub(in crate::raw) fn none() -> FirstPanic {
        FirstPanic(None)
    }

    /// Runs `code`. What it leaves behind in a panic must be fit to be seen by the next.
    pub(in crate::raw) fn catch(&mut self, code: impl FnOnce()) {
        if let Err(panic) = catch_unwind(AssertUnwindSafe(code)) {
            match self.0 {
                None => self.0 = Some(panic),
                Some(_) => discard(panic),
            }
        }
    }
}

impl Drop for FirstPanic {
    fn drop(&mut self) {
        match self.0.take() {
            None => {}
            Some(panic) if std::thread::panicking() => discard(panic),
            Some(panic) => resume_unwind(panic),
        }
    }
}
