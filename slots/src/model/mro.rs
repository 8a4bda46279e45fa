//! The order in which attributes are looked up among the ancestors.

use std::collections::HashSet;
use std::sync::Arc;

use crate::c3;

use super::builtin::Builtin;
use super::layout::Node;
use super::layout_error::LayoutError;

/// A class and its ancestors in method resolution order.
pub(crate) fn lineage(class: &Arc<Node>) -> impl Iterator<Item = &Arc<Node>> {
    // Up to the first class that has an explicit list, every class is followed by its base.
    let mut next = Some(class);
    let mut listed = [].iter();
    core::iter::from_fn(move || {
        let Some(class) = next else { return listed.next() };
        next = match &class.ancestors {
            Some(list) => {
                listed = list.iter();
                None
            }
            None => class.base.as_ref(),
        };
        Some(class)
    })
}

/// The ancestors of a class with these bases by the C3 rule (`mro_implementation`,
/// `Objects/typeobject.c`); `None` stands for the only base and its ancestors.
///
/// # Errors
/// A base listed twice, or bases whose orders contradict each other.
pub(crate) fn ancestors(bases: &[&Arc<Node>]) -> Result<Option<Box<[Arc<Node>]>>, LayoutError> {
    if let [_] = bases {
        return Ok(None);
    }
    let mut seen = HashSet::new();
    if let Some(twice) = bases.iter().find(|base| !seen.insert(identity(base))) {
        return Err(LayoutError::DuplicateBase { name: twice.name.to_string() });
    }
    merge(bases).map(Some)
}

fn merge(bases: &[&Arc<Node>]) -> Result<Box<[Arc<Node>]>, LayoutError> {
    let mut lists: Vec<Vec<&Arc<Node>>> = bases.iter().map(|base| lineage(base).collect()).collect();
    lists.push(bases.to_vec());
    match c3::merge(lists, |class| identity(class)) {
        Ok(order) => Ok(order.into_iter().cloned().collect()),
        // The error names every blocked head (`set_mro_error`).
        Err(blocked) => Err(LayoutError::InconsistentMro {
            bases: blocked.iter().map(|class| class.name.to_string()).collect(),
            gap: blocked[0].abi.mro_gap,
        }),
    }
}

/// Tells classes apart: made ones by their address, built-in ones by which they are.
#[derive(PartialEq, Eq, Hash)]
enum Identity {
    Made(*const Node),
    Builtin(Builtin),
}

fn identity(class: &Arc<Node>) -> Identity {
    if class.heap { Identity::Made(Arc::as_ptr(class)) } else { Identity::Builtin(class.root) }
}
