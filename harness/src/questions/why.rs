//! `cpymem why`: ways of names from a root to an object, or to the objects of a type.

use std::collections::HashMap;

use serde::Serialize;

use super::notes;
use crate::error::InputError;
use crate::heap::{Flags, Graph, Labels, Start, Ways};
use crate::input::Input;
use crate::progress::Progress;
use crate::record::InputRecord;

/// Steps of a way in a document at most; the middle of a longer one is left out.
const MOST_STEPS: usize = 200;

/// Document `cpymem.why/1`: why objects are there.
#[derive(Clone, Debug, Serialize)]
pub struct WhyRecord {
    /// `cpymem.why/1`.
    pub schema: &'static str,
    /// The dump.
    pub input: [InputRecord; 1],
    /// What was asked for.
    pub target: String,
    /// Objects that it names.
    pub matches: u64,
    /// What to know before relying on the ways.
    pub notes: Vec<String>,
    /// Who owns how many of them, the most first.
    pub owners: Vec<OwnerShare>,
    /// The objects that are told about: of each owner those that retain most.
    pub objects: Vec<WhyObject>,
}

/// An owner's share of the objects.
#[derive(Clone, Debug, Serialize)]
pub struct OwnerShare {
    /// Names from a module on.
    pub path: String,
    /// Objects.
    pub count: u64,
}

/// An object and the ways to it.
#[derive(Clone, Debug, Serialize)]
pub struct WhyObject {
    /// Its number in the dump.
    pub id: u32,
    /// Its type.
    #[serde(rename = "type")]
    pub class: String,
    /// Whether anything holds it.
    pub alive: bool,
    /// Its references; null if it is immortal.
    pub references: Option<u32>,
    /// Those of them that no object reports.
    pub unreported_references: u32,
    /// Bytes of its blocks and chunks.
    pub block_bytes: u64,
    /// Block bytes that would go with it.
    pub retained_bytes: u64,
    /// Shortest ways to it, each over another last reference.
    pub ways: Vec<Way>,
}

/// A way from a root.
#[derive(Clone, Debug, Serialize)]
pub struct Way {
    /// `module`, `outside` or `garbage`.
    pub start: &'static str,
    /// The way as text.
    pub text: String,
    /// Its objects, the root first.
    pub steps: Vec<Step>,
}

/// An object on a way.
#[derive(Clone, Debug, Serialize)]
pub struct Step {
    /// Its number in the dump.
    pub id: u32,
    /// Its type.
    #[serde(rename = "type")]
    pub class: String,
    /// The name by which the object before refers to it; null if the dump has none.
    pub name: Option<String>,
    /// The name of the object itself, if it is a module, a type or a function.
    pub label: Option<String>,
}

/// How much to tell.
#[derive(Clone, Copy, Debug)]
pub struct Extent {
    /// Objects.
    pub objects: usize,
    /// Ways to each.
    pub ways: usize,
}

/// Answers for a dump; none if it has no such object.
///
/// # Errors
/// As [`Graph::read`].
pub fn why(
    input: &Input,
    target: &str,
    extent: Extent,
    progress: &Progress,
) -> Result<Option<WhyRecord>, InputError> {
    let graph = Graph::read(input, Labels::Code, progress)?;
    let mut wanted = matching(&graph, target);
    if wanted.is_empty() {
        return Ok(None);
    }
    let name = input.name();
    progress.pass(&format!("{name}: dominators"));
    let tree = graph.dominators();
    let retained = graph.retained(&tree);
    progress.pass(&format!("{name}: owners"));
    let owners = graph.owners();
    let owner_of = |id: u32| owners.owner(id).map_or(usize::MAX, |owner| owner.index());
    wanted.sort_by_key(|&id| (std::cmp::Reverse(retained.of(id)), id));
    // The objects of each owner, those that retain most first.
    let mut by_owner: HashMap<usize, Vec<u32>> = HashMap::new();
    for &id in &wanted {
        by_owner.entry(owner_of(id)).or_default().push(id);
    }
    let mut by_owner: Vec<(usize, Vec<u32>)> = by_owner.into_iter().collect();
    by_owner.sort_by_key(|(owner, ids)| (std::cmp::Reverse(ids.len()), *owner));
    let matches = wanted.len() as u64;
    wanted = representatives(&by_owner, extent.objects);
    let paths: Vec<_> = owners.paths().collect();
    let share = |(owner, ids): &(usize, Vec<u32>)| OwnerShare {
        path: paths.get(*owner).map_or(String::new(), |&path| owners.text(path)),
        count: ids.len() as u64,
    };
    progress.pass(&format!("{name}: ways"));
    let ways = graph.ways();
    let referrers = referrers(&graph, &wanted, &ways, extent.ways);
    let objects = wanted.iter().zip(&referrers).map(|(&id, referrers)| WhyObject {
        id,
        class: graph.type_name(id).to_owned(),
        alive: !graph.garbage().dead().has(id),
        references: graph.refcount(id).filter(|_| !graph.immortal(id)),
        unreported_references: graph.garbage().outside(id),
        block_bytes: graph.block_bytes(id),
        retained_bytes: retained.of(id),
        ways: ways_to(&graph, &ways, id, referrers, extent.ways),
    });
    Ok(Some(WhyRecord {
        schema: "cpymem.why/1",
        input: [InputRecord::new(input, &graph.header.form, graph.header.python.as_deref())],
        target: target.to_owned(),
        matches,
        notes: notes(&graph),
        owners: by_owner.iter().take(8).map(share).collect(),
        objects: objects.collect(),
    }))
}

/// The first objects of all owners, then the second ones, and so on: one owner's objects are mostly alike.
fn representatives(by_owner: &[(usize, Vec<u32>)], most: usize) -> Vec<u32> {
    let longest = by_owner.iter().map(|(_, ids)| ids.len()).max().unwrap_or(0);
    let rounds = (0..longest).flat_map(|k| by_owner.iter().filter_map(move |(_, ids)| ids.get(k).copied()));
    rounds.take(most).collect()
}

/// The objects that a number, the name of a type, its last part, or the name of a module, type or function means.
fn matching(graph: &Graph, target: &str) -> Vec<u32> {
    if let Ok(id) = target.parse::<u32>() {
        let there = id < graph.len() && graph.is_object(id);
        return if there { vec![id] } else { Vec::new() };
    }
    let last = |name: &str| name.rsplit('.').next().unwrap_or(name) == target;
    let types = |is: &dyn Fn(&str) -> bool| -> Vec<u32> {
        let ids: Vec<u32> = graph.types().filter(|class| is(&class.name)).map(|class| class.id).collect();
        let of = |&id: &u32| graph.type_id(id).is_some_and(|class| ids.contains(&class));
        if ids.is_empty() { Vec::new() } else { graph.ids().filter(of).collect() }
    };
    let mut found = types(&|name| name == target);
    if found.is_empty() {
        found = types(&last);
    }
    if found.is_empty() {
        let code = |&id: &u32| graph.is_object(id) && graph.flags(id).has(Flags::NAMED);
        found = graph.ids().filter(code).filter(|&id| graph.label(id) == Some(target)).collect();
    }
    found
}

/// For each object those that refer to it, nearest to a root first, not more than `most`.
fn referrers(graph: &Graph, wanted: &[u32], ways: &Ways, most: usize) -> Vec<Vec<u32>> {
    let mut sorted: Vec<(u32, usize)> = wanted.iter().copied().zip(0..).collect();
    sorted.sort_unstable();
    let mut found: Vec<Vec<u32>> = vec![Vec::new(); wanted.len()];
    for id in graph.ids() {
        for to in graph.referents(id) {
            let Ok(k) = sorted.binary_search_by_key(to, |&(id, _)| id) else { continue };
            let list = &mut found[sorted[k].1];
            if list.last() != Some(&id) {
                list.push(id);
            }
            if list.len() > 64 * (most + 1) {
                keep_nearest(list, ways, most);
            }
        }
    }
    for list in &mut found {
        keep_nearest(list, ways, most);
    }
    found
}

fn keep_nearest(list: &mut Vec<u32>, ways: &Ways, most: usize) {
    list.sort_by_key(|&id| (ways.steps(id), id));
    list.dedup();
    list.truncate(most + 1);
}

/// The shortest way, then those over other last references.
fn ways_to(graph: &Graph, ways: &Ways, id: u32, referrers: &[u32], most: usize) -> Vec<Way> {
    let mut all = Vec::new();
    let first = ways.way(id);
    let last = first.as_ref().and_then(|(_, way)| way.len().checked_sub(2).map(|k| way[k]));
    if let Some((start, way)) = first {
        all.push(told(graph, start, &way));
    }
    for &referrer in referrers.iter().filter(|&&referrer| Some(referrer) != last) {
        if all.len() >= most {
            break;
        }
        // A way that comes through the object itself tells nothing.
        if let Some((start, mut way)) = ways.way(referrer).filter(|(_, way)| !way.contains(&id)) {
            way.push(id);
            all.push(told(graph, start, &way));
        }
    }
    all
}

fn told(graph: &Graph, start: Start, way: &[u32]) -> Way {
    let mut steps: Vec<Step> = Vec::new();
    for (k, &id) in way.iter().enumerate() {
        let name = k.checked_sub(1).and_then(|before| graph.reference_name(way[before], id));
        steps.push(Step {
            id,
            class: graph.type_name(id).to_owned(),
            name,
            label: graph.label(id).map(str::to_owned),
        });
    }
    let text = text(graph, start, &steps);
    if steps.len() > MOST_STEPS {
        steps.drain(MOST_STEPS / 2..steps.len() - MOST_STEPS / 2);
    }
    Way {
        start: match start {
            Start::Module => "module",
            Start::Outside => "outside",
            Start::Garbage => "garbage",
        },
        text,
        steps,
    }
}

/// `module.CACHE -> dict [] -> app.Session .user -> dict`: names with dots, unnamed references as arrows.
fn text(graph: &Graph, start: Start, steps: &[Step]) -> String {
    let mut out = match start {
        Start::Module => String::new(),
        Start::Outside => "(held from outside) ".to_owned(),
        Start::Garbage => "(garbage) ".to_owned(),
    };
    let short = |class: &str| class.strip_prefix("builtins.").unwrap_or(class).to_owned();
    let shown = |step: &Step| match &step.label {
        Some(label) => label.clone(),
        None => format!("<{}>", short(&step.class)),
    };
    let n = steps.len();
    for (k, step) in steps.iter().enumerate() {
        if n > 24 && (12..n - 11).contains(&k) {
            if k == 12 {
                out.push_str(&format!(" -> ({} steps)", n - 23));
            }
            continue;
        }
        // The dict of a module, class or instance is no step of its own.
        let own_dict = graph.names.is_named(step.id) && step.name.is_none() && k > 0;
        match (&step.name, k) {
            (Some(name), _) => {
                out.push('.');
                out.push_str(name);
                if step.label.is_none() {
                    out.push(' ');
                    out.push_str(&shown(step));
                }
            }
            (None, 0) => out.push_str(&shown(step)),
            (None, _) if own_dict => {}
            (None, _) => {
                out.push_str(" -> ");
                out.push_str(&shown(step));
            }
        }
    }
    out
}
