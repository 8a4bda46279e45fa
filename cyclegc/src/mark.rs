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
    /// Whether the object at the end of an edge is a candidate that nobody has reached yet; from now on it is reached. It may
    /// be put off: then the edge is gathered.
    fn claim(&mut self, target: Target) -> bool;

    /// How many edges were gathered.
    #[inline(always)]
    fn gathered(&self) -> usize {
        0
    }

    /// Takes the gathered edges and leaves the memory that it gets.
    fn take_gathered(&mut self, _edges: &mut Vec<Target>) {}

    /// As [`claim`](Self::claim), at once.
    #[inline(always)]
    fn claim_now(&mut self, target: Target) -> bool {
        self.claim(target)
    }
}

/// Edges that are gathered before they are looked at while other objects wait.
const GATHERED: usize = 1024;

/// The state of a marking: objects that are reached and whose edges were not looked at yet.
pub(crate) struct Marking<C> {
    pub(crate) claim: C,
    /// The queue, behind `first` places that are free.
    queue: Vec<ObjPtr>,
    first: usize,
    edges: Vec<Target>,
}

impl<C: Claim> Marking<C> {
    pub(crate) fn new(claim: C) -> Marking<C> {
        Marking { claim, queue: Vec::new(), first: 0, edges: Vec::new() }
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
        loop {
            while let Some(object) = self.pop() {
                object.visit(&mut Visitor::new(self));
                if self.claim.gathered() >= GATHERED {
                    self.claim_gathered();
                }
            }
            if self.claim.gathered() == 0 {
                return;
            }
            self.claim_gathered();
        }
    }

    fn claim_gathered(&mut self) {
        let mut edges = core::mem::take(&mut self.edges);
        self.claim.take_gathered(&mut edges);
        edges.drain(..).for_each(|target| self.reach(target));
        self.edges = edges;
    }

    /// Puts the object at the end of an edge into the queue, if it was not reached.
    #[inline(always)]
    pub(crate) fn reach(&mut self, target: Target) {
        if self.claim.claim_now(target) {
            // SAFETY: an edge leads to a live object.
            self.push(unsafe { ObjPtr::new(target) });
        }
    }

    /// The first object of the queue.
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
