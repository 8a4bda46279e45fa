//! Blocks on their way home: freed by a thread whose heap they do not belong to.
//!
//! ```text
//!   bundle    blocks of one pool, linked through their first words; the last one has in its second word where
//!             the first is, and how many there are
//!   chain     bundles for one heap, linked through the first words of their last blocks
//! ```
//!
//! The freeing thread collects in its [`Outbox`] a bundle for each of some pools and a chain for each of some
//! heaps, and delivers a chain at a time: see [`crate::protocol::handover`]. Whoever receives a bundle puts it
//! on the pool's list as a whole: of all its blocks, whose cache lines are with the thread that freed them, it
//! touches the last one; snmalloc's "BatchIt" bundles by slab for the same reason.
#![allow(unsafe_code, reason = "chains are threaded through free blocks")]

use core::cell::Cell;
use core::ptr::{self, NonNull};

use crate::block::{Block, FreeList};
use crate::pool_meta::{PoolPtr, RUN};
use crate::protocol::handover::Links;
use crate::route::LINK;
use crate::size_class::SizeClass;

/// Free blocks that are linked through their first words.
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

    /// Addresses of the first and the last block; `None` if the chain is empty.
    pub(crate) fn into_ends(self) -> Option<(usize, usize)> {
        let first = self.list.into_first()?.into_ptr();
        Some((first.as_ptr().expose_provenance(), self.tail.get().expose_provenance()))
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
/// Bundles that a chain may have before it is delivered.
const CHAIN_LENGTH: u32 = 8;
/// Bundles of an outbox.
const BUNDLES: usize = 128;
/// Blocks that a bundle may have.
const BUNDLE_LENGTH: u32 = 64;
/// Blocks that all bundles may have together.
const BUNDLED: u32 = 1024;
/// The class whose blocks have one word.
const ONE_WORD: u8 = 0;

const _: () = assert!(SizeClass::from_index(ONE_WORD as usize).size() == 8);

/// Free blocks of one pool that belong to another heap.
#[derive(Debug)]
pub(crate) struct Bundle {
    pool: Cell<Option<PoolPtr>>,
    blocks: Chain,
}

impl Bundle {
    const fn new() -> Bundle {
        Bundle { pool: Cell::new(None), blocks: Chain::new() }
    }

    /// Closes a bundle that is not empty: its last block, which tells the rest.
    fn pack(pool: PoolPtr, blocks: Chain) -> Option<Block> {
        let count = blocks.count.get() as u16;
        let (first, last) = blocks.into_ends()?;
        // SAFETY: the last block, which is taken out of the list by name.
        let block = unsafe { Block::new(NonNull::new(ptr::with_exposed_provenance_mut(last))?) };
        if !matches!(pool.class.get(), ONE_WORD | RUN) {
            let first = NonNull::new(ptr::with_exposed_provenance_mut(first))?;
            // SAFETY: blocks of any other class have at least 16 bytes.
            unsafe { block.set_list(first, count) };
        }
        Some(block)
    }

    /// The first block of a bundle and the number of its blocks.
    ///
    /// # Safety
    /// `last` is the last block of a bundle of this pool.
    pub(crate) unsafe fn unpack(pool: PoolPtr, last: &Block) -> (NonNull<u8>, u16) {
        if pool.class.get() == ONE_WORD {
            return (last.address(), 1);
        }
        // SAFETY: `pack` wrote it.
        let (first, count) = unsafe { last.list() };
        (NonNull::new(first).unwrap_or(last.address()), count)
    }
}

/// A chain of one bundle of one block.
pub(crate) fn single(pool: PoolPtr, block: Block) -> Chain {
    let (blocks, chain) = (Chain::new(), Chain::new());
    blocks.add(block);
    if let Some(last) = Bundle::pack(pool, blocks) {
        chain.add(last);
    }
    chain
}

/// Blocks that a thread has freed for others.
#[derive(Debug)]
pub(crate) struct Outbox {
    /// The tag of the heap that a chain belongs to; 0 for none.
    tags: [Cell<usize>; CHAINS],
    chains: [Chain; CHAINS],
    bundles: [Bundle; BUNDLES],
    /// Blocks that were added since everything was delivered.
    bundled: Cell<u32>,
    /// Brings a chain to the inbox of the heap with a tag.
    deliver: fn(usize, Chain),
}

impl Outbox {
    pub(crate) const fn new(deliver: fn(usize, Chain)) -> Outbox {
        let tags = [const { Cell::new(0) }; CHAINS];
        let chains = [const { Chain::new() }; CHAINS];
        Outbox { tags, chains, bundles: [const { Bundle::new() }; BUNDLES], bundled: Cell::new(0), deliver }
    }

    /// Puts a block of a pool of another heap into the box. What is full or in the way is delivered.
    #[inline]
    pub(crate) fn add(&self, pool: PoolPtr, block: Block) {
        let bundle = &self.bundles[pool.hash() % BUNDLES];
        if bundle.pool.get() != Some(pool) {
            self.close(bundle);
            bundle.pool.set(Some(pool));
        }
        if bundle.blocks.add(block) >= BUNDLE_LENGTH || pool.class.get() == ONE_WORD {
            self.close(bundle);
        }
        self.bundled.set(self.bundled.get() + 1);
        if self.bundled.get() >= BUNDLED {
            self.flush();
        }
    }

    /// Puts what a bundle has into the chain of its heap.
    fn close(&self, bundle: &Bundle) {
        if let Some(pool) = bundle.pool.take() {
            self.add_bundle(pool.user[crate::heap::TAG].get(), pool, bundle.blocks.take());
        }
    }

    fn add_bundle(&self, tag: usize, pool: PoolPtr, blocks: Chain) {
        let Some(last) = Bundle::pack(pool, blocks) else { return };
        // Heaps lie at multiples of 4096.
        let place = (tag >> 12) % CHAINS;
        if self.tags[place].get() != tag {
            self.send(place);
            self.tags[place].set(tag);
        }
        if self.chains[place].add(last) >= CHAIN_LENGTH {
            self.send(place);
        }
    }

    /// Delivers a run at once.
    pub(crate) fn send_now(&self, tag: usize, pool: PoolPtr, block: Block) {
        (self.deliver)(tag, single(pool, block));
    }

    /// Delivers everything.
    pub(crate) fn flush(&self) {
        self.bundles.iter().for_each(|bundle| self.close(bundle));
        self.bundled.set(0);
        (0..CHAINS).for_each(|place| self.send(place));
    }

    fn send(&self, place: usize) {
        let chain = &self.chains[place];
        if !chain.is_empty() {
            (self.deliver)(self.tags[place].get(), chain.take());
        }
    }
}
