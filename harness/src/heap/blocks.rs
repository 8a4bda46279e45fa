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

use cpymem_slots::model::{Class, ClassLayout, Pymalloc, Target};

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
    /// Bytes of the values that are in no size.
    values: u64,
}

impl Blocks {
    /// For the objects of a dump, by its Python's version; by the nearest known one if that is none.
    pub fn new(dump: &Dump) -> Blocks {
        let (target, known) = target_of(dump.header.python.as_deref());
        let pymalloc = Pymalloc::of(target).ok().flatten();
        let mut shapes = Vec::new();
        for class in dump.types() {
            let slot = class.id as usize;
            if slot >= shapes.len() {
                shapes.resize(slot + 1, Shape::default());
            }
            shapes[slot] = shape(dump, class, target);
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
        let first = if shape.fixed == 0 || size < shape.fixed { size } else { shape.fixed };
        let mut bytes = self.request(first).saturating_add(self.request(size - first));
        if shape.values > 0 && (size == first) && !has_dict(dump, id) {
            bytes = bytes.saturating_add(shape.values);
        }
        bytes
    }

    /// Bytes of the object's first block alone, which is where its address points to; none if libc has it.
    #[inline]
    pub fn pool_block(&self, dump: &Dump, id: u32) -> Option<u64> {
        let shape = dump.type_id(id).and_then(|class| self.shapes.get(class as usize))?;
        let size = dump.size(id);
        let first = if shape.fixed == 0 || size < shape.fixed { size } else { shape.fixed };
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

fn shape(dump: &Dump, class: &Type, target: Target) -> Shape {
    let later = (target.version.major, target.version.minor) >= (3, 11);
    let Some(basic) = class.basicsize.filter(|_| class.itemsize.unwrap_or(0) == 0) else {
        return Shape::default();
    };
    let head = if class.gc { GC_HEAD } else { 0 };
    let pre = if later && class.heap && (class.has_dict || class.weakref) { PRE_HEADER } else { 0 };
    let outside = dump.header.inline_values.as_deref() == Some("outside size");
    let apart = later && outside && class.heap && class.has_dict;
    let values = apart.then(|| values(dump, class, target)).flatten();
    Shape { fixed: basic.saturating_add(head + pre), values: values.unwrap_or(0) }
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
