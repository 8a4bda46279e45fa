//! A trace as steps on a table of slots: what every subject executes.

use crate::budget::Budget;
use crate::error::InputError;
use crate::input::Input;
use crate::trace::{Live, LiveError, Op, Reader};

/// Steps of one portion: enough that a clock reading costs nothing, few enough to stay in the cache.
const PORTION: usize = 1 << 14;

/// What happens to the block in a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Act {
    /// A new block in an empty slot.
    Alloc,
    /// The same, reading 0.
    AllocZeroed,
    /// The block changes its size.
    Realloc,
    /// The block goes; the slot is empty.
    Free,
}

/// One allocator call.
#[derive(Clone, Copy, Debug)]
pub(super) struct Step {
    /// Bytes asked for; of a free, 0.
    pub(super) size: u64,
    pub(super) slot: u32,
    pub(super) act: Act,
    /// Whether the call belongs to a domain that pymalloc serves.
    pub(super) pooled: bool,
}

/// Why a portion ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stop {
    /// It is full.
    Full,
    /// The program entered its next phase.
    Phase,
    /// The trace is over.
    End,
}

/// Reads a trace portion by portion.
pub(super) struct Steps<'a> {
    reader: Reader<'a>,
    live: Live,
    sizes: Vec<u64>,
    live_bytes: u64,
    memory_events: u64,
}

impl<'a> Steps<'a> {
    pub(super) fn open(input: &'a Input) -> Result<Steps<'a>, InputError> {
        let reader = Reader::open(input)?;
        Ok(Steps { reader, live: Live::new(), sizes: Vec::new(), live_bytes: 0, memory_events: 0 })
    }

    /// Replaces the content of `portion` by the next steps.
    pub(super) fn next(&mut self, portion: &mut Vec<Step>) -> Result<Stop, InputError> {
        portion.clear();
        while portion.len() < PORTION {
            let Some(event) = self.reader.next_event()? else {
                return Ok(Stop::End);
            };
            let step = match event.op {
                Op::Alloc { id, size, zeroed, .. } => {
                    let act = if zeroed { Act::AllocZeroed } else { Act::Alloc };
                    self.add(id, size).map(|slot| (act, slot, size))
                }
                Op::Realloc { id, size, .. } => self.resize(id, size).map(|slot| (Act::Realloc, slot, size)),
                Op::Free { id } => self.remove(id).map(|slot| (Act::Free, slot, 0)),
                Op::Phase { .. } => return Ok(Stop::Phase),
                Op::Unknown | Op::GcStart { .. } | Op::GcStop { .. } => continue,
            };
            let (act, slot, size) = step.map_err(|what| self.reader.error(what))?;
            portion.push(Step { size, slot, act, pooled: event.domain.is_pymalloc() });
        }
        Ok(Stop::Full)
    }

    /// Bytes live after the steps read so far, as asked for.
    pub(super) fn live_bytes(&self) -> u64 {
        self.live_bytes
    }

    /// Allocator calls read so far.
    pub(super) fn memory_events(&self) -> u64 {
        self.memory_events
    }

    /// An error at the last event read.
    pub(super) fn error(&self, what: impl std::fmt::Display) -> InputError {
        self.reader.error(what)
    }

    fn add(&mut self, id: u64, size: u64) -> Result<u32, LiveError> {
        let budget: &mut Budget = self.reader.budget();
        let slot = self.live.add(id, budget)?.index();
        if slot == self.sizes.len() {
            budget.reserve(&mut self.sizes, 1)?;
            self.sizes.push(size);
        } else {
            self.sizes[slot] = size;
        }
        self.count(0, size);
        Ok(slot as u32)
    }

    fn resize(&mut self, id: u64, size: u64) -> Result<u32, LiveError> {
        let slot = self.live.get(id)?.index();
        let old = std::mem::replace(&mut self.sizes[slot], size);
        self.count(old, size);
        Ok(slot as u32)
    }

    fn remove(&mut self, id: u64) -> Result<u32, LiveError> {
        let slot = self.live.remove(id, self.reader.budget())?.index();
        self.count(self.sizes[slot], 0);
        Ok(slot as u32)
    }

    /// The trace was scanned before, so its live bytes fit 64 bits.
    fn count(&mut self, old: u64, new: u64) {
        self.memory_events += 1;
        self.live_bytes = self.live_bytes.wrapping_sub(old).wrapping_add(new);
    }
}
