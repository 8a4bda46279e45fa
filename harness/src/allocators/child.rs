//! One allocator in a process of its own: what it keeps resident, and how many instructions it takes.
//!
//! The parent starts the program again with a [`Case`], and the child prints one JSON document.
#![allow(unsafe_code, reason = "blocks are written and freed by address")]

use std::alloc::Layout;
use std::ffi::OsString;
use std::hint::black_box;

use cpymem_allocator::patterns::Subject;
use serde::{Deserialize, Serialize};

use super::Failure;
use super::calls::{Calls, Part};
use super::entrants::Entrant;
use crate::input::Input;
use crate::replay::resident::anonymous_bytes;

/// What a child measures.
#[derive(Clone, Debug)]
pub enum Case {
    /// A trace: peak, marks, and what stays when everything is free.
    Replay {
        /// The trace.
        trace: OsString,
        /// Only the calls that pymalloc serves from its arenas.
        arenas_only: bool,
    },
    /// So many live blocks of 16 to 256 bytes.
    Uniform {
        /// How many.
        blocks: usize,
    },
    /// So many live blocks of 48 bytes, of which some are replaced in batches; nothing is measured from within.
    Growth {
        /// How many.
        live: usize,
        /// How many are replaced.
        turns: usize,
    },
}

/// What a child found. Resident bytes are those over what was there before the first call.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Found {
    /// The most bytes resident; at a mark or at one of a thousand points between.
    pub peak_resident_bytes: u64,
    /// The most bytes asked for and live, at the same points.
    pub peak_live_bytes: u64,
    /// Bytes resident at every mark.
    pub marks: Vec<MarkFound>,
    /// Bytes resident when all blocks are free.
    pub freed_resident_bytes: u64,
    /// The same after the allocator was asked to give back what it can; null if it has no such call.
    pub purged_resident_bytes: Option<u64>,
    /// Blocks that lost their content.
    pub clobbered: u64,
}

/// At a mark.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct MarkFound {
    /// The mark's label.
    pub label: String,
    /// Bytes asked for and live.
    pub live_bytes: u64,
    /// Bytes resident.
    pub resident_bytes: u64,
}

/// Resident memory over a base.
struct Resident {
    base: u64,
}

impl Resident {
    fn start() -> Result<Resident, Failure> {
        // What this program's own allocator keeps in reserve must not serve the subject unseen.
        cpymem_allocator::Global::purge();
        Ok(Resident { base: now()? })
    }

    fn bytes(&self) -> Result<u64, Failure> {
        Ok(now()?.saturating_sub(self.base))
    }
}

fn now() -> Result<u64, Failure> {
    anonymous_bytes().ok_or_else(|| Failure::Plan("resident memory cannot be read here".to_owned()))
}

/// Runs a case on an allocator.
pub(super) fn run(entrant: &Entrant<'_>, case: &Case, max_memory: Option<u64>) -> Result<Found, Failure> {
    let Some(subject) = entrant.replays() else {
        return Err(Failure::Plan(format!("{} cannot free single blocks", entrant.name)));
    };
    match case {
        Case::Replay { trace, arenas_only } => {
            let input = Input::from_arg(trace, max_memory)?;
            let part = if *arenas_only { Part::Arenas } else { Part::Whole };
            replay(entrant, &subject, &Calls::read(&input, part)?)
        }
        Case::Uniform { blocks } => uniform(entrant, &subject, *blocks),
        Case::Growth { live, turns } => {
            growth(&subject, *live, *turns);
            Ok(Found::default())
        }
    }
}

fn replay(entrant: &Entrant<'_>, subject: &Subject<'_>, calls: &Calls) -> Result<Found, Failure> {
    let mut table = calls.table();
    let resident = Resident::start()?;
    let mut found = Found::default();
    let step = (calls.len() / 1000).max(1);
    let mut marks = calls.marks.iter().peekable();
    let mut at = 0;
    while at < calls.len() || marks.peek().is_some() {
        let next = marks.peek().map_or(usize::MAX, |mark| mark.calls);
        let end = (at + step).min(next).min(calls.len());
        found.clobbered += calls.execute(subject, &mut table, at..end);
        at = end;
        let (resident_bytes, live_bytes) = (resident.bytes()?, table.live_bytes());
        found.peak_resident_bytes = found.peak_resident_bytes.max(resident_bytes);
        found.peak_live_bytes = found.peak_live_bytes.max(live_bytes);
        while let Some(mark) = marks.next_if(|mark| mark.calls == at) {
            found.marks.push(MarkFound { label: mark.label.clone(), live_bytes, resident_bytes });
        }
    }
    found.clobbered += table.clear(subject);
    finish(entrant, &resident, found)
}

fn finish(entrant: &Entrant<'_>, resident: &Resident, mut found: Found) -> Result<Found, Failure> {
    found.freed_resident_bytes = resident.bytes()?;
    if let Some(purge) = entrant.purge {
        purge();
        found.purged_resident_bytes = Some(resident.bytes()?);
    }
    Ok(found)
}

fn uniform(entrant: &Entrant<'_>, subject: &Subject<'_>, blocks: usize) -> Result<Found, Failure> {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut held: Vec<(*mut u8, Layout)> = vec![(std::ptr::null_mut(), Layout::new::<u64>()); blocks];
    black_box(&mut held[..]).reverse();
    let resident = Resident::start()?;
    let mut found = Found::default();
    for place in &mut held {
        let size = 16 + (random(&mut state) >> 33) as usize % 241;
        let layout = Layout::from_size_align(size, 8).map_err(|error| Failure::Plan(error.to_string()))?;
        // SAFETY: the size is not 0.
        let block = unsafe { subject.alloc(layout) };
        if block.is_null() {
            return Err(Failure::Plan(format!("{} has no memory", entrant.name)));
        }
        // SAFETY: the block has `size` bytes.
        unsafe { block.write_bytes(size as u8, size) };
        *place = (block, layout);
        found.peak_live_bytes += size as u64;
    }
    found.peak_resident_bytes = resident.bytes()?;
    for &(block, layout) in &held {
        // SAFETY: the block is live and was written over its whole length.
        let bytes = unsafe { std::slice::from_raw_parts(block, layout.size()) };
        found.clobbered += u64::from(bytes.iter().any(|&byte| byte != layout.size() as u8));
        // SAFETY: the block is live and of this layout, and is not used again.
        unsafe { subject.dealloc(block, layout) };
    }
    finish(entrant, &resident, found)
}

fn growth(subject: &Subject<'_>, live: usize, turns: usize) {
    let layout = Layout::new::<[u64; 6]>();
    let make = |key: u64| {
        // SAFETY: the size is not 0.
        let block: *mut u64 = unsafe { subject.alloc(black_box(layout)) }.cast();
        assert!(!block.is_null(), "the allocator has no memory");
        // SAFETY: the block has 48 bytes.
        unsafe { block.write(key) };
        block
    };
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut blocks: Vec<*mut u64> = (0..live as u64).map(make).collect();
    // In batches, so that lists fill and empty: a free followed by an allocation would never go further than the
    // first list.
    let batch = live.min(2000);
    let mut places = vec![0; batch];
    for turn in 0..turns.div_ceil(batch) {
        for place in &mut places {
            // Distinct places: each is in a part of the population of its own.
            *place = (random(&mut state) >> 32) as usize % (live / batch);
        }
        for (part, &place) in places.iter().enumerate() {
            let block = blocks[part * (live / batch) + place];
            // SAFETY: the block is live, of this layout, and replaced below before anyone uses it.
            unsafe { subject.dealloc(block.cast(), layout) };
        }
        for (part, &place) in places.iter().enumerate() {
            blocks[part * (live / batch) + place] = make(turn as u64);
        }
    }
    // The population stays: its end is no part of what is counted.
    black_box(&blocks);
}

fn random(state: &mut u64) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state
}
