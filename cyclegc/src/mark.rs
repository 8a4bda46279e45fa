//! Marking: every candidate that is reached from one with references from outside.
//!
//! Objects wait in a queue, so a chain of any length needs no stack of the thread's. While one is visited, those whose turn comes
//! soon are asked for from memory. (CPython's free-threaded build does so, `Python/gc_free_threading.c`, after OCaml; both
//! with a stack in place of the queue, which goes through a tree by jumps if its levels lie one after the other.)
#![allow(unsafe_code, reason = "edges lead to objects by address")]

use crate::object::ObjPtr;
use crate::side_word::prefetch;
use crate::visitor::{EdgeSink, Target, Visitor};

/// So many objects ahead of its turn, one is asked for from memory.
const AHEAD: usize = 16;
/// The queue is moved to the front of its memory if this many places there are free, and half of all.
const SLACK: usize = 1 << 12;

/// Says who is to be visited.
pub(crate) trait Claim {
    /// Whether the object at the end of an edge is a candidate that nobody has reached yet; from now on it is reached.
    fn claim(&mut self, target: Target) -> bool;
}

/// The state of a marking: objects that are reached and whose edges were not looked at yet.
pub(crate) struct Marking<C> {
    pub(crate) claim: C,
    /// The queue, behind `first` places that are free.
    queue: Vec<ObjPtr>,
    first: usize,
}

impl<C: Claim> Marking<C> {
    pub(crate) fn new(claim: C) -> Marking<C> {
        Marking { claim, queue: Vec::new(), first: 0 }
    }

    /// Puts an object that was reached into the queue.
    #[inline(always)]
    pub(crate) fn push(&mut self, object: ObjPtr) {
        self.queue.push(object);
    }

    /// Objects in the queue.
    #[inline(always)]
    pub(crate) fn len(&self) -> usize {
        self.queue.len() - self.first
    }

    /// Follows the edges of everything in the queue.
    pub(crate) fn propagate(&mut self) {
        while let Some(object) = self.pop() {
            object.visit(&mut Visitor::new(self));
        }
    }

    #[inline(always)]
    fn pop(&mut self) -> Option<ObjPtr> {
        if let Some(ahead) = self.queue.get(self.first + AHEAD) {
            // Most objects end in the next line, if not in the same.
            let at = ahead.as_ptr().as_ptr().cast_const().cast::<u8>();
            prefetch(at);
            prefetch(at.wrapping_add(32));
        }
        let object = *self.queue.get(self.first)?;
        self.first += 1;
        if self.first == self.queue.len() {
            self.queue.clear();
            self.first = 0;
        } else if self.first >= SLACK && self.first >= self.queue.len() / 2 {
            self.move_to_front();
        }
        Some(object)
    }

    #[cold]
    #[inline(never)]
    fn move_to_front(&mut self) {
        self.queue.drain(..self.first);
        self.first = 0;
    }
}

impl<C: Claim> EdgeSink for Marking<C> {
    #[inline]
    fn edge(&mut self, target: Target) {
        if self.claim.claim(target) {
            // SAFETY: an edge leads to a live object.
            self.push(unsafe { ObjPtr::new(target) });
        }
    }
}
