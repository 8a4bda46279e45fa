//! Workers that leak, and the limits under which they are replaced.

use crate::bench::blocks::Blocks;
use crate::bench::record::{Role, SubjectRecord};
use crate::bench::{Failure, Finding, Lane, Page, Random, Setting, Turn, Workload, alternate};
use crate::record::Check;
use crate::replay::subject::Cpymem;
use crate::units;

/// A worker with a heap of its own serves requests, each of which leaks a little and uses more for a moment. It is
/// replaced by a fresh one after so many requests, or when its heap holds too much.
#[derive(Clone, Copy, Debug)]
pub struct Recycling {
    /// Requests at scale 1.
    pub requests: usize,
    /// Bytes of the program that a worker loads.
    pub base: usize,
    /// Bytes that a request leaks.
    pub leak: usize,
    /// Bytes that a request uses for a moment.
    pub spike: usize,
}

impl Recycling {
    /// What `cpymem bench` runs.
    pub const STANDARD: Recycling =
        Recycling { requests: 6_000, base: 4 << 20, leak: 4 << 10, spike: 256 << 10 };
}

/// When a worker is replaced.
#[derive(Clone, Copy, Debug)]
enum Limit {
    Never,
    Requests(usize),
    HeldBytes(u64),
}

/// Bytes of a block: a size that pools serve.
const BLOCK: usize = 256;
/// What a heap may hold beyond what is live: pools that are not full, and one arena's header for each.
const SLACK: f64 = 1.25;

impl Workload for Recycling {
    fn page(&self) -> Page {
        Page {
            name: "recycling",
            shows: "a limit on requests bounds what a leak can hold, at the price of loading the program again; a \
                    limit below what the program needs replaces the worker after every request",
            stands_for: "max_requests and reload-on-rss; workers whose limit was below their working set lived one \
                         task each",
            costs: "0.2 s a turn and 40 MiB",
        }
    }

    fn run(&self, setting: &Setting<'_>) -> Result<Finding, Failure> {
        let requests = setting.amount(self.requests, 1_000);
        let (base, spike, leak) = (self.base as u64, self.spike as u64, self.leak as u64);
        let every = requests / 8;
        let room = base + spike + every as u64 * leak;
        let policies = [
            ("no limit", Limit::Never),
            ("requests", Limit::Requests(every)),
            ("held bytes", Limit::HeldBytes((room as f64 * SLACK) as u64)),
            ("too low", Limit::HeldBytes(base / 2)),
        ];
        // A worker that is replaced after each request loads its program each time: fewer of those will do.
        let served = |limit: Limit| match limit {
            Limit::HeldBytes(bytes) if bytes < base => requests / 20,
            _ => requests,
        };
        let lanes = policies
            .iter()
            .map(|&(name, limit)| {
                let (this, seed) = (*self, setting.seed);
                Lane::new(name, Role::Ours, move |turn| this.serve(served(limit), limit, seed, turn))
            })
            .collect();
        let mut checks = Vec::new();
        let subjects = alternate(lanes, setting, &mut checks)?;
        let find = |name: &str| subjects.iter().find(|subject| subject.name == name);
        let workers = |subject: &SubjectRecord| subject.count("workers").unwrap_or(0);
        let most =
            |subject: &SubjectRecord| subject.series("most held").map_or(0.0, |held| held.estimate.median);
        if let Some(without) = find("no limit") {
            // Blocks of the program are up to a quarter smaller than their places.
            let leaked = (base * 3 / 4 + requests as u64 * leak) as f64;
            checks.push(Check::at_least("no limit: most held, with all that leaked", leaked, most(without)));
        }
        if let Some(limited) = find("requests") {
            let expected = requests.div_ceil(every.max(1)) as u64;
            checks.push(Check::equal("requests: workers", expected, workers(limited)));
            checks.push(Check::at_most("requests: most held", room as f64 * SLACK, most(limited)));
        }
        if let (Some(without), Some(limited)) = (find("no limit"), find("requests")) {
            let share = most(limited) / most(without).max(1.0);
            checks.push(Check::at_most("requests: most held, of without a limit", 0.8, share));
        }
        if let Some(limited) = find("held bytes") {
            let most_allowed = (room as f64 * SLACK) + (spike + leak) as f64 * SLACK;
            checks.push(Check::at_most("held bytes: most held", most_allowed, most(limited)));
            checks.push(Check::at_least(
                "held bytes: requests for each worker",
                every as f64 / 2.0,
                requests as f64 / workers(limited).max(1) as f64,
            ));
        }
        if let Some(low) = find("too low") {
            let served = (requests / 20) as u64;
            checks.push(Check::equal("too low: workers, one for each request", served, workers(low)));
        }
        let amount = format!(
            "{} requests that leak {} each, {} for a moment, over a program of {}",
            units::count(requests as u64),
            units::bytes(leak),
            units::bytes(spike),
            units::bytes(base)
        );
        Ok(Finding { amount, subjects, checks, notes: Vec::new() })
    }
}

impl Recycling {
    fn serve(&self, requests: usize, limit: Limit, seed: u64, turn: &mut Turn) {
        let (base, leak, spike) = (self.base / BLOCK, self.leak / BLOCK, self.spike / BLOCK);
        let mut random = Random::new(seed);
        // The blocks that a worker can have: its program, what it leaks, what a request uses.
        let places = base + leak * requests + spike;
        let load = |random: &mut Random| {
            let mut worker = Blocks::<Cpymem>::new(places);
            (0..base).for_each(|place| worker.put(place, BLOCK - random.below(64)));
            worker
        };
        let (mut workers, mut most, mut clobbered, mut of_this) = (1u64, 0u64, 0u64, 0usize);
        let mut curve = Vec::new();
        let sample = requests.div_ceil(40).max(1);
        turn.time("request", requests, || {
            let mut worker = load(&mut random);
            for request in 0..requests {
                let over = match limit {
                    Limit::Never => false,
                    Limit::Requests(every) => of_this >= every,
                    Limit::HeldBytes(bytes) => of_this > 0 && worker.held_bytes() > bytes,
                };
                if over {
                    clobbered += worker.clobbered() + worker.out_of_memory();
                    worker = load(&mut random);
                    (workers, of_this) = (workers + 1, 0);
                }
                let (leaks, moment) = (base + of_this * leak, places - spike);
                (moment..places).for_each(|place| worker.put(place, BLOCK));
                (leaks..leaks + leak).for_each(|place| worker.put(place, BLOCK));
                most = most.max(worker.held_bytes());
                if request % sample == 0 {
                    curve.push((request, worker.live_bytes(), worker.held_bytes()));
                }
                (moment..places).for_each(|place| worker.free(place));
                of_this += 1;
            }
            clobbered += worker.clobbered() + worker.out_of_memory();
        });
        for (request, live, held) in curve {
            turn.held(&format!("{request}"), live, held);
        }
        turn.count("workers", workers);
        turn.bytes("most held", most);
        turn.count("blocks that lost their content", clobbered);
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{broken, holds};
    use super::*;

    #[test]
    fn without_a_leak_nothing_grows() {
        let small = Recycling { requests: 1_000, base: 1 << 20, ..Recycling::STANDARD };
        assert_eq!(holds(&small), Vec::<String>::new());
        let claims = broken(&Recycling { leak: 0, ..small });
        assert_eq!(claims, ["requests: most held, of without a limit"]);
    }
}
