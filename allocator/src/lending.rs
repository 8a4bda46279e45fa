//! A pool of a [`Heap`](crate::Heap): how it lends its blocks to a bin and gets them back.
//!
//! ```text
//!              new pool
//!                 |                  all blocks lent, few came back
//!                 v          .------------------------------------------> FULL
//!              CURRENT ------|                                             |
//!                 ^          '--> PARTIAL <--------------------------------'
//!                 '------------------'  |        `wake` blocks are free
//!                                       '--> empty: its units go back
//! ```
//!
//! The free blocks of the current pool of a class are in the bin of the class, where they count as lent. Each
//! block that is freed goes to the free list of its own pool and lowers `live` there by one. The state is chosen
//! so that something has to be done exactly when `live` becomes 0, and the *slack* is the difference to the number of
//! lent blocks. So a free has one branch, whatever state its pool is in:
//!
//! ```text
//!   state     slack                when live == 0
//!   CURRENT   -NEVER               does not happen: live is at least NEVER
//!   PARTIAL   0                    the pool is empty
//!   FULL      lent - wake, not 0   `wake` blocks are free: it becomes PARTIAL
//! ```
//!
//! A full pool waits until an eighth of its blocks is free, or 16 of them, so that whoever fills a bin gets more
//! than a few blocks at a time; snmalloc wakes its slabs in the same way.

#![allow(unsafe_code, reason = "lists of blocks are joined")]

use core::ptr::NonNull;

use crate::block::{Block, FreeList};
use crate::pool_meta::PoolPtr;
use crate::route::{LINK, SHIFT};

/// More than the blocks of any pool.
const NEVER: u16 = 1 << 14;
/// Most free blocks that a full pool waits for.
const WAKE_MOST: u16 = 16;
/// Virgin blocks are handed to a bin in portions of this many bytes, so that memory is touched when needed.
const CARVE_BYTES: usize = 4096;

impl PoolPtr {
    /// Blocks handed out to the user or a bin.
    #[inline]
    pub(crate) fn lent(self) -> usize {
        self.live.get().wrapping_add(self.recip_or_slack.get() as u16) as usize
    }

    fn set(self, live: u16, slack: u32) {
        self.live.set(live);
        self.recip_or_slack.set(slack);
    }

    /// Makes this the current pool of its class. Its free list stays.
    pub(crate) fn make_current(self) {
        let lent = self.lent() as u16;
        self.set(lent + NEVER, 0u32.wrapping_sub(u32::from(NEVER)));
    }

    /// Makes a pool that was just formatted the current one.
    pub(crate) fn start(self) {
        self.set(0, 0);
        self.make_current();
    }

    /// Ends the pool's time as the current one, with an empty bin: true if it is partial now and belongs in the
    /// list of its class, false if it is full.
    pub(crate) fn end_current(self) -> bool {
        let lent = self.lent() as u16;
        let free = self.capacity.get() - lent;
        let wake = self.wake();
        let partial = free >= wake || lent <= wake;
        if partial {
            self.set(lent, 0);
        } else {
            let missing = wake - free;
            self.set(missing, u32::from(lent - missing));
        }
        partial
    }

    /// A pool about which something has to be done is partial from now on: true if it was full before, and so in
    /// no list.
    pub(crate) fn wake_up(self) -> bool {
        let was_full = self.recip_or_slack.get() != 0;
        self.set(self.lent() as u16, 0);
        was_full
    }

    /// True if no block is lent.
    #[inline]
    pub(crate) fn is_empty(self) -> bool {
        self.lent() == 0
    }

    /// Free blocks that are worth filling a bin with.
    fn wake(self) -> u16 {
        (self.capacity.get() / 8).clamp(2, WAKE_MOST)
    }

    /// Takes a block back: true if something has to be done about the pool's state.
    #[inline(always)]
    pub(crate) fn take_back(self, block: Block) -> bool {
        self.free.push(LINK, block);
        let live = self.live.get().wrapping_sub(1);
        self.live.set(live);
        live == 0
    }

    /// Takes `count` blocks back that are linked from `first` to `last`; the result is as for one.
    ///
    /// # Safety
    /// They are blocks of this pool, and the caller's.
    pub(crate) unsafe fn take_back_list(self, first: NonNull<u8>, last: Block, count: u16) -> bool {
        // SAFETY: the caller's promise.
        unsafe { self.free.prepend(LINK, first, last) };
        let live = self.live.get();
        self.live.set(live.wrapping_sub(count));
        live <= count
    }

    /// Lends the whole free list of the current pool, if enough came back or nothing else is left: the blocks and
    /// their number.
    pub(crate) fn lend_free(self) -> Option<(FreeList, u32)> {
        let free = self.carved.get() - self.lent() as u16;
        let virgin = self.capacity.get() - self.carved.get();
        if free == 0 || (free < self.wake() && virgin > 0) {
            return None;
        }
        self.live.set(self.live.get() + free);
        Some((self.free.take(), u32::from(free)))
    }

    /// Bytes from the start of the current pool to the end of the virgin blocks that are lent next; `None` if
    /// there are none.
    pub(crate) fn reach(self) -> Option<usize> {
        let portion = self.portion();
        (portion > 0).then(|| (self.carved.get() + portion) as usize * self.block_size.get())
    }

    /// Virgin blocks in a portion: at least two, if there are as many.
    fn portion(self) -> u16 {
        let left = self.capacity.get() - self.carved.get();
        left.min((CARVE_BYTES / self.block_size.get()).max(2) as u16)
    }

    /// Lends a portion of the virgin blocks of the current pool, in ascending order.
    pub(crate) fn lend_virgin(self) -> (FreeList, u32) {
        let (first, count) = (self.carved.get(), self.portion());
        self.carved.set(first + count);
        self.live.set(self.live.get() + count);
        let list = FreeList::new();
        for index in (first..first + count).rev() {
            // SAFETY: carved just now, so nobody else has them.
            list.push(LINK, unsafe { Block::new(self.block_at(index as usize, SHIFT)) });
        }
        (list, u32::from(count))
    }
}
