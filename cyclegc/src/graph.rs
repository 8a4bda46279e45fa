//! Heaps out of abstract graphs: a recorded heap of another program, or one made up, under this very collector.
//!
//! A graph says of each object which objects it refers to and how many references come from outside. The heap that is built of it
//! has the same counts and the same edges, and no roots named by anyone: what a collection finds is what the counts say.
//!
//! ```
//! use cpymem_cyclegc::Collector;
//! use cpymem_cyclegc::graph::{Graph, References};
//!
//! let mut graph = Graph::new();
//! graph.push(References::Outside(1), [1])?;  // 0 -> 1, and somebody holds 0
//! graph.push(References::Outside(0), [])?;
//! graph.push(References::Total(1), [3])?;    // 2 <-> 3
//! graph.push(References::Total(1), [2])?;
//! let mut heap = graph.build(Collector::new())?;
//! heap.release_all();
//! assert_eq!(heap.collector().collect(), 2);
//! assert_eq!(heap.destroyed(), [2, 3]);
//! # Ok::<(), cpymem_cyclegc::graph::GraphError>(())
//! ```

use core::cell::{OnceCell, RefCell};
use core::fmt;
use std::rc::Rc;

use cpymem_cyclegc_derive::Trace;

use crate::collector::Collector;
use crate::gc_ptr::Gc;

/// The most references that one object may have: beyond them a count [saturates](Gc::strong_count).
pub const MAX_REFERENCES: u32 = (1 << 30) - 2;

/// The most references in all, those from outside included.
pub const MAX_REFERENCES_IN_ALL: u64 = u32::MAX as u64;

/// How often an object is referred to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum References {
    /// So often from outside the graph, beside the edges that lead to it.
    Outside(u32),
    /// So often in all, as its count says; what no edge explains comes from outside.
    Total(u32),
}

/// What is wrong with a graph. Objects are numbered in the order in which they were added, from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum GraphError {
    /// There are more objects than numbers, 2^32 - 1.
    TooManyObjects,
    /// An edge leads to a number that no object has.
    UnknownTarget {
        /// The object whose edge it is.
        object: u32,
        /// The number.
        target: u32,
    },
    /// An object with a count of 0: it should be dead.
    NoReferences {
        /// The object.
        object: u32,
    },
    /// More edges lead to an object than its count says.
    TooFewReferences {
        /// The object.
        object: u32,
        /// Its count.
        total: u32,
        /// The edges that lead to it.
        edges: u64,
    },
    /// An object has more than [`MAX_REFERENCES`].
    TooManyReferences {
        /// The object.
        object: u32,
        /// Its references, edges included.
        references: u64,
    },
    /// There are more than [`MAX_REFERENCES_IN_ALL`].
    TooManyReferencesInAll {
        /// How many.
        references: u64,
    },
    /// There is not enough memory.
    OutOfMemory,
}

impl fmt::Display for GraphError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            GraphError::TooManyObjects => write!(f, "more than {} objects", u32::MAX),
            GraphError::UnknownTarget { object, target } => {
                write!(f, "object {object} refers to object {target}, which does not exist")
            }
            GraphError::NoReferences { object } => {
                write!(f, "object {object} has no references and should be dead")
            }
            GraphError::TooFewReferences { object, total, edges } => {
                write!(f, "object {object} counts {total} references, but {edges} edges lead to it")
            }
            GraphError::TooManyReferences { object, references } => {
                write!(f, "object {object} has {references} references, more than {MAX_REFERENCES}")
            }
            GraphError::TooManyReferencesInAll { references } => {
                write!(f, "{references} references in all, more than {MAX_REFERENCES_IN_ALL}")
            }
            GraphError::OutOfMemory => f.write_str("out of memory"),
        }
    }
}

impl core::error::Error for GraphError {}

/// Objects, their edges, and how often each is referred to.
///
/// # Invariants
/// 1. `ends` ascends and ends with the number of `targets`: the edges of object `i` are
///    `targets[ends[i - 1]..ends[i]]`.
/// 2. `ends` and `references` are equally long, and no longer than `u32::MAX`.
#[derive(Clone, Debug, Default)]
pub struct Graph {
    ends: Vec<usize>,
    targets: Vec<u32>,
    references: Vec<References>,
}

impl Graph {
    /// A graph without objects.
    pub fn new() -> Graph {
        Graph::default()
    }

    /// Adds an object with its edges, each the number of an object that is there or will be; returns its number.
    ///
    /// # Errors
    /// [`TooManyObjects`](GraphError::TooManyObjects), [`OutOfMemory`](GraphError::OutOfMemory); the graph is as it was then.
    pub fn push(
        &mut self,
        references: References,
        targets: impl IntoIterator<Item = u32>,
    ) -> Result<u32, GraphError> {
        let object = u32::try_from(self.ends.len()).ok().filter(|&object| object < u32::MAX);
        let object = object.ok_or(GraphError::TooManyObjects)?;
        let before = self.targets.len();
        let reserved = self.ends.try_reserve(1).is_ok() && self.references.try_reserve(1).is_ok();
        let added = reserved && targets.into_iter().all(|target| try_push(&mut self.targets, target));
        if !added {
            self.targets.truncate(before);
            return Err(GraphError::OutOfMemory);
        }
        self.ends.push(self.targets.len());
        self.references.push(references);
        Ok(object)
    }

    /// Number of objects.
    pub fn objects(&self) -> usize {
        self.ends.len()
    }

    /// Number of edges.
    pub fn edges(&self) -> usize {
        self.targets.len()
    }

    /// The targets of an object's edges; none if there is no such object.
    pub fn targets(&self, object: u32) -> &[u32] {
        let object = object as usize;
        let Some(&end) = self.ends.get(object) else { return &[] };
        let start = object.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.targets[start..end]
    }

    /// Bytes, roughly, that [`build`](Self::build) needs beside the graph itself: for a caller with a budget.
    pub fn build_bytes(&self) -> u64 {
        const OBJECT: u64 = (size_of::<Node>() + 8 + 2 + 16 + 2 * size_of::<Gc<Node>>() + 4) as u64;
        self.objects() as u64 * OBJECT + self.edges() as u64 * size_of::<Gc<Node>>() as u64
    }

    /// References from outside of each object.
    pub(crate) fn outside(&self) -> Result<Vec<u32>, GraphError> {
        let mut inside: Vec<u32> = Vec::new();
        inside.try_reserve_exact(self.objects()).map_err(|_| GraphError::OutOfMemory)?;
        inside.resize(self.objects(), 0);
        let mut in_all = self.edges() as u64;
        for object in 0..self.objects() as u32 {
            for &target in self.targets(object) {
                let Some(count) = inside.get_mut(target as usize) else {
                    return Err(GraphError::UnknownTarget { object, target });
                };
                *count = count.saturating_add(1); // beyond `MAX_REFERENCES` is too many in any case
            }
        }
        for (object, (count, &references)) in (0..).zip(inside.iter_mut().zip(&self.references)) {
            let edges = u64::from(*count);
            let outside = match references {
                References::Outside(outside) => outside,
                References::Total(0) => return Err(GraphError::NoReferences { object }),
                References::Total(total) => {
                    let too_few = GraphError::TooFewReferences { object, total, edges };
                    total.checked_sub(*count).ok_or(too_few)?
                }
            };
            let references = edges + u64::from(outside);
            if references > u64::from(MAX_REFERENCES) {
                return Err(GraphError::TooManyReferences { object, references });
            }
            in_all += u64::from(outside);
            *count = outside;
        }
        match in_all {
            0..=MAX_REFERENCES_IN_ALL => Ok(inside),
            references => Err(GraphError::TooManyReferencesInAll { references }),
        }
    }

    /// Builds the heap on a collector, with its settings: automatic collections run meanwhile, and find nothing, as the
    /// heap holds a handle on each object until it is [released](GraphHeap::release).
    ///
    /// # Errors
    /// What [`GraphError`] says; nothing was built then.
    ///
    /// # Cost
    /// [`build_bytes`](Self::build_bytes) of memory; an increment for each reference, so up to seconds for the most that
    /// there may be.
    pub fn build(&self, collector: Collector) -> Result<GraphHeap, GraphError> {
        let outside = self.outside()?;
        let (mut nodes, mut held) = (Vec::new(), Vec::new());
        let places = outside.iter().filter(|&&count| count > 0).count();
        let reserved =
            nodes.try_reserve_exact(self.objects()).is_ok() && held.try_reserve_exact(places).is_ok();
        if !reserved {
            return Err(GraphError::OutOfMemory);
        }
        let destroyed: Rc<RefCell<Vec<u32>>> = Rc::default();
        nodes.extend((0..self.objects() as u32).map(|id| {
            Some(collector.alloc(Node { edges: OnceCell::new(), id, destroyed: Rc::clone(&destroyed) }))
        }));
        for (id, node) in (0..).zip(&nodes) {
            let targets = self.targets(id).iter().filter_map(|&target| nodes[target as usize].clone());
            if let Some(node) = node {
                // Set once, here.
                let _ = node.edges.set(targets.collect());
            }
        }
        for (node, &count) in nodes.iter().flatten().zip(&outside) {
            if count > 0 {
                held.push(Held::new(node, count));
            }
        }
        Ok(GraphHeap { nodes, held, destroyed, collector })
    }
}

fn try_push(targets: &mut Vec<u32>, target: u32) -> bool {
    if targets.len() == targets.capacity() && targets.try_reserve(1).is_err() {
        return false;
    }
    targets.push(target);
    true
}

/// An object of a graph.
#[derive(Trace)]
#[trace(drop)]
struct Node {
    edges: OnceCell<Box<[Gc<Node>]>>,
    #[trace(skip)]
    id: u32,
    /// Where destroyed objects are written down.
    #[trace(skip)]
    destroyed: Rc<RefCell<Vec<u32>>>,
}

impl Drop for Node {
    fn drop(&mut self) {
        self.destroyed.borrow_mut().push(self.id);
    }
}

/// The references from outside to one object.
struct Held {
    node: Gc<Node>,
    /// References beside that of `node`, which no handle stands for.
    more: u32,
}

impl Held {
    fn new(node: &Gc<Node>, count: u32) -> Held {
        let held = Held { node: node.clone(), more: count - 1 };
        (0..held.more).for_each(|_| core::mem::forget(node.clone()));
        held
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if let Some(object) = self.node.object() {
            for _ in 0..self.more {
                // Not the last one: that is the handle's.
                let _ = object.header().decrement();
            }
        }
    }
}

/// A graph whose objects are real.
///
/// It holds the references from outside, and one more on each object until that is released.
pub struct GraphHeap {
    nodes: Vec<Option<Gc<Node>>>,
    /// By object, ascending.
    held: Vec<Held>,
    destroyed: Rc<RefCell<Vec<u32>>>,
    /// Dropped after the handles, so that its last collection finds everything that is left.
    collector: Collector,
}

impl fmt::Debug for GraphHeap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GraphHeap").field("collector", &self.collector).finish_non_exhaustive()
    }
}

impl GraphHeap {
    /// The collector that the objects are on.
    pub fn collector(&self) -> &Collector {
        &self.collector
    }

    /// Every object that is not released yet, with its count as the graph has it.
    pub fn counts(&self) -> impl Iterator<Item = (u32, usize)> {
        // One reference is the heap's own.
        self.nodes.iter().flatten().map(|node| (node.id, Gc::strong_count(node) - 1))
    }

    /// References from outside.
    pub fn outside_references(&self) -> u64 {
        self.held.iter().map(|held| u64::from(held.more) + 1).sum()
    }

    /// Gives up the heap's own handle on an object, which dies if nothing else refers to it; `false` if that has happened
    /// before, or there is no such object.
    pub fn release(&mut self, object: u32) -> bool {
        self.nodes.get_mut(object as usize).and_then(Option::take).is_some()
    }

    /// Gives up the heap's own handles on all objects, in their order.
    pub fn release_all(&mut self) {
        self.nodes = Vec::new();
    }

    /// Gives up the references from outside to an object; `false` if there are none.
    pub fn give_up(&mut self, object: u32) -> bool {
        let place = self.held.binary_search_by_key(&object, |held| held.node.id);
        place.is_ok_and(|place| {
            self.held.remove(place);
            true
        })
    }

    /// The objects that were destroyed so far, in the order of their destruction.
    pub fn destroyed(&self) -> Vec<u32> {
        self.destroyed.borrow().clone()
    }
}
