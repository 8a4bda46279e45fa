//! Which addresses belong to arenas: a three-level radix tree (`address_in_range`, CPython 3.10+).
//!
//! ```text
//! bit 47      38 37      28 27    20 19             0
//!     |  top    |  middle  | bottom | inside an arena|
//! ```
//!
//! A mapping of 1 MiB need not be aligned to 1 MiB, so it covers the high end of one bottom entry and
//! the low end of the next; an entry says how much of either.

use super::ARENA_SIZE;

const ARENA_BITS: u32 = ARENA_SIZE.trailing_zeros();
const BOTTOM_BITS: u32 = 8;
const MIDDLE_BITS: u32 = 10;
const TOP_BITS: u32 = 10;

const _: () = assert!(ARENA_BITS + BOTTOM_BITS + MIDDLE_BITS + TOP_BITS == 48);

/// How arenas cover the 1 MiB window of an entry.
#[derive(Clone, Copy, Debug)]
struct Coverage {
    /// Offset from which on the window is covered by the arena that begins in it; `ARENA_SIZE` for none.
    from: u32,
    /// Offset up to which it is covered by the arena that began before it; 0 for none.
    to: u32,
}

const UNCOVERED: Coverage = Coverage { from: ARENA_SIZE as u32, to: 0 };

type Bottom = [Coverage; 1 << BOTTOM_BITS];
type Middle = [Option<Box<Bottom>>; 1 << MIDDLE_BITS];

/// The arenas of one allocator by address.
///
/// # Invariants
/// 1. Offset `o` of a window is inside an arena iff `o < to || o >= from` of its entry.
#[derive(Debug)]
pub(super) struct RadixTree {
    top: Box<[Option<Box<Middle>>; 1 << TOP_BITS]>,
}

impl RadixTree {
    pub(super) fn new() -> Self {
        Self { top: Box::new([const { None }; 1 << TOP_BITS]) }
    }

    /// Whether an address is inside an arena.
    #[inline]
    pub(super) fn contains(&self, addr: usize) -> bool {
        let Some((top, middle, bottom)) = split(addr) else {
            return false;
        };
        let Some(node) = &self.top[top] else {
            return false;
        };
        let Some(node) = &node[middle] else {
            return false;
        };
        let Coverage { from, to } = node[bottom];
        let offset = (addr % ARENA_SIZE) as u32;
        offset < to || offset >= from
    }

    /// Marks an arena as present; false if its address has more than 48 bits, which no user address has.
    pub(super) fn add(&mut self, arena: usize) -> bool {
        let offset = (arena % ARENA_SIZE) as u32;
        if split(arena).is_none() || split(arena.wrapping_add(ARENA_SIZE)).is_none() {
            return false;
        }
        self.entry(arena).from = offset;
        if offset != 0 {
            self.entry(arena + ARENA_SIZE).to = offset;
        }
        true
    }

    /// Marks an arena that was added as gone.
    pub(super) fn remove(&mut self, arena: usize) {
        self.entry(arena).from = UNCOVERED.from;
        if !arena.is_multiple_of(ARENA_SIZE) {
            self.entry(arena + ARENA_SIZE).to = UNCOVERED.to;
        }
    }

    fn entry(&mut self, addr: usize) -> &mut Coverage {
        let (top, middle, bottom) = split(addr).expect("arenas are at user addresses");
        let node = self.top[top].get_or_insert_with(|| Box::new([const { None }; 1 << MIDDLE_BITS]));
        let node = node[middle].get_or_insert_with(|| Box::new([UNCOVERED; 1 << BOTTOM_BITS]));
        &mut node[bottom]
    }
}

#[inline]
fn split(addr: usize) -> Option<(usize, usize, usize)> {
    let bottom = addr >> ARENA_BITS;
    let middle = bottom >> BOTTOM_BITS;
    let top = middle >> MIDDLE_BITS;
    (top < 1 << TOP_BITS).then_some((top, middle % (1 << MIDDLE_BITS), bottom % (1 << BOTTOM_BITS)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn covers_exactly_the_arenas() {
        let mut tree = RadixTree::new();
        let aligned = 0x7f12_3450_0000;
        let neighbour = aligned + ARENA_SIZE;
        let between = 0x7f00_0000_3000;
        for arena in [aligned, neighbour, between] {
            assert!(tree.add(arena));
        }
        for arena in [aligned, neighbour, between] {
            assert!(tree.contains(arena) && tree.contains(arena + ARENA_SIZE - 1));
        }
        assert!(!tree.contains(aligned - 1) && !tree.contains(neighbour + ARENA_SIZE));
        assert!(!tree.contains(between - 1) && !tree.contains(between + ARENA_SIZE));
        tree.remove(aligned);
        tree.remove(between);
        assert!(!tree.contains(aligned) && !tree.contains(between + ARENA_SIZE - 1));
        assert!(tree.contains(neighbour));
    }

    #[test]
    fn two_arenas_share_a_window() {
        let mut tree = RadixTree::new();
        let (low, high) = (0x5555_0000_4000, 0x5555_0010_8000);
        assert!(tree.add(low) && tree.add(high));
        assert!(tree.contains(low + ARENA_SIZE - 1) && !tree.contains(low + ARENA_SIZE));
        assert!(!tree.contains(high - 1) && tree.contains(high));
        tree.remove(low);
        assert!(!tree.contains(low + ARENA_SIZE - 1) && tree.contains(high));
    }

    #[test]
    fn addresses_that_no_process_has() {
        let mut tree = RadixTree::new();
        assert!(!tree.contains(0) && !tree.contains(usize::MAX) && !tree.contains(1 << 48));
        assert!(!tree.add(1 << 48) && !tree.add((1 << 48) - ARENA_SIZE));
    }
}
