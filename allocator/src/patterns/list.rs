//! [`PATTERNS`]: every pattern by name.

use super::subject::{Across, Subject};
use super::worker::{Fill, Outcome, Scale, Worker};
use super::{resize, single, threads};

/// Which subjects a pattern is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Players {
    /// Subjects whose frees make room.
    Freeing,
    /// Those, and subjects that give everything back at once.
    Any,
    /// Subjects that give everything back at once.
    Releasing,
}

#[derive(Clone, Copy)]
enum Work {
    /// On the calling thread.
    Alone(fn(&mut Worker<'_>, Scale)),
    /// The same on two threads that share nothing but the subject.
    Beside(fn(&mut Worker<'_>, Scale)),
    /// On threads that exchange blocks.
    Together(fn(Across<'_>, Scale, Fill) -> Outcome),
}

/// A way to use an allocator.
#[derive(Clone, Copy)]
pub struct Pattern {
    /// Its name.
    pub name: &'static str,
    /// What it does.
    pub about: &'static str,
    /// Whom it is for.
    pub players: Players,
    /// Whether building a large population is part of what is timed: it depends on what the allocator has kept.
    pub fills: bool,
    work: Work,
}

impl Pattern {
    const fn filling(mut self) -> Pattern {
        self.fills = true;
        self
    }

    /// How many threads work at once.
    pub fn threads(&self) -> usize {
        if matches!(self.work, Work::Alone(_)) { 1 } else { 2 }
    }

    /// Whether this subject can play.
    pub fn plays(&self, subject: &Subject<'_>) -> bool {
        let kind = match self.players {
            Players::Freeing => subject.frees(),
            Players::Any => subject.frees() || subject.releases(),
            Players::Releasing => subject.releases(),
        };
        kind && (self.threads() == 1 || subject.is_shared())
    }

    /// Runs it against the clock. A subject that cannot play does nothing.
    ///
    /// # Panics
    /// If the subject has no memory.
    pub fn run(&self, subject: &Subject<'_>, scale: Scale) -> Outcome {
        self.run_filled(subject, scale, Fill::Word)
    }

    /// Runs it with blocks filled in a given way.
    ///
    /// # Panics
    /// If the subject has no memory.
    pub fn run_filled(&self, subject: &Subject<'_>, scale: Scale, fill: Fill) -> Outcome {
        if !self.plays(subject) {
            return Outcome::default();
        }
        match (self.work, subject.across()) {
            (Work::Alone(job), _) => {
                let mut worker = Worker::new(*subject, fill, 1);
                job(&mut worker, scale);
                worker.outcome()
            }
            (Work::Beside(job), Some(across)) => threads::beside(across, scale, fill, job),
            (Work::Together(job), Some(across)) => job(across, scale, fill),
            (_, None) => Outcome::default(),
        }
    }
}

const fn alone(name: &'static str, about: &'static str, job: fn(&mut Worker<'_>, Scale)) -> Pattern {
    Pattern { name, about, players: Players::Freeing, fills: false, work: Work::Alone(job) }
}

const fn whole(name: &'static str, about: &'static str, job: fn(&mut Worker<'_>, Scale)) -> Pattern {
    Pattern { name, about, players: Players::Any, fills: false, work: Work::Alone(job) }
}

const fn beside(name: &'static str, about: &'static str, job: fn(&mut Worker<'_>, Scale)) -> Pattern {
    Pattern { name, about, players: Players::Freeing, fills: false, work: Work::Beside(job) }
}

const fn together(
    name: &'static str,
    about: &'static str,
    job: fn(Across<'_>, Scale, Fill) -> Outcome,
) -> Pattern {
    Pattern { name, about, players: Players::Freeing, fills: false, work: Work::Together(job) }
}

const ON_TWO: &str = "the same on two threads at once";

/// Every pattern. Sizes are those of small objects, 16 to 320 bytes, unless it says otherwise.
pub const PATTERNS: &[Pattern] = &[
    alone("ping-pong", "a block is freed at once", single::ping_pong),
    alone("lifo", "1,000 blocks, freed last in first out", single::lifo),
    alone("fifo", "1,000 blocks live, the oldest is freed", single::fifo),
    alone("random-batches", "batches of up to 2,000, each freed in random order", single::random_batches),
    alone("churn-10k", "10,000 live, replaced at random", single::churn_10k),
    alone("churn-1m", "1,000,000 live, replaced at random", single::churn_1m),
    alone("mixed-8k", "1,000 live of 16 bytes to 8 KiB, replaced at random", single::mixed_sizes),
    alone("free-1m", "1,000,000 made, then freed in random order", single::free_at_random).filling(),
    whole("list", "a list of 100,000 nodes is built and taken down", resize::list),
    whole("tree", "a tree of 65,535 nodes is built and taken down", resize::tree),
    alone("realloc", "eight buffers grow by an eighth from 64 bytes to 64 KiB", resize::growing),
    beside("ping-pong-2", ON_TWO, single::ping_pong),
    beside("lifo-2", ON_TWO, single::lifo),
    beside("fifo-2", ON_TWO, single::fifo),
    beside("random-batches-2", ON_TWO, single::random_batches),
    beside("churn-10k-2", ON_TWO, single::churn_10k),
    beside("churn-1m-2", ON_TWO, single::churn_1m),
    beside("mixed-8k-2", ON_TWO, single::mixed_sizes),
    beside("free-1m-2", ON_TWO, single::free_at_random).filling(),
    beside("list-2", ON_TWO, resize::list),
    beside("tree-2", ON_TWO, resize::tree),
    beside("realloc-2", ON_TWO, resize::growing),
    together("producer-consumer", "one thread allocates, the other frees", threads::producer_consumer),
    together("xmalloc", "two threads free what the other has allocated", threads::xmalloc),
    together("larson", "5,000 live in each of two threads that hand over to successors", threads::larson),
    together(
        "cache-scratch",
        "two threads write to blocks that may share a cache line",
        threads::cache_scratch,
    ),
    together("thread-churn", "threads exchange blocks of up to 32 KiB and end", threads::thread_churn),
    Pattern {
        name: "drop-all",
        about: "300,000 blocks are given back at once",
        players: Players::Releasing,
        fills: false,
        work: Work::Alone(resize::drop_all),
    },
];
