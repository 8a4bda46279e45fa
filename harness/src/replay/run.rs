//! Executing steps on a subject: against the clock, or with every byte of every block checked.
#![allow(unsafe_code, reason = "blocks are written and freed by address")]

use std::ptr;
use std::time::{Duration, Instant};

use super::steps::{Act, Step, Steps, Stop};
use super::subject::{Distinct, Subject};
use crate::error::InputError;
use crate::input::Input;
use crate::trace::Scan;

/// A block in a slot.
///
/// # Invariants
/// 1. `block` is null, or a block that the run's subject has given for `size` bytes and not taken back.
/// 2. In a checked run all its bytes are valid, and nobody else's: the subject is [`Distinct`].
#[derive(Clone, Copy)]
struct Held {
    block: *mut u8,
    size: usize,
    /// The byte that fills the block in a checked run.
    fill: u8,
}

const EMPTY: Held = Held { block: ptr::null_mut(), size: 0, fill: 0 };

/// What a subject held after a portion of steps.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moment {
    pub(super) live_bytes: u64,
    pub(super) held_bytes: Option<u64>,
    pub(super) pools_and_arenas: Option<(u64, u64)>,
}

/// One run of one subject over a trace.
pub(super) struct Run {
    pub(super) name: &'static str,
    /// Time in the subject's calls and in reading the steps.
    pub(super) elapsed: Duration,
    /// Allocator calls.
    pub(super) events: u64,
    pub(super) timeline: Vec<Moment>,
    pub(super) phases: Vec<Moment>,
    pub(super) end: Moment,
}

/// What a checked run counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Checked {
    pub(super) allocations: u64,
    pub(super) frees: u64,
    pub(super) live_at_end: u64,
    /// Bytes written and read back.
    pub(super) bytes: u128,
    /// Blocks whose content was not what had been written, or that were misaligned.
    pub(super) clobbered: u64,
}

/// Replays a trace against the clock. The first word of every block is written, as a program would.
pub(super) fn timed<S: Subject>(input: &Input, scan: &Scan) -> Result<Run, InputError> {
    let mut subject = S::new();
    let mut table = vec![EMPTY; slots(scan)];
    // The table's pages become resident now, not while the clock runs.
    table.fill(Held { size: usize::MAX, ..EMPTY });
    let mut steps = Steps::open(input)?;
    let mut portion = Vec::new();
    let (mut elapsed, mut timeline, mut phases) = (Duration::ZERO, Vec::new(), Vec::new());
    loop {
        let stop = steps.next(&mut portion)?;
        subject.resume();
        let start = Instant::now();
        let done = execute(&mut subject, &mut table, &portion);
        elapsed += start.elapsed();
        subject.pause();
        done.map_err(|size| no_memory::<S>(&steps, size))?;
        let moment = Moment {
            live_bytes: steps.live_bytes(),
            held_bytes: subject.held_bytes(),
            pools_and_arenas: subject.pools_and_arenas(),
        };
        timeline.push(moment);
        match stop {
            Stop::Full => {}
            Stop::Phase => phases.push(moment),
            Stop::End => {
                clear(&mut subject, &table);
                let events = steps.memory_events();
                return Ok(Run { name: S::NAME, elapsed, events, timeline, phases, end: moment });
            }
        }
    }
}

/// Replays a trace and writes every block over its whole length, reading it back before it is freed or
/// changes its size.
pub(super) fn checked<S: Distinct>(input: &Input, scan: &Scan) -> Result<Checked, InputError> {
    let mut subject = S::new();
    let mut table = vec![EMPTY; slots(scan)];
    let mut steps = Steps::open(input)?;
    let mut portion = Vec::new();
    let mut out = Checked::default();
    loop {
        let stop = steps.next(&mut portion)?;
        for step in &portion {
            check_step(&mut subject, &mut table[step.slot as usize], step, &mut out)
                .map_err(|size| no_memory::<S>(&steps, size))?;
        }
        if stop == Stop::End {
            break;
        }
    }
    for held in table.iter().filter(|held| !held.block.is_null()) {
        out.live_at_end += 1;
        out.clobbered += u64::from(!is_intact(held, held.size));
    }
    clear(&mut subject, &table);
    Ok(out)
}

/// Blocks that were live at once at most: the table never grows.
fn slots(scan: &Scan) -> usize {
    scan.peak_live_blocks as usize
}

fn no_memory<S: Subject>(steps: &Steps<'_>, size: u64) -> InputError {
    steps.error(format_args!("the {} allocator has no memory for {size} bytes", S::NAME))
}

/// Executes steps; fails with the size that there was no memory for.
#[inline(never)]
fn execute<S: Subject>(subject: &mut S, table: &mut [Held], steps: &[Step]) -> Result<(), u64> {
    for step in steps {
        let held = &mut table[step.slot as usize];
        let size = step.size as usize;
        match step.act {
            Act::Alloc | Act::AllocZeroed => {
                let block = subject.alloc(step.pooled, size, step.act == Act::AllocZeroed);
                if block.is_null() {
                    return Err(step.size);
                }
                touch(block, size);
                *held = Held { block, size, fill: 0 };
            }
            Act::Realloc => {
                // SAFETY: `Held`, invariant 1: a trace reallocates live blocks only.
                let block = unsafe { subject.realloc(held.block, held.size, size) };
                if block.is_null() {
                    return Err(step.size);
                }
                touch(block, size);
                *held = Held { block, size, fill: 0 };
            }
            Act::Free => {
                // SAFETY: `Held`, invariant 1; the slot is empty from now on.
                unsafe { subject.free(held.block, held.size) };
                held.block = ptr::null_mut();
            }
        }
    }
    Ok(())
}

/// Writes the first word of a block that has one.
#[inline(always)]
fn touch(block: *mut u8, size: usize) {
    if size >= 8 {
        // SAFETY: the block has at least 8 bytes: the contract of `Subject`.
        unsafe { block.cast::<u64>().write(size as u64) }
    }
}

fn check_step<S: Distinct>(
    subject: &mut S,
    held: &mut Held,
    step: &Step,
    out: &mut Checked,
) -> Result<(), u64> {
    let size = step.size as usize;
    // Neighbouring blocks get different bytes, 0 never.
    let fill = (out.allocations as u8).wrapping_mul(31) | 1;
    match step.act {
        Act::Alloc | Act::AllocZeroed => {
            let block = subject.alloc(step.pooled, size, step.act == Act::AllocZeroed);
            if block.is_null() {
                return Err(step.size);
            }
            out.allocations += 1;
            let zeroed = Held { block, size, fill: 0 };
            out.clobbered += u64::from(step.act == Act::AllocZeroed && !is_intact(&zeroed, size));
            *held = Held { fill, ..zeroed };
            write(held, out);
        }
        Act::Realloc => {
            out.clobbered += u64::from(!is_intact(held, held.size));
            // SAFETY: `Held`, invariant 1: a trace reallocates live blocks only.
            let block = unsafe { subject.realloc(held.block, held.size, size) };
            if block.is_null() {
                return Err(step.size);
            }
            let kept = held.size.min(size);
            *held = Held { block, size, fill: held.fill };
            out.clobbered += u64::from(!is_intact(held, kept));
            held.fill = fill;
            write(held, out);
        }
        Act::Free => {
            out.frees += 1;
            out.clobbered += u64::from(!is_intact(held, held.size));
            // SAFETY: `Held`, invariant 1; the slot is empty from now on.
            unsafe { subject.free(held.block, held.size) };
            held.block = ptr::null_mut();
        }
    }
    Ok(())
}

/// Fills a block over its whole length.
fn write(held: &Held, out: &mut Checked) {
    out.bytes += held.size as u128;
    // SAFETY: `Held`, invariant 2.
    unsafe { held.block.write_bytes(held.fill, held.size) }
}

/// Whether the first `size` bytes of a block are what was written, and the block is aligned.
fn is_intact(held: &Held, size: usize) -> bool {
    // SAFETY: `Held`, invariant 2: the block has at least `size` bytes, all of them written: by `write`, or
    // with zeros by the subject.
    let bytes = unsafe { std::slice::from_raw_parts(held.block, size) };
    bytes.iter().all(|&byte| byte == held.fill) && held.block.addr().is_multiple_of(16)
}

/// Frees whatever is live.
fn clear<S: Subject>(subject: &mut S, table: &[Held]) {
    for held in table.iter().filter(|held| !held.block.is_null()) {
        // SAFETY: `Held`, invariant 1; the table is not used afterwards.
        unsafe { subject.free(held.block, held.size) }
    }
}
