//! A dumped heap, rebuilt with real objects and collected.
//!
//! Every object that CPython tracked becomes a [`Gc`]; its references to other tracked objects become edges,
//! and every reference that its count knows and no tracked object reports becomes a handle:
//!
//! ```text
//! handles of an object = its reference count - references in the lists of tracked objects
//! ```
//!
//! So the collector sees what CPython's saw: the same counts, the same edges, no roots named by anyone. What it
//! finds unreachable is what `gc.collect()` found. Reachability is computed nowhere else.

use std::cell::{OnceCell, RefCell};
use std::rc::Rc;
use std::time::{Duration, Instant};

use cpymem_cyclegc::{Collector, Gc, Trace};

use crate::budget::{Budget, OverBudget};
use crate::error::{InputError, Place};
use crate::heap::{Dump, Labels};
use crate::input::Input;
use crate::progress::Progress;
use crate::record::{Check, GarbageRecord, HeapRecord, InputRecord, TypeRecord};

/// Bytes that a rebuilt object costs: its block, its side bytes, its place in the index.
const NODE_BYTES: u64 = 64;
/// Bytes of an edge or a handle.
const EDGE_BYTES: u64 = 8;

/// A rebuilt object.
#[derive(Trace)]
#[trace(drop)]
struct Node {
    edges: OnceCell<Box<[Gc<Node>]>>,
    #[trace(skip)]
    id: u32,
    /// Where destroyed objects are written down.
    #[trace(skip)]
    destroyed: Rc<RefCell<Vec<u32>>>,
}

impl Drop for Node {
    fn drop(&mut self) {
        self.destroyed.borrow_mut().push(self.id);
    }
}

/// A dump whose tracked objects are real.
pub struct Rebuilt {
    /// One handle too many on each object, until [`Rebuilt::collect`].
    nodes: Vec<Gc<Node>>,
    /// One handle for each reference from outside.
    handles: Vec<Gc<Node>>,
    destroyed: Rc<RefCell<Vec<u32>>>,
    /// Dropped after the handles, so that its last collection finds everything that is left.
    collector: Collector,
}

impl Rebuilt {
    /// Rebuilds the tracked objects of a dump.
    ///
    /// # Errors
    /// If an object has fewer references than tracked objects report, or rebuilding needs more memory than
    /// the input's limits allow.
    pub fn new(input: &Input, dump: &Dump) -> Result<Rebuilt, InputError> {
        let tracked: Vec<u32> = dump.ids().filter(|&id| is_tracked(dump, id)).collect();
        let mut budget = Budget::new(input.limits().memory_bytes);
        let over = |over: OverBudget| InputError::new(input.name(), Place::Line(0), over);
        let outside = outside_references(input, dump, &tracked)?;
        let edges: u64 = tracked.iter().map(|&id| dump.referents(id).len() as u64).sum();
        let references = edges + outside.iter().map(|&n| u64::from(n)).sum::<u64>();
        budget.charge(tracked.len() as u64 * NODE_BYTES).map_err(over)?;
        budget.charge(references.saturating_mul(EDGE_BYTES)).map_err(over)?;

        let collector = Collector::new();
        let destroyed = Rc::default();
        let make = |&id: &u32| {
            collector.alloc(Node { edges: OnceCell::new(), id, destroyed: Rc::clone(&destroyed) })
        };
        let nodes: Vec<Gc<Node>> = tracked.iter().map(make).collect();
        let place = places(dump, &tracked);
        for (node, &id) in nodes.iter().zip(&tracked) {
            let referents = dump.referents(id).iter();
            let targets = referents.filter_map(|&target| nodes.get(place[target as usize] as usize).cloned());
            // Set once, here.
            let _ = node.edges.set(targets.collect());
        }
        let mut handles = Vec::with_capacity(outside.iter().map(|&n| n as usize).sum());
        for (node, &n) in nodes.iter().zip(&outside) {
            handles.extend((0..n).map(|_| node.clone()));
        }
        Ok(Rebuilt { nodes, handles, destroyed, collector })
    }

    /// The rebuilt objects with their counts: dump id and `strong_count`.
    pub fn counts(&self) -> impl Iterator<Item = (u32, usize)> {
        // One reference is the index's own.
        self.nodes.iter().map(|node| (node.id, Gc::strong_count(node) - 1))
    }

    /// Handles that stand for references from outside.
    pub fn outside_references(&self) -> usize {
        self.handles.len()
    }

    /// Runs the collector, then once more over what is left.
    pub fn collect(mut self) -> Collected {
        self.nodes = Vec::new();
        let died_before = self.destroyed.borrow().len();
        let start = Instant::now();
        let found = self.collector.collect();
        let elapsed = start.elapsed();
        let mut garbage = self.destroyed.borrow()[died_before..].to_vec();
        garbage.sort_unstable();
        let start = Instant::now();
        let again = self.collector.collect();
        Collected { found, garbage, elapsed, again, live_pass: start.elapsed() }
    }
}

/// What the collector did with a rebuilt heap.
pub struct Collected {
    /// Objects found unreachable.
    pub found: usize,
    /// Their ids in the dump, ascending.
    pub garbage: Vec<u32>,
    /// Time of the collection, their destruction included.
    pub elapsed: Duration,
    /// Objects that a second collection found.
    pub again: usize,
    /// Time of the second collection.
    pub live_pass: Duration,
}

fn is_tracked(dump: &Dump, id: u32) -> bool {
    dump.is_object(id) && dump.tracked(id)
}

/// Position of each object among the tracked ones; `u32::MAX` for the others.
fn places(dump: &Dump, tracked: &[u32]) -> Vec<u32> {
    let mut place = vec![u32::MAX; dump.len() as usize];
    for (position, &id) in (0..).zip(tracked) {
        place[id as usize] = position;
    }
    place
}

/// For each tracked object, its references from outside; an immortal object has one, so that it stays.
fn outside_references(input: &Input, dump: &Dump, tracked: &[u32]) -> Result<Vec<u32>, InputError> {
    let mut inside = vec![0u32; dump.len() as usize];
    for &id in tracked {
        for &target in dump.referents(id) {
            inside[target as usize] += 1;
        }
    }
    let outside = |&id: &u32| {
        let Some(count) = dump.refcount(id).filter(|_| !dump.immortal(id)) else {
            return Ok(1);
        };
        let reported = inside[id as usize];
        let wrong = |what: String| {
            // Rows follow the header line and the process line, if there is one.
            let line = u64::from(id) + 2 + u64::from(dump.process.is_some());
            InputError::new(input.name(), Place::Line(line), what)
        };
        if count == 0 {
            return Err(wrong(format!("object {id} has no references and should be dead")));
        }
        count.checked_sub(reported).ok_or_else(|| {
            wrong(format!("object {id} counts {count} references, but tracked objects report {reported}"))
        })
    };
    tracked.iter().map(outside).collect()
}

/// Reads a dump, rebuilds it, collects it, and checks what was found.
///
/// # Errors
/// If the dump is malformed or contradicts itself, or needs more memory than the input's limits allow.
pub fn heap(input: &Input, progress: &Progress) -> Result<HeapRecord, InputError> {
    let name = input.name();
    progress.pass(&format!("{name}: read"));
    let dump = Dump::read(input, Labels::Skip)?;
    progress.pass(&format!("{name}: rebuild"));
    let start = Instant::now();
    let rebuilt = Rebuilt::new(input, &dump)?;
    let rebuild = start.elapsed();
    let outside = rebuilt.outside_references();
    progress.pass(&format!("{name}: collect"));
    let collected = rebuilt.collect();

    let objects = || dump.ids().filter(|&id| dump.is_object(id));
    let recorded = dump.end.gc_collected_after;
    let garbage = GarbageRecord {
        found: collected.found as u64,
        recorded,
        own_bytes: collected.garbage.iter().map(|&id| dump.size(id)).sum(),
    };
    let mut checks = vec![
        Check::equal(
            "unreachable objects found are destroyed",
            garbage.found,
            collected.garbage.len() as u64,
        ),
        Check::equal("a second collection finds nothing", 0, collected.again as u64),
    ];
    if let Some(recorded) = recorded {
        checks.insert(0, Check::equal("garbage found is what gc.collect() found", recorded, garbage.found));
    }
    Ok(HeapRecord {
        schema: "cpymem.heap/1",
        input: [InputRecord::new(input, &dump.header.form, dump.header.python.as_deref())],
        objects: objects().count() as u64,
        tracked: dump.ids().filter(|&id| is_tracked(&dump, id)).count() as u64,
        edges: dump.edges().len() as u64,
        own_bytes: objects().map(|id| dump.size(id)).sum(),
        outside_references: outside as u64,
        garbage,
        types: types(&dump, &collected.garbage),
        rebuild_ns: ns(rebuild),
        collect_ns: ns(collected.elapsed),
        live_pass_ns: ns(collected.live_pass),
        checks,
    })
}

fn ns(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

/// Count and bytes of every type, most bytes first.
fn types(dump: &Dump, garbage: &[u32]) -> Vec<TypeRecord> {
    let mut by_id: Vec<Option<TypeRecord>> = Vec::new();
    for id in dump.ids() {
        let Some(class) = dump.type_id(id).map(|class| class as usize) else {
            continue;
        };
        if class >= by_id.len() {
            by_id.resize_with(class + 1, || None);
        }
        let record = by_id[class].get_or_insert_with(|| TypeRecord {
            name: dump.type_name(id).to_owned(),
            count: 0,
            own_bytes: 0,
            retained_bytes: None,
            garbage_count: 0,
        });
        record.count += 1;
        record.own_bytes += dump.size(id);
    }
    for class in garbage.iter().filter_map(|&id| dump.type_id(id)) {
        if let Some(Some(record)) = by_id.get_mut(class as usize) {
            record.garbage_count += 1;
        }
    }
    let mut types: Vec<TypeRecord> = by_id.into_iter().flatten().collect();
    types.sort_by(|a, b| b.own_bytes.cmp(&a.own_bytes).then_with(|| a.name.cmp(&b.name)));
    types
}
