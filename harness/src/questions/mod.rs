//! What is asked of a heap dump, each question with its document: plain values that reports only read.
//!
//! ```text
//!   holders   what is there, by type and by owner; what is garbage, and which cycles hold it
//!   why       ways of names from a root to an object
//!   pins      which types keep arenas and pools that are nearly empty
//!   audit     references that nobody reports, and the types that may hold them
//!   dups      equal strings
//!   growth    who holds more than before, over several dumps
//!   savings   what slots would save, class by class
//! ```

pub mod audit;
pub mod dups;
pub mod growth;
pub mod holders;
pub mod pins;
pub mod savings;
pub mod why;

use crate::heap::Graph;
use crate::units;

/// What a reader should know before relying on a dump's figures.
pub(crate) fn notes(graph: &Graph) -> Vec<String> {
    let mut notes = Vec::new();
    if let Some(wrong) = graph.garbage().wrong() {
        notes.push(format!(
            "counts are not exact: {} objects count fewer references than are reported",
            units::count(wrong.objects)
        ));
    } else if graph.is_free_threaded() {
        notes.push("counts are not exact: a build without the GIL keeps part of them in threads".to_owned());
    }
    if !graph.blocks().is_known() {
        let python = graph.header.python.as_deref().unwrap_or("an unknown version");
        let target = graph.blocks().target().label();
        notes.push(format!("CPython {python} is not modelled; sizes are taken as on {target}"));
    }
    if graph.names_dropped > 0 {
        notes.push(format!(
            "{} dicts changed while they were dumped; their names are left out",
            units::count(graph.names_dropped)
        ));
    }
    notes
}

/// Said where a dump of form 1 is asked for owners.
pub(crate) const NO_NAMES: &str = "names not in the dump: owners are modules and types";
