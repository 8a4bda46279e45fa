//! Blocks on their way home: freed by a thread whose heap they do not belong to.
//!
//! The freeing thread collects such blocks in its [`Outbox`], a chain for each heap, and delivers a chain with
//! one compare-and-swap to the [`Inbox`] of the heap. Only the owner of a heap takes from its inbox, and it
//! takes everything at once, so the list is never popped: there is no ABA problem.
#![allow(unsafe_code, reason = "chains are threaded through free blocks")]

use core::cell::Cell;
use core::ptr::{self, NonNull};
use core::sync::atomic::{AtomicPtr, Ordering};

use crate::block::{Block, FreeList};
use crate::heap::LINK;

/// A chain of free blocks of one heap, of any classes, linked through their first words.
#[derive(Debug)]
pub(crate) struct Chain {
    list: FreeList,
    /// The block at the end of the list, whose link is rewritten when the chain is delivered.
    tail: Cell<*mut u8>,
    count: Cell<u32>,
}

impl Chain {
    pub(crate) const fn new() -> Chain {
        Chain { list: FreeList::new(), tail: Cell::new(ptr::null_mut()), count: Cell::new(0) }
    }

    /// Adds a block and returns the new length.
    pub(crate) fn add(&self, block: Block) -> u32 {
        let ptr = block.into_ptr();
        if self.count.get() == 0 {
            self.tail.set(ptr.as_ptr());
        }
        // SAFETY: the block that was just taken apart.
        self.list.push(LINK, unsafe { Block::new(ptr) });
        self.count.set(self.count.get() + 1);
        self.count.get()
    }

    /// Moves the chain out.
    pub(crate) fn take(&self) -> Chain {
        Chain {
            list: self.list.take(),
            tail: Cell::new(self.tail.replace(ptr::null_mut())),
            count: Cell::new(self.count.take()),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.count.get() == 0
    }
}

/// Where other threads put the blocks of a heap.
#[derive(Debug)]
pub(crate) struct Inbox {
    head: AtomicPtr<u8>,
}

impl Inbox {
    pub(crate) const fn new() -> Inbox {
        Inbox { head: AtomicPtr::new(ptr::null_mut()) }
    }

    /// Delivers a chain.
    pub(crate) fn put(&self, chain: Chain) {
        let (Some(first), Some(tail)) = (chain.list.into_first(), NonNull::new(chain.tail.get())) else {
            return;
        };
        let first = first.into_ptr().as_ptr();
        // Relaxed: only compared; the blocks behind it are looked at by the taker alone.
        let mut head = self.head.load(Ordering::Relaxed);
        loop {
            // SAFETY: the tail of the chain is a free block that still belongs to this thread; its first word
            // is its link, where a null pointer is the end of a list.
            unsafe { tail.cast::<*mut u8>().write(head) };
            // SeqCst: releases the links and the users' last writes to the blocks to the `take` that reads this
            // value; and is ordered before the state of the heap that the caller reads next, see
            // `thread_heap`.
            match self.head.compare_exchange_weak(head, first, Ordering::SeqCst, Ordering::Relaxed) {
                Ok(_) => return,
                Err(now) => head = now,
            }
        }
    }

    /// Takes everything that was delivered. Only the owner of the heap does so.
    pub(crate) fn take(&self) -> FreeList {
        // Acquire: pairs with the SeqCst exchange in `put`; later exchanges of other threads continue its
        // release sequence, so the links of every chain are seen.
        let head = self.head.swap(ptr::null_mut(), Ordering::Acquire);
        // SAFETY: what was delivered is a list of free blocks that nobody else has any more.
        NonNull::new(head).map_or_else(FreeList::new, |head| FreeList::of(unsafe { Block::new(head) }))
    }

    /// True if nothing waits; a hint, unless the heap's state says that nobody delivers.
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        // Relaxed: the owner looks again soon.
        self.head.load(Ordering::Relaxed).is_null()
    }

    /// As [`is_empty`](Self::is_empty), ordered after the caller's last SeqCst store.
    pub(crate) fn is_empty_now(&self) -> bool {
        // SeqCst: see `thread_heap`.
        self.head.load(Ordering::SeqCst).is_null()
    }
}

/// Chains of an outbox.
const CHAINS: usize = 8;
/// Blocks that a chain may have before it is delivered.
const CHAIN_LENGTH: u32 = 32;

/// Blocks that a thread has freed for others, a chain for each of up to eight heaps.
#[derive(Debug)]
pub(crate) struct Outbox {
    /// The tag of the heap that a chain belongs to; 0 for none.
    tags: [Cell<usize>; CHAINS],
    chains: [Chain; CHAINS],
    /// Brings a chain to the inbox of the heap with a tag.
    deliver: fn(usize, Chain),
}

impl Outbox {
    pub(crate) const fn new(deliver: fn(usize, Chain)) -> Outbox {
        let tags = [const { Cell::new(0) }; CHAINS];
        Outbox { tags, chains: [const { Chain::new() }; CHAINS], deliver }
    }

    /// Puts a block of the heap with this tag into the box. A full chain, or one that is in the way, is
    /// delivered.
    pub(crate) fn add(&self, tag: usize, block: Block) {
        // Heaps lie at multiples of 4096.
        let place = (tag >> 12) % CHAINS;
        if self.tags[place].get() != tag {
            self.send(place);
            self.tags[place].set(tag);
        }
        if self.chains[place].add(block) >= CHAIN_LENGTH {
            self.send(place);
        }
    }

    /// Delivers a block at once.
    pub(crate) fn send_now(&self, tag: usize, block: Block) {
        let chain = Chain::new();
        chain.add(block);
        (self.deliver)(tag, chain);
    }

    /// Delivers everything.
    pub(crate) fn flush(&self) {
        (0..CHAINS).for_each(|place| self.send(place));
    }

    fn send(&self, place: usize) {
        let chain = &self.chains[place];
        if !chain.is_empty() {
            (self.deliver)(self.tags[place].get(), chain.take());
        }
    }
}
