//! Block ids to dense slots, so that tables are as long as the most blocks that were ever live at once.

use std::fmt;

use crate::budget::{Budget, OverBudget};

/// Ids of one page; 4 KiB of slots.
const PAGE: usize = 1024;
const NONE: u32 = u32::MAX;

/// The place of a live block in a table; used again once the block is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Slot(u32);

impl Slot {
    /// The slot as an index.
    #[inline]
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// Why an event does not fit the blocks that are live.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LiveError {
    /// A free or realloc of a block that was freed before, or never made.
    NotLive {
        /// The block.
        id: u64,
    },
    /// The table would hold more than the budget allows.
    OverBudget(OverBudget),
}

impl From<OverBudget> for LiveError {
    fn from(over: OverBudget) -> Self {
        Self::OverBudget(over)
    }
}

impl fmt::Display for LiveError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotLive { id } => write!(f, "block {id} is not live"),
            Self::OverBudget(over) => over.fmt(f),
        }
    }
}

impl std::error::Error for LiveError {}

/// The live blocks of a trace.
///
/// Ids only grow, so the table is a directory of pages; a page goes when its last block does. The
/// slot freed last is handed out first: tables indexed by slots stay short and warm.
///
/// # Invariants
/// 1. Page `k` exists iff a live block has an id in `PAGE * k .. PAGE * (k + 1)`; its `live` counts
///    them.
/// 2. `live` blocks + `free` slots = `slots` ever handed out, each slot in exactly one of the two.
/// 3. `next_id` is greater than every id that was added.
#[derive(Debug, Default)]
pub struct Live {
    pages: Vec<Option<Box<Page>>>,
    spare: Option<Box<Page>>,
    free: Vec<u32>,
    slots: u32,
    live: u32,
    next_id: u64,
}

#[derive(Debug)]
struct Page {
    slots: [u32; PAGE],
    live: u16,
}

impl Live {
    /// No blocks.
    pub fn new() -> Self {
        Self::default()
    }

    /// Blocks that are live.
    pub fn len(&self) -> u32 {
        self.live
    }

    /// Whether no block is live.
    pub fn is_empty(&self) -> bool {
        self.live == 0
    }

    /// Slots ever handed out: the most blocks that were live at once.
    pub fn slots(&self) -> u32 {
        self.slots
    }

    /// Adds a block and returns its slot: one that is free, or the first beyond all before.
    ///
    /// # Errors
    /// If the budget is used up.
    ///
    /// # Panics
    /// If `id` is not greater than every id added before: a trace numbers its blocks.
    #[inline]
    pub fn add(&mut self, id: u64, budget: &mut Budget) -> Result<Slot, OverBudget> {
        assert!(id >= self.next_id, "ids are added in ascending order");
        let (page, entry) = split(id);
        if !matches!(self.pages.get(page), Some(Some(_))) {
            self.add_page(page, budget)?;
        }
        let slot = match self.free.pop() {
            Some(slot) => slot,
            None => self.new_slot(budget)?,
        };
        let page = self.pages[page].as_mut().expect("the page was just made sure of");
        page.slots[entry] = slot;
        page.live += 1;
        self.live += 1;
        self.next_id = id + 1;
        Ok(Slot(slot))
    }

    /// The slot of a live block.
    #[inline]
    pub fn get(&self, id: u64) -> Result<Slot, LiveError> {
        let (page, entry) = split(id);
        match self.pages.get(page) {
            Some(Some(page)) if page.slots[entry] != NONE => Ok(Slot(page.slots[entry])),
            _ => Err(LiveError::NotLive { id }),
        }
    }

    /// Removes a live block and returns the slot that it had, which is free from now on.
    #[inline]
    pub fn remove(&mut self, id: u64, budget: &mut Budget) -> Result<Slot, LiveError> {
        let (index, entry) = split(id);
        let Some(Some(page)) = self.pages.get_mut(index) else {
            return Err(LiveError::NotLive { id });
        };
        let slot = page.slots[entry];
        if slot == NONE {
            return Err(LiveError::NotLive { id });
        }
        budget.reserve(&mut self.free, 1)?;
        page.slots[entry] = NONE;
        page.live -= 1;
        if page.live == 0 {
            // All entries are NONE again, so the page can serve as a new one.
            let empty = self.pages[index].take();
            if self.spare.is_none() {
                self.spare = empty;
            } else {
                budget.release(size_of::<Page>() as u64);
            }
        }
        self.free.push(slot);
        self.live -= 1;
        Ok(Slot(slot))
    }

    #[cold]
    fn add_page(&mut self, index: usize, budget: &mut Budget) -> Result<(), OverBudget> {
        if index >= self.pages.len() {
            let more = index + 1 - self.pages.len();
            budget.reserve(&mut self.pages, more)?;
            self.pages.resize_with(index + 1, || None);
        }
        let page = match self.spare.take() {
            Some(page) => page,
            None => {
                budget.charge(size_of::<Page>() as u64)?;
                Box::new(Page { slots: [NONE; PAGE], live: 0 })
            }
        };
        self.pages[index] = Some(page);
        Ok(())
    }

    fn new_slot(&mut self, budget: &mut Budget) -> Result<u32, OverBudget> {
        if self.slots == NONE {
            budget.charge(u64::MAX)?;
        }
        self.slots += 1;
        Ok(self.slots - 1)
    }
}

#[inline]
fn split(id: u64) -> (usize, usize) {
    (usize::try_from(id / PAGE as u64).unwrap_or(usize::MAX), (id % PAGE as u64) as usize)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::{HashMap, HashSet};

    /// Random adds and removes beside a plain map.
    #[test]
    fn agrees_with_a_map() {
        let mut budget = Budget::new(1 << 30);
        let (mut live, mut map) = (Live::new(), HashMap::new());
        let (mut ids, mut random) = (Vec::new(), 0x9e37_79b9_7f4a_7c15_u64);
        for id in 0..50_000 {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let slot = live.add(id, &mut budget).unwrap();
            assert_eq!(map.insert(id, slot), None);
            ids.push(id);
            let frees = if id % 9_000 < 5_000 { random >> 63 } else { random >> 62 };
            for _ in 0..frees.min(ids.len() as u64) {
                random = random.rotate_left(17).wrapping_mul(0x2545_f491_4f6c_dd1d);
                let victim = ids.swap_remove((random % ids.len() as u64) as usize);
                assert_eq!(live.get(victim).ok(), map.get(&victim).copied());
                assert_eq!(live.remove(victim, &mut budget).ok(), map.remove(&victim));
                assert_eq!(live.remove(victim, &mut budget), Err(LiveError::NotLive { id: victim }));
            }
            assert_eq!(live.len() as usize, map.len());
        }
        let distinct: HashSet<_> = map.values().collect();
        assert_eq!(distinct.len(), map.len(), "no slot serves two blocks");
        assert!(map.values().all(|slot| slot.index() < live.slots() as usize));
    }

    #[test]
    fn pages_go_with_their_blocks() {
        let mut budget = Budget::new(1 << 20);
        let mut live = Live::new();
        for id in 0..10_000_000 {
            live.add(id, &mut budget).unwrap();
            if id >= 100 {
                live.remove(id - 100, &mut budget).unwrap();
            }
        }
        assert_eq!((live.len(), live.slots()), (100, 101));
    }

    #[test]
    fn ids_that_never_were() {
        let live = Live::new();
        assert_eq!(live.get(0), Err(LiveError::NotLive { id: 0 }));
        assert_eq!(live.get(u64::MAX), Err(LiveError::NotLive { id: u64::MAX }));
    }
}
