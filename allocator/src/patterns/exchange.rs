//! Ways of blocks from one thread to another.

use core::sync::atomic::{AtomicPtr, AtomicU64, AtomicUsize, Ordering};
use core::{array, ptr};

use super::worker::Block;

const PLACES: usize = 4096;

/// A queue with one thread at each end.
///
/// `sent - taken` blocks are in it, `0 <= sent - taken <= PLACES`; each count is stored by one thread only.
pub(super) struct Ring {
    places: Box<[Place; PLACES]>,
    sent: Line,
    taken: Line,
}

/// A count on a cache line of its own.
#[repr(align(128))]
struct Line(AtomicUsize);

/// A block in two words; null if there is none.
pub(super) struct Place {
    ptr: AtomicPtr<u8>,
    word: AtomicU64,
}

impl Place {
    const fn new() -> Place {
        Place { ptr: AtomicPtr::new(ptr::null_mut()), word: AtomicU64::new(0) }
    }
}

impl Ring {
    pub(super) fn new() -> Ring {
        Ring {
            places: Box::new(array::from_fn(|_| Place::new())),
            sent: Line(AtomicUsize::new(0)),
            taken: Line(AtomicUsize::new(0)),
        }
    }

    /// How many blocks may be sent now.
    pub(super) fn room(&self) -> usize {
        // Relaxed: only this thread stores it.
        let sent = self.sent.0.load(Ordering::Relaxed);
        // Acquire: places are written again after they were read; pairs with the store in `receive`.
        PLACES - (sent - self.taken.0.load(Ordering::Acquire))
    }

    /// Sends blocks, of which there are at most [`room`](Self::room).
    pub(super) fn send(&self, blocks: &[Block]) {
        // Relaxed: only this thread stores it.
        let sent = self.sent.0.load(Ordering::Relaxed);
        for (index, block) in blocks.iter().enumerate() {
            let place = &self.places[(sent + index) % PLACES];
            let (ptr, word) = block.parts();
            // Relaxed: the store of `sent` publishes them.
            place.ptr.store(ptr, Ordering::Relaxed);
            place.word.store(word, Ordering::Relaxed);
        }
        // Release: pairs with the load in `receive`.
        self.sent.0.store(sent + blocks.len(), Ordering::Release);
    }

    /// Receives what is there and returns how many blocks that were.
    pub(super) fn receive(&self, most: usize, mut each: impl FnMut(Block)) -> usize {
        // Relaxed: only this thread stores it.
        let taken = self.taken.0.load(Ordering::Relaxed);
        // Acquire: pairs with the store in `send`.
        let count = (self.sent.0.load(Ordering::Acquire) - taken).min(most);
        for index in 0..count {
            let place = &self.places[(taken + index) % PLACES];
            // Relaxed: `sent` has published them.
            let (ptr, word) = (place.ptr.load(Ordering::Relaxed), place.word.load(Ordering::Relaxed));
            if let Some(block) = Block::from_parts(ptr, word) {
                each(block);
            }
        }
        // Release: pairs with the load in `room`.
        self.taken.0.store(taken + count, Ordering::Release);
        count
    }
}

/// Places where threads that come and go leave blocks for one another.
pub(super) struct Market(Box<[Place]>);

/// In a place whose block is being exchanged.
fn claimed() -> *mut u8 {
    ptr::without_provenance_mut(1)
}

impl Market {
    pub(super) fn new(places: usize) -> Market {
        Market((0..places).map(|_| Place::new()).collect())
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Leaves a block, or nothing, and takes what was there. If another thread is at the place, the block comes
    /// back.
    pub(super) fn exchange(&self, at: usize, block: Option<Block>) -> Option<Block> {
        let place = &self.0[at];
        // Acquire: the word and the block's content are those of who left it; pairs with the store below.
        let ptr = place.ptr.swap(claimed(), Ordering::Acquire);
        if ptr == claimed() {
            return block;
        }
        // Relaxed, both: the place is this thread's until the store below.
        let found = Block::from_parts(ptr, place.word.load(Ordering::Relaxed));
        let (ptr, word) = block.map_or((ptr::null_mut(), 0), Block::parts);
        place.word.store(word, Ordering::Relaxed);
        // Release: pairs with the swap.
        place.ptr.store(ptr, Ordering::Release);
        found
    }
}
