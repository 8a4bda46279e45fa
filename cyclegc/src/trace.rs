//! [`Trace`]: how a value tells the collector which [`Gc`]s it holds.
#![allow(
    unsafe_code,
    reason = "a wrong `visit` would free live objects, so the trait is unsafe to implement"
)]

use crate::gc_ptr::Gc;
use crate::inquiry::{Inquiry, Teardown};
use crate::visitor::{Clearer, Visitor};

/// A value that can say which [`Gc`]s it owns, as CPython's `tp_traverse` and `tp_clear` do.
///
/// Derive it: `#[derive(Trace)]` visits every field, except those marked `#[trace(skip)]`. The trait is
/// object safe.
///
/// # Safety
/// * [`visit`](Self::visit) reports each `Gc` that the value owns at most once in all, and none that it does
///   not own. An edge reported too often would make a live object look dead. One that is *not* reported is
///   safe: it counts as a reference from outside, so what it leads to is never collected.
/// * Two calls of `visit` without a change of the value in between report the same edges. `visit` makes,
///   clones, drops and moves no `Gc`.
/// * `visit` touches nothing but the value: a collection may run it on a helper thread (see [`Collector::set_threads`](crate::Collector::set_threads)), even if the value is not
///   `Send`, while the value's own thread waits and no other thread uses the value. What the value shares with others, such as the contents
///   of an `Rc`, or with its thread, such as a thread-local variable, does not belong to it.
/// * [`clear`](Self::clear) severs `Gc`s of the value and does nothing else to any `Gc`.
/// * [`needs_trace`](Self::needs_trace) is `true` if `visit` can report an edge.
/// * [`teardown`](Self::teardown) promises no more than is true, also of what `clear` and the destructor call in turn.
pub unsafe trait Trace {
    /// Reports every `Gc` that the value owns, directly or through values that it owns.
    fn visit(&self, visitor: &mut Visitor<'_>);

    /// Severs every `Gc` that [`visit`](Self::visit) reports. Called once, on garbage.
    fn clear(&mut self, clearer: &mut Clearer<'_>);

    /// Whether values of this type can own a `Gc`; `true` if in doubt. Objects that cannot are never tracked:
    /// reference counting alone frees them, and no collection looks into them.
    fn needs_trace() -> bool
    where
        Self: Sized,
    {
        true
    }

    /// What runs when garbage of this type is taken apart; [`Teardown::Unknown`] if in doubt. Garbage that all says [`Teardown::Plain`]
    /// is freed in half the time.
    ///
    /// "No code of the program's" is none that could come by a `Gc`, look at the heap or panic. The derived one asks the types of all
    /// fields; one that is skipped must need no drop for [`Teardown::Plain`].
    fn teardown(_: &mut Inquiry) -> Teardown
    where
        Self: Sized,
    {
        Teardown::Unknown
    }

    /// The finalizer of objects of this type, if they have one; `#[trace(finalize)]` makes it
    /// [`Finalize::finalize`].
    fn finalizer() -> Option<fn(&Gc<Self>)>
    where
        Self: Sized + 'static,
    {
        None
    }
}

/// What an object does before it dies, as Python's `__del__` under PEP 442.
///
/// `#[derive(Trace)]` with `#[trace(finalize)]` on the type makes objects of it call this once in their life: when
/// their count falls to zero, or when a collection finds them unreachable. All they refer to is still intact, and they may
/// be *resurrected*: an object that is referenced from outside afterwards lives on, with all that it reaches. Its
/// finalizer is not called again.
///
/// A panic goes where panics of collections go: see [`set_panic_hook`](crate::gc::set_panic_hook).
///
/// ```
/// use cpymem_cyclegc::{Finalize, Gc, Trace};
/// use std::cell::RefCell;
///
/// thread_local! { static RETURNED: RefCell<Vec<Gc<Page>>> = RefCell::default(); }
///
/// #[derive(Trace)]
/// #[trace(finalize)]
/// struct Page(u32);
///
/// impl Finalize for Page {
///     fn finalize(this: &Gc<Page>) {
///         RETURNED.with_borrow_mut(|pages| pages.push(this.clone()));
///     }
/// }
///
/// drop(Gc::new(Page(7)));
/// let page = RETURNED.take().pop().unwrap(); // resurrected
/// assert_eq!(page.0, 7);
/// drop(page); // this time for good
/// assert!(RETURNED.with_borrow(|pages| pages.is_empty()));
/// ```
pub trait Finalize {
    /// Called with a handle on the object; clone it to resurrect the object.
    fn finalize(this: &Gc<Self>)
    where
        Self: Sized + 'static;
}

// SAFETY: the edge of the handle is reported once, and severed by `clear`.
unsafe impl<T: ?Sized + 'static> Trace for Gc<T> {
    #[inline]
    fn visit(&self, visitor: &mut Visitor<'_>) {
        if let Some(object) = self.object() {
            visitor.edge(object.as_ptr());
        }
    }

    #[inline]
    fn clear(&mut self, clearer: &mut Clearer<'_>) {
        if let Some(object) = self.sever() {
            clearer.edge(object.as_ptr());
        }
    }

    /// A severed handle owns nothing.
    fn teardown(_: &mut Inquiry) -> Teardown {
        Teardown::Plain
    }
}
