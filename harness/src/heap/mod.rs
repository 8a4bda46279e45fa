//! Heap dumps: the forms PYHEAP 1 and 2, JSON lines, read into compact arrays.
//!
//! ```text
//! {"form": "PYHEAP 2", "python": ...}                                     the header, first
//! {"process": {"smaps": [[start, end, rss_kib, anon_kib, name], ...], "mallocstats": "..."}}
//! [id, type, size, flags, refcount, address, [referents, ...], label]     an object; ids from 0, no gaps
//! {"type": {"id", "name", "basicsize", ...}}                              a type
//! {"names": {"id", "keys": [name, ...]}}                                  the keys of a dict's referents
//! {"attrs": {"type", "names", "order"}}                                   attributes of a class's instances
//! {"end": {"objects", "edges", "gc_collected_after", ...}}                the end, last
//! ```
//!
//! Objects are most of a dump, so their lines are parsed by hand; a [`Dump`] holds about 25
//! bytes for an object and 4 for a reference. A row of type -1 is the dumper's own: it keeps its
//! id, and [`Objects::is_object`] is false for it.
//!
//! A [`Graph`] is a dump with its [`Garbage`], the [`Components`] that hold it, and [`Blocks`], which know what an
//! object really takes. It makes the tree of [`Dominators`], from which [`Retained`] adds up what an object keeps
//! alive, and finds the [`Owners`]: who holds an object, by names, and what each has ([`Owned`]). All of it are arrays in the order of the rows,
//! and every walk has its own stack.

mod attributes;
mod bits;
mod blocks;
mod components;
mod dominators;
mod dump;
mod garbage;
mod graph;
mod header;
mod mallocstats;
mod names;
mod objects;
mod owned;
mod owners;
mod reader;
mod retained;
mod row;
mod ways;

pub use attributes::AttributeNames;
pub use bits::Bits;
pub use blocks::Blocks;
pub use components::Components;
pub use dominators::Dominators;
pub use dump::Dump;
pub use garbage::{Garbage, Wrong};
pub use graph::Graph;
pub use header::{End, GcStats, Header, Malloc, Mapping, Process, Type};
pub use mallocstats::{MallocStats, SizeClass};
pub use names::{Attributes, Names, Symbol, Symbols};
pub use objects::{Flags, Objects};
pub use owned::Owned;
pub use owners::{Owners, Path};
pub use reader::Labels;
pub use retained::Retained;
pub use ways::{Start, Ways};
