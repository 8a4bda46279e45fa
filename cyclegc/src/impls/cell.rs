//! Cells and locks: what owns one value that can change while it is shared.
#![allow(unsafe_code, reason = "Trace is an unsafe trait")]

use core::cell::{Cell, OnceCell, RefCell};
use std::sync::{Mutex, OnceLock, PoisonError, RwLock, TryLockError};

use crate::inquiry::{Inquiry, Teardown};
use crate::trace::Trace;
use crate::visitor::{Clearer, Visitor};

// SAFETY: a cell owns its value alone. While it is mutably borrowed, `visit` reports nothing, so what the
// value refers to counts as referenced from outside in this pass; a borrow cannot begin or end between two
// phases of a pass, since no user code runs there.
unsafe impl<T: Trace> Trace for RefCell<T> {
    #[inline]
    fn visit(&self, visitor: &mut Visitor<'_>) {
        // SAFETY: a visit runs no code that borrows the cell, so nobody borrows it mutably before this returns.
        match unsafe { self.try_borrow_unguarded() } {
            Ok(value) => value.visit(visitor),
            Err(_) => visitor.pinned(),
        }
    }

    #[inline]
    fn clear(&mut self, clearer: &mut Clearer<'_>) {
        self.get_mut().clear(clearer);
    }

    #[inline]
    fn needs_trace() -> bool {
        T::needs_trace()
    }

    fn teardown(inquiry: &mut Inquiry) -> Teardown {
        inquiry.of::<T>()
    }
}

// SAFETY: a cell owns its value alone.
unsafe impl<T: Trace> Trace for Cell<T> {
    #[inline]
    fn visit(&self, visitor: &mut Visitor<'_>) {
        // SAFETY: a `Cell` lends nothing of its value, and `visit` runs no code that sets it.
        unsafe { &*self.as_ptr() }.visit(visitor);
    }

    #[inline]
    fn clear(&mut self, clearer: &mut Clearer<'_>) {
        self.get_mut().clear(clearer);
    }

    #[inline]
    fn needs_trace() -> bool {
        T::needs_trace()
    }

    fn teardown(inquiry: &mut Inquiry) -> Teardown {
        inquiry.of::<T>()
    }
}

/// Locks. While one is taken, its value is pinned, as that of a borrowed `RefCell`.
macro_rules! lock {
    ($($type:ident, $try:ident;)*) => { $(
        // SAFETY: a lock owns its value alone.
        unsafe impl<T: Trace> Trace for $type<T> {
            fn visit(&self, visitor: &mut Visitor<'_>) {
                match self.$try() {
                    Ok(value) => value.visit(visitor),
                    Err(TryLockError::Poisoned(value)) => value.get_ref().visit(visitor),
                    Err(TryLockError::WouldBlock) => visitor.pinned(),
                }
            }

            fn clear(&mut self, clearer: &mut Clearer<'_>) {
                self.get_mut().unwrap_or_else(PoisonError::into_inner).clear(clearer);
            }

            fn needs_trace() -> bool {
                T::needs_trace()
            }

            fn teardown(inquiry: &mut Inquiry) -> Teardown {
                inquiry.of::<T>()
            }
        }
    )* };
}

lock! {
    Mutex, try_lock;
    RwLock, try_read;
}

/// Cells that are set once.
macro_rules! once {
    ($($type:ident),*) => { $(
        // SAFETY: a cell owns its value alone.
        unsafe impl<T: Trace> Trace for $type<T> {
            fn visit(&self, visitor: &mut Visitor<'_>) {
                if let Some(value) = self.get() {
                    value.visit(visitor);
                }
            }

            fn clear(&mut self, clearer: &mut Clearer<'_>) {
                if let Some(value) = self.get_mut() {
                    value.clear(clearer);
                }
            }

            fn needs_trace() -> bool {
                T::needs_trace()
            }

            fn teardown(inquiry: &mut Inquiry) -> Teardown {
                inquiry.of::<T>()
            }
        }
    )* };
}

once!(OnceCell, OnceLock);
