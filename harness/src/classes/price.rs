//! Described classes to bytes on every version.

use std::collections::{HashMap, HashSet};

use cpymem_slots::model::{Builtin, Class, ClassLayout, ClassSpec, Dataclass, RemedyKind, Target, advise};

use super::Wish;
use super::describe::{Decorator, Described, WrittenSlots};
use crate::record_classes::{ClassRecord, ClassesRecord, CliffRecord, VersionRecord};

/// Bases that make something else of a class than an object with attributes.
const OTHER_KINDS: [&str; 7] = ["TypedDict", "Enum", "IntEnum", "StrEnum", "Flag", "IntFlag", "Protocol"];

/// Bases without fields of their own.
const EMPTY_BASES: [&str; 3] = ["object", "ABC", "Generic"];

/// Exceptions that are laid out as `Exception` in every version.
const PLAIN_EXCEPTIONS: [&str; 25] = [
    "BaseException",
    "ArithmeticError",
    "AssertionError",
    "BufferError",
    "EOFError",
    "FloatingPointError",
    "GeneratorExit",
    "IndexError",
    "KeyError",
    "KeyboardInterrupt",
    "LookupError",
    "NotImplementedError",
    "OverflowError",
    "RecursionError",
    "ReferenceError",
    "RuntimeError",
    "StopAsyncIteration",
    "TypeError",
    "ValueError",
    "Warning",
    "UserWarning",
    "DeprecationWarning",
    "RuntimeWarning",
    "FutureWarning",
    "ZeroDivisionError",
];

/// Attributes of one class that are looked at.
const MOST_ATTRIBUTES: usize = 100_000;

/// Of a class with more attributes the somewhat dearer first instances are not told apart from the others.
const MOST_IN_POPULATION: usize = 128;

/// How a class is made.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    Dict,
    Slots,
    Declared,
}

/// A class among the others of its file.
struct Placed<'a> {
    class: &'a Described,
    /// The classes of the file it derives from, and built-in ones.
    bases: Vec<Base>,
    attributes: Vec<String>,
    /// Of a dataclass: all fields, inherited ones first.
    fields: Vec<String>,
    /// Slots that the bases list.
    inherited_slots: Vec<String>,
    unknown_bases: Vec<&'a str>,
}

#[derive(Clone, Copy)]
enum Base {
    Here(usize),
    Builtin(Builtin),
}

/// A layout, or what CPython says instead.
type Made = Result<ClassLayout, String>;

pub(super) fn all(classes: &[Described], wish: &Wish) -> ClassesRecord {
    let placed = place(classes);
    let names: HashSet<&str> = classes.iter().map(|class| class.name.as_str()).collect();
    let mut records: Vec<ClassRecord> = placed.iter().map(|it| described(it, &names)).collect();
    let targets: Vec<Target> = if wish.targets.is_empty() { default_targets() } else { wish.targets.clone() };
    for target in targets {
        let [dict, slots, declared] =
            [Way::Dict, Way::Slots, Way::Declared].map(|way| layouts(&placed, target, way));
        for (i, it) in placed.iter().enumerate() {
            let version = version(it, target, wish.count, &dict[i], &slots[i], &declared[i]);
            records[i].versions.push(version);
        }
    }
    ClassesRecord { schema: "cpymem.slots/1", input: Vec::new(), count: wish.count, classes: records }
}

/// The versions that are told without being asked for: those of 64 bits.
fn default_targets() -> Vec<Target> {
    Target::known().filter(|target| !target.label().contains('-')).collect()
}

fn place(classes: &[Described]) -> Vec<Placed<'_>> {
    let mut by_name: HashMap<&str, usize> = HashMap::new();
    let mut all: Vec<Placed<'_>> = Vec::new();
    for (index, class) in classes.iter().enumerate() {
        let mut it = Placed {
            class,
            bases: Vec::new(),
            attributes: Vec::new(),
            fields: Vec::new(),
            inherited_slots: Vec::new(),
            unknown_bases: Vec::new(),
        };
        let (mut seen, mut seen_fields) = (HashSet::new(), HashSet::new());
        for name in &class.bases {
            if let Some(&base) = by_name.get(name.as_str()) {
                it.bases.push(Base::Here(base));
                extend(&mut it.attributes, &mut seen, &all[base].attributes);
                extend(&mut it.fields, &mut seen_fields, &all[base].fields);
                let slots = all[base].class.slots.iter().flat_map(WrittenSlots::names).map(str::to_owned);
                it.inherited_slots.extend(all[base].inherited_slots.iter().cloned().chain(slots));
            } else if let Some(builtin) = builtin_base(name) {
                it.bases.push(Base::Builtin(builtin));
            } else if !EMPTY_BASES.contains(&last_part(name)) {
                it.unknown_bases.push(name);
            }
        }
        extend(&mut it.attributes, &mut seen, &class.own_attributes());
        if let Decorator::Dataclass { .. } = class.decorator {
            extend(&mut it.fields, &mut seen_fields, &class.fields);
        }
        all.push(it);
        by_name.insert(&class.name, index);
    }
    all
}

/// The built-in class of that name, or one of its layout.
fn builtin_base(name: &str) -> Option<Builtin> {
    if PLAIN_EXCEPTIONS.contains(&name) {
        return Some(Builtin::Exception);
    }
    if last_part(name) == "NamedTuple" {
        return Some(Builtin::Tuple);
    }
    Builtin::ALL.into_iter().find(|builtin| builtin.name() == name)
}

fn extend(attributes: &mut Vec<String>, seen: &mut HashSet<String>, more: &[String]) {
    for name in more {
        if attributes.len() < MOST_ATTRIBUTES && seen.insert(name.clone()) {
            attributes.push(name.clone());
        }
    }
}

fn last_part(name: &str) -> &str {
    name.rsplit('.').next().unwrap_or(name)
}

/// Whether the figures of a class with slots and a dict say anything about it.
fn is_object(it: &Placed<'_>) -> bool {
    !it.class.bases.iter().any(|base| OTHER_KINDS.contains(&last_part(base)))
}

/// The layouts of all classes, each made of those above it.
fn layouts(placed: &[Placed<'_>], target: Target, way: Way) -> Vec<Made> {
    let builtin = |it| ClassLayout::builtin(it, target).map_err(|error| error.to_string());
    let mut made: Vec<Made> = Vec::new();
    for it in placed {
        let bases: Result<Vec<ClassLayout>, String> = it
            .bases
            .iter()
            .map(|base| match base {
                // What if it were no tuple?
                Base::Builtin(Builtin::Tuple) if way != Way::Declared && it.class.is_named_tuple() => {
                    builtin(Builtin::Object)
                }
                Base::Here(index) => made[*index].clone(),
                Base::Builtin(known) => builtin(*known),
            })
            .collect();
        made.push(bases.and_then(|mut bases| {
            if bases.is_empty() {
                bases.push(builtin(Builtin::Object)?);
            }
            layout(it, &bases, target, way)
        }));
    }
    made
}

fn layout(it: &Placed<'_>, bases: &[ClassLayout], target: Target, way: Way) -> Made {
    let class = it.class;
    let name = last_part(&class.name);
    let bases: Vec<&ClassLayout> = bases.iter().collect();
    let inherited = |name: &String| bases.iter().any(|base| base.slot(name).is_some());
    let not_inherited =
        |names: &[String]| -> Vec<String> { names.iter().filter(|name| !inherited(name)).cloned().collect() };
    let body: Vec<&str> = class.body.iter().map(String::as_str).collect();
    let plain = |written: &WrittenSlots| {
        written.with_value(|slots| ClassLayout::with_slots_value(name, &bases, slots, &body))
    };
    let made = match (way, &class.decorator) {
        (Way::Dict, _) => ClassLayout::new(name, &bases),
        (Way::Slots, _) => ClassLayout::with_slots(name, &bases, &not_inherited(&class.own_attributes())),
        (Way::Declared, _) if class.is_named_tuple() => ClassLayout::with_slots::<&str>(name, &bases, &[]),
        (Way::Declared, &Decorator::Dataclass { slots, weakref_slot, .. }) => {
            let fields: Vec<&str> = it.fields.iter().map(String::as_str).collect();
            let bare = Dataclass { name, fields: &fields, slots, weakref_slot, written: None, body: &body };
            match &class.slots {
                Some(written) => {
                    written.with_value(|value| Dataclass { written: Some(value), ..bare }.layout(&bases))
                }
                None => bare.layout(&bases),
            }
        }
        (Way::Declared, Decorator::Attrs { slots: true }) => {
            let weakref = (!bases.iter().any(|base| base.has_weakref())).then(|| "__weakref__".to_owned());
            let slots: Vec<String> = not_inherited(&class.fields).into_iter().chain(weakref).collect();
            ClassLayout::with_slots(name, &bases, &slots)
        }
        (Way::Declared, _) => class.slots.as_ref().map_or_else(|| ClassLayout::new(name, &bases), plain),
    };
    made.map_err(|error| error.in_class_statement(target))
}

fn spec(it: &Placed<'_>) -> ClassSpec {
    let class = it.class;
    ClassSpec {
        name: last_part(&class.name).to_owned(),
        attributes: it.attributes.clone(),
        assigned: if class.decorator == Decorator::None { class.assigned.clone() } else { Vec::new() },
        optional: class.optional.clone(),
        slots: class.slots.iter().flat_map(WrittenSlots::names).map(str::to_owned).collect(),
        inherited_slots: it.inherited_slots.clone(),
        body: class.body.clone(),
        cached_properties: class.cached_properties.clone(),
        several_bases: class.bases.len() > 1,
        unknown_base: !it.unknown_bases.is_empty(),
        uses_dict: class.uses_dict,
        mutable: class.mutable,
    }
}

/// What does not depend on the version; `below` are the names of the classes that come later, too.
fn described(it: &Placed<'_>, below: &HashSet<&str>) -> ClassRecord {
    let class = it.class;
    let newest = Target::known().filter(|target| !target.build.free_threaded).last();
    let advice = newest.and_then(|newest| advise(&spec(it), 1, newest).ok());
    let is_dataclass = matches!(class.decorator, Decorator::Dataclass { .. });
    let kind = if is_dataclass { RemedyKind::DataclassSlots } else { RemedyKind::Slots };
    let breaks = advice.and_then(|advice| advice.remedies.into_iter().find(|it| it.kind == kind));
    let mut notes = Vec::new();
    if !is_object(it) {
        notes.push("enumerations, typed dicts and protocols are counted as plain classes".to_owned());
    }
    for base in &it.unknown_bases {
        notes.push(if below.contains(base) {
            format!("base {base} stands below: NameError: name '{base}' is not defined, unless it is imported, too")
        } else {
            format!("base {base} is not in this file; it is taken for a class with empty __slots__")
        });
    }
    if class.slots_unknown {
        notes.push("__slots__ is computed; the class is taken for one without".to_owned());
    }
    let makes_slots = matches!(
        class.decorator,
        Decorator::Dataclass { slots: true, .. } | Decorator::Attrs { slots: true }
    );
    let has_slots = class.slots.is_some() || makes_slots || class.is_named_tuple();
    ClassRecord {
        name: class.name.clone(),
        line: (class.line > 0).then_some(class.line),
        attributes: it.attributes.clone(),
        has_slots,
        breaks: breaks.filter(|_| !has_slots).map_or(Vec::new(), |slots| slots.breaks),
        notes,
        versions: Vec::new(),
        diff: None,
    }
}

fn version(
    it: &Placed<'_>,
    target: Target,
    count: u64,
    dict: &Made,
    slots: &Made,
    declared: &Made,
) -> VersionRecord {
    let hand_written = it.class.decorator == Decorator::None;
    let assigned: &[String] = if hand_written { &it.class.assigned } else { &[] };
    let class = |made: &Made| Some(Class::with_static_attributes(made.as_ref().ok()?, assigned));
    let bytes = |made: &Made| Some(class(made)?.steady(&it.attributes).ok()?.heap_bytes());
    // The fields of a named tuple are its items.
    let items = it.class.is_named_tuple().then(|| u32::try_from(it.attributes.len()).unwrap_or(u32::MAX));
    let declared_bytes = || match items {
        Some(items) => Some(class(declared)?.instance_with_items(items).footprint().heap_bytes()),
        None => bytes(declared),
    };
    let total = |made: &Made| {
        if it.attributes.len() > MOST_IN_POPULATION {
            return Some(bytes(made)?.saturating_mul(count));
        }
        Some(class(made)?.population(&it.attributes, count).ok()?.heap_bytes)
    };
    // Advice is for objects: what an exception or a list brings is another matter.
    let is_object = dict.as_ref().is_ok_and(|layout| layout.root() == Builtin::Object);
    let advice = advise(&spec(it), count, target).ok().filter(|_| is_object);
    let remedy = |kind| advice.as_ref()?.remedies.iter().find(|it| it.kind == kind).map(|it| it.bytes);
    let named_tuple = it.class.is_named_tuple();
    let cliffs = advice.iter().filter(|_| !named_tuple).flat_map(|advice| &advice.cliffs).map(|cliff| {
        CliffRecord { change: cliff.change.clone(), bytes: cliff.bytes, reason: cliff.reason.to_owned() }
    });
    VersionRecord {
        python: target.label(),
        dict_bytes: bytes(dict),
        slots_bytes: bytes(slots),
        declared_bytes: declared_bytes(),
        named_tuple_bytes: remedy(RemedyKind::NamedTuple),
        tuple_bytes: remedy(RemedyKind::Tuple),
        dict_total_bytes: total(dict),
        slots_total_bytes: total(slots),
        error: declared.as_ref().err().cloned(),
        slots_error: slots.as_ref().err().cloned(),
        cliffs: cliffs.collect(),
    }
}
