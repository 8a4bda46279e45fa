//! What another layout of a class would save, what it would break, and where the next cliff is.

use std::collections::HashSet;

use super::abi::Sharing;
use super::builtin::Builtin;
use super::class::Class;
use super::container;
use super::layout::ClassLayout;
use super::layout_error::LayoutError;
use super::target::Target;

/// A class as it stands in a program: what decides its cost and what stands in the way of another layout.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClassSpec {
    /// Its name.
    pub name: String,
    /// The attributes of an instance in the order they are set, inherited ones included.
    pub attributes: Vec<String>,
    /// The attributes that the class's own methods assign to `self`: 3.14 keeps room for them.
    pub assigned: Vec<String>,
    /// Of `attributes`, those that only methods other than `__init__` assign: an instance may never have them.
    pub optional: Vec<String>,
    /// Names that the class body defines: defaults, methods, properties.
    pub body: Vec<String>,
    /// Its functions decorated with `cached_property`.
    pub cached_properties: Vec<String>,
    /// Its `__slots__` as they are written, if it has any.
    pub slots: Vec<String>,
    /// Slots of its bases.
    pub inherited_slots: Vec<String>,
    /// It has more than one base.
    pub several_bases: bool,
    /// It has a base whose layout is not known; `__slots__` does not remove what such a base brings.
    pub unknown_base: bool,
    /// Its code looks at `self.__dict__` or `vars(self)`.
    pub uses_dict: bool,
    /// Instances are changed after they were made.
    pub mutable: bool,
}

/// Another way to keep the same attributes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RemedyKind {
    /// `__slots__` in the class.
    Slots,
    /// `@dataclass(slots=True)`, from 3.10.
    DataclassSlots,
    /// `typing.NamedTuple`.
    NamedTuple,
    /// A plain tuple.
    Tuple,
}

/// A remedy and its price.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remedy {
    /// What to do.
    pub kind: RemedyKind,
    /// Heap bytes of an instance then.
    pub bytes: u64,
    /// Heap bytes of all instances then.
    pub total_bytes: u64,
    /// What would no longer work, a sentence each.
    pub breaks: Vec<String>,
}

/// A small change of the class that costs much.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cliff {
    /// The change.
    pub change: String,
    /// Heap bytes of an instance after it.
    pub bytes: u64,
    /// Why, in one sentence.
    pub reason: &'static str,
}

/// What is known about a class on one build.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Advice {
    /// The build.
    pub target: Target,
    /// Heap bytes of an instance with a `__dict__`, as it stands without `__slots__`.
    pub bytes: u64,
    /// Of all instances.
    pub total_bytes: u64,
    /// Other layouts, in the order of [`RemedyKind`]; only those the version has.
    pub remedies: Vec<Remedy>,
    /// Cliffs nearby.
    pub cliffs: Vec<Cliff>,
}

/// What `count` instances of a class cost on a build, and what other layouts would cost.
///
/// ```
/// use cpymem_slots::model::{ClassSpec, RemedyKind, Target, advise};
///
/// let user = ClassSpec {
///     name: "User".into(),
///     attributes: ["name", "age", "api_token"].map(String::from).to_vec(),
///     ..ClassSpec::default()
/// };
/// let advice = advise(&user, 1_000_000, "3.12".parse::<Target>().unwrap()).unwrap();
/// assert_eq!(advice.bytes, 96);
/// assert_eq!((advice.remedies[0].kind, advice.remedies[0].bytes), (RemedyKind::Slots, 64));
/// ```
///
/// # Errors
/// What CPython raises for the class with slots - one of an attribute's name that is no identifier, say - and
/// [`LayoutError::Unsupported`] if the target is not modelled.
pub fn advise(spec: &ClassSpec, count: u64, target: Target) -> Result<Advice, LayoutError> {
    let object = ClassLayout::builtin(Builtin::Object, target)
        .map_err(|_| LayoutError::Unsupported { what: "this version or build" })?;
    let plain = ClassLayout::new(&spec.name, &[&object])?;
    let bytes = with_dict(spec, &plain, &spec.attributes);
    let total = |bytes: u64| bytes.saturating_mul(count);
    let mut remedies = Vec::new();
    let mut add = |kind, bytes| {
        remedies.push(Remedy { kind, bytes, total_bytes: total(bytes), breaks: breaks(spec, kind, target) });
    };

    let slotted = ClassLayout::with_slots(&spec.name, &[&object], &spec.attributes)?;
    let slotted = slotted.steady::<&str>([]).map_or(0, |it| it.heap_bytes());
    add(RemedyKind::Slots, slotted);
    if (target.version.major, target.version.minor) >= (3, 10) {
        add(RemedyKind::DataclassSlots, slotted);
    }
    let n = u32::try_from(spec.attributes.len()).unwrap_or(u32::MAX);
    let tuple = ClassLayout::builtin(Builtin::Tuple, target)
        .ok()
        .and_then(|tuple| ClassLayout::with_slots::<&str>(&spec.name, &[&tuple], &[]).ok());
    if let Some(tuple) = tuple {
        add(RemedyKind::NamedTuple, Class::new(&tuple).instance_with_items(n).footprint().heap_bytes());
    }
    if let Ok(tuple) = container::tuple(target, n) {
        add(RemedyKind::Tuple, tuple.heap_bytes());
    }
    let cliffs = cliffs(spec, &plain, &object, bytes);
    Ok(Advice { target, bytes, total_bytes: total(bytes), remedies, cliffs })
}

/// Heap bytes of a warm instance with these attributes in its `__dict__`.
fn with_dict(spec: &ClassSpec, plain: &ClassLayout, attributes: &[String]) -> u64 {
    let class = Class::with_static_attributes(plain, &spec.assigned);
    let mut instance = class.instance();
    if attributes.iter().all(|name| instance.set(name).is_ok()) {
        drop(instance);
        return class.steady(attributes).map_or(0, |it| it.heap_bytes());
    }
    0
}

/// What a remedy breaks, as far as the class shows it.
fn breaks(spec: &ClassSpec, kind: RemedyKind, target: Target) -> Vec<String> {
    let mut all = vec![match kind {
        RemedyKind::Slots => "weak references to instances, unless '__weakref__' is a slot".to_owned(),
        RemedyKind::DataclassSlots => {
            "weak references to instances, unless weakref_slot=True (3.11); the decorator makes a second class"
                .to_owned()
        }
        RemedyKind::NamedTuple | RemedyKind::Tuple => "weak references to instances".to_owned(),
    }];
    if kind == RemedyKind::Slots || kind == RemedyKind::DataclassSlots {
        all.push("pickle protocols 0 and 1, unless the class has __getstate__".to_owned());
    }
    if !spec.cached_properties.is_empty() {
        let names = spec.cached_properties.join(", ");
        all.push(format!("cached_property, which needs a __dict__: {names}"));
    }
    if spec.uses_dict {
        all.push("vars(self) and self.__dict__, which the class uses".to_owned());
    }
    let defaults: Vec<&str> =
        spec.attributes.iter().filter(|name| spec.body.contains(name)).map(String::as_str).collect();
    if kind == RemedyKind::Slots && !defaults.is_empty() {
        all.push(match target.version.major {
            2 => format!("the default of the class hides the slot: {}", defaults.join(", ")),
            _ => format!("ValueError: '{}' in __slots__ conflicts with class variable", defaults[0]),
        });
    }
    if spec.several_bases {
        all.push("a second base with slots: multiple bases have instance lay-out conflict".to_owned());
    }
    if spec.unknown_base {
        all.push("nothing is saved if a base has no __slots__: its __dict__ stays".to_owned());
    }
    if spec.mutable && matches!(kind, RemedyKind::NamedTuple | RemedyKind::Tuple) {
        all.push("assignments to attributes: items of a tuple cannot be set".to_owned());
    }
    all
}

/// Cliffs near this class: changes that cost more than two words an attribute.
fn cliffs(spec: &ClassSpec, plain: &ClassLayout, object: &ClassLayout, bytes: u64) -> Vec<Cliff> {
    const NEAR: usize = 3;
    let abi = plain.node.abi;
    let mut all = Vec::new();
    let mut longer = spec.attributes.clone();
    let mut last = bytes;
    for i in 0..NEAR {
        longer.push(format!("_more_{i}"));
        let next = with_dict(&ClassSpec { assigned: Vec::new(), ..spec.clone() }, plain, &longer);
        if next > last + 16 * abi.word {
            all.push(Cliff {
                change: format!("{} attributes", longer.len()),
                bytes: next,
                reason: match abi.sharing {
                    Sharing::Never => "the dict's own table is full, so every instance gets a bigger one",
                    Sharing::InOrder => "the table that the class shares is full and doubles for every instance",
                    Sharing::AnyOrder => {
                        "the names no longer fit into what the class shares, so every instance gets a table of its own"
                    }
                },
            });
            break;
        }
        last = next;
    }
    all.extend(wasted_slots(spec, object));
    if let Some(first) = spec.attributes.first() {
        let class = Class::with_static_attributes(plain, &spec.assigned);
        if class.steady(&spec.attributes).is_ok() {
            let mut instance = class.instance();
            let lived = spec.attributes.iter().try_for_each(|name| instance.set(name));
            if lived.and_then(|()| instance.delete(first)).is_ok()
                && instance.footprint().heap_bytes() > bytes
            {
                all.push(Cliff {
                    change: format!("del obj.{first}"),
                    bytes: instance.footprint().heap_bytes(),
                    reason: "a deletion ends the sharing of names for the whole class",
                });
            }
        }
    }
    let mixed: Vec<&str> = spec.attributes.iter().map(String::as_str).chain(["__dict__"]).collect();
    if let Ok(mixed) = ClassLayout::with_slots(&spec.name, &[object], &mixed)
        && let Ok(footprint) = mixed.steady(["_extra"])
        && footprint.heap_bytes() > bytes + 16 * abi.word
    {
        all.push(Cliff {
            change: "slots and a __dict__ with one more attribute".to_owned(),
            bytes: footprint.heap_bytes(),
            reason: "a dict beside slots gets room for all the names that the class could share",
        });
    }
    all.extend(unused_places(spec, plain));
    all
}

/// Slots that are listed twice, or that a base has, too: nobody can reach the second one.
fn wasted_slots(spec: &ClassSpec, object: &ClassLayout) -> Option<Cliff> {
    let mut seen: HashSet<&str> = spec.inherited_slots.iter().map(String::as_str).collect();
    let twice: Vec<&str> = spec
        .slots
        .iter()
        .map(String::as_str)
        .filter(|name| !name.starts_with("__") && !seen.insert(name))
        .collect();
    if twice.is_empty() {
        return None;
    }
    let all: Vec<&String> =
        spec.inherited_slots.iter().chain(&spec.slots).filter(|it| !it.starts_with("__")).collect();
    let made = ClassLayout::with_slots(&spec.name, &[object], &all).ok()?;
    Some(Cliff {
        change: format!("slots listed twice or in a base, too: {}", twice.join(", ")),
        bytes: made.steady::<&str>([]).ok()?.heap_bytes(),
        reason: "every listing takes a word of its own, and only one of them is ever used",
    })
}

/// Attributes that methods assign and instances do not have: from 3.14 on they take places all the same.
fn unused_places(spec: &ClassSpec, plain: &ClassLayout) -> Option<Cliff> {
    let (attributes, optional): (HashSet<&String>, HashSet<&String>) =
        (spec.attributes.iter().collect(), spec.optional.iter().collect());
    let unused: HashSet<&String> =
        spec.assigned.iter().filter(|name| optional.contains(name) || !attributes.contains(name)).collect();
    if !plain.node.abi.static_attributes || unused.is_empty() {
        return None;
    }
    let used: Vec<String> = spec.attributes.iter().filter(|name| !unused.contains(name)).cloned().collect();
    let with_places = with_dict(spec, plain, &used);
    let without = with_dict(&ClassSpec { assigned: used.clone(), ..spec.clone() }, plain, &used);
    (with_places > without).then(|| Cliff {
        change: format!(
            "{} attributes that are assigned only outside __init__, before they are set",
            unused.len()
        ),
        bytes: with_places,
        reason: "every name that a method assigns to self has a place in every instance, set or not",
    })
}
