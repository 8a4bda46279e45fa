//! What each owner has.

use super::{Graph, Owners};

/// What an owner has. Every object counts for one owner, the nearest.
#[derive(Clone, Copy, Debug, Default)]
pub struct Owned {
    /// Objects.
    pub objects: u64,
    /// Bytes of the blocks and chunks that serve them.
    pub bytes: u64,
    /// Of the objects, those with the owner's very path.
    pub own: u64,
    /// Entries of the owner's containers.
    pub entries: u64,
}

impl Owned {
    /// Adds up the objects that `counts`, by the index of the owner's path; most paths have nothing of their own.
    pub fn of_all(graph: &Graph, owners: &Owners, counts: impl Fn(u32) -> bool) -> Vec<Owned> {
        let mut all = vec![Owned::default(); owners.paths().count()];
        for id in graph.ids().filter(|&id| counts(id)) {
            let (Some(owner), Some(path)) = (owners.owner(id), owners.path(id)) else { continue };
            let it = &mut all[owner.index()];
            it.objects += 1;
            it.bytes = it.bytes.saturating_add(graph.block_bytes(id));
            it.own += u64::from(path == owner);
        }
        for path in owners.paths().filter(|&path| owners.is_owner(path)) {
            all[path.index()].entries = owners.entries(path);
        }
        all
    }
}
