//! [`Trace`]: how a value tells the collector which [`Gc`](crate::Gc)s it holds.
#![allow(
    unsafe_code,
    reason = "a wrong `visit` would free live objects, so the trait is unsafe to implement"
)]

use crate::clear::Severing;
use crate::mark::Marking;
use crate::object::ObjPtr;
use crate::subtract::Subtraction;

/// A value that can say which [`Gc`](crate::Gc)s it owns, as CPython's `tp_traverse` and `tp_clear` do.
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
/// * [`clear`](Self::clear) severs `Gc`s of the value and does nothing else to any `Gc`.
/// * [`needs_trace`](Self::needs_trace) is `true` if `visit` can report an edge.
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
}

/// What a pass of the collector does with each edge that [`Trace::visit`] reports.
pub struct Visitor<'a>(pub(crate) Pass<'a>);

pub(crate) enum Pass<'a> {
    Subtract(&'a mut Subtraction),
    Mark(&'a mut Marking),
}

impl Visitor<'_> {
    /// Reports the edges of a part of the value. The same as `part.visit(visitor)`, in the order that reads
    /// better in a hand-written [`Trace::visit`].
    #[inline]
    pub fn visit<T: Trace + ?Sized>(&mut self, part: &T) {
        part.visit(self);
    }

    /// One edge, to `target`.
    #[inline]
    pub(crate) fn edge(&mut self, target: ObjPtr) {
        match &mut self.0 {
            Pass::Subtract(subtraction) => subtraction.edge(target),
            Pass::Mark(marking) => marking.edge(target),
        }
    }
}

/// Severs the edges of garbage: handed to [`Trace::clear`].
pub struct Clearer<'a>(pub(crate) &'a mut Severing);

impl Clearer<'_> {
    /// Severs the edges of a part of the value.
    #[inline]
    pub fn clear<T: Trace + ?Sized>(&mut self, part: &mut T) {
        part.clear(self);
    }
}
