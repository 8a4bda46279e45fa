//! What a run is given.

use super::python::Interpreter;
use crate::progress::Progress;

/// How much to do, how often, with what.
#[derive(Clone, Copy, Debug)]
pub struct Setting<'a> {
    /// Every random choice follows from it.
    pub seed: u64,
    /// How much of each workload is done; 1 is what its page says.
    pub scale: f64,
    /// Timed turns after the one that warms up.
    pub turns: usize,
    /// The CPythons that take part.
    pub pythons: &'a [Interpreter],
    /// Where to say what is being done.
    pub progress: &'a Progress,
}

impl Setting<'_> {
    /// `whole` at this scale, but at least `least`: the smallest amount at which the workload's claims make sense.
    pub fn amount(&self, whole: usize, least: usize) -> usize {
        ((whole as f64 * self.scale).round() as usize).max(least)
    }
}
