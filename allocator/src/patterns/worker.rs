//! [`Worker`]: one thread's blocks and its clock.
#![allow(unsafe_code, reason = "blocks are written and freed by address")]

use core::alloc::Layout;
use core::hint::black_box;
use core::ptr::NonNull;
use core::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use super::subject::Subject;

/// Alignment of the blocks of patterns.
pub(super) const ALIGN: usize = 8;

/// How much of a pattern is done; 1 is the whole.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scale(f64);

impl Scale {
    /// The whole pattern.
    pub const ONE: Scale = Scale(1.0);

    /// A part of it, or a multiple: 0.0001 to 100.
    pub fn new(scale: f64) -> Scale {
        Scale(if scale.is_finite() { scale.clamp(1e-4, 100.0) } else { 1.0 })
    }

    /// So many of `count`, at least `least`.
    pub(super) fn of(self, count: usize, least: usize) -> usize {
        ((count as f64 * self.0) as usize).max(least)
    }
}

/// How a block is filled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Fill {
    /// The first word: what a timed run writes.
    #[default]
    Word,
    /// Every byte.
    Whole,
}

/// What a pattern did.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Outcome {
    /// Operations, of all threads.
    pub operations: u64,
    /// The time from the first to the last of them.
    pub elapsed: Duration,
    /// Blocks that did not hold what had been written to them.
    pub clobbered: u64,
}

impl Outcome {
    /// Nanoseconds an operation took.
    pub fn ns(&self) -> f64 {
        self.elapsed.as_nanos() as f64 / self.operations.max(1) as f64
    }

    /// Both threads' work, done in the same time.
    pub(super) fn beside(self, other: Outcome) -> Outcome {
        Outcome {
            operations: self.operations + other.operations,
            elapsed: self.elapsed.max(other.elapsed),
            clobbered: self.clobbered + other.clobbered,
        }
    }
}

/// A block that knows what was written to it.
#[derive(Clone, Copy, Debug)]
pub struct Block {
    ptr: NonNull<u8>,
    size: u32,
    key: u32,
}

// SAFETY: a block is a name for memory; it is used through a `Worker` alone, and only those of shared subjects
// meet the blocks of other threads.
unsafe impl Send for Block {}

impl Block {
    /// A place for a block.
    pub(super) const NONE: Block = Block { ptr: NonNull::dangling(), size: 0, key: 0 };

    /// The block as three words that atomics can carry.
    pub(super) fn parts(self) -> (*mut u8, u64) {
        (self.ptr.as_ptr(), u64::from(self.key) << 32 | u64::from(self.size))
    }

    /// The block of two words; `None` of a null pointer.
    pub(super) fn from_parts(ptr: *mut u8, word: u64) -> Option<Block> {
        NonNull::new(ptr).map(|ptr| Block { ptr, size: word as u32, key: (word >> 32) as u32 })
    }

    pub(super) fn address(self) -> *mut u8 {
        self.ptr.as_ptr()
    }
}

/// Threads that start together.
pub(super) struct Gate {
    threads: usize,
    arrived: AtomicUsize,
}

impl Gate {
    pub(super) fn new(threads: usize) -> Gate {
        Gate { threads, arrived: AtomicUsize::new(0) }
    }

    /// Returns when all threads have called it as often as this one.
    pub(super) fn wait(&self) {
        // AcqRel: what a thread did before the gate is seen by all behind it; pairs with the other threads' adds
        // and loads.
        let mine = self.arrived.fetch_add(1, Ordering::AcqRel);
        let all = (mine / self.threads + 1) * self.threads;
        let mut turns = 0u32;
        // Acquire: pairs with the adds.
        while self.arrived.load(Ordering::Acquire) < all {
            turns += 1;
            if turns > 1 << 14 {
                std::thread::yield_now();
            } else {
                core::hint::spin_loop();
            }
        }
    }
}

/// A thread that works on a subject.
pub struct Worker<'a> {
    pub(super) subject: Subject<'a>,
    pub(super) fill: Fill,
    gate: Option<&'a Gate>,
    started: Option<Instant>,
    random: u64,
    outcome: Outcome,
}

impl<'a> Worker<'a> {
    pub(super) fn new(subject: Subject<'a>, fill: Fill, seed: u64) -> Worker<'a> {
        let random = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        Worker { subject, fill, gate: None, started: None, random, outcome: Outcome::default() }
    }

    /// The same, whose clock starts together with others'.
    pub(super) fn behind(mut self, gate: &'a Gate) -> Worker<'a> {
        self.gate = Some(gate);
        self
    }

    /// Starts the clock.
    pub(super) fn start(&mut self) {
        if let Some(gate) = self.gate {
            gate.wait();
        }
        self.started = Some(Instant::now());
    }

    /// Stops the clock after so many operations.
    pub(super) fn stop(&mut self, operations: usize) {
        if let Some(started) = self.started.take() {
            self.outcome.elapsed += started.elapsed();
            self.outcome.operations += operations as u64;
        }
    }

    pub(super) fn outcome(self) -> Outcome {
        self.outcome
    }

    pub(super) fn add_clobbered(&mut self, blocks: u64) {
        self.outcome.clobbered += blocks;
    }

    /// The next number of xorshift64.
    #[inline(always)]
    pub(super) fn random(&mut self) -> u64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        self.random
    }

    /// A number below `end`.
    #[inline(always)]
    pub(super) fn below(&mut self, end: usize) -> usize {
        ((self.random() >> 32).wrapping_mul(end as u64) >> 32) as usize
    }

    /// A new block with content.
    ///
    /// # Panics
    /// If there is no memory.
    #[inline(always)]
    pub(super) fn make(&mut self, size: usize, key: u32) -> Block {
        let layout = layout(black_box(size));
        // SAFETY: patterns ask for 8 bytes or more.
        let ptr = NonNull::new(unsafe { self.subject.alloc(layout) });
        let block = Block { ptr: ptr.unwrap_or_else(|| no_memory(size)), size: size as u32, key };
        self.write(block);
        block
    }

    /// Frees a block and counts it if its content is not what was written.
    #[inline(always)]
    pub(super) fn free(&mut self, block: Block) {
        self.check(block, block.size);
        // SAFETY: a pattern frees each block that `make` returned once.
        unsafe { self.subject.dealloc(block.ptr.as_ptr(), layout(block.size as usize)) }
    }

    /// Gives a block another size and content.
    ///
    /// # Panics
    /// If there is no memory.
    #[inline(always)]
    pub(super) fn resize(&mut self, block: Block, size: usize) -> Block {
        let old = layout(block.size as usize);
        // SAFETY: the block is live: a pattern uses what this returns instead.
        let ptr = unsafe { self.subject.realloc(block.ptr.as_ptr(), old, black_box(size)) };
        let moved = Block { ptr: NonNull::new(ptr).unwrap_or_else(|| no_memory(size)), ..block };
        self.check(moved, block.size.min(size as u32));
        let resized = Block { size: size as u32, key: block.key.wrapping_add(1), ..moved };
        self.write(resized);
        resized
    }

    #[inline(always)]
    fn write(&mut self, block: Block) {
        match self.fill {
            // SAFETY: the block has 8 bytes or more and is aligned to 8.
            Fill::Word => unsafe { block.ptr.cast::<u32>().write(block.key) },
            // SAFETY: the block has `size` bytes.
            Fill::Whole => unsafe { block.ptr.write_bytes(block.key as u8, block.size as usize) },
        }
    }

    /// Checks the first `size` bytes, of which there are 8 or more.
    #[inline(always)]
    fn check(&mut self, block: Block, size: u32) {
        let intact = match self.fill {
            // SAFETY: `write` wrote this word.
            Fill::Word => unsafe { block.ptr.cast::<u32>().read() == block.key },
            Fill::Whole => is_filled(block, size),
        };
        self.outcome.clobbered += u64::from(!intact);
    }
}

#[cold]
fn is_filled(block: Block, size: u32) -> bool {
    // SAFETY: `write` wrote at least so many bytes.
    let bytes = unsafe { core::slice::from_raw_parts(block.ptr.as_ptr(), size as usize) };
    bytes.iter().all(|&byte| byte == block.key as u8) && block.ptr.addr().get().is_multiple_of(ALIGN)
}

#[inline(always)]
pub(super) fn layout(size: usize) -> Layout {
    debug_assert!((8..1 << 31).contains(&size));
    // SAFETY: the alignment is a power of two, and sizes of patterns are far below isize::MAX.
    unsafe { Layout::from_size_align_unchecked(size, ALIGN) }
}

#[cold]
fn no_memory(size: usize) -> ! {
    panic!("the allocator has no memory for {size} bytes")
}
