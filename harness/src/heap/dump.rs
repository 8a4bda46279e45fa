//! A whole dump.

use std::ops::Deref;

use super::header::{End, Header, Process, Type};
use super::names::{Attributes, Names};
use super::objects::Objects;

/// A heap dump. Dereferences to its [`Objects`].
///
/// # Invariants
/// 1. `end.objects` = rows, `end.edges` = references, and every reference is to a row.
/// 2. Every type of an object is in `types`.
#[derive(Clone, Debug)]
pub struct Dump {
    /// What the dump says about itself.
    pub header: Header,
    /// The process's memory, if it was written.
    pub process: Option<Process>,
    /// The last line.
    pub end: End,
    /// Lines that name the keys of dicts.
    pub names_lines: u64,
    /// Lines that name the attributes of classes.
    pub attrs_lines: u64,
    /// Names of the keys of dicts, if labels were asked for.
    pub names: Names,
    /// Dicts whose names do not fit their referents: they changed while they were dumped.
    pub names_dropped: u64,
    pub(super) attributes: Vec<Attributes>,
    pub(super) types: Vec<Option<Type>>,
    pub(super) objects: Objects,
    pub(super) labels: LabelList,
}

impl Dump {
    /// Whether the dump says that it comes from a build without the GIL: its counts are not exact.
    pub fn is_free_threaded(&self) -> bool {
        let python = self.header.python.as_deref().unwrap_or_default();
        let by_version = python.contains("free-threading")
            || python.split([' ', '+']).next().is_some_and(|it| it.ends_with('t'));
        self.header.free_threaded.unwrap_or(by_version)
    }

    /// The types in the order of their ids.
    pub fn types(&self) -> impl Iterator<Item = &Type> {
        self.types.iter().flatten()
    }

    /// A type by its id.
    pub fn type_by_id(&self, id: u32) -> Option<&Type> {
        self.types.get(id as usize)?.as_ref()
    }

    /// The type of an object; none for the dumper's own rows.
    pub fn type_of(&self, id: u32) -> Option<&Type> {
        self.type_by_id(self.type_id(id)?)
    }

    /// The name of an object's type, module first; empty for the dumper's own rows.
    pub fn type_name(&self, id: u32) -> &str {
        self.type_of(id).map_or("", |class| &class.name)
    }

    /// The objects that have a label that was kept, with it, in the order of their numbers.
    pub fn labels(&self) -> impl Iterator<Item = (u32, &str)> {
        let list = &self.labels;
        let start = |k: usize| k.checked_sub(1).map_or(0, |before| list.ends[before].1);
        list.ends.iter().enumerate().filter_map(move |(k, &(id, end))| {
            Some((id, std::str::from_utf8(&list.text[start(k) as usize..end as usize]).ok()?))
        })
    }

    /// What the dump says about the attributes of a class's instances.
    pub fn attributes(&self, class: u32) -> Option<&Attributes> {
        let k = self.attributes.binary_search_by_key(&class, |it| it.class).ok()?;
        Some(&self.attributes[k])
    }

    /// An object's label: the name of a type, module or function, or the hash of a string. None if it
    /// has none or labels were not asked for.
    pub fn label(&self, id: u32) -> Option<&str> {
        self.labels.get(id)
    }
}

impl Deref for Dump {
    type Target = Objects;

    fn deref(&self) -> &Objects {
        &self.objects
    }
}

/// The labels of the objects that have one, in one text.
///
/// # Invariants
/// 1. `ends` is sorted by id and by end: label `k` is `text[end of k - 1..end of k]`.
#[derive(Clone, Debug, Default)]
pub(super) struct LabelList {
    pub(super) text: Vec<u8>,
    pub(super) ends: Vec<(u32, u32)>,
}

impl LabelList {
    fn get(&self, id: u32) -> Option<&str> {
        let k = self.ends.binary_search_by_key(&id, |&(id, _)| id).ok()?;
        let start = k.checked_sub(1).map_or(0, |before| self.ends[before].1);
        std::str::from_utf8(&self.text[start as usize..self.ends[k].1 as usize]).ok()
    }
}
