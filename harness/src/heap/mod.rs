//! Heap dumps: the forms PYHEAP 1 and 2, JSON lines, read into compact arrays.
//!
//! ```text
//! {"form": "PYHEAP 2", "python": ...}                                     the header, first
//! {"process": {"smaps": [[start, end, rss_kib, anon_kib, name], ...], "mallocstats": "..."}}
//! [id, type, size, flags, refcount, address, [referents, ...], label]     an object; ids from 0, no gaps
//! {"type": {"id", "name", "basicsize", ...}}                              a type
//! {"names": ...} {"attrs": ...}                                           counted, not kept
//! {"end": {"objects", "edges", "gc_collected_after", ...}}                the end, last
//! ```
//!
//! Objects are most of a dump, so their lines are parsed by hand; a [`Dump`] holds about 25
//! bytes for an object and 4 for a reference. A row of type -1 is the dumper's own: it keeps its
//! id, and [`Objects::is_object`] is false for it.

mod dump;
mod header;
mod objects;
mod reader;
mod row;

pub use dump::Dump;
pub use header::{End, GcStats, Header, Mapping, Process, Type};
pub use objects::{Flags, Objects};
pub use reader::Labels;
