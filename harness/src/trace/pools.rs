//! The pools that CPython really had in use, from the addresses of a trace.

use std::collections::HashMap;

use crate::budget::{Budget, OverBudget};

/// A pool is 16 KiB and aligned to its size, so a page of that size is a pool.
const POOL_BITS: u32 = 14;
/// What a page costs in the map: key, count, control byte, and slack.
const PAGE_BYTES: u64 = 48;

/// Counts the 16 KiB pages that hold a live pymalloc block: the oracle for every model of pymalloc.
///
/// It looks at addresses alone and knows no rule of the allocator but one: a block that pymalloc
/// did not serve never becomes one that it did.
#[derive(Debug, Default)]
pub struct RecordedPools {
    blocks_in: HashMap<u64, u32>,
}

impl RecordedPools {
    /// No pools.
    pub fn new() -> Self {
        Self::default()
    }

    /// Pools in use.
    pub fn in_use(&self) -> u64 {
        self.blocks_in.len() as u64
    }

    /// A pymalloc block appears at `addr`.
    ///
    /// # Errors
    /// If the budget is used up.
    pub fn add(&mut self, addr: u64, budget: &mut Budget) -> Result<(), OverBudget> {
        let blocks = self.blocks_in.entry(addr >> POOL_BITS).or_insert(0);
        if *blocks == 0 {
            budget.charge(PAGE_BYTES)?;
        }
        *blocks += 1;
        Ok(())
    }

    /// The pymalloc block at `addr` is gone.
    pub fn remove(&mut self, addr: u64, budget: &mut Budget) {
        let page = addr >> POOL_BITS;
        if let Some(blocks) = self.blocks_in.get_mut(&page) {
            *blocks -= 1;
            if *blocks == 0 {
                self.blocks_in.remove(&page);
                budget.release(PAGE_BYTES);
            }
        }
    }
}
