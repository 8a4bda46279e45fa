//! How a heap passes from thread to thread, and how blocks reach it while it has an owner or none.
//!
//! ```text
//!                      thread ends: release
//!        ACTIVE ------------------------------> ABANDONED <-----.
//!           ^                                     |    |        | release: the inbox is empty
//!           '-------------------------------------'    v        |
//!                 a new thread: claim                 BUSY -----'   claimed by whoever delivers, or purges
//! ```
//!
//! Whoever brings the state from ABANDONED to another one owns the heap until it stores the next state.
//!
//! **Fast path.** A chain of blocks is put into the inbox with one compare-and-swap; only the owner takes, and
//! it takes everything at once. Nothing is ever popped, so there is no ABA problem.
//!
//! **Nothing is left waiting in an abandoned heap.** A deliverer puts its chain and *then* looks at the state;
//! an owner stores ABANDONED and *then* looks at the inbox. Between the two each has a SeqCst fence; one of the
//! fences is the first, and whoever has the other one sees what stood before it: either the deliverer finds the
//! heap ABANDONED and sorts the inbox, or the owner finds the inbox not empty and sorts it once more. (Two
//! threads that each store and then load another word is the case that acquire and release cannot order.)
//!
//! **Ownership.** `claim` acquires, which pairs with the store of ABANDONED that releases everything that the
//! last owner did to the heap. `take` acquires, which pairs with the exchange in `put`: the links of the chain
//! and the last writes to its blocks.

#![cfg_attr(not(loom), allow(unreachable_pub, reason = "public for loom alone"))]

use core::marker::PhantomData;

use super::sync::{AtomicU8, AtomicUsize, Ordering, fence};

/// Where the links between blocks are.
pub trait Links {
    /// Makes `next` the block after `block`; 0 is the end. The block belongs to the caller.
    fn set_next(block: usize, next: usize);
}

/// The states of a heap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum State {
    /// A thread owns the heap.
    Active = 0,
    /// Nobody owns the heap.
    Abandoned = 1,
    /// Somebody owns the heap for a moment.
    Busy = 2,
}

/// State and inbox of a heap. Blocks are named by their addresses.
#[derive(Debug)]
pub struct Handover<L> {
    inbox: AtomicUsize,
    state: AtomicU8,
    links: PhantomData<fn(L)>,
}

impl<L: Links> Handover<L> {
    /// Of a heap that a thread owns, with nothing in the inbox.
    pub fn new() -> Handover<L> {
        Handover { inbox: AtomicUsize::new(0), state: AtomicU8::new(State::Active as u8), links: PhantomData }
    }

    /// Becomes the owner of an abandoned heap, as `state`. True if it worked.
    pub fn claim(&self, state: State) -> bool {
        // Acquire: pairs with the store in `release`. A failure orders nothing.
        let (old, new) = (State::Abandoned as u8, state as u8);
        self.state.compare_exchange(old, new, Ordering::AcqRel, Ordering::Relaxed).is_ok()
    }

    /// Gives up a heap that the caller owns. `sort` is called, as the owner, with every chain that arrives while
    /// nobody else can take it.
    pub fn release(&self, mut sort: impl FnMut(usize)) {
        loop {
            // Release: pairs with the acquire in the next `claim`.
            self.state.store(State::Abandoned as u8, Ordering::Release);
            // SeqCst: pairs with the fence in `deliver`, see the module. The load itself orders nothing.
            fence(Ordering::SeqCst);
            if self.inbox.load(Ordering::Relaxed) == 0 || !self.claim(State::Busy) {
                return; // nothing waits, or whoever has the heap now takes care of it
            }
            sort(self.take());
        }
    }

    /// Delivers the chain from `first` to `last`, which are the caller's. If nobody owns the heap, `sort` is
    /// called, as its owner, with everything that waits.
    pub fn deliver(&self, first: usize, last: usize, mut sort: impl FnMut(usize)) {
        // Relaxed: only compared; the blocks behind it are looked at by the taker alone.
        let mut head = self.inbox.load(Ordering::Relaxed);
        loop {
            L::set_next(last, head);
            // Release: pairs with the acquire in `take`. A failure orders nothing.
            match self.inbox.compare_exchange(head, first, Ordering::Release, Ordering::Relaxed) {
                Ok(_) => break,
                Err(now) => head = now,
            }
        }
        // SeqCst: pairs with the fence in `release`, see the module. The load itself orders nothing.
        fence(Ordering::SeqCst);
        if self.state.load(Ordering::Relaxed) == State::Abandoned as u8 && self.claim(State::Busy) {
            sort(self.take());
            self.release(sort);
        }
    }

    /// Takes everything from the inbox: the first block of a chain, or 0. Only the owner does so.
    pub fn take(&self) -> usize {
        // Acquire: pairs with the exchange in `deliver`; later exchanges continue its release sequence, so the
        // links of every chain are seen.
        self.inbox.swap(0, Ordering::Acquire)
    }

    /// Whether nothing waits, as a hint.
    #[inline]
    pub fn is_empty(&self) -> bool {
        // Relaxed: the owner looks again soon.
        self.inbox.load(Ordering::Relaxed) == 0
    }
}

impl<L: Links> Default for Handover<L> {
    fn default() -> Handover<L> {
        Handover::new()
    }
}
