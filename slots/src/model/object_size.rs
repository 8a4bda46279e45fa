//! How big the object itself is, by what it descends from.

use super::builtin::Builtin;
use super::keys::{Keys, Table};
use super::layout::Node;

/// Bytes that the object takes behind its headers (`_PyType_AllocNoTrack`, `Objects/typeobject.c`).
/// Instances of derived classes get one item more than they have.
pub(crate) fn fixed_and_items(node: &Node, items: u32) -> u64 {
    let items = u64::from(items);
    match node.root {
        Builtin::Str if !node.heap && node.itemsize == 0 => node.abi.ascii + items + 1,
        _ if node.itemsize == 0 => node.basicsize,
        _ if node.heap => (node.basicsize + (items + 1) * node.itemsize).next_multiple_of(node.abi.word),
        _ => node.basicsize + items * node.itemsize,
    }
}

/// The table that an instance of a subclass of `dict` has from the start (`dict_new`).
pub(crate) fn own_table(node: &Node) -> Option<u64> {
    let has = node.abi.dict_subclass_has_table && node.root == Builtin::Dict && node.heap;
    has.then(|| Table::smallest(Keys::Strings).bytes(node.abi))
}

/// What `__sizeof__` of the built-in class says, of an instance with so many items.
pub(crate) fn sizeof(node: &Node, items: u32) -> u64 {
    let items = u64::from(items);
    match node.root {
        // What a subclass adds is left out here, too (`string_sizeof` of 2.7).
        Builtin::Str | Builtin::Bytes if node.abi.bytes_are_text => node.abi.string + items * node.itemsize,
        // Counted from the built-in layout: what a subclass adds is left out (`unicode_sizeof_impl`).
        Builtin::Str if node.heap => node.abi.string + items + 1,
        Builtin::Str => node.abi.ascii + items + 1,
        Builtin::Int if node.itemsize > 0 && !node.abi.int_sizeof_counts_fields => {
            node.abi.var_object + items * node.itemsize
        }
        _ => node.basicsize + items * node.itemsize,
    }
}
