//! C3: the order in which ancestors are searched.

use core::hash::Hash;
use std::collections::{HashMap, HashSet};

/// Merges orders: again and again the first head that stands in no other list's tail (`pmerge`, `Objects/typeobject.c`).
/// Takes time linear in the lists together.
///
/// # Errors
/// The heads that block one another, each once.
pub(crate) fn merge<T: Clone, I: Hash + Eq>(
    mut lists: Vec<Vec<T>>,
    identity: impl Fn(&T) -> I,
) -> Result<Vec<T>, Vec<T>> {
    let mut in_tails: HashMap<I, usize> = HashMap::new();
    for class in lists.iter().flat_map(|list| list.iter().skip(1)) {
        *in_tails.entry(identity(class)).or_default() += 1;
    }
    lists.iter_mut().for_each(|list| list.reverse()); // heads are popped from the end

    let mut order = Vec::new();
    loop {
        let heads = || lists.iter().filter_map(|list| list.last());
        let free = heads().find(|head| in_tails.get(&identity(head)).is_none_or(|&count| count == 0));
        let Some(next) = free.cloned() else {
            let mut seen = HashSet::new();
            let blocked: Vec<T> = heads().filter(|head| seen.insert(identity(head))).cloned().collect();
            return if blocked.is_empty() { Ok(order) } else { Err(blocked) };
        };
        let found = identity(&next);
        order.push(next);
        for list in lists.iter_mut().filter(|list| list.last().is_some_and(|head| identity(head) == found)) {
            list.pop();
            if let Some(count) = list.last().and_then(|head| in_tails.get_mut(&identity(head))) {
                *count -= 1;
            }
        }
    }
}
