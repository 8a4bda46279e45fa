//! Blocks on their way home: freed by a thread whose heap they do not belong to.
//!
//! The freeing thread collects such blocks in its [`Outbox`], a chain for each heap, and delivers a chain at a
//! time: see [`crate::protocol::handover`].
#![allow(unsafe_code, reason = "chains are threaded through free blocks")]

use core::cell::Cell;
use core::ptr::{self, NonNull};

use crate::block::{Block, FreeList};
use crate::protocol::handover::Links;
use crate::route::LINK;

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

    /// Addresses of the first and the last block, for `deliver`; `None` if the chain is empty.
    pub(crate) fn into_ends(self) -> Option<(usize, usize)> {
        let first = self.list.into_first()?.into_ptr();
        Some((first.as_ptr().expose_provenance(), self.tail.get().addr()))
    }
}

/// Links in the first words of free blocks.
#[derive(Debug)]
pub(crate) struct InBlocks;

impl Links for InBlocks {
    fn set_next(block: usize, next: usize) {
        let at = ptr::with_exposed_provenance_mut::<*mut u8>(block);
        // SAFETY: `deliver` is called with the last block of a chain, which belongs to the caller; its arena's
        // provenance was exposed when it was mapped. The link is the first word, and null is the end.
        unsafe { at.write(ptr::with_exposed_provenance_mut(next)) }
    }
}

/// The blocks of a chain that was taken from an inbox.
///
/// # Safety
/// `first` was returned by `take` of the inbox of a heap that the caller owns, and is not used again.
pub(crate) unsafe fn received(first: usize) -> FreeList {
    match NonNull::new(ptr::with_exposed_provenance_mut(first)) {
        // SAFETY: what was delivered is a list of free blocks that nobody else has any more.
        Some(first) => FreeList::of(unsafe { Block::new(first) }),
        None => FreeList::new(),
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
