//! The objects of a dump as arrays, one entry an object, and their references in one list.

use std::collections::BTreeMap;
use std::ops::Range;

use super::row::{BadRow, Row, RowFault, parse};
use crate::budget::{Budget, OverBudget};

const NO_CLASS: u32 = u32::MAX;
const IMMORTAL: u32 = u32::MAX;
/// Stands for a size that is in the map of large ones.
const LARGE: u32 = u32::MAX;
/// More types than any process has; rows that claim a higher one are wrong.
const MOST_TYPES: u64 = 1 << 22;

/// The flags of a row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flags(u8);

impl Flags {
    /// `gc.is_tracked()`.
    pub const TRACKED: Self = Self(1);
    /// In the youngest generation.
    pub const YOUNG: Self = Self(2);
    /// Immortal (PEP 683).
    pub const IMMORTAL: Self = Self(4);
    /// A type object.
    pub const TYPE: Self = Self(8);
    /// A module.
    pub const MODULE: Self = Self(16);
    /// A Python function.
    pub const FUNCTION: Self = Self(32);
    /// A frame, generator or coroutine.
    pub const FRAME: Self = Self(64);

    /// What has a name of code as its label: types, modules and functions.
    pub const NAMED: Self = Self(8 | 16 | 32);

    /// Whether one of the flags in `any` is set.
    #[inline]
    pub const fn has(self, any: Self) -> bool {
        self.0 & any.0 != 0
    }

    /// The flags as the dump has them.
    pub const fn bits(self) -> u8 {
        self.0
    }
}

/// Rows of a dump in compressed form: 25 bytes an object, 4 a reference.
///
/// # Invariants
/// 1. All arrays have one entry an object, `first_edge` one more: object `i` refers to
///    `edges[first_edge[i]..first_edge[i + 1]]`.
/// 2. `large` holds the sizes whose entry is `u32::MAX`.
/// 3. In a finished dump every reference is less than the number of objects.
#[derive(Clone, Debug)]
pub struct Objects {
    classes: Vec<u32>,
    sizes: Vec<u32>,
    flags: Vec<Flags>,
    refcounts: Vec<u32>,
    addresses: Vec<u64>,
    first_edge: Vec<u32>,
    edges: Vec<u32>,
    large: BTreeMap<u32, u64>,
}

/// Why a row was not added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RowError {
    Bad(BadRow),
    Id { id: u64, expected: usize },
    Class(u64),
    Flags(u64),
    Refcount(u64),
    TooMany,
    OverBudget(OverBudget),
}

impl From<OverBudget> for RowError {
    fn from(over: OverBudget) -> Self {
        Self::OverBudget(over)
    }
}

impl std::fmt::Display for RowError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Bad(bad) => bad.fmt(f),
            Self::Id { id, expected } => write!(f, "object {id} where object {expected} comes next"),
            Self::Class(class) => write!(f, "type {class} is out of range"),
            Self::Flags(flags) => write!(f, "flags {flags} of more than 8 bits"),
            Self::Refcount(count) => write!(f, "refcount {count} is out of range"),
            Self::TooMany => f.write_str("more objects than can be counted"),
            Self::OverBudget(over) => over.fmt(f),
        }
    }
}

impl Objects {
    pub(super) fn new() -> Self {
        Self {
            classes: Vec::new(),
            sizes: Vec::new(),
            flags: Vec::new(),
            refcounts: Vec::new(),
            addresses: Vec::new(),
            first_edge: vec![0],
            edges: Vec::new(),
            large: BTreeMap::new(),
        }
    }

    /// Parses a row and adds it as the next object.
    #[inline]
    pub(super) fn add<'a>(&mut self, line: &'a [u8], budget: &mut Budget) -> Result<Row<'a>, RowError> {
        let edges = &mut self.edges;
        let mut over = None;
        let row = parse(line, |referent| match budget.reserve(edges, 1) {
            Ok(()) if edges.len() < u32::MAX as usize => {
                edges.push(referent);
                true
            }
            Ok(()) => false,
            Err(e) => {
                over = Some(e);
                false
            }
        })
        .map_err(|bad| match over {
            Some(over) if bad.fault == RowFault::TooManyEdges => RowError::OverBudget(over),
            _ => RowError::Bad(bad),
        })?;
        let next = self.classes.len();
        if row.id != next as u64 {
            return Err(RowError::Id { id: row.id, expected: next });
        }
        if next >= NO_CLASS as usize - 1 {
            return Err(RowError::TooMany);
        }
        let class = match row.class {
            None => NO_CLASS,
            Some(class) if class < MOST_TYPES => class as u32,
            Some(class) => return Err(RowError::Class(class)),
        };
        let refcount = match row.refcount.map(u32::try_from) {
            None => IMMORTAL,
            Some(Ok(count)) if count < IMMORTAL => count,
            Some(_) => return Err(RowError::Refcount(row.refcount.unwrap_or(0))),
        };
        let flags = Flags(u8::try_from(row.flags).map_err(|_| RowError::Flags(row.flags))?);
        let size = match u32::try_from(row.size) {
            Ok(size) if size < LARGE => size,
            _ => {
                budget.charge(64)?;
                self.large.insert(next as u32, row.size);
                LARGE
            }
        };
        budget.reserve(&mut self.classes, 1)?;
        budget.reserve(&mut self.sizes, 1)?;
        budget.reserve(&mut self.flags, 1)?;
        budget.reserve(&mut self.refcounts, 1)?;
        budget.reserve(&mut self.addresses, 1)?;
        budget.reserve(&mut self.first_edge, 1)?;
        self.classes.push(class);
        self.sizes.push(size);
        self.flags.push(flags);
        self.refcounts.push(refcount);
        self.addresses.push(row.address);
        self.first_edge.push(self.edges.len() as u32);
        Ok(row)
    }

    /// Gives back what the arrays grew too much.
    pub(super) fn shrink(&mut self) {
        self.classes.shrink_to_fit();
        self.sizes.shrink_to_fit();
        self.flags.shrink_to_fit();
        self.refcounts.shrink_to_fit();
        self.addresses.shrink_to_fit();
        self.first_edge.shrink_to_fit();
        self.edges.shrink_to_fit();
    }

    /// Rows, the dumper's own included: ids are `0..len()`.
    #[inline]
    pub fn len(&self) -> u32 {
        self.classes.len() as u32
    }

    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.classes.is_empty()
    }

    /// All ids in order.
    pub fn ids(&self) -> Range<u32> {
        0..self.len()
    }

    /// Whether the row is an object of the program, not the dumper's own.
    #[inline]
    pub fn is_object(&self, id: u32) -> bool {
        self.classes[id as usize] != NO_CLASS
    }

    /// The id of the object's type; none for the dumper's own rows.
    #[inline]
    pub fn type_id(&self, id: u32) -> Option<u32> {
        let class = self.classes[id as usize];
        (class != NO_CLASS).then_some(class)
    }

    /// `sys.getsizeof` of the object in bytes.
    #[inline]
    pub fn size(&self, id: u32) -> u64 {
        match self.sizes[id as usize] {
            LARGE => self.large[&id],
            size => u64::from(size),
        }
    }

    /// The object's flags.
    #[inline]
    pub fn flags(&self, id: u32) -> Flags {
        self.flags[id as usize]
    }

    /// Whether the collector tracks the object.
    #[inline]
    pub fn tracked(&self, id: u32) -> bool {
        self.flags(id).has(Flags::TRACKED)
    }

    /// Whether the object is immortal: by its flag, or because it has no count.
    #[inline]
    pub fn immortal(&self, id: u32) -> bool {
        self.flags(id).has(Flags::IMMORTAL) || self.refcounts[id as usize] == IMMORTAL
    }

    /// The object's reference count; none if it is immortal.
    #[inline]
    pub fn refcount(&self, id: u32) -> Option<u32> {
        let count = self.refcounts[id as usize];
        (count != IMMORTAL).then_some(count)
    }

    /// Where the object is; none if the dump has no addresses.
    #[inline]
    pub fn address(&self, id: u32) -> Option<u64> {
        let address = self.addresses[id as usize];
        (address != 0).then_some(address)
    }

    /// What the object refers to, in the order in which its type visits it.
    #[inline]
    pub fn referents(&self, id: u32) -> &[u32] {
        let id = id as usize;
        &self.edges[self.first_edge[id] as usize..self.first_edge[id + 1] as usize]
    }

    /// The referents of all objects, one object after the other.
    pub fn edges(&self) -> &[u32] {
        &self.edges
    }
}
