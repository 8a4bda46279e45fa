//! What an object really takes from the process: blocks of pymalloc and chunks of libc.
//!
//! `sys.getsizeof` is the sum of an object's own requests, but for two things. A container whose type has no items
//! asks twice: for the object, and for its table or array; what is over `tp_basicsize` (and the collector's and
//! the dict's words before the object) is the second request. And the attribute values of instances of 3.11 and
//! later are in no size at all: [`cpymem_slots::model`] knows what they take.
//!
//! ```text
//! request <= 512 bytes: a block, the request rounded up to 16
//! larger:               a chunk, the request and a word rounded up to 16
//! ```

use std::collections::HashMap;

use cpymem_slots::model::{Class, ClassLayout, Pymalloc, Target};

use super::attributes::{TypeRows, dict_of_type, resolution_order};
use super::dump::Dump;
use super::header::{Mapping, Type};
use super::objects::Flags;

/// What the collector needs before an object.
const GC_HEAD: u64 = 16;
/// What an instance of 3.11 and later needs before that for its dict and its weak references.
const PRE_HEADER: u64 = 16;
/// Attributes of which the model is asked at most.
const MOST_ATTRIBUTES: usize = 256;

/// What objects of a dump take.
#[derive(Clone, Debug)]
pub struct Blocks {
    target: Target,
    known: bool,
    largest: u64,
    alignment: u64,
    shapes: Vec<Shape>,
    /// Address ranges of programs and libraries: what is immortal there was never allocated.
    files: Vec<(u64, u64)>,
}

/// How objects of a type are laid out.
#[derive(Clone, Copy, Debug, Default)]
struct Shape {
    /// Bytes of the first request; 0 if the type has items, and with them everything is one request.
    fixed: u64,
    /// Bytes beyond the size: heap types with items ask for one more (`_PyType_AllocNoTrack`,
    /// `Objects/typeobject.c`).
    sentinel: u64,
    /// Bytes of the values that are in no size.
    values: u64,
}

impl Shape {
    /// Bytes of the first request of an object of this size.
    #[inline]
    fn first(self, size: u64) -> u64 {
        if self.fixed == 0 || size < self.fixed { size.saturating_add(self.sentinel) } else { self.fixed }
    }
}

impl Blocks {
    /// For the objects of a dump, by its Python's version; by the nearest known one if that is none.
    pub fn new(dump: &Dump) -> Blocks {
        let (target, known) = target_of(dump.header.python.as_deref());
        let pymalloc = Pymalloc::of(target).ok().flatten();
        let facts = facts(dump, target);
        let mut shapes = Vec::new();
        for class in dump.types() {
            let slot = class.id as usize;
            if slot >= shapes.len() {
                shapes.resize(slot + 1, Shape::default());
            }
            shapes[slot] = shape(dump, class, facts.get(&class.id).copied().unwrap_or_default(), target);
        }
        let smaps = dump.process.as_ref().and_then(|process| process.smaps.as_deref());
        Blocks {
            target,
            known,
            largest: pymalloc.map_or(512, |it| it.largest_bytes),
            alignment: pymalloc.map_or(16, |it| it.alignment_bytes),
            shapes,
            files: smaps.map(files).unwrap_or_default(),
        }
    }

    /// The version whose rules are taken.
    pub fn target(&self) -> Target {
        self.target
    }

    /// Whether that is the dump's own version.
    pub fn is_known(&self) -> bool {
        self.known
    }

    /// Bytes of blocks and chunks of an object; 0 for what is part of a program or library, and for rows that are
    /// no objects.
    #[inline]
    pub fn bytes(&self, dump: &Dump, id: u32) -> u64 {
        let Some(shape) = dump.type_id(id).and_then(|class| self.shapes.get(class as usize)) else {
            return 0;
        };
        if self.is_static(dump, id) {
            return 0;
        }
        let size = dump.size(id);
        let first = shape.first(size);
        let mut bytes = self.request(first).saturating_add(self.request(size.saturating_sub(first)));
        if shape.values > 0 && size == first && !has_dict(dump, id) {
            bytes = bytes.saturating_add(shape.values);
        }
        bytes
    }

    /// Bytes of the object's first block alone, which is where its address points to; none if libc has it.
    #[inline]
    pub fn pool_block(&self, dump: &Dump, id: u32) -> Option<u64> {
        let shape = dump.type_id(id).and_then(|class| self.shapes.get(class as usize))?;
        let first = shape.first(dump.size(id));
        (first > 0 && first <= self.largest).then(|| self.request(first))
    }

    /// What a request takes.
    #[inline]
    pub fn request(&self, bytes: u64) -> u64 {
        match bytes {
            0 => 0,
            _ if bytes <= self.largest => bytes.next_multiple_of(self.alignment),
            _ => bytes.saturating_add(8 + 15) / 16 * 16,
        }
    }

    #[inline]
    fn is_static(&self, dump: &Dump, id: u32) -> bool {
        let may_be = dump.immortal(id) || dump.flags(id).has(Flags::TYPE);
        may_be
            && dump.address(id).is_some_and(|address| {
                let after = self.files.partition_point(|&(start, _)| start <= address);
                after.checked_sub(1).is_some_and(|k| address < self.files[k].1)
            })
    }
}

/// The target of a version as `platform.python_version()` writes it; the nearest known one if it is none.
pub(crate) fn target_of(python: Option<&str>) -> (Target, bool) {
    let text = python.unwrap_or_default();
    let exact = text.parse::<Target>().ok().filter(|&target| ClassLayout::object(target).is_ok());
    if let Some(target) = exact {
        return (target, true);
    }
    let number = |part: Option<&str>| {
        let digits: String = part.unwrap_or_default().chars().take_while(char::is_ascii_digit).collect();
        digits.parse::<u32>().unwrap_or(u32::from(u8::MAX))
    };
    let mut parts = text.split('.');
    let asked = (number(parts.next()), number(parts.next()));
    let known = Target::known().filter(|target| !target.build.free_threaded && !target.label().contains('-'));
    let distance = |target: &Target| {
        let version = (u32::from(target.version.major), u32::from(target.version.minor));
        version.0.abs_diff(asked.0) * 1000 + version.1.abs_diff(asked.1)
    };
    // Without a version at all every one is as far, and the newest comes last.
    let near = known.enumerate().min_by_key(|(k, target)| (distance(target), std::cmp::Reverse(*k)));
    let same = |target: Target| {
        (u32::from(target.version.major), u32::from(target.version.minor)) == asked && !text.contains('t')
    };
    match near {
        Some((_, target)) => (target, same(target)),
        None => (Target::from(cpymem_slots::model::PyVersion { major: 3, minor: 12, patch: 0 }), false),
    }
}

fn shape(dump: &Dump, class: &Type, facts: Facts, target: Target) -> Shape {
    // A string's characters stand behind its fields, although its type says nothing of items.
    let items = class.itemsize.unwrap_or(0);
    let Some(basic) = class.basicsize.filter(|_| items == 0 && class.name != "builtins.str") else {
        return Shape { sentinel: if facts.derived { items.unsigned_abs() } else { 0 }, ..Shape::default() };
    };
    let head = if class.gc { GC_HEAD } else { 0 };
    let pre = if facts.words_before { PRE_HEADER } else { 0 };
    let outside = dump.header.inline_values.as_deref() == Some("outside size");
    let apart = facts.words_before && outside && class.has_dict;
    let values = apart.then(|| values(dump, class, target)).flatten();
    Shape { fixed: basic.saturating_add(head + pre), sentinel: 0, values: values.unwrap_or(0) }
}

/// What the row of a type tells about its instances.
#[derive(Clone, Copy, Debug, Default)]
struct Facts {
    /// They have words for a dict or weak references before them: the class, or a base, was made by a `class`
    /// statement and so has these descriptors in its dict. A heap type made in C has not.
    words_before: bool,
    /// The type is derived from a built-in one with items, and allocates as heap types do.
    derived: bool,
}

/// Types made in C that have the words before their instances all the same (3.12 and later).
const WORDS_BEFORE: [&str; 3] = ["typing.TypeVar", "typing.ParamSpec", "typing.TypeVarTuple"];
/// Built-in types with items that classes derive from.
const WITH_ITEMS: [&str; 3] = ["builtins.tuple", "builtins.int", "builtins.bytes"];

/// The facts of heap types, by their ids.
fn facts(dump: &Dump, target: Target) -> HashMap<u32, Facts> {
    let version = (target.version.major, target.version.minor);
    let descriptor = if version >= (3, 12) { "__weakref__" } else { "__dict__" };
    let rows = TypeRows::of(dump);
    let mut known: HashMap<u32, bool> = HashMap::new();
    let mut made_by_class = |row: u32| {
        let Some(dict) = dict_of_type(dump, row) else { return false };
        *known.entry(dict).or_insert_with(|| {
            let has = |wanted: &str| {
                let keys = dump.names.keys(dict).into_iter().flatten().flatten();
                keys.map(|name| dump.names.symbols().name(name)).any(|name| name == wanted)
            };
            has("__module__") && has(descriptor)
        })
    };
    let mut facts = HashMap::new();
    for class in dump.types().filter(|class| class.heap) {
        let rows = rows.named(&class.name);
        // The same statement may have made many classes; they are alike.
        let bases = || rows.iter().take(2).flat_map(|&row| resolution_order(dump, row));
        let may = version >= (3, 11) && (class.has_dict || (class.weakref && version >= (3, 12)));
        let words_before = may
            && if dump.names.is_empty() || rows.is_empty() {
                class.has_dict
            } else {
                bases().any(&mut made_by_class)
                    || (version >= (3, 12) && WORDS_BEFORE.contains(&class.name.as_str()))
            };
        let derived = class.itemsize.is_some_and(|items| items != 0)
            && bases().any(|base| dump.label(base).is_some_and(|label| WITH_ITEMS.contains(&label)));
        facts.insert(class.id, Facts { words_before, derived });
    }
    facts
}

/// What the values of an instance take beyond its size.
fn values(dump: &Dump, class: &Type, target: Target) -> Option<u64> {
    let attributes = dump.attributes(class.id)?;
    let names: Vec<String> = if attributes.order.is_empty() {
        attributes.names.iter().map(|(name, _)| name.clone()).collect()
    } else {
        // A name that is not told still has a place.
        let unnamed = |k: usize| format!("unnamed {k}");
        let named = attributes.order.iter().enumerate();
        named.map(|(k, name)| name.clone().unwrap_or_else(|| unnamed(k))).collect()
    };
    let names = &names[..names.len().min(MOST_ATTRIBUTES)];
    let layout = ClassLayout::new("C", &[&ClassLayout::object(target).ok()?]).ok()?;
    let whole = Class::new(&layout).steady(names).ok()?;
    let object = whole.getsizeof();
    let block = if object <= 512 { object.next_multiple_of(16) } else { (object + 23) / 16 * 16 };
    whole.heap_bytes().checked_sub(block)
}

/// Whether the instance has a dict object of its own.
fn has_dict(dump: &Dump, id: u32) -> bool {
    dump.referents(id).iter().any(|&to| dump.names.is_named(to))
}

/// The mappings of files, and what the program's zeroed data adds to them, in ascending order.
fn files(smaps: &[Mapping]) -> Vec<(u64, u64)> {
    let mut ranges: Vec<(u64, u64)> = Vec::new();
    let mut sorted: Vec<&Mapping> = smaps.iter().collect();
    sorted.sort_by_key(|mapping| mapping.start);
    for mapping in sorted {
        let follows = ranges.last().is_some_and(|&(_, end)| end == mapping.start);
        let of_file = !mapping.name.is_empty() && !mapping.name.starts_with('[');
        if of_file || (mapping.name.is_empty() && follows) {
            ranges.push((mapping.start, mapping.end));
        }
    }
    ranges
}

impl Default for Blocks {
    /// For no objects.
    fn default() -> Blocks {
        let (target, known) = target_of(None);
        Blocks { target, known, largest: 512, alignment: 16, shapes: Vec::new(), files: Vec::new() }
    }
}
