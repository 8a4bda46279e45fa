//! Which base a class extends: the one whose fields all the others fit into.

use std::sync::Arc;

use super::abi::WeakrefHome;
use super::layout::Node;
use super::layout_error::LayoutError;

/// The base whose solid base is the most derived; bases are looked at from left to right
/// (`best_base`, `Objects/typeobject.c`).
///
/// # Errors
/// [`LayoutError::LayoutConflict`] if two solid bases are unrelated.
pub(crate) fn best_base<'a>(bases: &[&'a Arc<Node>]) -> Result<&'a Arc<Node>, LayoutError> {
    let (&first, rest) = bases.split_first().ok_or(LayoutError::LayoutConflict)?;
    let mut best = first;
    for &base in rest {
        let (winner, candidate) = (solid(best), solid(base));
        if extends(winner, candidate) {
            continue;
        }
        if !extends(candidate, winner) {
            return Err(LayoutError::LayoutConflict);
        }
        best = base;
    }
    Ok(best)
}

/// Finds the solid base of a class that is being made (`solid_base`, `Objects/typeobject.c`).
pub(crate) fn place(node: &mut Node) {
    let Some(base) = node.base.as_ref() else { return };
    let inherited = solid(base);
    (node.solid, node.solid_depth) = if adds_fields(node, inherited) {
        (None, inherited.solid_depth + 1)
    } else {
        (Some(inherited.clone()), inherited.solid_depth)
    };
}

/// The nearest class, from this one up, that adds fields to instances.
fn solid(class: &Arc<Node>) -> &Arc<Node> {
    class.solid.as_ref().unwrap_or(class)
}

/// Whether instances of `class` have fields that those of `base` lack. Up to 3.11 a word for `__weakref__`, and
/// before it one for `__dict__`, at the end does not count (`extra_ivars` there, `shape_differs` later).
fn adds_fields(class: &Node, base: &Node) -> bool {
    let word = class.abi.word;
    let mut size = class.basicsize;
    let at_end = |offset: i64, size: u64| offset > 0 && offset as u64 + word == size;
    if class.heap && class.abi.weakref == WeakrefHome::Word && (class.itemsize, base.itemsize) == (0, 0) {
        if base.weakrefoffset == 0 && at_end(class.weakrefoffset, size) {
            size -= word;
        }
        if base.dictoffset == 0 && at_end(class.dictoffset, size) {
            size -= word;
        }
    }
    size != base.basicsize || class.itemsize != base.itemsize
}

/// Whether solid class `upper` is `lower` or one of its ancestors' extensions.
///
/// A solid class among the ancestors of another stands on its line of solid bases: type creation has
/// refused every other case. So it is enough to follow that line, down to the depth of the other.
fn extends(mut upper: &Arc<Node>, lower: &Arc<Node>) -> bool {
    if lower.solid_depth == 0 {
        return true; // everything extends object
    }
    while upper.solid_depth > lower.solid_depth {
        let Some(base) = upper.base.as_ref() else { return false };
        upper = solid(base);
    }
    upper.is(lower)
}
