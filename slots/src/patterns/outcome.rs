//! What a pattern is, and what it gives.

use std::time::{Duration, Instant};

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

    pub(super) fn factor(self) -> f64 {
        self.0
    }

    /// So many of `count`, at least one.
    pub(super) fn of(self, count: usize) -> usize {
        ((count as f64 * self.0) as usize).max(1)
    }
}

/// What a run did.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Outcome {
    /// Operations: reads, objects made, keys set.
    pub operations: u64,
    /// The time they took together; zero if only bytes are counted.
    pub elapsed: Duration,
    /// Answers that were not those expected.
    pub wrong: u64,
    /// Bytes that were asked for, per object or key; 0 if the pattern counts none.
    pub bytes: f64,
}

impl Outcome {
    /// Nanoseconds an operation took.
    pub fn ns(&self) -> f64 {
        self.elapsed.as_nanos() as f64 / self.operations.max(1) as f64
    }

    /// Does `work` against the clock, which tells the number of operations and of wrong answers.
    pub(super) fn of(work: impl FnOnce() -> (usize, u64)) -> Outcome {
        let start = Instant::now();
        let (operations, wrong) = work();
        Outcome { operations: operations as u64, elapsed: start.elapsed(), wrong, bytes: 0.0 }
    }

    pub(super) fn holding(mut self, bytes: u64, each: usize) -> Outcome {
        self.bytes = bytes as f64 / each.max(1) as f64;
        self
    }
}

/// One way to do what a pattern is about.
#[derive(Clone, Copy, Debug)]
pub struct Subject {
    /// Its name.
    pub name: &'static str,
    pub(super) run: fn(Scale) -> Outcome,
}

impl Subject {
    /// Does the work once.
    pub fn run(&self, scale: Scale) -> Outcome {
        (self.run)(scale)
    }
}

/// A relation that should hold between what was measured in one run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Goal {
    /// The subject's time is at most so many times that of another subject, or of `"CPython"`.
    Time {
        /// The subject.
        subject: &'static str,
        /// With whom it is compared.
        over: &'static str,
        /// The largest good ratio.
        at_most: f64,
    },
    /// The subject's bytes for each object or key are at most so many.
    Bytes {
        /// The subject.
        subject: &'static str,
        /// The largest good number.
        at_most: f64,
    },
}

/// Something to measure.
#[derive(Clone, Copy, Debug)]
pub struct Pattern {
    /// Its name, by which [`cpython`](super::cpython) knows it, too.
    pub name: &'static str,
    /// What an operation is.
    pub about: &'static str,
    /// Who does it; the first is what the others are compared with.
    pub subjects: &'static [Subject],
    /// What should hold.
    pub goals: &'static [Goal],
}

/// Numbers of xorshift64, the same in every run.
pub(super) struct Random(u64);

impl Random {
    pub(super) fn new(seed: u64) -> Random {
        Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub(super) fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        ((self.0 >> 32).wrapping_mul(end as u64) >> 32) as usize
    }

    /// 0 to `count` in random order.
    pub(super) fn shuffled(&mut self, count: usize) -> Vec<u32> {
        let mut order: Vec<u32> = (0..count as u32).collect();
        for last in (1..count).rev() {
            order.swap(last, self.below(last + 1));
        }
        order
    }
}
