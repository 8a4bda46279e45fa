//! A dumped heap, rebuilt with real objects and collected.
//!
//! Every object that CPython tracked becomes an object of a [`GraphHeap`]; its references to other tracked objects become edges,
//! and every reference that its count knows and no tracked object reports comes from outside:
//!
//! ```text
//! references from outside = its reference count - references in the lists of tracked objects
//! ```
//!
//! So the collector sees what CPython's saw: the same counts, the same edges, no roots named by anyone. What it
//! finds unreachable is what `gc.collect()` found. Reachability is computed nowhere else.

use std::time::{Duration, Instant};

use cpymem_cyclegc::Collector;
use cpymem_cyclegc::graph::{Graph, GraphError, GraphHeap, References};

use crate::budget::{Budget, OverBudget};
use crate::error::{InputError, Place};
use crate::heap::{Dump, Labels};
use crate::input::Input;
use crate::progress::Progress;
use crate::record::{Check, GarbageRecord, HeapRecord, InputRecord, TypeRecord};

/// Bytes of an object and of an edge in a [`Graph`], with room to grow.
const OBJECT_BYTES: u64 = 32;
const EDGE_BYTES: u64 = 8;

/// A dump whose tracked objects are real.
pub struct Rebuilt {
    heap: GraphHeap,
    /// The dump id of each object of the graph.
    tracked: Vec<u32>,
}

impl Rebuilt {
    /// Rebuilds the tracked objects of a dump.
    ///
    /// # Errors
    /// If an object has fewer references than tracked objects report, or rebuilding needs more memory than
    /// the input's limits allow.
    pub fn new(input: &Input, dump: &Dump) -> Result<Rebuilt, InputError> {
        Self::on(Collector::new(), input, dump)
    }

    /// Rebuilds them on a collector with settings of its own.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn on(collector: Collector, input: &Input, dump: &Dump) -> Result<Rebuilt, InputError> {
        let tracked: Vec<u32> = dump.ids().filter(|&id| is_tracked(dump, id)).collect();
        let mut budget = Budget::new(input.limits().memory_bytes);
        let over = |over: OverBudget| InputError::new(input.name(), Place::Line(0), over);
        let edges: u64 = tracked.iter().map(|&id| dump.referents(id).len() as u64).sum();
        budget.charge(tracked.len() as u64 * OBJECT_BYTES + edges * EDGE_BYTES).map_err(over)?;
        let wrong = |error: GraphError| graph_error(input, dump, &tracked, error);
        let graph = graph(dump, &tracked).map_err(wrong)?;
        budget.charge(graph.build_bytes()).map_err(over)?;
        let heap = graph.build(collector).map_err(wrong)?;
        Ok(Rebuilt { heap, tracked })
    }

    /// The rebuilt objects with their counts: dump id and `strong_count`.
    pub fn counts(&self) -> impl Iterator<Item = (u32, usize)> {
        self.heap.counts().map(|(object, count)| (self.tracked[object as usize], count))
    }

    /// References from outside.
    pub fn outside_references(&self) -> u64 {
        self.heap.outside_references()
    }

    /// The rebuilt heap, whose object `i` is the `i`th tracked one.
    pub fn heap(&mut self) -> &mut GraphHeap {
        &mut self.heap
    }

    /// Ids in the dump of the objects that were destroyed so far, ascending.
    pub fn destroyed(&self) -> Vec<u32> {
        let destroyed = self.heap.destroyed();
        let mut ids: Vec<u32> = destroyed.into_iter().map(|object| self.tracked[object as usize]).collect();
        ids.sort_unstable();
        ids
    }

    /// Runs the collector, then once more over what is left.
    pub fn collect(mut self) -> Collected {
        self.heap.release_all();
        let start = Instant::now();
        let found = self.heap.collector().collect();
        let elapsed = start.elapsed();
        let garbage = self.destroyed();
        let start = Instant::now();
        let again = self.heap.collector().collect();
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

/// The tracked objects and the references between them. An immortal object has one from outside, so that it stays.
fn graph(dump: &Dump, tracked: &[u32]) -> Result<Graph, GraphError> {
    let mut place = vec![u32::MAX; dump.len() as usize];
    for (position, &id) in (0..).zip(tracked) {
        place[id as usize] = position;
    }
    let mut graph = Graph::new();
    for &id in tracked {
        let count = dump.refcount(id).filter(|_| !dump.immortal(id));
        let targets = dump.referents(id).iter().map(|&target| place[target as usize]);
        let tracked = targets.filter(|&place| place != u32::MAX);
        graph.push(count.map_or(References::Outside(1), References::Total), tracked)?;
    }
    Ok(graph)
}

/// What is wrong with a dump whose graph is.
fn graph_error(input: &Input, dump: &Dump, tracked: &[u32], error: GraphError) -> InputError {
    let (object, what) = match error {
        GraphError::NoReferences { object } => (object, "has no references and should be dead".to_owned()),
        GraphError::TooFewReferences { object, total, edges } => {
            (object, format!("counts {total} references, but tracked objects report {edges}"))
        }
        GraphError::TooManyReferences { object, references } => {
            (object, format!("has {references} references, more than this program can count"))
        }
        other => return InputError::new(input.name(), Place::Line(0), other),
    };
    let id = tracked[object as usize];
    // Rows follow the header line and the process line, if there is one.
    let line = u64::from(id) + 2 + u64::from(dump.process.is_some());
    InputError::new(input.name(), Place::Line(line), format!("object {id} {what}"))
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
        outside_references: outside,
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
