//! A trace as allocator calls in memory, and their replay.
#![allow(unsafe_code, reason = "blocks are written and freed by address")]

use std::alloc::{GlobalAlloc, Layout};
use std::cell::UnsafeCell;
use std::hint::black_box;
use std::ptr::{self, NonNull};
use std::time::Instant;

use cpymem_allocator::patterns::{Outcome, Subject};

use crate::error::{InputError, Place};
use crate::input::Input;
use crate::trace::{Live, Op, Reader, scan};
use crate::units;

/// Alignment of every block: what CPython's allocators promise.
const ALIGN: usize = 16;
/// pymalloc serves requests of up to this many bytes.
const SMALL: u64 = 512;
/// More than a trace's block may have in a benchmark.
const LARGEST: u64 = 1 << 31;

/// What happens to the block in a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Act {
    Alloc,
    AllocZeroed,
    Realloc,
    Free,
}

#[derive(Clone, Copy, Debug)]
struct Call {
    slot: u32,
    size: u32,
    act: Act,
}

/// A mark in a trace: the program entered a phase after so many calls.
#[derive(Clone, Debug)]
pub(super) struct Mark {
    pub(super) calls: usize,
    pub(super) label: String,
}

/// Which calls of a trace are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// All.
    Whole,
    /// Those for blocks that pymalloc serves from its arenas.
    Arenas,
}

/// The calls of a trace.
///
/// # Invariants
/// 1. A call on a slot fits what is there: an allocation finds it empty, every other call finds a block.
/// 2. Every slot is below `slots`.
pub(super) struct Calls {
    calls: Vec<Call>,
    slots: usize,
    pub(super) marks: Vec<Mark>,
}

impl Calls {
    /// Reads a trace.
    pub(super) fn read(input: &Input, part: Part) -> Result<Calls, InputError> {
        let scan = scan(input)?;
        let (needed, limit) = (scan.peak_live_bytes, input.limits().memory_bytes);
        if needed > limit {
            let (needed, limit) = (units::bytes(needed), units::bytes(limit));
            let what =
                format!("a replay would hold {needed}, the limit is {limit} (--max-memory allows more)");
            return Err(InputError::new(input.name(), Place::Event(scan.events), what));
        }
        let mut reader = Reader::open(input)?;
        let labels = reader.header().labels.clone();
        let (mut live, mut calls, mut marks) = (Live::new(), Vec::new(), Vec::new());
        // Whether the block in a slot is replayed.
        let mut here: Vec<bool> = Vec::new();
        while let Some(event) = reader.next_event()? {
            let small = event.domain.is_pymalloc();
            let fits = |size: u64| part == Part::Whole || (small && size <= SMALL && size > 0);
            let size_of = |size: u64| size.clamp(1, LARGEST) as u32;
            match event.op {
                Op::Alloc { id, size, zeroed, .. } if size <= LARGEST => {
                    let slot = live.add(id, reader.budget()).map_err(|over| reader.error(over))?.index();
                    reader.budget().reserve(&mut here, 1).map_err(|over| reader.error(over))?;
                    here.resize(live.slots() as usize, false);
                    here[slot] = fits(size);
                    if here[slot] {
                        let act = if zeroed { Act::AllocZeroed } else { Act::Alloc };
                        push(&mut reader, &mut calls, Call { slot: slot as u32, size: size_of(size), act })?;
                    }
                }
                Op::Realloc { id, size, .. } if size <= LARGEST => {
                    let slot = live.get(id).map_err(|what| reader.error(what))?.index();
                    if here[slot] {
                        // A block that outgrows the arenas leaves them; none moves in by a realloc.
                        here[slot] = fits(size);
                        let act = if here[slot] { Act::Realloc } else { Act::Free };
                        push(&mut reader, &mut calls, Call { slot: slot as u32, size: size_of(size), act })?;
                    }
                }
                Op::Free { id } => {
                    let removed = live.remove(id, reader.budget());
                    let slot = removed.map_err(|what| reader.error(what))?.index();
                    if std::mem::take(&mut here[slot]) {
                        push(&mut reader, &mut calls, Call { slot: slot as u32, size: 0, act: Act::Free })?;
                    }
                }
                Op::Alloc { size, .. } | Op::Realloc { size, .. } => {
                    return Err(
                        reader.error(format_args!("a block of {size} bytes; a benchmark replays less"))
                    );
                }
                Op::Phase { label, .. } => {
                    let label = labels.get(label as usize).cloned().unwrap_or_default();
                    marks.push(Mark { calls: calls.len(), label });
                }
                Op::Unknown | Op::GcStart { .. } | Op::GcStop { .. } => {}
            }
        }
        Ok(Calls { calls, slots: live.slots() as usize, marks })
    }

    pub(super) fn len(&self) -> usize {
        self.calls.len()
    }

    /// Room for the blocks, resident before any clock runs.
    pub(super) fn table(&self) -> Table {
        let mut held = vec![Held { block: ptr::null_mut(), size: 1 }; self.slots];
        black_box(&mut held[..]).fill(EMPTY);
        Table(held)
    }

    /// Makes all calls against the clock, then frees what is left. An operation is a call.
    pub(super) fn replay(&self, subject: &Subject<'_>, table: &mut Table) -> Outcome {
        let started = Instant::now();
        let mut clobbered = self.execute(subject, table, 0..self.calls.len());
        let elapsed = started.elapsed();
        clobbered += table.clear(subject);
        Outcome { operations: self.calls.len() as u64, elapsed, clobbered }
    }

    /// Makes some of the calls; a range begins where the one before ended, on the same table.
    #[inline(never)]
    pub(super) fn execute(
        &self,
        subject: &Subject<'_>,
        table: &mut Table,
        range: std::ops::Range<usize>,
    ) -> u64 {
        let mut clobbered = 0;
        for call in &self.calls[range] {
            let held = &mut table.0[call.slot as usize];
            let size = call.size as usize;
            match call.act {
                Act::Alloc | Act::AllocZeroed => {
                    let layout = layout(black_box(size));
                    let block = match call.act {
                        // SAFETY: the size is not 0.
                        Act::Alloc => unsafe { subject.alloc(layout) },
                        // SAFETY: as above.
                        _ => unsafe { subject.alloc_zeroed(layout) },
                    };
                    *held = Held { block, size: call.size };
                    held.write(call.slot);
                }
                Act::Realloc => {
                    let old = layout(held.size as usize);
                    // SAFETY: `Calls`, invariant 1: the slot has a block of the subject's.
                    held.block = unsafe { subject.realloc(held.block, old, black_box(size)) };
                    clobbered += u64::from(!held.is_intact(call.slot, held.size.min(call.size)));
                    held.size = call.size;
                    held.write(call.slot);
                }
                Act::Free => {
                    clobbered += u64::from(!held.is_intact(call.slot, held.size));
                    // SAFETY: `Calls`, invariant 1; the slot is empty from now on.
                    unsafe { subject.dealloc(held.block, layout(held.size as usize)) };
                    held.block = ptr::null_mut();
                }
            }
        }
        clobbered
    }
}

fn push(reader: &mut Reader<'_>, calls: &mut Vec<Call>, call: Call) -> Result<(), InputError> {
    reader.budget().reserve(calls, 1).map_err(|over| reader.error(over))?;
    calls.push(call);
    Ok(())
}

#[inline(always)]
fn layout(size: usize) -> Layout {
    // SAFETY: 16 is a power of two, and sizes are at most `LARGEST`.
    unsafe { Layout::from_size_align_unchecked(size, ALIGN) }
}

/// The blocks of a replay by slot.
pub(super) struct Table(Vec<Held>);

#[derive(Clone, Copy)]
struct Held {
    block: *mut u8,
    size: u32,
}

const EMPTY: Held = Held { block: ptr::null_mut(), size: 0 };

impl Held {
    /// What the first word of a block reads.
    fn key(self, slot: u32) -> u32 {
        slot ^ self.size.rotate_left(16)
    }

    /// Writes the first word.
    ///
    /// # Panics
    /// If there is no block: the allocator had no memory.
    #[inline(always)]
    fn write(self, slot: u32) {
        let block = NonNull::new(self.block).unwrap_or_else(|| no_memory(self.size));
        if self.size >= 4 {
            // SAFETY: the block has 4 bytes and is aligned to 16.
            unsafe { block.cast::<u32>().write(self.key(slot)) }
        }
    }

    /// Whether the first word of a block, of which `kept` bytes are left, is what was written.
    #[inline(always)]
    fn is_intact(self, slot: u32, kept: u32) -> bool {
        // SAFETY: the block, if there is one, has 4 bytes that `write` wrote.
        self.block.is_null() || kept < 4 || unsafe { self.block.cast::<u32>().read() } == self.key(slot)
    }
}

#[cold]
fn no_memory(size: u32) -> ! {
    panic!("the allocator has no memory for {size} bytes")
}

impl Table {
    /// Bytes asked for and live.
    pub(super) fn live_bytes(&self) -> u64 {
        self.0.iter().filter(|held| !held.block.is_null()).map(|held| u64::from(held.size)).sum()
    }

    /// Frees what is left and returns how many blocks had lost their content.
    pub(super) fn clear(&mut self, subject: &Subject<'_>) -> u64 {
        let mut clobbered = 0;
        for (slot, held) in self.0.iter_mut().enumerate() {
            if !held.block.is_null() {
                clobbered += u64::from(!held.is_intact(slot as u32, held.size));
                // SAFETY: the block is the subject's; the slot is empty from now on.
                unsafe { subject.dealloc(held.block, layout(held.size as usize)) };
                *held = EMPTY;
            }
        }
        clobbered
    }
}

/// No allocator: every block is the same one. What a replay on it costs is not the allocator's.
pub(super) struct Null(UnsafeCell<[u128; 4]>);

impl Null {
    pub(super) fn new() -> Null {
        Null(UnsafeCell::new([0; 4]))
    }
}

// SAFETY: the contract is broken: all blocks are one, of 64 bytes. A replay writes the first word of a block, through a raw pointer on one
// thread, and no more, which the one has room for; what it reads back is not looked at.
unsafe impl GlobalAlloc for Null {
    unsafe fn alloc(&self, _: Layout) -> *mut u8 {
        self.0.get().cast()
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promise.
        unsafe { self.alloc(layout) }
    }

    unsafe fn dealloc(&self, _: *mut u8, _: Layout) {}

    unsafe fn realloc(&self, block: *mut u8, _: Layout, _: usize) -> *mut u8 {
        block
    }
}
