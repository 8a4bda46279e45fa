//! `cpymem heap`: what is there, by type and by owner; what is garbage, and which cycles hold it.

use std::collections::HashMap;

use serde::Serialize;

use super::{NO_NAMES, notes};
use crate::error::InputError;
use crate::heap::{Components, Graph, Labels, Owned, Owners, Path, Retained};
use crate::input::Input;
use crate::progress::Progress;
use crate::record::{Check, InputRecord};

/// Owners in a document at most.
const MOST_OWNERS: usize = 1000;
/// Kinds of cycles in a document at most.
const MOST_CYCLES: usize = 100;
/// Types that describe a kind of cycle at most.
const MOST_KINDS: usize = 16;

/// Document `cpymem.heap/1`: a dump by type, and by owner if that was asked for.
#[derive(Clone, Debug, Serialize)]
pub struct HoldersRecord {
    /// `cpymem.heap/1`.
    pub schema: &'static str,
    /// The dump.
    pub input: [InputRecord; 1],
    /// Objects.
    pub objects: u64,
    /// Objects that the collector tracked.
    pub tracked: u64,
    /// References between objects.
    pub edges: u64,
    /// Bytes of all objects, by `sys.getsizeof`.
    pub own_bytes: u64,
    /// Bytes of the blocks and chunks that serve them.
    pub block_bytes: u64,
    /// References that no object reports.
    pub unreported_references: u64,
    /// Whether the counts in the dump are those of the process.
    pub exact: bool,
    /// What to know before relying on the figures.
    pub notes: Vec<String>,
    /// What is garbage.
    pub garbage: GarbageHolders,
    /// Types, most block bytes first.
    pub types: Vec<TypeHolder>,
    /// Owners, most bytes first; null unless asked for.
    pub owners: Option<Vec<OwnerRecord>>,
    /// Owners beyond those.
    pub owners_left_off: Option<u64>,
    /// What must hold.
    pub checks: Vec<Check>,
}

/// What is garbage.
#[derive(Clone, Debug, Serialize)]
pub struct GarbageHolders {
    /// Tracked objects that nothing holds.
    pub found: u64,
    /// What `gc.collect()` found in the process, if it was asked.
    pub recorded: Option<u64>,
    /// Bytes of these, by `sys.getsizeof`.
    pub own_bytes: u64,
    /// These, and what else dies with them.
    pub objects: u64,
    /// Bytes of the blocks and chunks of all that dies.
    pub block_bytes: u64,
    /// Cycles that hold it.
    pub cycles: u64,
    /// The cycles by what they are made of, those that hold most bytes first.
    pub held_by: Vec<CycleRecord>,
}

/// Cycles made of the same types.
#[derive(Clone, Debug, Serialize)]
pub struct CycleRecord {
    /// The types, with the objects of all cycles together.
    pub types: Vec<TypeCount>,
    /// Cycles.
    pub cycles: u64,
    /// Objects on them.
    pub objects: u64,
    /// Objects that they hold, their own included.
    pub held_objects: u64,
    /// Bytes of the blocks and chunks of these.
    pub held_bytes: u64,
}

/// A type and a number of objects.
#[derive(Clone, Debug, Serialize, PartialEq, Eq, PartialOrd, Ord)]
pub struct TypeCount {
    /// Module and name.
    pub name: String,
    /// Objects.
    pub count: u64,
}

/// A type.
#[derive(Clone, Debug, Serialize)]
pub struct TypeHolder {
    /// Module and name.
    pub name: String,
    /// Objects.
    pub count: u64,
    /// Their bytes, by `sys.getsizeof`.
    pub own_bytes: u64,
    /// Bytes of the blocks and chunks that serve them.
    pub block_bytes: u64,
    /// Block bytes that would go with them: theirs, and those of all that they alone hold.
    pub retained_bytes: u64,
    /// Of the objects, tracked ones that are garbage.
    pub garbage_count: u64,
}

/// An owner.
#[derive(Clone, Debug, Serialize)]
pub struct OwnerRecord {
    /// Names from a module on.
    pub path: String,
    /// The type of the first object with this path.
    #[serde(rename = "type")]
    pub class: Option<String>,
    /// Objects that it owns.
    pub objects: u64,
    /// Entries of its containers.
    pub entries: u64,
    /// Bytes of the blocks and chunks of what it owns; every object has one owner.
    pub block_bytes: u64,
    /// Block bytes that would go with it: of what nothing else holds, sub-owners included.
    pub retained_bytes: u64,
}

/// Answers for a dump.
///
/// # Errors
/// As [`Graph::read`].
pub fn holders(input: &Input, by_owner: bool, progress: &Progress) -> Result<HoldersRecord, InputError> {
    let name = input.name();
    let graph = Graph::read(input, Labels::Code, progress)?;
    progress.pass(&format!("{name}: dominators"));
    let tree = graph.dominators();
    let retained = graph.retained(&tree);
    progress.pass(&format!("{name}: types"));
    let mut notes = notes(&graph);
    let types = types(&graph, &retained);
    let garbage = garbage(&graph);
    let mut owners = None;
    if by_owner {
        progress.pass(&format!("{name}: owners"));
        let found = graph.owners();
        if !found.are_named() {
            notes.push(NO_NAMES.to_owned());
        }
        owners = Some(owner_records(&graph, &found, &retained));
    }
    let mut checks = Vec::new();
    let exact = graph.garbage().wrong().is_none() && !graph.is_free_threaded();
    if let Some(recorded) = garbage.recorded.filter(|_| exact) {
        checks.push(Check::equal("garbage found is what gc.collect() found", recorded, garbage.found));
    }
    let block_bytes = types.iter().map(|it| it.block_bytes).fold(0, u64::saturating_add);
    checks.push(Check::equal(
        "retained bytes of the whole are the bytes of all objects",
        block_bytes,
        retained.total(),
    ));
    let (owners, owners_left_off) = owners.unzip();
    let objects = || graph.ids().filter(|&id| graph.is_object(id));
    Ok(HoldersRecord {
        schema: "cpymem.heap/1",
        input: [InputRecord::new(input, &graph.header.form, graph.header.python.as_deref())],
        objects: objects().count() as u64,
        tracked: objects().filter(|&id| graph.tracked(id)).count() as u64,
        edges: graph.edges().len() as u64,
        own_bytes: objects().map(|id| graph.size(id)).fold(0, u64::saturating_add),
        block_bytes,
        unreported_references: objects().map(|id| u64::from(graph.garbage().outside(id))).sum(),
        exact,
        notes,
        garbage,
        types,
        owners,
        owners_left_off,
        checks,
    })
}

fn types(graph: &Graph, retained: &Retained<'_>) -> Vec<TypeHolder> {
    let groups = graph.types().map(|class| class.id as usize + 1).max().unwrap_or(0);
    let below = retained.by_group(groups, |id| graph.type_id(id));
    let mut by_id: Vec<Option<TypeHolder>> = vec![None; groups];
    for id in graph.ids() {
        let Some(class) = graph.type_id(id) else { continue };
        let record = by_id[class as usize].get_or_insert_with(|| TypeHolder {
            name: graph.type_name(id).to_owned(),
            count: 0,
            own_bytes: 0,
            block_bytes: 0,
            retained_bytes: below[class as usize],
            garbage_count: 0,
        });
        record.count += 1;
        record.own_bytes = record.own_bytes.saturating_add(graph.size(id));
        record.block_bytes = record.block_bytes.saturating_add(graph.block_bytes(id));
        record.garbage_count += u64::from(graph.tracked(id) && graph.garbage().dead().has(id));
    }
    let mut types: Vec<TypeHolder> = by_id.into_iter().flatten().collect();
    types.sort_by(|a, b| b.block_bytes.cmp(&a.block_bytes).then_with(|| a.name.cmp(&b.name)));
    types
}

fn garbage(graph: &Graph) -> GarbageHolders {
    let (garbage, components) = (graph.garbage(), graph.components());
    let dead = || garbage.dead().iter();
    let sum = |of: &dyn Fn(u32) -> u64, ids: &mut dyn Iterator<Item = u32>| {
        ids.map(of).fold(0, u64::saturating_add)
    };
    GarbageHolders {
        found: garbage.found(),
        recorded: graph.end.gc_collected_after,
        own_bytes: sum(&|id| graph.size(id), &mut dead().filter(|&id| graph.tracked(id))),
        objects: dead().count() as u64,
        block_bytes: sum(&|id| graph.block_bytes(id), &mut dead()),
        cycles: components.cycles().count() as u64,
        held_by: cycles(graph, components),
    }
}

/// The cycles, those made of the same types together.
fn cycles(graph: &Graph, components: &Components) -> Vec<CycleRecord> {
    let mut kinds: HashMap<Vec<u32>, usize> = HashMap::new();
    let mut records: Vec<CycleRecord> = Vec::new();
    // The kind of each cycle.
    let mut kind_of: HashMap<u32, usize> = HashMap::new();
    let mut counts: Vec<HashMap<u32, u64>> = Vec::new();
    for cycle in components.cycles() {
        let mut types: Vec<u32> = components.objects(cycle).filter_map(|id| graph.type_id(id)).collect();
        let objects = types.len() as u64;
        let all = types.clone();
        types.sort_unstable();
        types.dedup();
        let kind = *kinds.entry(types).or_insert_with(|| {
            let empty =
                CycleRecord { types: Vec::new(), cycles: 0, objects: 0, held_objects: 0, held_bytes: 0 };
            records.push(empty);
            counts.push(HashMap::new());
            records.len() - 1
        });
        records[kind].cycles += 1;
        records[kind].objects += objects;
        for class in all {
            *counts[kind].entry(class).or_default() += 1;
        }
        kind_of.insert(cycle, kind);
    }
    for (id, holder) in components.held() {
        if let Some(&kind) = holder.as_ref().and_then(|cycle| kind_of.get(cycle)) {
            records[kind].held_objects += 1;
            records[kind].held_bytes = records[kind].held_bytes.saturating_add(graph.block_bytes(id));
        }
    }
    for (record, counts) in records.iter_mut().zip(counts) {
        let name = |class: u32| graph.type_by_id(class).map_or(String::new(), |it| it.name.clone());
        record.types =
            counts.into_iter().map(|(class, count)| TypeCount { name: name(class), count }).collect();
        record.types.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.name.cmp(&b.name)));
        record.types.truncate(MOST_KINDS);
    }
    records.sort_by(|a, b| b.held_bytes.cmp(&a.held_bytes).then_with(|| a.types.cmp(&b.types)));
    records.truncate(MOST_CYCLES);
    records
}

/// The owners with most bytes, and how many are left off.
fn owner_records(graph: &Graph, owners: &Owners, retained: &Retained<'_>) -> (Vec<OwnerRecord>, u64) {
    let all = Owned::of_all(graph, owners, |_| true);
    let below = retained.by_group(all.len(), |id| owners.owner(id).map(|owner| owner.index() as u32));
    let mut paths: Vec<Path> = owners.paths().filter(|path| all[path.index()].objects > 0).collect();
    paths.sort_by_key(|path| (std::cmp::Reverse(all[path.index()].bytes), path.index()));
    let record = |path: &Path| {
        let it = all[path.index()];
        OwnerRecord {
            path: owners.text(*path),
            class: owners.first_object(*path).map(|id| graph.type_name(id).to_owned()),
            objects: it.objects,
            entries: it.entries,
            block_bytes: it.bytes,
            retained_bytes: below[path.index()],
        }
    };
    // Texts are made for those alone that are shown.
    let left_off = paths.len().saturating_sub(MOST_OWNERS) as u64;
    (paths.iter().take(MOST_OWNERS).map(record).collect(), left_off)
}
