//! Panics that nobody is there to catch.

#[cfg(feature = "std")]
use alloc::boxed::Box;
#[cfg(feature = "std")]
use core::any::Any;
#[cfg(feature = "std")]
use std::panic::{AssertUnwindSafe, catch_unwind};
#[cfg(feature = "std")]
use std::sync::RwLock;

/// What is done with a panic of a callback.
#[cfg(feature = "std")]
pub type UnraisableHook = fn(Box<dyn Any + Send>);

#[cfg(feature = "std")]
static HOOK: RwLock<UnraisableHook> = RwLock::new(discard);

/// Says what is done with the payload of a callback's panic; returns what was done until now. By default it is dropped.
///
/// This is CPython's `sys.unraisablehook`. Whoever drops the last reference to an object has nothing to do with what somebody else wanted to be called
/// then, so a panic of a callback does not go on from there. The panic hook has been called by then, and has printed the message if it is
/// that of the standard library.
///
/// A panic of the hook itself is discarded.
#[cfg(feature = "std")]
pub fn set_unraisable_hook(hook: UnraisableHook) -> UnraisableHook {
    let mut current = HOOK.write().unwrap_or_else(|poisoned| poisoned.into_inner());
    core::mem::replace(&mut *current, hook)
}

/// Runs `code`, and gives its panic to the hook. Without `std` a panic cannot be caught, and aborts.
pub(crate) fn contain(code: impl FnOnce()) {
    #[cfg(feature = "std")]
    if let Err(panic) = catch_unwind(AssertUnwindSafe(code)) {
        let hook = *HOOK.read().unwrap_or_else(|poisoned| poisoned.into_inner());
        if let Err(again) = catch_unwind(AssertUnwindSafe(|| hook(panic))) {
            discard(again);
        }
    }
    #[cfg(not(feature = "std"))]
    code();
}

/// Drops a panic's payload, which may itself panic; a payload that keeps doing so is forgotten.
#[cfg(feature = "std")]
pub(super) fn discard(panic: Box<dyn Any + Send>) {
    if let Err(again) = catch_unwind(AssertUnwindSafe(|| drop(panic))) {
        core::mem::forget(again);
    }
}
