//! Lists of pools that hold something a pass looks for, so that it need not walk all of them.

use core::cell::RefCell;

use cpymem_allocator::pool::Pool;

/// A list of pools. Each pool knows its place in the list, by one of its two user words, so it leaves the list in
/// one step when its last block is freed.
///
/// ```text
///   user word:  | place in the list + 1 | flags, 8 bits |      0: not in the list
/// ```
///
/// # Invariants
/// 1. Every pool in the list holds an allocated block, or is about to leave the list with its last one.
#[derive(Debug)]
pub(crate) struct Listing {
    word: usize,
    pools: RefCell<Vec<Pool<'static>>>,
}

const FLAG_BITS: u32 = 8;

impl Listing {
    /// A list that keeps its places in user word `word` of the pools.
    pub(crate) const fn new(word: usize) -> Listing {
        Listing { word, pools: RefCell::new(Vec::new()) }
    }

    /// The flags of a pool; 0 if it is not in the list.
    #[inline(always)]
    pub(crate) fn flags(&self, pool: Pool<'_>) -> u8 {
        Self::flags_in(pool, self.word)
    }

    /// The flags of a pool in the list that keeps its places in user word `word`.
    #[inline(always)]
    pub(crate) fn flags_in(pool: Pool<'_>, word: usize) -> u8 {
        pool.user_word(word) as u8
    }

    /// Adds a pool, or flags to one that is in the list.
    #[cold]
    #[inline(never)]
    pub(crate) fn add(&self, pool: Pool<'static>, flags: u8) {
        let word = pool.user_word(self.word);
        if word != 0 {
            return pool.set_user_word(self.word, word | usize::from(flags));
        }
        let mut pools = self.pools.borrow_mut();
        pools.push(pool);
        pool.set_user_word(self.word, pools.len() << FLAG_BITS | usize::from(flags));
    }

    /// Replaces the flags of a pool of the list.
    pub(crate) fn set_flags(&self, pool: Pool<'static>, flags: u8) {
        let place = pool.user_word(self.word) >> FLAG_BITS;
        pool.set_user_word(self.word, place << FLAG_BITS | usize::from(flags));
    }

    /// Takes a pool out of the list, if it is in it.
    #[inline]
    pub(crate) fn remove(&self, pool: Pool<'_>) {
        if pool.user_word(self.word) != 0 {
            self.take_out(pool);
        }
    }

    #[cold]
    fn take_out(&self, pool: Pool<'_>) {
        let place = (pool.user_word(self.word) >> FLAG_BITS) - 1;
        pool.set_user_word(self.word, 0);
        let mut pools = self.pools.borrow_mut();
        pools.swap_remove(place);
        if let Some(moved) = pools.get(place) {
            moved.set_user_word(self.word, (place + 1) << FLAG_BITS | usize::from(self.flags(*moved)));
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.pools.borrow().len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The pool at a place.
    pub(crate) fn get(&self, place: usize) -> Option<Pool<'static>> {
        self.pools.borrow().get(place).copied()
    }

    /// Takes every pool out of the list and hands it to `each`.
    pub(crate) fn drain(&self, mut each: impl FnMut(Pool<'static>)) {
        for pool in self.pools.borrow_mut().drain(..) {
            pool.set_user_word(self.word, 0);
            each(pool);
        }
    }
}
