//! Requests that come and go while sessions stay: the steady state of a server.

use bumpalo::Bump;
use serde::Serialize;

use crate::bench::blocks::Blocks;
use crate::bench::record::{Role, SubjectRecord};
use crate::bench::{Failure, Finding, Lane, Page, Random, Setting, Turn, Workload, alternate};
use crate::pymalloc::Pymalloc;
use crate::record::Check;
use crate::replay::subject::{Cpymem, Subject, System};
use crate::units;

/// Serves requests, each of which makes small objects and frees them all; one in each request becomes a session.
#[derive(Clone, Copy, Debug)]
pub struct RequestChurn {
    /// Requests at scale 1.
    pub requests: usize,
    /// Objects of a request.
    pub objects: usize,
    /// Sessions that live at once; a new one replaces the oldest.
    pub sessions: usize,
    /// One of so many requests forgets to free an object; 0 if none does.
    pub leak_in: usize,
}

impl RequestChurn {
    /// What `cpymem bench` runs.
    pub const STANDARD: RequestChurn =
        RequestChurn { requests: 40_000, objects: 64, sessions: 512, leak_in: 0 };
}

const SCRIPT: &str = include_str!("../scripts/request_churn.py");
/// Growth of what is held over the last nine tenths of all requests that a steady state may show.
const GROWTH: f64 = 1.05;

#[derive(Clone, Copy, Serialize)]
struct Amount {
    seed: u64,
    requests: usize,
    objects: usize,
    sessions: usize,
    leak_in: usize,
}

impl Workload for RequestChurn {
    fn page(&self) -> Page {
        Page {
            name: "request-churn",
            shows: "a server without a leak reaches a steady state: what is held after a tenth of all requests is \
                    held at the end, on every allocator",
            stands_for: "\"RSS grows with every request\": the first thing to know is that it need not",
            costs: "0.5 s a turn and a few MiB",
        }
    }

    fn run(&self, setting: &Setting<'_>) -> Result<Finding, Failure> {
        let RequestChurn { objects, sessions, leak_in, .. } = *self;
        let requests = setting.amount(self.requests, 4_000);
        let amount = Amount { seed: setting.seed, requests, objects, sessions, leak_in };
        let mut lanes = vec![
            lane::<Cpymem>(amount, Role::Ours),
            lane::<Pymalloc>(amount, Role::Peer),
            lane::<System>(amount, Role::Peer),
            Lane::new("bumpalo", Role::Peer, move |turn| in_arenas(amount, turn)),
        ];
        for python in setting.pythons {
            lanes.push(python.lane(SCRIPT, &amount)?);
        }
        let mut checks = Vec::new();
        let subjects = alternate(lanes, setting, &mut checks)?;
        checks.extend(subjects.iter().filter_map(claim));
        let amount = format!(
            "{} requests of {objects} objects of 24 to 512 bytes and one buffer, {sessions} sessions",
            units::count(requests as u64)
        );
        let old = setting.pythons.iter().filter(|python| python.version() < (3, 4));
        let notes = old.map(|python| format!("{} does not count its blocks", python.name())).collect();
        Ok(Finding { amount, subjects, checks, notes })
    }
}

/// Held, or blocks in CPython, at the end over a tenth of the way.
fn claim(subject: &SubjectRecord) -> Option<Check> {
    let what = if subject.role == Role::Python { "blocks" } else { "held" };
    let at = |when: &str| Some(subject.series(&format!("{what}, {when}"))?.estimate.median);
    let early = at("after a tenth")?.max(1.0);
    let growth = at("at the end")? / early;
    // Where little is held, a class that no early request met takes its first pools later.
    let limit = GROWTH + if subject.role == Role::Python { 0.0 } else { (64 << 10) as f64 / early };
    Some(Check::at_most(format!("{}: {what} at the end, of after a tenth", subject.name), limit, growth))
}

fn lane<'a, S: Subject + 'a>(amount: Amount, role: Role) -> Lane<'a> {
    Lane::new(S::NAME, role, move |turn| serve::<S>(amount, turn))
}

/// The size of an object of a request: most are small.
fn size(random: &mut Random) -> usize {
    let steps = random.below(8) * random.below(8);
    24 + steps * 10
}

/// Bytes of a request's buffer: no pool serves it in CPython.
const BUFFER: usize = 4096;

fn serve<S: Subject>(amount: Amount, turn: &mut Turn) {
    let Amount { requests, objects, sessions, leak_in, .. } = amount;
    let mut random = Random::new(amount.seed);
    let leaks = requests.checked_div(leak_in).map_or(0, |leaks| leaks + 1);
    let mut blocks = Blocks::<S>::new(objects + 1 + sessions + leaks);
    let (session, leaked) = (objects + 1, objects + 1 + sessions);
    // The C library serves so little from memory that is resident already: what it holds cannot be told.
    let held = |blocks: &Blocks<S>, turn: &mut Turn, label: &str| {
        if blocks.pools_and_arenas().is_some() {
            turn.bytes(&format!("held, {label}"), blocks.held_bytes());
            turn.held(label, blocks.live_bytes(), blocks.held_bytes());
        }
    };
    let mut run = |blocks: &mut Blocks<S>, from: usize, to: usize| {
        for request in from..to {
            blocks.put(objects, BUFFER);
            for object in 0..objects {
                blocks.put(object, size(&mut random));
            }
            blocks.put(session + request % sessions, size(&mut random));
            if leak_in > 0 && request % leak_in == 0 {
                blocks.put(leaked + request / leak_in, size(&mut random));
            }
            (0..=objects).rev().for_each(|object| blocks.free(object));
        }
    };
    let tenth = (requests / 10).max(sessions).min(requests);
    blocks.during(|blocks| run(blocks, 0, tenth));
    held(&blocks, turn, "after a tenth");
    blocks.during(|blocks| {
        turn.time("request", requests - tenth, || run(blocks, tenth, requests));
    });
    held(&blocks, turn, "at the end");
    turn.count("live at the end, bytes", blocks.live_bytes());
    if let Some((pools, _)) = blocks.pools_and_arenas() {
        turn.count("pools, at the end", pools);
    }
    blocks.clear();
    turn.count("blocks that lost their content", blocks.clobbered() + blocks.out_of_memory());
}

/// An arena for each request, begun anew for the next; sessions are copied out of it.
fn in_arenas(amount: Amount, turn: &mut Turn) {
    let Amount { requests, objects, sessions, leak_in, .. } = amount;
    let mut random = Random::new(amount.seed);
    let mut arena = Bump::new();
    let mut kept: Vec<Box<[u8]>> = vec![Box::default(); sessions];
    let mut leaked: Vec<Box<[u8]>> = Vec::new();
    let mut sum = 0u64;
    let held = |arena: &Bump, kept: &[Box<[u8]>], leaked: &[Box<[u8]>], turn: &mut Turn, label: &str| {
        let live: usize = kept.iter().chain(leaked).map(|session| session.len()).sum();
        let bytes = arena.allocated_bytes_including_metadata() + live;
        turn.bytes(&format!("held, {label}"), bytes as u64);
        turn.held(label, live as u64, bytes as u64);
        live as u64
    };
    let mut run =
        |arena: &mut Bump, kept: &mut [Box<[u8]>], leaked: &mut Vec<Box<[u8]>>, from: usize, to: usize| {
            for request in from..to {
                arena.alloc_slice_fill_copy(BUFFER, 0u8);
                for _ in 0..objects {
                    let object = arena.alloc_slice_fill_copy(size(&mut random), 1u8);
                    sum += u64::from(std::hint::black_box(object)[0]);
                }
                kept[request % sessions] = vec![1; size(&mut random)].into();
                if leak_in > 0 && request % leak_in == 0 {
                    leaked.push(vec![1; size(&mut random)].into());
                }
                arena.reset();
            }
        };
    let tenth = (requests / 10).max(sessions).min(requests);
    run(&mut arena, &mut kept, &mut leaked, 0, tenth);
    held(&arena, &kept, &leaked, turn, "after a tenth");
    turn.time("request", requests - tenth, || run(&mut arena, &mut kept, &mut leaked, tenth, requests));
    let live = held(&arena, &kept, &leaked, turn, "at the end");
    turn.count("live at the end, bytes", live);
    turn.count("blocks that lost their content", (requests * objects) as u64 - sum);
}

#[cfg(test)]
mod tests {
    use super::super::tests::{broken, holds};
    use super::*;

    #[test]
    fn a_leak_is_no_steady_state() {
        let small = RequestChurn { requests: 4_000, ..RequestChurn::STANDARD };
        assert_eq!(holds(&small), Vec::<String>::new());
        let claims = broken(&RequestChurn { leak_in: 1, ..small });
        assert!(claims.iter().any(|claim| claim.starts_with("cpymem: held")), "{claims:?}");
    }
}
