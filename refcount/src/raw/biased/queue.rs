//! What other threads have left for the owner of an object.
#![allow(unsafe_code, reason = "an intrusive list of blocks of erased types")]

use super::slot::Generation;
use crate::primitive::{AtomicU64, Cell, Ordering};
use core::ptr::{self, NonNull};

/// The common part of every queued reference: the first field of a block whose type only `settle` knows.
pub(super) struct Link {
    next: Cell<*mut Link>,
    settle: unsafe fn(NonNull<Link>),
    merge: unsafe fn(NonNull<Link>) -> bool,
}

impl Link {
    /// `merge` ends the queued reference, merges the object's counts, and says whether the object is dead; if it is not, the block has been
    /// freed. `settle` is called after a `merge` that said so, and destroys the object and frees the block.
    pub(super) fn new(merge: unsafe fn(NonNull<Link>) -> bool, settle: unsafe fn(NonNull<Link>)) -> Link {
        Link { next: Cell::new(ptr::null_mut()), settle, merge }
    }
}

/// One thread's queue: a stack that others push to and that is taken as a whole.
///
/// # The protocol
///
/// The head is one word: the address of the last link that was pushed, and the generation of the slot that the queue belongs to now. A push
/// is a compare-exchange that puts a link in front; it knows which generation it is for, and fails if that is over. Closing is an exchange that
/// begins the next generation and takes what is there: what comes later finds another generation, and acts for the thread that is gone.
///
/// ```text
///            63                                    16 15            0
///           ┌────────────────────────────────────────┬───────────────┐
///           │ address of the youngest link, or 0     │ generation    │
///           └────────────────────────────────────────┴───────────────┘
/// ```
///
/// *ABA.* A push does not look at what its link is put in front of, and nobody takes one link alone, so that it does no harm if the same
/// address is there again. A generation does not come again.
///
/// # Invariants
///
/// 1. The address is null or that of a link that this queue owns, and from there `next` leads through all that it owns.
#[repr(align(64))]
pub(super) struct Queue {
    head: AtomicU64,
}

/// The queue's thread is gone.
#[derive(Debug)]
pub(super) struct Departed;

const GENERATION_BITS: u32 = u16::BITS;

fn empty(generation: Generation) -> u64 {
    generation.0.into()
}

fn first_of(head: u64) -> *mut Link {
    ptr::with_exposed_provenance_mut((head >> GENERATION_BITS) as usize)
}

fn is_of(head: u64, generation: Generation) -> bool {
    #[expect(clippy::cast_possible_truncation, reason = "the low 16 bits")]
    let now = head as u16;
    now == generation.0
}

impl Queue {
    pub(super) fn new() -> Queue {
        Queue { head: AtomicU64::new(empty(Generation::FIRST)) }
    }

    /// The generation that has begun and is not over.
    pub(super) fn generation(&self) -> Generation {
        #[expect(clippy::cast_possible_truncation, reason = "the low 16 bits")]
        // Relaxed: the caller keeps it from ending.
        Generation(self.head.load(Ordering::Relaxed) as u16)
    }

    /// Whether this generation has begun and is not over.
    pub(super) fn is_open(&self, generation: Generation) -> bool {
        // Acquire: if it is over, its thread's last counts are seen; pairs with the Release in `close`.
        is_of(self.head.load(Ordering::Acquire), generation)
    }

    /// Whether the owner has nothing to do.
    #[inline]
    pub(super) fn is_idle(&self, generation: Generation) -> bool {
        // Relaxed: what is there is acquired when it is taken.
        self.head.load(Ordering::Relaxed) == empty(generation)
    }

    /// Whether there is room for the address of a link: 48 bits, what user space has unless it asks for more.
    pub(super) fn fits(link: NonNull<Link>) -> bool {
        link.addr().get() as u64 >> (u64::BITS - GENERATION_BITS) == 0
    }

    /// Leaves a link for the thread that has the queue in this generation.
    ///
    /// # Errors
    ///
    /// That thread is gone, and all its local counts are seen.
    ///
    /// # Safety
    ///
    /// The link is the caller's, its address [fits](Queue::fits), and it goes to the queue unless there is an error.
    pub(super) unsafe fn push(&self, generation: Generation, link: NonNull<Link>) -> Result<(), Departed> {
        let address = link.as_ptr().expose_provenance() as u64;
        let mut head = self.head.load(Ordering::Acquire);
        loop {
            // Acquire, above and on failure: pairs with the Release in `close`.
            if !is_of(head, generation) {
                return Err(Departed);
            }
            // SAFETY: the caller's promise; nobody else knows the link yet.
            unsafe { link.as_ref() }.next.set(first_of(head));
            let with_it = address << GENERATION_BITS | empty(generation);
            // Release: the link's content; pairs with the Acquire in `take` and in `close`.
            match self.head.compare_exchange_weak(head, with_it, Ordering::Release, Ordering::Acquire) {
                Ok(_) => return Ok(()),
                Err(now) => head = now,
            }
        }
    }

    /// What is there, the oldest first. For the owner, or for somebody who has stopped it.
    pub(super) fn take(&self, generation: Generation) -> Chain {
        // Acquire: pairs with the Release of every push, which form one release sequence.
        Chain::reversed(self.head.swap(empty(generation), Ordering::Acquire))
    }

    /// Ends the generation, and returns what was there, the oldest first. For the owner.
    pub(super) fn close(&self, generation: Generation) -> Chain {
        // Release: the owner's last counts; pairs with the Acquire of whoever finds the generation over. Acquire: as in `take`.
        Chain::reversed(self.head.swap(empty(generation.next()), Ordering::AcqRel))
    }
}

/// Links that were taken out of a queue.
///
/// # Invariants
///
/// 1. `next` is null or a link that this chain owns, and so on.
pub(super) struct Chain {
    next: *mut Link,
}

impl Chain {
    fn reversed(head: u64) -> Chain {
        let mut chain = Chain { next: ptr::null_mut() };
        let mut rest = Chain { next: first_of(head) };
        while let Some(link) = rest.pop() {
            chain.push(link);
        }
        chain
    }

    pub(super) const fn empty() -> Chain {
        Chain { next: ptr::null_mut() }
    }

    pub(super) fn push(&mut self, link: NonNull<Link>) {
        // SAFETY: taken out of a queue or a chain, so it is ours.
        unsafe { link.as_ref() }.next.set(self.next);
        self.next = link.as_ptr();
    }

    pub(super) fn pop(&mut self) -> Option<NonNull<Link>> {
        let link = NonNull::new(self.next)?;
        // SAFETY: invariant 1.
        self.next = unsafe { link.as_ref() }.next.get();
        Some(link)
    }
}

/// Ends a queued reference, and merges the counts of its object: `true` if that is dead, and is to be [settled](settle).
///
/// # Safety
///
/// The link was taken out of a queue or a chain; and its object's owner is the caller, or stopped, or gone and its counts are seen.
pub(super) unsafe fn merge(link: NonNull<Link>) -> bool {
    // SAFETY: the caller owns the link.
    let merge = unsafe { link.as_ref() }.merge;
    // SAFETY: the caller's promise.
    unsafe { merge(link) }
}

/// Destroys the object.
///
/// # Safety
///
/// [`merge`] has returned `true` for it.
pub(super) unsafe fn settle(link: NonNull<Link>) {
    // SAFETY: the caller owns the link.
    let settle = unsafe { link.as_ref() }.settle;
    // SAFETY: the caller's promise.
    unsafe { settle(link) }
}
