//! The memory of a registry: names, shapes and their tables, which live as long as the registry.
#![allow(unsafe_code, reason = "the arena owns what the lists beside it point to")]

use core::ptr::NonNull;

use bumpalo::Bump;

use super::name::Name;
use super::shape::Node;

/// An entry of a shape's table: a name and its index, sorted by name.
pub(super) type Entry = (Name, u16);

/// A bump arena with lists of what is in it.
///
/// # Invariants
/// 1. Every pointer in a list came from `bump`, which is neither reset nor dropped before the lists.
/// 2. What is in the arena is only ever lent as a shared reference.
/// 3. Nothing in it needs to be dropped.
#[derive(Default)]
pub(super) struct Arena {
    names: Vec<NonNull<str>>,
    nodes: Vec<NonNull<Node>>,
    tables: Vec<NonNull<[Entry]>>,
    bump: Bump,
}

const _: () = assert!(!core::mem::needs_drop::<Node>() && !core::mem::needs_drop::<Entry>());

impl Arena {
    pub(super) fn add_name(&mut self, text: &str) {
        self.names.push(NonNull::from(self.bump.alloc_str(text)));
    }

    pub(super) fn add_node(&mut self, node: Node) {
        self.nodes.push(NonNull::from(self.bump.alloc(node)));
    }

    pub(super) fn add_table(&mut self, entries: &[Entry]) {
        self.tables.push(NonNull::from(self.bump.alloc_slice_copy(entries)));
    }

    pub(super) fn name(&self, index: usize) -> Option<&str> {
        // SAFETY: by invariant 1 the string lives as long as `self`, by invariant 2 nobody writes to it.
        self.names.get(index).map(|text| unsafe { text.as_ref() })
    }

    pub(super) fn node(&self, index: usize) -> Option<&Node> {
        // SAFETY: by invariant 1 the node lives as long as `self`; by invariant 2 only its cells change.
        self.nodes.get(index).map(|node| unsafe { node.as_ref() })
    }

    pub(super) fn table(&self, index: usize) -> Option<&[Entry]> {
        // SAFETY: by invariant 1 the entries live as long as `self`, by invariant 2 nobody writes to them.
        self.tables.get(index).map(|entries| unsafe { entries.as_ref() })
    }

    pub(super) fn names(&self) -> usize {
        self.names.len()
    }

    pub(super) fn nodes(&self) -> usize {
        self.nodes.len()
    }

    pub(super) fn tables(&self) -> usize {
        self.tables.len()
    }

    /// Bytes that the arena holds, used or not.
    pub(super) fn bytes(&self) -> usize {
        self.bump.allocated_bytes()
    }
}
