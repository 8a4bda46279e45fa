//! Weak references to garbage (CPython's `handle_weakrefs`).
#![allow(unsafe_code, reason = "side headers are given up by hand")]

use std::collections::HashMap;

use allocator_api2::alloc::Global;

use crate::heap::HeapPtr;
use crate::object::ObjPtr;
use crate::visitor::{EdgeSink, Target, Visitor};
use crate::watcher::WatcherPtr;

/// Clears all weak references with a callback to the garbage. Those that are not garbage themselves are returned,
/// with a handle on each for the caller; the callbacks of the others go unheard.
pub(crate) fn clear_watchers(heap: HeapPtr, garbage: &[ObjPtr]) -> Vec<WatcherPtr> {
    let watched = garbage.iter().filter(|object| object.meta().is_watched());
    let watchers: Vec<WatcherPtr> = watched.flat_map(|object| heap.watchers.clear(object.addr())).collect();
    if watchers.is_empty() {
        return watchers;
    }
    let mut inside = Inside::default();
    garbage.iter().for_each(|object| object.visit(&mut Visitor::new(&mut inside)));
    let (called, unheard): (Vec<_>, Vec<_>) = watchers.into_iter().partition(|watcher| {
        // One more handle is ours.
        watcher.handles() - 1 > inside.0.get(&watcher.addr()).copied().unwrap_or(0)
    });
    for watcher in unheard {
        // SAFETY: the handle of ours; the watcher is cleared.
        unsafe { watcher.release() }
    }
    called
}

/// How many handles on each watcher the garbage holds.
#[derive(Default)]
struct Inside(HashMap<usize, usize>);

impl EdgeSink for Inside {
    fn edge(&mut self, _: Target) {}

    fn weak(&mut self, watcher: usize) {
        *self.0.entry(watcher).or_default() += 1;
    }
}

/// Makes every weak reference to the objects fail, for good: weak references that are made later are new ones.
pub(crate) fn clear_all(objects: &[ObjPtr]) {
    for object in objects {
        // SAFETY: side headers of objects come from `Global`.
        unsafe { object.header().detach_side(&Global) };
    }
}
