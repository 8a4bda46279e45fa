//! How long a program stands still while its collector looks at objects that are all alive.

use std::time::Instant;

use cpymem_cyclegc::{Collector, Gc, Generation, Trace};
use serde::Serialize;

use crate::bench::record::{Role, SubjectRecord};
use crate::bench::{Failure, Finding, Lane, Page, Setting, Turn, Workload, alternate};
use crate::record::Check;
use crate::units;

/// Collects beside live heaps of several sizes.
#[derive(Clone, Copy, Debug)]
pub struct BigLiveHeap {
    /// Live objects at scale 1, fewest first. CPython gets all but the last.
    pub sizes: [usize; 3],
    /// Whether a reference goes before a full pass: after none, nothing can have become garbage, and ours does not look.
    pub disturbs: bool,
    /// Whether the heap is frozen when it is said to be.
    pub freezes: bool,
    /// What is collected when a young pass is said to be made.
    pub young: Generation,
}

impl BigLiveHeap {
    /// What `cpymem bench` runs.
    pub const STANDARD: BigLiveHeap = BigLiveHeap {
        sizes: [100_000, 1_000_000, 10_000_000],
        disturbs: true,
        freezes: true,
        young: Generation::Young,
    };
}

const SCRIPT: &str = include_str!("../scripts/big_live_heap.py");
/// Objects made before a young pass, about as many as CPython's first threshold lets pass.
const YOUNG: usize = 700;
/// Young passes of a turn, of which the median counts.
const YOUNG_PASSES: usize = 15;
/// Full passes of a turn over a heap, of which the shortest counts.
const FULL_PASSES: usize = 5;
/// Objects that the full passes of a turn look at, about, unless that would be less than two passes.
const LOOKED_AT: usize = 10_000_000;

impl Workload for BigLiveHeap {
    fn page(&self) -> Page {
        Page {
            name: "big-live-heap",
            shows: "a full collection takes time in proportion to the live heap; a young one does not, nor does CPython's of a \
                    frozen heap; ours of a frozen heap takes a part of it",
            stands_for: "a full pass of 41 s over 75 million live objects that freed none; passes that reclaim nothing, \
                         a second each",
            costs: "0.5 s a turn and 450 MiB; with CPython another second and 150 MiB",
        }
    }

    fn run(&self, setting: &Setting<'_>) -> Result<Finding, Failure> {
        #[derive(Serialize)]
        struct Amount {
            sizes: Vec<usize>,
            young: usize,
            young_passes: usize,
            full_passes: usize,
        }
        let sizes: Vec<usize> = self.sizes.iter().map(|&size| setting.amount(size, size / 20)).collect();
        let python_sizes = sizes[..sizes.len() - 1].to_vec();
        let mut heaps: Vec<LiveHeap> = Vec::new();
        let mut lanes = vec![Lane::new("cpymem", Role::Ours, |turn| {
            if heaps.is_empty() {
                heaps = sizes.iter().map(|&size| LiveHeap::new(size)).collect();
            }
            for heap in &heaps {
                heap.pauses(self, (LOOKED_AT / heap.size.max(1)).clamp(2, FULL_PASSES), turn);
            }
        })];
        let amount = Amount {
            sizes: python_sizes.clone(),
            young: YOUNG,
            young_passes: YOUNG_PASSES,
            full_passes: FULL_PASSES,
        };
        for python in setting.pythons {
            lanes.push(python.lane(SCRIPT, &amount)?);
        }
        let mut checks = Vec::new();
        let subjects = alternate(lanes, setting, &mut checks)?;
        for subject in &subjects {
            let sizes = if subject.role == Role::Python { &python_sizes } else { &sizes };
            claim(subject, sizes, &mut checks);
        }
        let mut notes = Vec::new();
        for python in setting.pythons.iter().filter(|python| python.version() < (3, 7)) {
            notes.push(format!("{} has no gc.freeze", python.name()));
        }
        let list: Vec<String> = sizes.iter().map(|&size| units::count(size as u64)).collect();
        let amount = format!("{} live objects of three references each", list.join(", "));
        Ok(Finding { amount, subjects, checks, notes })
    }
}

fn measured(kind: &str, size: usize) -> String {
    format!("{kind} pause, {size} live")
}

fn claim(subject: &SubjectRecord, sizes: &[usize], checks: &mut Vec<Check>) {
    let name = &subject.name;
    // What the machine does meanwhile only adds, so the shortest pause is the collector's.
    let shortest = |what: &str| subject.series(what)?.samples.iter().copied().reduce(f64::min);
    let pause = |kind: &str, size| shortest(&measured(kind, size));
    let (Some(&least), Some(&most)) = (sizes.first(), sizes.last()) else { return };
    let growth =
        |kind: &str, at_rest: f64| Some((pause(kind, most)? - at_rest) / (pause(kind, least)? - at_rest));
    let times = most as f64 / least as f64;
    // CPython's collector has its own modules to look at, too.
    let at_rest = shortest("full pause, nothing built").unwrap_or(0.0);
    if let Some(grown) = growth("full", at_rest) {
        let claim = format!(
            "{name}: full pause of a heap {} times as large, over the small one's",
            units::plain(times)
        );
        checks.push(Check::at_least(claim, 0.3 * times, grown));
    }
    if let Some(full) = pause("full", most) {
        let claim = format!("{name}: full pause of the largest heap, ns an object");
        checks.push(Check::at_least(claim, 1.0, (full - at_rest) / most as f64));
    }
    if let Some(grown) = growth("young", 0.0) {
        checks.push(Check::at_most(
            format!("{name}: young pause with it, over that with the small one"),
            5.0,
            grown,
        ));
    }
    let beside_full = |kind: &str| Some(pause(kind, most)? / pause("full", most)?);
    match subject.role {
        // CPython keeps what is frozen in a list that nobody walks.
        Role::Python => checks.extend(growth("frozen", 0.0).map(|grown| {
            Check::at_most(
                format!("{name}: full pause with it frozen, over that with the small one"),
                5.0,
                grown,
            )
        })),
        // Ours looks at each block to see that it is frozen.
        _ => checks.extend(beside_full("frozen").map(|share| {
            Check::at_most(format!("{name}: full pause with the heap frozen, of that without"), 0.4, share)
        })),
    }
    if let Some(share) = beside_full("undisturbed") {
        let claim = format!("{name}: full pause when no reference went, of one when one did");
        checks.push(Check::at_most(claim, 0.01, share));
    }
    for &size in sizes {
        let found = subject.count(&format!("found, {size} live"));
        checks.extend(
            found.map(|found| Check::equal(format!("{name}: found among {size} live objects"), 0, found)),
        );
    }
}

#[derive(Trace)]
struct Node {
    first: Option<Gc<Node>>,
    second: Option<Gc<Node>>,
    next: Option<Gc<Node>>,
}

/// A binary tree, level by level, in which each node also refers to the next one.
struct LiveHeap {
    collector: Collector,
    root: Gc<Node>,
    size: usize,
}

impl LiveHeap {
    fn new(size: usize) -> LiveHeap {
        let collector = Collector::new();
        collector.disable();
        let mut nodes: Vec<Option<Gc<Node>>> = vec![None; size + 1];
        for i in (0..size).rev() {
            let child = |at: usize| nodes.get(at).cloned().flatten();
            let node = Node { first: child(2 * i + 1), second: child(2 * i + 2), next: child(i + 1) };
            nodes[i] = Some(collector.alloc(node));
        }
        let root = nodes
            .swap_remove(0)
            .unwrap_or_else(|| collector.alloc(Node { first: None, second: None, next: None }));
        drop(nodes);
        collector.collect();
        LiveHeap { collector, root, size }
    }

    fn pauses(&self, how: &BigLiveHeap, passes: usize, turn: &mut Turn) {
        let mut found = 0;
        let mut pause = |collect: &dyn Fn() -> usize| {
            let start = Instant::now();
            found += collect();
            start.elapsed().as_nanos() as f64
        };
        let full = || self.collector.collect();
        let disturbed = (0..passes).map(|_| {
            if how.disturbs {
                drop(self.root.clone());
            }
            pause(&full)
        });
        turn.pause(&measured("full", self.size), disturbed.fold(f64::INFINITY, f64::min));
        turn.pause(&measured("undisturbed", self.size), pause(&full));
        let mut young: Vec<f64> = (0..YOUNG_PASSES)
            .map(|_| {
                let fresh = self.make_young();
                drop(fresh[0].clone());
                pause(&|| self.collector.collect_generation(how.young))
            })
            .collect();
        young.sort_by(f64::total_cmp);
        turn.pause(&measured("young", self.size), young[young.len() / 2]);
        if how.freezes {
            self.collector.freeze();
        }
        let fresh = self.make_young();
        let frozen = (0..passes).map(|_| {
            drop((self.root.clone(), fresh[0].clone()));
            pause(&full)
        });
        turn.pause(&measured("frozen", self.size), frozen.fold(f64::INFINITY, f64::min));
        self.collector.unfreeze();
        drop(fresh);
        // What was frozen is looked at again before the next turn.
        self.collector.collect();
        turn.count(&format!("found, {} live", self.size), found as u64);
    }

    /// New objects, each of which refers to the heap.
    fn make_young(&self) -> Vec<Gc<Node>> {
        let node = || Node { first: Some(self.root.clone()), second: None, next: None };
        (0..YOUNG).map(|_| self.collector.alloc(node())).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{broken, holds};
    use super::*;

    const SMALL: BigLiveHeap =
        BigLiveHeap { sizes: [200_000, 1_000_000, 5_000_000], ..BigLiveHeap::STANDARD };

    #[test]
    fn a_full_pause_grows_with_the_heap_unless_it_is_frozen() {
        assert_eq!(holds(&SMALL), Vec::<String>::new());
        let claims = broken(&BigLiveHeap { freezes: false, ..SMALL });
        assert!(claims.contains(&"cpymem: full pause with the heap frozen, of that without".to_owned()));
    }

    #[test]
    fn a_young_pass_over_everything_is_none() {
        let claims = broken(&BigLiveHeap { young: Generation::Old, ..SMALL });
        assert!(claims.contains(&"cpymem: young pause with it, over that with the small one".to_owned()));
    }

    #[test]
    fn a_heap_that_lost_no_reference_is_not_looked_at() {
        let claims = broken(&BigLiveHeap { disturbs: false, ..SMALL });
        assert!(claims.contains(&"cpymem: full pause of the largest heap, ns an object".to_owned()));
    }
}
