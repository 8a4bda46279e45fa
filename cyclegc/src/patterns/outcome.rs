//! What comes of a pattern.

use core::time::Duration;

/// How large a pattern is: 1 is a million objects, or two million iterations.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scale(f64);

impl Scale {
    /// So many times the whole; at least a thousandth and at most sixteen times.
    pub fn new(scale: f64) -> Scale {
        Scale(if scale.is_finite() { scale.clamp(0.001, 16.0) } else { 1.0 })
    }

    /// A count at this scale.
    pub fn of(self, whole: usize) -> usize {
        ((whole as f64 * self.0) as usize).max(1)
    }

    /// The objects of a graph: a power of two.
    pub fn objects(self) -> usize {
        self.of(1_000_000).next_power_of_two()
    }
}

/// How long single requests took, ascending.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Latencies(Vec<Duration>);

impl Latencies {
    pub(super) fn new(mut latencies: Vec<Duration>) -> Latencies {
        latencies.sort_unstable();
        Latencies(latencies)
    }

    /// The time that so large a part of the requests did not exceed; 1 is the longest. Zero if there were none.
    pub fn quantile(&self, part: f64) -> Duration {
        let last = self.0.len().saturating_sub(1);
        self.0.get((last as f64 * part.clamp(0.0, 1.0)).round() as usize).copied().unwrap_or_default()
    }

    /// Number of requests.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// True if there were none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many took at least 2^i ns and less than 2^(i+1), for i from 0.
    pub fn histogram(&self) -> [usize; 40] {
        let mut counts = [0; 40];
        for latency in &self.0 {
            let bits = latency.as_nanos().max(1).ilog2() as usize;
            counts[bits.min(39)] += 1;
        }
        counts
    }
}

/// What depends on the pattern, the scale and the seed alone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Objects that were made.
    pub made: u64,
    /// Objects that were garbage to be found.
    pub garbage: u64,
    /// A sum over what was read.
    pub checksum: u64,
}

/// What comes of a pattern.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// What the time is divided by: objects, iterations, or what [`Pattern::unit`](super::Pattern::unit) says.
    pub operations: u64,
    /// The time of all of them.
    pub elapsed: Duration,
    /// The longest single iteration in CPU time of the thread, measured in a second run beside the time.
    pub longest: Option<Duration>,
    /// The most objects that were garbage and not collected yet.
    pub uncollected: Option<usize>,
    /// How long single requests took, in CPU time of the thread.
    pub latencies: Option<Latencies>,
    /// The same for every subject.
    pub counts: Counts,
    /// What was wrong: garbage that stayed, live objects that are gone. Empty if all is well.
    pub faults: Vec<String>,
}

impl Outcome {
    /// Nanoseconds an operation.
    pub fn ns(&self) -> f64 {
        self.elapsed.as_nanos() as f64 / self.operations.max(1) as f64
    }

    pub(super) fn fault(&mut self, is_wrong: bool, what: impl FnOnce() -> String) {
        if is_wrong {
            self.faults.push(what());
        }
    }
}
