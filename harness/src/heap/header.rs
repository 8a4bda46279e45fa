//! The lines of a dump that are not objects, as serde reads them.

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::names::Attributes;

/// What a dump says about itself. Keys that are not here are ignored.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Header {
    /// `PYHEAP 1` or `PYHEAP 2`.
    pub form: String,
    /// Python's version.
    #[serde(default)]
    pub python: Option<String>,
    /// Python's implementation.
    #[serde(default)]
    pub implementation: Option<String>,
    /// The machine's architecture.
    #[serde(default)]
    pub machine: Option<String>,
    /// The process.
    #[serde(default)]
    pub pid: Option<u64>,
    /// The program's file name.
    #[serde(default)]
    pub argv0: Option<String>,
    /// What the dump's author wanted to say.
    #[serde(default)]
    pub note: Option<String>,
    /// Seconds since 1970.
    #[serde(default)]
    pub time: Option<f64>,
    /// Objects that the collector tracked, the dumper's own included.
    #[serde(default)]
    pub tracked: Option<u64>,
    /// Whether automatic collection was on.
    #[serde(default)]
    pub gc_enabled: Option<bool>,
    /// `gc.get_threshold()`.
    #[serde(default)]
    pub gc_threshold: Option<Vec<u64>>,
    /// `gc.get_count()`.
    #[serde(default)]
    pub gc_count: Option<Vec<u64>>,
    /// `gc.get_stats()`.
    #[serde(default)]
    pub gc_stats: Option<Vec<GcStats>>,
    /// `gc.get_freeze_count()`.
    #[serde(default)]
    pub frozen: Option<u64>,
    /// Whether strings carry a hash as their label.
    #[serde(default)]
    pub hashed: Option<bool>,
    /// Where instances keep attributes that `size` does not count.
    #[serde(default)]
    pub inline_values: Option<String>,
    /// How instances were looked into: `memory` or `none`.
    #[serde(default)]
    pub layout: Option<String>,
    /// Whether the build has no GIL.
    #[serde(default)]
    pub free_threaded: Option<bool>,
    /// `sys.getallocatedblocks()`.
    #[serde(default)]
    pub allocated_blocks: Option<u64>,
}

/// What a generation of the collector did so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub struct GcStats {
    /// Collections.
    pub collections: u64,
    /// Unreachable objects freed.
    pub collected: u64,
    /// Unreachable objects that could not be freed.
    pub uncollectable: u64,
}

/// A type of the dumped process.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Type {
    /// The number that rows use.
    pub id: u32,
    /// Module and qualified name.
    pub name: String,
    /// `tp_basicsize`, in bytes.
    #[serde(default)]
    pub basicsize: Option<u64>,
    /// `tp_itemsize`, in bytes.
    #[serde(default)]
    pub itemsize: Option<i64>,
    /// Whether the collector knows instances.
    #[serde(default)]
    pub gc: bool,
    /// Whether instances can have a `__dict__`.
    #[serde(default)]
    pub has_dict: bool,
    /// Whether instances can be weakly referenced.
    #[serde(default)]
    pub weakref: bool,
    /// Whether the type is a heap type: made by a `class` statement or its like.
    #[serde(default)]
    pub heap: bool,
    /// `slots`, `dict`, `slots+dict`, `builtin` or `plain`.
    #[serde(default)]
    pub kind: Option<String>,
    /// Names in `__slots__`, base classes included.
    #[serde(default)]
    pub slots: Vec<String>,
}

/// The memory of the dumped process.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct Process {
    /// Mappings with resident pages, if `/proc/self/smaps` could be read.
    #[serde(default)]
    pub smaps: Option<Vec<Mapping>>,
    /// What `sys._debugmallocstats()` printed.
    #[serde(default)]
    pub mallocstats: Option<String>,
    /// What the C library's malloc says, if the dumper asked.
    #[serde(default)]
    pub malloc: Option<Malloc>,
}

/// The C library's malloc: `mallinfo2()`, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct Malloc {
    /// What it holds from the system.
    pub held: u64,
    /// What is in use of that.
    pub used: u64,
}

/// A mapping of the dumped process: start, end, resident KiB, anonymous KiB, file name.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(from = "(u64, u64, u64, u64, String)")]
pub struct Mapping {
    /// First address.
    pub start: u64,
    /// First address behind it.
    pub end: u64,
    /// Resident memory in KiB.
    pub rss_kib: u64,
    /// The anonymous part of that.
    pub anonymous_kib: u64,
    /// The file's name without its folder, `[heap]`, `[stack]`, or empty for anonymous memory.
    pub name: String,
}

impl From<(u64, u64, u64, u64, String)> for Mapping {
    fn from((start, end, rss_kib, anonymous_kib, name): (u64, u64, u64, u64, String)) -> Self {
        Self { start, end, rss_kib, anonymous_kib, name }
    }
}

/// The last line of a dump.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
pub struct End {
    /// Rows, the dumper's own included.
    pub objects: u64,
    /// References of all rows.
    pub edges: u64,
    /// Sizes of all rows.
    #[serde(default)]
    pub bytes: Option<u64>,
    /// What `gc.collect()` found right after the dump, if it was asked.
    #[serde(default)]
    pub gc_collected_after: Option<u64>,
    /// Time the dump took.
    #[serde(default)]
    pub seconds: Option<f64>,
}

/// A line that is no row, whichever it is: exactly one of these is there, or none of them if the
/// line is of a kind that this reader does not know.
#[derive(Debug, Deserialize)]
pub(super) struct Line {
    #[serde(default)]
    pub(super) form: Option<IgnoredAny>,
    #[serde(default)]
    pub(super) process: Option<Process>,
    #[serde(default, rename = "type")]
    pub(super) class: Option<Type>,
    #[serde(default)]
    pub(super) names: Option<IgnoredAny>,
    #[serde(default)]
    pub(super) attrs: Option<Attributes>,
    #[serde(default)]
    pub(super) end: Option<End>,
}
