//! `cpymem diff`: who holds more than before, over two or more dumps of one process.

use std::collections::HashMap;

use serde::Serialize;

use super::{NO_NAMES, notes};
use crate::error::InputError;
use crate::heap::{Graph, Labels, Owned, Path};
use crate::input::Input;
use crate::progress::Progress;
use crate::record::InputRecord;
use crate::series::{always_rises, delta, slope};

/// Owners and types in a document at most.
const MOST: usize = 1000;

/// Bytes of all paths of a dump at most.
const MOST_TEXT: usize = 64 << 20;

/// Document `cpymem.diff/1`: growth by owner and by type.
#[derive(Clone, Debug, Serialize)]
pub struct GrowthRecord {
    /// `cpymem.diff/1`.
    pub schema: &'static str,
    /// The dumps, oldest first.
    pub input: Vec<InputRecord>,
    /// Whether all come from one process.
    pub same_process: Option<bool>,
    /// Bytes of blocks and chunks of all objects, a dump each.
    pub block_bytes: Vec<u64>,
    /// Objects, a dump each.
    pub objects: Vec<u64>,
    /// What to know before relying on the figures.
    pub notes: Vec<String>,
    /// Owners that hold more or less than at first, most growth in bytes first.
    pub owners: Vec<OwnerGrowth>,
    /// Owners beyond those.
    pub owners_left_off: u64,
    /// Types of which there are more or fewer objects, most growth in bytes first.
    pub types: Vec<TypeGrowth>,
}

/// An owner that holds more or less than at first.
#[derive(Clone, Debug, Serialize)]
pub struct OwnerGrowth {
    /// Names from a module on.
    pub path: String,
    /// The type of the first object with this path.
    #[serde(rename = "type")]
    pub class: Option<String>,
    /// What it holds directly: entries of its containers, and objects with this very path.
    pub objects_delta: i64,
    /// All objects that it owns.
    pub held_objects_delta: i64,
    /// Bytes of the blocks and chunks of these.
    pub bytes_delta: i64,
    /// Bytes a dump, by the line of least squares.
    pub slope_per_dump: f64,
    /// What it holds directly, a dump each.
    pub objects: Vec<u64>,
    /// Bytes, a dump each.
    pub bytes: Vec<u64>,
    /// Whether every dump has more bytes than the one before.
    pub always: bool,
}

/// A type with more or fewer objects than at first.
#[derive(Clone, Debug, Serialize)]
pub struct TypeGrowth {
    /// Module and name.
    pub name: String,
    /// Objects.
    pub objects_delta: i64,
    /// Bytes of their blocks and chunks.
    pub bytes_delta: i64,
    /// Bytes a dump, by the line of least squares.
    pub slope_per_dump: f64,
}

/// What was seen of a path or a type, a dump each.
#[derive(Clone, Debug, Default)]
struct Counts {
    class: Option<String>,
    direct: Vec<u64>,
    held: Vec<u64>,
    bytes: Vec<u64>,
}

impl Counts {
    fn set(&mut self, dump: usize, direct: u64, held: u64, bytes: u64) {
        for (list, value) in [(&mut self.direct, direct), (&mut self.held, held), (&mut self.bytes, bytes)] {
            // Types of one name count together.
            list.resize(dump + 1, 0);
            list[dump] += value;
        }
    }

    fn fill(&mut self, dumps: usize) {
        for list in [&mut self.direct, &mut self.held, &mut self.bytes] {
            list.resize(dumps, 0);
        }
    }
}

/// Compares dumps, oldest first; each is read, added up and dropped before the next.
///
/// # Errors
/// As [`Graph::read`].
pub fn growth(inputs: &[Input], progress: &Progress) -> Result<GrowthRecord, InputError> {
    let mut owners: HashMap<String, Counts> = HashMap::new();
    let mut types: HashMap<String, Counts> = HashMap::new();
    let (mut all_notes, mut records, mut pids) = (Vec::new(), Vec::new(), Vec::new());
    let (mut block_bytes, mut objects) = (Vec::new(), Vec::new());
    for (dump, input) in inputs.iter().enumerate() {
        let graph = Graph::read(input, Labels::Code, progress)?;
        progress.pass(&format!("{}: owners", input.name()));
        let found = graph.owners();
        let mut about = notes(&graph);
        if !found.are_named() {
            about.push(NO_NAMES.to_owned());
        }
        all_notes.extend(about.into_iter().map(|note| format!("{}: {note}", input.name())));
        let all = Owned::of_all(&graph, &found, |_| true);
        let mut paths: Vec<Path> = found.paths().filter(|path| all[path.index()].objects > 0).collect();
        paths.sort_by_key(|path| std::cmp::Reverse(all[path.index()].bytes));
        let mut text_bytes = 0;
        for path in paths {
            let it = all[path.index()];
            let text = found.text(path);
            text_bytes += text.len();
            if text_bytes > MOST_TEXT {
                all_notes.push(format!("{}: only the largest owners are compared", input.name()));
                break;
            }
            let series = owners.entry(text).or_default();
            series.class = found.first_object(path).map(|id| graph.type_name(id).to_owned());
            series.set(dump, it.own + it.entries, it.objects, it.bytes);
        }
        let mut by_type: Vec<(u64, u64)> = Vec::new();
        for id in graph.ids() {
            let Some(class) = graph.type_id(id).map(|class| class as usize) else { continue };
            if class >= by_type.len() {
                by_type.resize(class + 1, (0, 0));
            }
            by_type[class].0 += 1;
            by_type[class].1 = by_type[class].1.saturating_add(graph.block_bytes(id));
        }
        for (class, &(count, bytes)) in (0..).zip(&by_type).filter(|(_, it)| it.0 > 0) {
            if let Some(class) = graph.type_by_id(class) {
                types.entry(class.name.clone()).or_default().set(dump, count, count, bytes);
            }
        }
        objects.push(by_type.iter().map(|it| it.0).sum());
        block_bytes.push(by_type.iter().map(|it| it.1).fold(0, u64::saturating_add));
        records.push(InputRecord::new(input, &graph.header.form, graph.header.python.as_deref()));
        pids.push((graph.header.pid, graph.header.python.clone()));
    }
    let known = pids.iter().all(|(pid, _)| pid.is_some());
    let same_process = known.then(|| pids.windows(2).all(|pair| pair[0] == pair[1]));
    if same_process == Some(false) {
        all_notes.push("the dumps are of different processes".to_owned());
    }
    let dumps = inputs.len();
    let (owners, owners_left_off) = owner_growth(owners, dumps);
    Ok(GrowthRecord {
        schema: "cpymem.diff/1",
        input: records,
        same_process,
        block_bytes,
        objects,
        notes: all_notes,
        owners,
        owners_left_off,
        types: type_growth(types, dumps),
    })
}

fn owner_growth(owners: HashMap<String, Counts>, dumps: usize) -> (Vec<OwnerGrowth>, u64) {
    let mut all: Vec<OwnerGrowth> = Vec::new();
    for (path, mut series) in owners {
        series.fill(dumps);
        let record = OwnerGrowth {
            path,
            class: series.class,
            objects_delta: delta(&series.direct),
            held_objects_delta: delta(&series.held),
            bytes_delta: delta(&series.bytes),
            slope_per_dump: slope(&series.bytes),
            always: always_rises(&series.bytes),
            objects: series.direct,
            bytes: series.bytes,
        };
        if record.objects_delta != 0 || record.held_objects_delta != 0 || record.bytes_delta != 0 {
            all.push(record);
        }
    }
    let order = |it: &OwnerGrowth| (std::cmp::Reverse(it.bytes_delta), std::cmp::Reverse(it.objects_delta));
    all.sort_by(|a, b| order(a).cmp(&order(b)).then_with(|| a.path.cmp(&b.path)));
    let left_off = all.len().saturating_sub(MOST) as u64;
    all.truncate(MOST);
    (all, left_off)
}

fn type_growth(types: HashMap<String, Counts>, dumps: usize) -> Vec<TypeGrowth> {
    let mut all: Vec<TypeGrowth> = Vec::new();
    for (name, mut series) in types {
        series.fill(dumps);
        let (objects_delta, bytes_delta) = (delta(&series.direct), delta(&series.bytes));
        if objects_delta != 0 || bytes_delta != 0 {
            all.push(TypeGrowth { name, objects_delta, bytes_delta, slope_per_dump: slope(&series.bytes) });
        }
    }
    all.sort_by(|a, b| b.bytes_delta.cmp(&a.bytes_delta).then_with(|| a.name.cmp(&b.name)));
    all.truncate(MOST);
    all
}
