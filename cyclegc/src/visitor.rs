//! [`Visitor`] and [`Clearer`]: what a value is shown when it is asked for its edges.
//!
//! What a [`Clearer`] gathers is handed on in batches: whoever takes it can fetch the objects from memory for the whole batch at
//! once, so that one cache miss does not wait for the other.
#![allow(unsafe_code, reason = "the gathered edges lie in uninitialised memory")]

use core::mem::MaybeUninit;
use core::ptr::NonNull;

use cpymem_refcount::raw::Header;

/// An object at the end of an edge, by its header.
pub(crate) type Target = NonNull<Header>;

/// Edges that are handed on together.
pub(crate) const BATCH: usize = 128;

/// What a visit says about a value beside its edges.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Note {
    /// A part that may own `Gc`s was not looked at.
    LeftOut,
    /// A part is never dropped.
    Undropped,
    /// The type has a destructor of its own.
    OwnDrop,
}

/// Takes the edges that objects report.
pub(crate) trait EdgeSink {
    /// Takes one edge. Its target is alive while no user code runs.
    fn edge(&mut self, target: Target);

    /// A part of the value could not be looked at; what it owns was not reported.
    fn pinned(&mut self) {}

    /// A weak reference with a callback, by the address of its watcher.
    fn weak(&mut self, _watcher: usize) {}

    /// What else is to be said about the value, for the feature `checked`.
    fn note(&mut self, _note: Note) {}
}

/// Handed to [`Trace::visit`](crate::Trace::visit), which shows it every [`Gc`](crate::Gc) of the value.
pub struct Visitor<'a> {
    sink: &'a mut dyn EdgeSink,
}

impl<'a> Visitor<'a> {
    #[inline]
    pub(crate) fn new(sink: &'a mut dyn EdgeSink) -> Visitor<'a> {
        Visitor { sink }
    }

    /// Reports the edges of a part of the value. The same as `part.visit(visitor)`, in the order that reads
    /// better in a hand-written [`Trace::visit`](crate::Trace::visit).
    #[inline]
    pub fn visit<T: crate::Trace + ?Sized>(&mut self, part: &T) {
        part.visit(self);
    }

    /// Says that a part of the value could not be looked at, because it is borrowed or locked: what it owns counts
    /// as referenced from outside this time, and the next full collection is not skipped.
    #[cold]
    pub fn pinned(&mut self) {
        self.sink.pinned();
    }

    /// Says that a part of the value is left out on purpose: what it owns counts as referenced from outside. Does nothing but
    /// tell the feature `checked`, which would call that hidden; `#[trace(skip)]` calls it.
    #[inline(always)]
    pub fn skip<T: ?Sized>(&mut self, _part: &T) {
        if core::mem::needs_drop::<T>() {
            self.note(Note::LeftOut);
        }
    }

    /// Says that the type has a destructor of its own, which may keep and release what it likes. Does nothing but tell the feature
    /// `checked`; `#[trace(drop)]` calls it.
    #[inline(always)]
    pub fn own_drop(&mut self) {
        self.note(Note::OwnDrop);
    }

    #[inline(always)]
    pub(crate) fn note(&mut self, note: Note) {
        if cfg!(feature = "checked") {
            self.sink.note(note);
        }
    }

    /// One edge.
    #[inline(always)]
    pub(crate) fn edge(&mut self, target: Target) {
        self.sink.edge(target);
    }

    /// A weak reference with a callback.
    #[cold]
    pub(crate) fn weak(&mut self, watcher: usize) {
        self.sink.weak(watcher);
    }
}

/// Severs the edges of garbage: handed to [`Trace::clear`](crate::Trace::clear).
///
/// # Invariants
/// 1. The first `len` elements of `batch` are initialised. They are references that were taken from severed handles
///    and are still to be given up.
pub struct Clearer<'a> {
    len: usize,
    batch: [MaybeUninit<Target>; BATCH],
    give_up: &'a mut dyn FnMut(&[Target]),
}

impl<'a> Clearer<'a> {
    /// Hands the references of severed handles to `give_up`, at most [`BATCH`] at a time.
    pub(crate) fn new(give_up: &'a mut dyn FnMut(&[Target])) -> Clearer<'a> {
        Clearer { len: 0, batch: [const { MaybeUninit::uninit() }; BATCH], give_up }
    }

    /// Severs the edges of a part of the value.
    #[inline]
    pub fn clear<T: crate::Trace + ?Sized>(&mut self, part: &mut T) {
        part.clear(self);
    }

    /// Takes over one reference to `target`.
    #[inline(always)]
    pub(crate) fn edge(&mut self, target: Target) {
        if self.len == BATCH {
            self.flush();
        }
        self.batch[self.len].write(target);
        self.len += 1;
    }

    #[inline(never)]
    fn flush(&mut self) {
        let gathered = &raw const self.batch[..self.len] as *const [Target];
        self.len = 0;
        // SAFETY: invariant 1; the batch is not written before `give_up` returns, as it cannot reach it.
        (self.give_up)(unsafe { &*gathered });
    }
}

impl Drop for Clearer<'_> {
    fn drop(&mut self) {
        if self.len > 0 {
            self.flush();
        }
    }
}
