//! What classes cost: the `--json` document of `cpymem slots`.

use serde::Serialize;

use crate::record::InputRecord;

/// Document `cpymem.slots/1`: classes, and what an instance of each costs on every version.
#[derive(Clone, Debug, Serialize, PartialEq)]
pub struct ClassesRecord {
    /// `cpymem.slots/1`.
    pub schema: &'static str,
    /// The program; empty for a class of the command line.
    pub input: Vec<InputRecord>,
    /// Instances of each class that the totals are for.
    pub count: u64,
    /// The classes, in the order of the text.
    pub classes: Vec<ClassRecord>,
}

/// A class.
#[derive(Clone, Debug, Serialize, PartialEq)]
pub struct ClassRecord {
    /// Its name, after those of the classes and functions around it.
    pub name: String,
    /// The line of its statement; null for a class of the command line.
    pub line: Option<u64>,
    /// The attributes of an instance, inherited ones first.
    pub attributes: Vec<String>,
    /// Whether the class has `__slots__` as it stands.
    pub has_slots: bool,
    /// What `__slots__` would break.
    pub breaks: Vec<String>,
    /// What the figures take for granted.
    pub notes: Vec<String>,
    /// On each version.
    pub versions: Vec<VersionRecord>,
    /// The class as a dataclass with slots, as a diff; null where that is not safe.
    pub diff: Option<String>,
}

/// What an instance costs on a version: bytes of allocator blocks, attribute values excluded.
#[derive(Clone, Debug, Serialize, PartialEq)]
pub struct VersionRecord {
    /// The version, and the build where it is not x86-64 with the GIL.
    pub python: String,
    /// With a `__dict__`; null if the class cannot be made.
    pub dict_bytes: Option<u64>,
    /// With `__slots__`; null if the class cannot be made.
    pub slots_bytes: Option<u64>,
    /// As the class stands; null if it cannot be made.
    pub declared_bytes: Option<u64>,
    /// As a `typing.NamedTuple`.
    pub named_tuple_bytes: Option<u64>,
    /// As a tuple.
    pub tuple_bytes: Option<u64>,
    /// All instances with a `__dict__`, the more expensive first ones included.
    pub dict_total_bytes: Option<u64>,
    /// All instances with `__slots__`.
    pub slots_total_bytes: Option<u64>,
    /// What CPython says to the class as it stands, if it refuses it.
    pub error: Option<String>,
    /// What it would say to `__slots__`.
    pub slots_error: Option<String>,
    /// Small changes that cost much.
    pub cliffs: Vec<CliffRecord>,
}

/// A small change that costs much.
#[derive(Clone, Debug, Serialize, PartialEq)]
pub struct CliffRecord {
    /// The change.
    pub change: String,
    /// Bytes of an instance after it.
    pub bytes: u64,
    /// Why.
    pub reason: String,
}
