//! A dump with what follows from it: what is dead, what holds what, what it takes.

use std::ops::Deref;

use super::attributes::AttributeNames;
use super::blocks::Blocks;
use super::components::Components;
use super::dominators::Dominators;
use super::dump::Dump;
use super::garbage::Garbage;
use super::owners::Owners;
use super::reader::Labels;
use super::retained::Retained;
use super::ways::Ways;
use crate::budget::Budget;
use crate::error::{InputError, Place};
use crate::input::Input;
use crate::progress::Progress;

/// Bytes an object of everything that [`Graph`] computes, beside the dump, where most is held at once.
const OBJECT_BYTES: u64 = 48;
/// Bytes a reference.
const EDGE_BYTES: u64 = 4;

/// A dump whose dead objects are known. Dereferences to its [`Dump`].
///
/// ```no_run
/// # use cpymem_harness::{heap::{Graph, Labels}, input::Input, progress::Progress};
/// # fn main() -> Result<(), cpymem_harness::error::InputError> {
/// let progress = Progress::silent();
/// let graph = Graph::read(&Input::from_arg("a.heap.jsonl.gz".as_ref(), None)?, Labels::Code, &progress)?;
/// let tree = graph.dominators();
/// let retained = graph.retained(&tree);
/// let owners = graph.owners();
/// for id in graph.ids().filter(|&id| tree.is_alive(id) && retained.of(id) > 1 << 20) {
///     let owner = owners.owner(id).map(|owner| owners.text(owner));
///     println!("{} retains {} bytes, held by {owner:?}", graph.type_name(id), retained.of(id));
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Graph {
    dump: Dump,
    garbage: Garbage,
    components: Components,
    blocks: Blocks,
    attributes: AttributeNames,
}

impl Graph {
    /// Reads a dump and finds its garbage.
    ///
    /// # Errors
    /// As [`Dump::read`]; if an object of a build with the GIL has fewer references than tracked objects report;
    /// or if the analysis needs more memory than the input's limits allow.
    pub fn read(input: &Input, labels: Labels, progress: &Progress) -> Result<Graph, InputError> {
        let name = input.name();
        let watch = progress.bytes(name, input.bytes());
        let dump = Dump::from_text(input.open()?.watched(watch), labels)?;
        let mut budget = Budget::new(input.limits().memory_bytes);
        let objects = u64::from(dump.len()).saturating_mul(25 + OBJECT_BYTES);
        let edges = (dump.edges().len() as u64).saturating_mul(4 + EDGE_BYTES);
        let over = |over| InputError::new(name, Place::Line(0), over);
        budget.charge(objects.saturating_add(edges)).map_err(over)?;
        progress.pass(&format!("{name}: find garbage"));
        let garbage = Garbage::find(&dump);
        if let Some(wrong) = garbage.wrong().filter(|_| !dump.is_free_threaded()) {
            // Rows follow the header line and the process line, if there is one.
            let line = u64::from(wrong.id) + 2 + u64::from(dump.process.is_some());
            let id = wrong.id;
            let what = match wrong.count {
                0 => format!("object {id} has no references and should be dead"),
                count => {
                    let reported = wrong.reported;
                    format!("object {id} counts {count} references, but tracked objects report {reported}")
                }
            };
            return Err(InputError::new(name, Place::Line(line), what));
        }
        progress.pass(&format!("{name}: find cycles"));
        let components = Components::find(&dump, garbage.dead());
        let blocks = Blocks::new(&dump);
        let attributes = AttributeNames::of(&dump);
        Ok(Graph { dump, garbage, components, blocks, attributes })
    }

    /// What is dead.
    pub fn garbage(&self) -> &Garbage {
        &self.garbage
    }

    /// The cycles that hold what is dead.
    pub fn components(&self) -> &Components {
        &self.components
    }

    /// What objects take.
    pub fn blocks(&self) -> &Blocks {
        &self.blocks
    }

    /// Bytes of blocks and chunks that an object takes.
    #[inline]
    pub fn block_bytes(&self, id: u32) -> u64 {
        self.blocks.bytes(&self.dump, id)
    }

    /// What alone keeps what alive.
    pub fn dominators(&self) -> Dominators {
        Dominators::build(&self.dump, &self.garbage, &self.components)
    }

    /// Bytes of blocks and chunks that each object retains.
    pub fn retained<'t>(&self, tree: &'t Dominators) -> Retained<'t> {
        Retained::sum(tree, |id| self.block_bytes(id))
    }

    /// A shortest way from a root to every object.
    pub fn ways(&self) -> Ways {
        Ways::find(&self.dump, &self.garbage, self.components.entries())
    }

    /// The name by which an object refers to another: a key of its dict or an attribute; none if the dump does
    /// not tell.
    pub fn reference_name(&self, from: u32, to: u32) -> Option<String> {
        let place = self.dump.referents(from).iter().position(|&it| it == to)?;
        match self.dump.names.keys(from) {
            Some(mut keys) => Some(self.dump.names.symbols().name(keys.nth(place)??).to_owned()),
            None => self.attributes.of_instance(&self.dump, from).get(place)?.clone(),
        }
    }

    /// Who holds what, by names.
    pub fn owners(&self) -> Owners {
        Owners::find(&self.dump, &self.garbage, &self.attributes)
    }
}

impl Deref for Graph {
    type Target = Dump;

    fn deref(&self) -> &Dump {
        &self.dump
    }
}
