//! What owns one value, or none.
#![allow(unsafe_code, reason = "Trace is an unsafe trait")]

use core::cmp::Reverse;
use core::mem::ManuallyDrop;
use core::num::{Saturating, Wrapping};
use core::ops::ControlFlow;
use core::pin::Pin;
use std::borrow::Cow;
use std::panic::AssertUnwindSafe;

use super::may_own_gc;
use crate::inquiry::{Inquiry, Teardown};
use crate::trace::Trace;
use crate::visitor::{Clearer, Note, Visitor};

// SAFETY: the value, if there is one, is visited once, and cleared.
unsafe impl<T: Trace> Trace for Option<T> {
    #[inline]
    fn visit(&self, visitor: &mut Visitor<'_>) {
        if let Some(value) = self {
            value.visit(visitor);
        }
    }

    #[inline]
    fn clear(&mut self, clearer: &mut Clearer<'_>) {
        if let Some(value) = self {
            value.clear(clearer);
        }
    }

    #[inline]
    fn needs_trace() -> bool {
        T::needs_trace()
    }

    fn teardown(inquiry: &mut Inquiry) -> Teardown {
        inquiry.of::<T>()
    }
}

// SAFETY: the one value that there is is visited once, and cleared.
unsafe impl<T: Trace, E: Trace> Trace for Result<T, E> {
    fn visit(&self, visitor: &mut Visitor<'_>) {
        match self {
            Ok(value) => value.visit(visitor),
            Err(error) => error.visit(visitor),
        }
    }

    fn clear(&mut self, clearer: &mut Clearer<'_>) {
        match self {
            Ok(value) => value.clear(clearer),
            Err(error) => error.clear(clearer),
        }
    }

    fn needs_trace() -> bool {
        T::needs_trace() || E::needs_trace()
    }

    fn teardown(inquiry: &mut Inquiry) -> Teardown {
        inquiry.of::<T>().and(inquiry.of::<E>())
    }
}

// SAFETY: a box owns its value alone.
unsafe impl<T: Trace + ?Sized> Trace for Box<T> {
    #[inline]
    fn visit(&self, visitor: &mut Visitor<'_>) {
        (**self).visit(visitor);
    }

    #[inline]
    fn clear(&mut self, clearer: &mut Clearer<'_>) {
        if may_own_gc::<T>() {
            (**self).clear(clearer);
        }
    }

    #[inline]
    fn needs_trace() -> bool {
        may_own_gc::<T>()
    }

    /// What may have no size cannot be asked.
    fn teardown(_: &mut Inquiry) -> Teardown {
        if may_own_gc::<T>() { Teardown::Unknown } else { Teardown::Plain }
    }
}

/// Wrappers of one value.
macro_rules! wrapper {
    ($($type:ident, |$this:ident| $get:expr, $get_mut:expr;)*) => { $(
        // SAFETY: the one value is visited once, and cleared.
        unsafe impl<T: Trace> Trace for $type<T> {
            fn visit(&self, visitor: &mut Visitor<'_>) {
                let $this = self;
                $get.visit(visitor);
            }

            fn clear(&mut self, clearer: &mut Clearer<'_>) {
                let $this = self;
                $get_mut.clear(clearer);
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

wrapper! {
    Reverse, |this| this.0, this.0;
    Wrapping, |this| this.0, this.0;
    Saturating, |this| this.0, this.0;
    AssertUnwindSafe, |this| this.0, this.0;
}

// SAFETY: the value is visited once, and cleared.
unsafe impl<T: Trace> Trace for ManuallyDrop<T> {
    fn visit(&self, visitor: &mut Visitor<'_>) {
        visitor.note(Note::Undropped);
        (**self).visit(visitor);
    }

    fn clear(&mut self, clearer: &mut Clearer<'_>) {
        (**self).clear(clearer);
    }

    fn needs_trace() -> bool {
        T::needs_trace()
    }

    fn teardown(inquiry: &mut Inquiry) -> Teardown {
        inquiry.of::<T>()
    }
}

// SAFETY: a pinned box owns its value alone; nothing is moved.
unsafe impl<T: Trace + Unpin + ?Sized> Trace for Pin<Box<T>> {
    fn visit(&self, visitor: &mut Visitor<'_>) {
        (**self).visit(visitor);
    }

    fn clear(&mut self, clearer: &mut Clearer<'_>) {
        if may_own_gc::<T>() {
            (**self).clear(clearer);
        }
    }

    fn needs_trace() -> bool {
        may_own_gc::<T>()
    }

    /// What may have no size cannot be asked.
    fn teardown(_: &mut Inquiry) -> Teardown {
        if may_own_gc::<T>() { Teardown::Unknown } else { Teardown::Plain }
    }
}

// SAFETY: what is borrowed is `'static` or ends before any object, and is not owned; an owned value is visited once.
unsafe impl<'a, B: ToOwned + ?Sized> Trace for Cow<'a, B>
where
    B::Owned: Trace,
{
    fn visit(&self, visitor: &mut Visitor<'_>) {
        if let Cow::Owned(value) = self {
            value.visit(visitor);
        }
    }

    fn clear(&mut self, clearer: &mut Clearer<'_>) {
        if let Cow::Owned(value) = self {
            value.clear(clearer);
        }
    }

    fn needs_trace() -> bool {
        may_own_gc::<B::Owned>()
    }

    fn teardown(inquiry: &mut Inquiry) -> Teardown {
        inquiry.of::<B::Owned>()
    }
}

// SAFETY: the break or continue value that there is is visited once, and cleared.
unsafe impl<B: Trace, C: Trace> Trace for ControlFlow<B, C> {
    fn visit(&self, visitor: &mut Visitor<'_>) {
        match self {
            ControlFlow::Break(value) => value.visit(visitor),
            ControlFlow::Continue(value) => value.visit(visitor),
        }
    }

    fn clear(&mut self, clearer: &mut Clearer<'_>) {
        match self {
            ControlFlow::Break(value) => value.clear(clearer),
            ControlFlow::Continue(value) => value.clear(clearer),
        }
    }

    fn needs_trace() -> bool {
        B::needs_trace() || C::needs_trace()
    }

    fn teardown(inquiry: &mut Inquiry) -> Teardown {
        inquiry.of::<B>().and(inquiry.of::<C>())
    }
}
