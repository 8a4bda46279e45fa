//! `cpymem audit`: references that nobody reports, and the types that may hold them.
//!
//! An object counts its references. Those that no listed object reports are held by C code: the interpreter, a
//! running frame, or an instance of an extension type whose `tp_traverse` is missing or leaves something out. A cycle
//! through such an instance is never collected.
//!
//! A dump does not say who holds a hidden reference, but three things tell:
//!
//! 1. an instance of a heap type counts on its type (3.9 and later) and must report it: those that do not are counted
//!    one by one;
//! 2. types whose instances report nothing although they have room for a reference are suspects;
//! 3. a suspect that the targets refer to (the cycle that cannot be collected), or of which there are as many
//!    instances as hidden references, is named.

use std::collections::HashMap;

use serde::Serialize;

use super::notes;
use crate::error::InputError;
use crate::heap::{Flags, Graph, Labels, Type};
use crate::input::Input;
use crate::progress::Progress;
use crate::record::InputRecord;
use crate::units;

/// Fewer hidden references than this say nothing by their number.
const FEW: u64 = 10;
/// Bytes of an object without any fields.
const EMPTY_OBJECT: u64 = 16;
/// Suspects, and types of targets, that are compared with one another at most.
const MOST_COMPARED: usize = 1000;
/// Suspects that are listed without being named at most.
const MOST_SUSPECTS: usize = 20;

/// Types that hold no references to objects, or whose references another type reports.
const LEAVES: [&str; 24] = [
    "builtins.str",
    "builtins.int",
    "builtins.float",
    "builtins.bytes",
    "builtins.bytearray",
    "builtins.bool",
    "builtins.complex",
    "builtins.NoneType",
    "builtins.ellipsis",
    "builtins.NotImplementedType",
    "builtins.object",
    "builtins.range",
    "builtins.PyCapsule",
    "builtins.code",
    "functools._lru_list_elem",
    "datetime.date",
    "datetime.time",
    "datetime.datetime",
    "datetime.timedelta",
    "datetime.timezone",
    "decimal.Decimal",
    "decimal.Context",
    "_thread.lock",
    "_thread.RLock",
];

/// Document `cpymem.audit/1`: hidden references by who holds them and by what they are to.
#[derive(Clone, Debug, Serialize)]
pub struct AuditRecord {
    /// `cpymem.audit/1`.
    pub schema: &'static str,
    /// The dump.
    pub input: [InputRecord; 1],
    /// Tracked objects with hidden references.
    pub objects: u64,
    /// Hidden references to tracked objects.
    pub hidden_references: u64,
    /// What to know before relying on the figures.
    pub notes: Vec<String>,
    /// Types that hold hidden references, most references first.
    pub holders: Vec<Holder>,
    /// Types of the objects that hidden references are to, most references first.
    pub targets: Vec<Target>,
    /// Other types whose instances report nothing although they have room for references, most instances first.
    pub suspects: Vec<Suspect>,
}

/// A type that holds hidden references.
#[derive(Clone, Debug, Serialize)]
pub struct Holder {
    /// Module and name.
    pub name: String,
    /// Its instances.
    pub instances: u64,
    /// Whether the collector knows them.
    pub collected: bool,
    /// Hidden references to other objects that are laid to its charge.
    pub hidden_references: u64,
    /// Types of these objects.
    pub to: Vec<String>,
    /// Instances that do not report their own type.
    pub hidden_type_references: u64,
    /// What speaks for it.
    pub evidence: Vec<String>,
}

/// A type of objects that hidden references are to.
#[derive(Clone, Debug, Serialize)]
pub struct Target {
    /// Module and name.
    pub name: String,
    /// Objects with hidden references.
    pub objects: u64,
    /// Hidden references.
    pub hidden_references: u64,
    /// Those of them that are laid to a holder's charge.
    pub charged_references: u64,
    /// Who usually holds the rest; null if nobody is known to.
    pub usually: Option<&'static str>,
}

/// A type whose instances report nothing.
#[derive(Clone, Debug, Serialize)]
pub struct Suspect {
    /// Module and name.
    pub name: String,
    /// Its instances.
    pub instances: u64,
    /// Whether the collector knows them; so far none of those that are listed.
    pub collected: bool,
}

/// What is seen of a type's instances.
#[derive(Clone, Copy, Debug, Default)]
struct Seen {
    instances: u64,
    /// Of these, some that report something beside their type.
    reporting: u64,
    /// Instances that do not report their type.
    silent_of_type: u64,
    /// As targets: objects with hidden references, and those references.
    hidden_objects: u64,
    hidden: u64,
    charged: u64,
}

/// Answers for a dump.
///
/// # Errors
/// As [`Graph::read`].
pub fn audit(input: &Input, progress: &Progress) -> Result<AuditRecord, InputError> {
    let graph = Graph::read(input, Labels::Code, progress)?;
    progress.pass(&format!("{}: hidden references", input.name()));
    let rows = type_rows(&graph);
    let mut seen = seen(&graph, &rows);
    let mut holders: HashMap<u32, Holder> = HashMap::new();
    charge_types(&graph, &rows, &mut seen, &mut holders);
    charge_suspects(&graph, &mut seen, &mut holders);
    let mut record = AuditRecord {
        schema: "cpymem.audit/1",
        input: [InputRecord::new(input, &graph.header.form, graph.header.python.as_deref())],
        objects: seen.iter().map(|it| it.hidden_objects).sum(),
        hidden_references: seen.iter().map(|it| it.hidden).sum(),
        notes: notes(&graph),
        targets: targets(&graph, &seen),
        suspects: suspects(&graph, &seen, &holders),
        holders: holders.into_values().collect(),
    };
    let order = |it: &Holder| std::cmp::Reverse((it.hidden_references, it.hidden_type_references));
    record.holders.sort_by(|a, b| order(a).cmp(&order(b)).then_with(|| a.name.cmp(&b.name)));
    if !visits_types(&graph) {
        let note = "before 3.9 instances do not report their types; references to types are left out";
        record.notes.push(note.to_owned());
    }
    Ok(record)
}

/// Whether instances of heap types report their type (bpo-40217, 3.9).
fn visits_types(graph: &Graph) -> bool {
    let version = graph.blocks().target().version;
    (version.major, version.minor) >= (3, 9)
}

/// The object that is each type, if one object alone has its name.
fn type_rows(graph: &Graph) -> Vec<Option<u32>> {
    let mut by_name: HashMap<&str, Option<u32>> = HashMap::new();
    for id in graph.ids().filter(|&id| graph.is_object(id) && graph.flags(id).has(Flags::TYPE)) {
        if let Some(label) = graph.label(id) {
            by_name.entry(label).and_modify(|it| *it = None).or_insert(Some(id));
        }
    }
    let mut names: HashMap<&str, u32> = HashMap::new();
    for class in graph.types() {
        *names.entry(&class.name).or_default() += 1;
    }
    let last = graph.types().map(|class| class.id as usize + 1).max().unwrap_or(0);
    let mut rows = vec![None; last];
    for class in graph.types().filter(|class| names[class.name.as_str()] == 1) {
        rows[class.id as usize] = by_name.get(class.name.as_str()).copied().flatten();
    }
    rows
}

fn seen(graph: &Graph, rows: &[Option<u32>]) -> Vec<Seen> {
    let mut seen = vec![Seen::default(); rows.len()];
    for id in graph.ids() {
        let Some(class) = graph.type_id(id).map(|class| class as usize) else { continue };
        let it = &mut seen[class];
        it.instances += 1;
        let row = rows[class];
        let referents = graph.referents(id);
        it.reporting += u64::from(referents.iter().any(|&to| Some(to) != row));
        it.silent_of_type += u64::from(row.is_some_and(|row| !referents.contains(&row)));
        if graph.tracked(id) && !graph.immortal(id) && !graph.garbage().dead().has(id) {
            let hidden = graph.garbage().outside(id);
            it.hidden_objects += u64::from(hidden > 0);
            it.hidden += u64::from(hidden);
        }
    }
    seen
}

fn holder<'h>(
    graph: &Graph,
    class: u32,
    seen: &[Seen],
    holders: &'h mut HashMap<u32, Holder>,
) -> &'h mut Holder {
    let about = graph.type_by_id(class);
    holders.entry(class).or_insert_with(|| Holder {
        name: about.map_or(String::new(), |it| it.name.clone()),
        instances: seen[class as usize].instances,
        collected: about.is_some_and(|it| it.gc),
        hidden_references: 0,
        to: Vec::new(),
        hidden_type_references: 0,
        evidence: Vec::new(),
    })
}

/// 1. Instances that do not report their type, as far as the type has hidden references.
fn charge_types(graph: &Graph, rows: &[Option<u32>], seen: &mut [Seen], holders: &mut HashMap<u32, Holder>) {
    if !visits_types(graph) {
        return;
    }
    let heap: Vec<&Type> = graph.types().filter(|class| class.heap).collect();
    for class in heap {
        let Some(row) = rows[class.id as usize] else { continue };
        let silent = seen[class.id as usize].silent_of_type;
        let charged = silent.min(u64::from(graph.garbage().outside(row)));
        if charged == 0 || graph.immortal(row) {
            continue;
        }
        if let Some(of_types) = graph.type_id(row).map(|it| &mut seen[it as usize]) {
            of_types.charged = (of_types.charged + charged).min(of_types.hidden);
        }
        let it = holder(graph, class.id, seen, holders);
        it.hidden_type_references = charged;
        it.evidence.push(if class.gc {
            "instances do not report their type".to_owned()
        } else {
            "no instance reports anything: the type has no traversal".to_owned()
        });
    }
}

/// Whether instances report nothing although they have room for a reference.
fn is_suspect(class: &Type, seen: &Seen) -> bool {
    let room = class.basicsize.is_none_or(|bytes| bytes >= EMPTY_OBJECT + 8);
    // An object with an empty dict has nothing to report.
    let may_be_empty = class.gc && class.has_dict;
    seen.instances > 0
        && seen.reporting == 0
        && room
        && !may_be_empty
        && !LEAVES.contains(&class.name.as_str())
}

/// 2 and 3. Hidden references to objects of a type, as far as a suspect fits.
fn charge_suspects(graph: &Graph, seen: &mut [Seen], holders: &mut HashMap<u32, Holder>) {
    let suspects: Vec<&Type> =
        graph.types().filter(|class| is_suspect(class, &seen[class.id as usize])).collect();
    if suspects.is_empty() {
        return;
    }
    // How many objects with hidden references refer to instances of each suspect.
    let mut back: HashMap<(u32, u32), u64> = HashMap::new();
    let is_suspect: Vec<bool> = {
        let mut list = vec![false; seen.len()];
        suspects.iter().for_each(|class| list[class.id as usize] = true);
        list
    };
    for id in graph.ids() {
        let Some(class) = graph.type_id(id) else { continue };
        let hidden = graph.garbage().outside(id) > 0 && graph.tracked(id) && !graph.immortal(id);
        if !hidden || graph.garbage().dead().has(id) {
            continue;
        }
        let mut known: Option<u32> = None;
        for &to in graph.referents(id) {
            let of = graph.type_id(to).filter(|&of| is_suspect[of as usize] && Some(of) != known);
            if let Some(of) = of {
                *back.entry((class, of)).or_default() += 1;
                known = Some(of);
            }
        }
    }
    let mut targets: Vec<(u64, u32)> = (0..)
        .zip(seen.iter())
        .filter(|(_, it)| it.hidden > it.charged)
        .map(|(class, it)| (it.hidden, class))
        .collect();
    targets.sort_unstable_by(|a, b| b.cmp(a));
    targets.truncate(MOST_COMPARED);
    for (_, target) in targets {
        let of = seen[target as usize];
        if usual_holder(graph, target).is_some() {
            continue;
        }
        let best = suspects
            .iter()
            .filter_map(|class| {
                let back = back.get(&(target, class.id)).copied().unwrap_or(0);
                Some((fit(class, &seen[class.id as usize], &of, back)?, class))
            })
            .max_by_key(|((score, _), class)| (*score, std::cmp::Reverse(class.id)));
        let Some(((_, evidence), class)) = best else { continue };
        let room = class.basicsize.map_or(1, |bytes| (bytes - EMPTY_OBJECT) / 8).max(1);
        let most = seen[class.id as usize].instances.saturating_mul(room);
        let charged = (of.hidden - of.charged).min(most);
        seen[target as usize].charged += charged;
        let name = graph.type_by_id(target).map_or(String::new(), |it| it.name.clone());
        let it = holder(graph, class.id, seen, holders);
        it.hidden_references += charged;
        it.to.push(name);
        for what in evidence {
            if !it.evidence.contains(&what) {
                it.evidence.push(what);
            }
        }
    }
}

/// How well a suspect fits hidden references, and why; none if nothing speaks for it.
fn fit(class: &Type, suspect: &Seen, target: &Seen, back: u64) -> Option<(u64, Vec<String>)> {
    let mut score = 0;
    let mut evidence = vec!["its instances report no references".to_owned()];
    if back * 10 >= target.hidden_objects * 9 {
        score += 4;
        let (back, all) = (units::count(back), units::count(target.hidden_objects));
        evidence.push(format!("{back} of {all} objects with hidden references refer to one of them"));
    }
    let n = suspect.instances;
    let alike = |a: u64, b: u64| a.abs_diff(b) * 50 <= a.max(b);
    if target.hidden >= FEW && (alike(n, target.hidden) || alike(n, target.hidden_objects)) {
        score += 2;
        let (n, hidden) = (units::count(n), units::count(target.hidden));
        evidence.push(format!("{n} instances, {hidden} hidden references"));
    }
    // Made by C code, and not known to the collector: nothing can have been reported.
    score += u64::from(!class.gc);
    (score >= 2).then_some((score, evidence))
}

/// Who usually holds references to objects of a type that nobody reports.
fn usual_holder(graph: &Graph, class: u32) -> Option<&'static str> {
    match graph.type_by_id(class)?.name.as_str() {
        "builtins.module" | "builtins.type" => Some("interpreter, C code"),
        "builtins.tuple" | "builtins.frozenset" => Some("code objects"),
        "builtins.dict" => Some("built-in types"),
        "builtins.function" | "builtins.builtin_function_or_method" | "builtins.method-wrapper" => {
            Some("frames, interpreter")
        }
        "builtins.cell" | "builtins.frame" | "builtins.generator" | "builtins.coroutine" => {
            Some("frames that run")
        }
        _ => None,
    }
}

fn targets(graph: &Graph, seen: &[Seen]) -> Vec<Target> {
    let mut targets: Vec<Target> = (0..)
        .zip(seen)
        .filter(|(_, it)| it.hidden > 0)
        .map(|(class, it)| Target {
            name: graph.type_by_id(class).map_or(String::new(), |it| it.name.clone()),
            objects: it.hidden_objects,
            hidden_references: it.hidden,
            charged_references: it.charged,
            usually: usual_holder(graph, class).filter(|_| it.charged < it.hidden),
        })
        .collect();
    targets.sort_by(|a, b| b.hidden_references.cmp(&a.hidden_references).then_with(|| a.name.cmp(&b.name)));
    targets
}

fn suspects(graph: &Graph, seen: &[Seen], holders: &HashMap<u32, Holder>) -> Vec<Suspect> {
    let mut list: Vec<Suspect> = graph
        .types()
        // Of those that the collector knows, empty containers report nothing either.
        .filter(|class| !class.gc && is_suspect(class, &seen[class.id as usize]))
        .filter(|class| !holders.contains_key(&class.id))
        .map(|class| Suspect {
            name: class.name.clone(),
            instances: seen[class.id as usize].instances,
            collected: class.gc,
        })
        .collect();
    list.sort_by(|a, b| b.instances.cmp(&a.instances).then_with(|| a.name.cmp(&b.name)));
    list.truncate(MOST_SUSPECTS);
    list
}
