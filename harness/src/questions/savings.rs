//! `cpymem slots --heap`: what `__slots__` would save in this heap, class by class.

use cpymem_slots::model::{Class, ClassLayout, Target};
use serde::Serialize;

use super::notes;
use crate::error::InputError;
use crate::heap::{Flags, Graph, Labels, Type};
use crate::input::Input;
use crate::progress::Progress;
use crate::record::InputRecord;

/// Attributes of which the model is asked at most.
const MOST_ATTRIBUTES: usize = 256;
/// Classes in a document at most.
const MOST_CLASSES: usize = 1000;

/// Document `cpymem.slots/1` of a heap: classes, and what slots would save.
#[derive(Clone, Debug, Serialize)]
pub struct SavingsRecord {
    /// `cpymem.slots/1`.
    pub schema: &'static str,
    /// The dump.
    pub input: [InputRecord; 1],
    /// The version whose layouts are taken.
    pub python: String,
    /// What to know before relying on the figures.
    pub notes: Vec<String>,
    /// What slots would save in all.
    pub saved_bytes: u64,
    /// Classes with a dict, most to save first.
    pub classes: Vec<ClassSaving>,
    /// Classes beyond those.
    pub classes_left_off: u64,
}

/// A class whose instances have a dict.
#[derive(Clone, Debug, Serialize)]
pub struct ClassSaving {
    /// Module and name.
    pub name: String,
    /// Living instances.
    pub count: u64,
    /// Attributes, as far as a sample of instances shows them.
    pub attributes: Vec<String>,
    /// Instances with a dict object of their own.
    pub with_dict_object: u64,
    /// Bytes of the blocks of all instances and their dicts, attribute values excluded.
    pub now_bytes: u64,
    /// The same with slots; null if the model does not know such a class.
    pub slots_bytes: Option<u64>,
    /// What slots would save; null if the model does not know such a class.
    pub saved_bytes: Option<u64>,
    /// Bytes of an instance on each version.
    pub versions: Vec<VersionSaving>,
    /// Why there is no figure.
    pub unknown: Option<String>,
}

/// Bytes of an instance on a version, attribute values excluded.
#[derive(Clone, Debug, Serialize)]
pub struct VersionSaving {
    /// The version, and the build where it is not x86-64 with the GIL.
    pub python: String,
    /// With a dict; null if the class cannot be made.
    pub dict_bytes: Option<u64>,
    /// With slots; null if the class cannot be made.
    pub slots_bytes: Option<u64>,
}

/// What was seen of a class.
#[derive(Clone, Copy, Debug, Default)]
struct Seen {
    count: u64,
    dicts: u64,
    bytes: u64,
}

/// Answers for a dump.
///
/// # Errors
/// As [`Graph::read`].
pub fn savings(input: &Input, progress: &Progress) -> Result<SavingsRecord, InputError> {
    let graph = Graph::read(input, Labels::Code, progress)?;
    progress.pass(&format!("{}: classes", input.name()));
    let candidate = |class: &&Type| class.heap && class.has_dict && class.slots.is_empty();
    let last = graph.types().map(|class| class.id as usize + 1).max().unwrap_or(0);
    let mut is_candidate = vec![false; last];
    graph.types().filter(candidate).for_each(|class| is_candidate[class.id as usize] = true);
    let mut seen = vec![Seen::default(); last];
    for id in graph.ids() {
        let Some(class) = graph.type_id(id).filter(|&class| is_candidate[class as usize]) else { continue };
        if graph.garbage().dead().has(id) || graph.flags(id).has(Flags::NAMED) {
            continue;
        }
        let it = &mut seen[class as usize];
        it.count += 1;
        it.bytes = it.bytes.saturating_add(graph.block_bytes(id));
        if let Some(dict) = own_dict(&graph, id) {
            it.dicts += 1;
            it.bytes = it.bytes.saturating_add(graph.block_bytes(dict));
        }
    }
    let target = graph.blocks().target();
    let mut classes: Vec<ClassSaving> = graph
        .types()
        .filter(|class| seen[class.id as usize].count > 0)
        .map(|class| saving(&graph, class, seen[class.id as usize], target))
        .collect();
    classes.sort_by(|a, b| b.saved_bytes.cmp(&a.saved_bytes).then_with(|| a.name.cmp(&b.name)));
    let left_off = classes.len().saturating_sub(MOST_CLASSES) as u64;
    let saved_bytes = classes.iter().filter_map(|it| it.saved_bytes).fold(0, u64::saturating_add);
    classes.truncate(MOST_CLASSES);
    for class in classes.iter_mut().filter(|class| class.unknown.is_none()) {
        let same = |it: &Target| !it.label().contains('-');
        class.versions = Target::known().filter(same).map(|it| version(it, &class.attributes)).collect();
    }
    Ok(SavingsRecord {
        schema: "cpymem.slots/1",
        input: [InputRecord::new(input, &graph.header.form, graph.header.python.as_deref())],
        python: target.label(),
        notes: notes(&graph),
        saved_bytes,
        classes,
        classes_left_off: left_off,
    })
}

/// The dict object of an instance, if it has one: the dump names its keys.
fn own_dict(graph: &Graph, id: u32) -> Option<u32> {
    let is_own = |&&to: &&u32| graph.names.is_named(to) && graph.type_name(to) == "builtins.dict";
    graph.referents(id).iter().find(is_own).copied()
}

fn saving(graph: &Graph, class: &Type, seen: Seen, target: Target) -> ClassSaving {
    let (attributes, unknown) = attributes(graph, class, target);
    let slots_each = version(target, &attributes).slots_bytes.filter(|_| unknown.is_none());
    let slots_bytes = slots_each.map(|each| each.saturating_mul(seen.count));
    ClassSaving {
        name: class.name.clone(),
        count: seen.count,
        with_dict_object: seen.dicts,
        now_bytes: seen.bytes,
        slots_bytes,
        saved_bytes: slots_bytes.map(|slots| seen.bytes.saturating_sub(slots)),
        versions: Vec::new(),
        unknown,
        attributes,
    }
}

/// An instance with these attributes, on a version.
fn version(target: Target, attributes: &[String]) -> VersionSaving {
    let layouts = ClassLayout::object(target).ok().map(|object| {
        (ClassLayout::new("C", &[&object]).ok(), ClassLayout::with_slots("C", &[&object], attributes).ok())
    });
    let (dict, slots) = layouts.unwrap_or_default();
    let bytes =
        |layout: Option<ClassLayout>| Some(Class::new(&layout?).steady(attributes).ok()?.heap_bytes());
    VersionSaving { python: target.label(), dict_bytes: bytes(dict), slots_bytes: bytes(slots) }
}

/// The attributes of a class's instances, and why they do not suffice for a figure if they do not.
fn attributes(graph: &Graph, class: &Type, target: Target) -> (Vec<String>, Option<String>) {
    let Some(it) = graph.attributes(class.id) else {
        return (Vec::new(), Some("the dump names no attributes".to_owned()));
    };
    let mut names: Vec<String> = it.order.iter().flatten().cloned().collect();
    for (name, _) in &it.names {
        if !name.starts_with('<') && !names.contains(name) {
            names.push(name.clone());
        }
    }
    let object = ClassLayout::object(target).ok();
    let plain = object.and_then(|object| ClassLayout::new("C", &[&object]).ok());
    let unknown = if it.names.iter().any(|(name, _)| name.starts_with('<')) || it.order.contains(&None) {
        Some("some attributes are no identifiers".to_owned())
    } else if names.len() > MOST_ATTRIBUTES {
        Some("too many attributes".to_owned())
    } else if plain.is_some_and(|plain| class.basicsize.is_some_and(|bytes| bytes != plain.basicsize())) {
        Some("a base class has fields of its own".to_owned())
    } else {
        None
    };
    names.truncate(MOST_ATTRIBUTES);
    (names, unknown)
}
