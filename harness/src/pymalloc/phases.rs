#![allow(unsafe_code, reason = "drives an allocator by a trace")]
//! The pools that a trace takes by the model, at each phase mark.

use super::{ARENA_SIZE, Pymalloc, Rules, SMALL_REQUEST_THRESHOLD};
use crate::budget::{Budget, OverBudget};
use crate::error::InputError;
use crate::input::Input;
use crate::trace::{Live, LiveError, Op, Reader};

/// Runs the pymalloc requests of a trace and returns the pools in use at every phase mark.
///
/// Addresses in the trace are not looked at. Only what pools serve is really allocated: a block of
/// libc never takes a pool, so the count needs none of them.
///
/// # Errors
/// If the trace is malformed, frees or reallocates a block that is not live, or needs more memory
/// than its limits allow.
pub fn pools_at_phases(input: &Input, rules: Rules) -> Result<Vec<u64>, InputError> {
    let mut reader = Reader::open(input)?;
    let mut run =
        Run { pymalloc: Pymalloc::new(rules), live: Live::new(), blocks: Vec::new(), arenas_charged: 0 };
    let mut pools = Vec::new();
    while let Some(event) = reader.next_event()? {
        let budget = reader.budget();
        let step = match event.op {
            Op::Alloc { id, size, .. } => {
                let size = if event.domain.is_pymalloc() { small(size) } else { None };
                run.alloc(id, size, budget)
            }
            Op::Realloc { id, size, .. } => run.realloc(id, small(size), budget),
            Op::Free { id } => run.free(id, budget),
            Op::Phase { .. } => budget
                .reserve(&mut pools, 1)
                .map(|()| pools.push(run.pymalloc.pools_in_use() as u64))
                .map_err(LiveError::from),
            Op::Unknown | Op::GcStart { .. } | Op::GcStop { .. } => Ok(()),
        };
        step.map_err(|what| reader.error(what))?;
    }
    Ok(pools)
}

/// The size of a request that pools serve.
fn small(size: u64) -> Option<usize> {
    (1..=SMALL_REQUEST_THRESHOLD as u64).contains(&size).then_some(size as usize)
}

/// # Invariants
/// 1. `blocks[slot]` of a live block is its memory in a pool, or null if libc has it.
struct Run {
    pymalloc: Pymalloc,
    live: Live,
    blocks: Vec<*mut u8>,
    arenas_charged: usize,
}

impl Run {
    fn alloc(&mut self, id: u64, size: Option<usize>, budget: &mut Budget) -> Result<(), LiveError> {
        let slot = self.live.add(id, budget)?;
        let block = self.take(size, budget)?;
        if slot.index() == self.blocks.len() {
            budget.reserve(&mut self.blocks, 1)?;
            self.blocks.push(block);
        } else {
            self.blocks[slot.index()] = block;
        }
        Ok(())
    }

    fn realloc(&mut self, id: u64, size: Option<usize>, budget: &mut Budget) -> Result<(), LiveError> {
        let slot = self.live.get(id)?;
        let block = self.blocks[slot.index()];
        if block.is_null() {
            return Ok(());
        }
        let Some(size) = size else {
            // libc has it now.
            self.blocks[slot.index()] = std::ptr::null_mut();
            // SAFETY: invariant 1; null replaced it.
            unsafe { self.pymalloc.free(block) };
            return Ok(());
        };
        // SAFETY: invariant 1; the new place replaces the old one.
        let moved = unsafe { self.pymalloc.realloc(block, size) };
        self.blocks[slot.index()] = moved;
        Ok(self.check(moved, budget)?)
    }

    fn free(&mut self, id: u64, budget: &mut Budget) -> Result<(), LiveError> {
        let slot = self.live.remove(id, budget)?;
        let block = std::mem::replace(&mut self.blocks[slot.index()], std::ptr::null_mut());
        // SAFETY: invariant 1; null, which is ignored, replaced it.
        unsafe { self.pymalloc.free(block) };
        Ok(())
    }

    fn take(&mut self, size: Option<usize>, budget: &mut Budget) -> Result<*mut u8, OverBudget> {
        let Some(size) = size else {
            return Ok(std::ptr::null_mut());
        };
        let block = self.pymalloc.malloc(size);
        self.check(block, budget)?;
        Ok(block)
    }

    /// Charges new arenas. A block outside of pools means that the system gives no more of them.
    #[inline]
    fn check(&mut self, block: *mut u8, budget: &mut Budget) -> Result<(), OverBudget> {
        let arenas = self.pymalloc.arenas_highwater();
        if arenas > self.arenas_charged {
            budget.charge(((arenas - self.arenas_charged) * ARENA_SIZE) as u64)?;
            self.arenas_charged = arenas;
        }
        if !self.pymalloc.is_pooled(block) {
            budget.charge(u64::MAX)?;
        }
        Ok(())
    }
}
