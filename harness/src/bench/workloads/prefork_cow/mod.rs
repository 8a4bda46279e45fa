//! Pages that a forked worker makes its own, though it changes nothing.

mod child;

use std::hint::black_box;
use std::rc;
use std::sync;

use cpymem_cyclegc::{Collector, Gc, Trace};
use cpymem_refcount::rc::Rc;
use cpymem_refcount::sync::Arc;
use serde::Serialize;

use self::child::{Made, Silence, in_child};
use crate::bench::record::{Role, SubjectRecord};
use crate::bench::{Failure, Finding, Lane, Page, Setting, Turn, Workload, alternate};
use crate::record::Check;
use crate::units;

/// Builds objects, forks, and lets the child read them or collect.
#[derive(Clone, Copy, Debug)]
pub struct PreforkCow {
    /// Objects of each kind at scale 1.
    pub objects: usize,
    /// Whether the child takes a reference to each object when it is said to.
    pub counts: bool,
    /// Whether objects are immortal when they are said to be.
    pub immortal: bool,
    /// Whether the child collects when it is said to; otherwise it takes references in place of that.
    pub collects: bool,
}

impl PreforkCow {
    /// What `cpymem bench` runs.
    pub const STANDARD: PreforkCow =
        PreforkCow { objects: 300_000, counts: true, immortal: true, collects: true };
}

const SCRIPT: &str = include_str!("../../scripts/prefork_cow.py");
/// What an object holds.
type Body = [u64; 5];

impl Workload for PreforkCow {
    fn page(&self) -> Page {
        Page {
            name: "prefork-cow",
            shows: "a forked worker copies every page of which it takes a reference, none of immortal objects, and all that \
                    CPython's collector passes over, unless it is frozen",
            stands_for: "preloaded web workers: 24 of them at 1,792 MB, at 1,237 MB with gc.freeze() before the fork",
            costs: "0.2 s a turn and 150 MiB; with CPython 0.3 s and 100 MiB",
        }
    }

    fn run(&self, setting: &Setting<'_>) -> Result<Finding, Failure> {
        #[derive(Serialize)]
        struct Amount {
            objects: usize,
        }
        let objects = setting.amount(self.objects, 100_000);
        let (mut ours, mut peers) = (None, None);
        let silence = std::cell::Cell::new(None);
        let mut lanes = vec![
            Lane::new("cpymem", Role::Ours, |turn| {
                let heap = ours.get_or_insert_with(|| Ours::new(objects, self.immortal));
                silence.set(heap.fork(self, turn).err().or(silence.get()));
            }),
            Lane::new("std", Role::Peer, |turn| {
                let heap = peers.get_or_insert_with(|| Std::new(objects));
                silence.set(heap.fork(self, turn).err().or(silence.get()));
            }),
        ];
        for python in setting.pythons {
            lanes.push(python.lane(SCRIPT, &Amount { objects })?);
        }
        let mut checks = Vec::new();
        let subjects = alternate(lanes, setting, &mut checks)?;
        for subject in &subjects {
            let python = setting.pythons.iter().find(|python| python.name() == subject.name);
            claim(subject, python.map(|python| python.version()), &mut checks);
        }
        let mut notes = vec![
            "cpymem's rc counts before it looks, also when the object is immortal, and takes that back: only sync spares \
             the pages"
                .to_owned(),
        ];
        notes.extend(silence.get().map(|silence: Silence| silence.sentence().to_owned()));
        for python in setting.pythons.iter().filter(|python| python.version() < (3, 7)) {
            notes.push(format!("{} has no gc.freeze", python.name()));
        }
        let amount = format!("{} objects of each kind; a child for each line", units::count(objects as u64));
        Ok(Finding { amount, subjects, checks, notes })
    }
}

impl Silence {
    fn sentence(self) -> &'static str {
        match self {
            Silence::NoSmaps => "the kernel has no /proc/self/smaps_rollup, so nobody knows what is shared",
            Silence::NoChild => "the system lets no child be forked",
            Silence::Lost => "a forked child did not answer",
        }
    }
}

/// What a child copies.
enum Copied {
    /// Every page of the objects.
    All,
    /// What a collector keeps beside them: a few bytes of each.
    SideData,
    /// No more than what any child copies.
    None,
}

/// What of the objects' bytes the child copied.
fn claim(subject: &SubjectRecord, python: Option<(u8, u8)>, checks: &mut Vec<Check>) {
    let name = &subject.name;
    let share = |what: &str, of: &str| {
        let copied = subject.series(&format!("copied, {what}"))?.estimate.median;
        Some(copied / subject.count(of)? as f64)
    };
    let objects = |what: &str| share(what, "bytes of the objects");
    let mut copies = |what: &str, share: Option<f64>, copied: Copied| {
        let claim = format!("{name}: pages copied by {what}, of the objects'");
        checks.extend(share.map(|share| match copied {
            Copied::All => Check::at_least(claim, 0.8, share),
            Copied::SideData => Check::at_most(claim, 0.3, share),
            Copied::None => Check::at_most(claim, 0.15, share),
        }));
    };
    copies("counts", objects("counts"), Copied::All);
    copies("atomic counts", objects("counts, atomic"), Copied::All);
    copies("atomic counts of immortal objects", objects("counts, atomic, immortal"), Copied::None);
    if let Some(version) = python {
        // PEP 683: what the compiler interns is immortal from 3.12 on.
        let spared = version >= (3, 12);
        let said =
            if spared { "counts of immortal identifiers" } else { "counts of identifiers, not yet immortal" };
        copies(
            said,
            share("counts, immortal", "bytes of the identifiers"),
            if spared { Copied::None } else { Copied::All },
        );
    }
    // CPython's collector counts in the header before each object; ours beside the objects, the frozen ones included.
    let (collection, frozen) = match python {
        Some(_) => (Copied::All, Copied::None),
        None => (Copied::SideData, Copied::SideData),
    };
    copies("a collection", objects("collection"), collection);
    copies("a collection of the frozen heap", objects("collection, frozen"), frozen);
}

/// Puts what a child did into a turn.
fn record(turn: &mut Turn, what: &str, objects: usize, made: Made) {
    turn.ns(what, made.ns as f64 / objects as f64);
    turn.bytes(&format!("copied, {what}"), made.copied_bytes);
}

#[derive(Trace)]
struct Node {
    next: Option<Gc<Node>>,
    #[trace(skip)]
    body: [u64; 4],
}

/// Objects of our crates.
struct Ours {
    counted: Vec<Rc<Body>>,
    immortal: Vec<Rc<Body>>,
    atomic: Vec<Arc<Body>>,
    atomic_immortal: Vec<Arc<Body>>,
    collector: Collector,
    last: Gc<Node>,
}

impl Ours {
    fn new(objects: usize, immortal: bool) -> Ours {
        let body = |i: usize| [i as u64; 5];
        let collector = Collector::new();
        collector.disable();
        let mut last = collector.alloc(Node { next: None, body: [0; 4] });
        for i in 1..objects {
            last = collector.alloc(Node { next: Some(last), body: [i as u64; 4] });
        }
        collector.collect();
        let heap = Ours {
            counted: (0..objects).map(|i| Rc::new(body(i))).collect(),
            immortal: (0..objects).map(|i| Rc::new(body(i))).collect(),
            atomic: (0..objects).map(|i| Arc::new(body(i))).collect(),
            atomic_immortal: (0..objects).map(|i| Arc::new(body(i))).collect(),
            collector,
            last,
        };
        if immortal {
            heap.immortal.iter().for_each(Rc::immortalize);
            heap.atomic_immortal.iter().for_each(Arc::immortalize);
        }
        heap
    }

    fn fork(&self, how: &PreforkCow, turn: &mut Turn) -> Result<(), Silence> {
        let objects = self.counted.len();
        turn.count("bytes of the objects", (objects * (size_of::<Body>() + 8)) as u64);
        let counts = |take: &dyn Fn()| {
            in_child(&|| {
                if how.counts {
                    take()
                }
            })
        };
        record(turn, "counts", objects, counts(&|| self.counted.iter().for_each(taken))?);
        record(turn, "counts, immortal", objects, counts(&|| self.immortal.iter().for_each(taken))?);
        record(turn, "counts, atomic", objects, counts(&|| self.atomic.iter().for_each(taken))?);
        let immortal = counts(&|| self.atomic_immortal.iter().for_each(taken))?;
        record(turn, "counts, atomic, immortal", objects, immortal);
        let collect = || match how.collects {
            true => {
                // A reference goes, or there would be nothing to look at.
                drop(self.last.clone());
                let found = self.collector.collect();
                debug_assert_eq!(found, 0);
            }
            false => {
                let mut node = self.last.clone();
                while let Some(next) = node.next.clone() {
                    node = next;
                }
                black_box(node.body);
            }
        };
        record(turn, "collection", objects, in_child(&collect)?);
        self.collector.freeze();
        let made = in_child(&collect);
        self.collector.unfreeze();
        record(turn, "collection, frozen", objects, made?);
        Ok(())
    }
}

/// Takes a reference and lets it go.
fn taken<T: Clone>(reference: &T) {
    drop(black_box(reference.clone()));
}

/// Objects of std.
struct Std {
    counted: Vec<rc::Rc<Body>>,
    atomic: Vec<sync::Arc<Body>>,
}

impl Std {
    fn new(objects: usize) -> Std {
        Std {
            counted: (0..objects).map(|i| rc::Rc::new([i as u64; 5])).collect(),
            atomic: (0..objects).map(|i| sync::Arc::new([i as u64; 5])).collect(),
        }
    }

    fn fork(&self, how: &PreforkCow, turn: &mut Turn) -> Result<(), Silence> {
        let objects = self.counted.len();
        turn.count("bytes of the objects", (objects * (size_of::<Body>() + 16)) as u64);
        let counts = |take: &dyn Fn()| {
            in_child(&|| {
                if how.counts {
                    take()
                }
            })
        };
        record(turn, "counts", objects, counts(&|| self.counted.iter().for_each(taken))?);
        record(turn, "counts, atomic", objects, counts(&|| self.atomic.iter().for_each(taken))?);
        Ok(())
    }
}
