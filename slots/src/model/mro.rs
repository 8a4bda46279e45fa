//! The order in which attributes are looked up among the ancestors.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

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

/// C3: again and again the first head that stands in no other list's tail. Takes time linear in the
/// bases' own lists together (`pmerge`).
fn merge(bases: &[&Arc<Node>]) -> Result<Box<[Arc<Node>]>, LayoutError> {
    let mut lists: Vec<Vec<&Arc<Node>>> = bases.iter().map(|base| lineage(base).collect()).collect();
    lists.push(bases.to_vec());

    let mut in_tails: HashMap<Identity, usize> = HashMap::new();
    for class in lists.iter().flat_map(|list| &list[1..]) {
        *in_tails.entry(identity(class)).or_default() += 1;
    }
    lists.iter_mut().for_each(|list| list.reverse()); // heads are popped from the end

    let mut order = Vec::new();
    loop {
        let heads = || lists.iter().filter_map(|list| list.last().copied());
        let free = heads().find(|head| in_tails.get(&identity(head)).is_none_or(|&count| count == 0));
        let Some(next) = free else {
            let blocked: Vec<&Arc<Node>> = heads().collect();
            return if blocked.is_empty() { Ok(order.into()) } else { Err(inconsistent(&blocked)) };
        };
        order.push(next.clone());
        for list in lists.iter_mut().filter(|list| list.last().is_some_and(|head| head.is(next))) {
            list.pop();
            if let Some(count) = list.last().and_then(|head| in_tails.get_mut(&identity(head))) {
                *count -= 1;
            }
        }
    }
}

/// The error names every blocked head once (`set_mro_error`).
fn inconsistent(blocked: &[&Arc<Node>]) -> LayoutError {
    let mut seen = HashSet::new();
    let bases = blocked.iter().filter(|class| seen.insert(identity(class)));
    LayoutError::InconsistentMro {
        bases: bases.map(|class| class.name.to_string()).collect(),
        gap: blocked[0].abi.mro_gap,
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
