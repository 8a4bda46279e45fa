//! [`PATTERNS`]: every pattern by name.

use super::churn::Touch;
use super::outcome::{Outcome, Scale};
use super::shape::Shape;
use super::subject::{Skipped, Subject};

/// What a pattern does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Work {
    /// A full collection of a graph that is reachable.
    Live(Shape),
    /// A full collection of a graph that is garbage.
    Dead(Shape),
    /// Garbage pairs beside live objects.
    Churn(Touch),
    /// Requests that leave cyclic garbage.
    Requests,
    /// Binary trees that come and go.
    Trees,
    /// References that come and go at random.
    References,
    /// A full collection of a heap like a program's.
    Imported,
}

/// A way to use a collector.
#[derive(Clone, Copy, Debug)]
pub struct Pattern {
    /// Its name.
    pub name: &'static str,
    /// What it does.
    pub about: &'static str,
    /// What one operation is.
    pub unit: &'static str,
    /// The same, to be taken apart by a program.
    pub work: Work,
}

impl Pattern {
    /// Plays it on a subject.
    ///
    /// # Errors
    /// Why the subject cannot play.
    pub fn run(&self, subject: &Subject, scale: Scale, seed: u64) -> Result<Outcome, Skipped> {
        subject.play(self.work, scale, seed)
    }

    /// The pattern of a name.
    pub fn named(name: &str) -> Option<&'static Pattern> {
        PATTERNS.iter().find(|pattern| pattern.name == name)
    }
}

const fn pattern(name: &'static str, unit: &'static str, work: Work, about: &'static str) -> Pattern {
    Pattern { name, about, unit, work }
}

/// Every pattern.
pub const PATTERNS: &[Pattern] = &[
    pattern(
        "tree-live",
        "object",
        Work::Live(Shape::Tree),
        "a full collection, a tree with parents is reachable",
    ),
    pattern("tree-dead", "object", Work::Dead(Shape::Tree), "the same as garbage: found, taken apart, freed"),
    pattern("pairs-live", "object", Work::Live(Shape::Pairs), "a full collection, all pairs are held"),
    pattern("pairs-dead", "object", Work::Dead(Shape::Pairs), "the same as garbage"),
    pattern("ring-live", "object", Work::Live(Shape::Ring), "a full collection, one ring is reachable"),
    pattern("ring-dead", "object", Work::Dead(Shape::Ring), "the same as garbage"),
    pattern(
        "random-live",
        "object",
        Work::Live(Shape::Random),
        "a full collection, a random graph is reachable",
    ),
    pattern("random-dead", "object", Work::Dead(Shape::Random), "the same as garbage"),
    pattern(
        "churn",
        "pair",
        Work::Churn(Touch::Nothing),
        "pairs that hold each other are made and dropped beside a live tree",
    ),
    pattern(
        "churn-look",
        "pair",
        Work::Churn(Touch::Look),
        "the same, looking at a random live object each time",
    ),
    pattern(
        "churn-clone",
        "pair",
        Work::Churn(Touch::Clone),
        "the same, cloning and dropping a handle on it",
    ),
    pattern(
        "requests",
        "request",
        Work::Requests,
        "requests of 40 objects that know each other; one in eight stays as a session",
    ),
    pattern(
        "binary-trees",
        "object",
        Work::Trees,
        "trees of 2^4 to 2^16 objects come and go beside one that stays",
    ),
    pattern(
        "references",
        "operation",
        Work::References,
        "objects and references between them come and go at random, as in dumpster's benchmark",
    ),
    pattern(
        "imported",
        "object",
        Work::Imported,
        "a full collection of a heap with hubs, chains and cyclic garbage",
    ),
];
