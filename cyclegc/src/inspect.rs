//! Looking at a heap from outside: its objects, who refers to whom; and freezing it.

use std::collections::HashSet;

use crate::any::AnyGc;
use crate::heap::HeapPtr;
use crate::object::ObjPtr;
use crate::recent;
use crate::schedule::Generation;
use crate::side_word::SideWord;
use crate::visitor::{EdgeSink, Target, Visitor};

/// The tracked objects of one generation, or of all but the frozen ones, in address order.
pub(crate) fn objects(heap: HeapPtr, generation: Option<Generation>) -> Vec<AnyGc> {
    let wanted = generation.map(|generation| match generation {
        Generation::Young => SideWord::YOUNG,
        Generation::Middle => SideWord::MIDDLE,
        Generation::Old => SideWord::OLD,
    });
    let mut objects = Vec::new();
    heap.for_each_tracked(|object, side| {
        let is = side.get().generation();
        if wanted.map_or(is != SideWord::FROZEN, |wanted| wanted == is) {
            objects.push(AnyGc::to(object));
        }
    });
    objects
}

/// Gathers the edges of one object.
#[derive(Default)]
pub(crate) struct Edges(pub(crate) Vec<Target>);

impl EdgeSink for Edges {
    fn edge(&mut self, target: Target) {
        self.0.push(target);
    }
}

impl Edges {
    /// The targets of the edges that an object reports, in order.
    pub(crate) fn of(object: ObjPtr) -> Vec<Target> {
        let mut edges = Edges::default();
        object.visit(&mut Visitor::new(&mut edges));
        edges.0
    }
}

/// The tracked objects with an edge to one of the targets.
pub(crate) fn referrers(heap: HeapPtr, targets: &[AnyGc]) -> Vec<AnyGc> {
    let targets: HashSet<Target> = targets.iter().filter_map(AnyGc::object).map(ObjPtr::as_ptr).collect();
    let mut referrers = Vec::new();
    heap.for_each_tracked(|object, _| {
        if Edges::of(object).iter().any(|edge| targets.contains(edge)) {
            referrers.push(AnyGc::to(object));
        }
    });
    referrers
}

/// Makes every tracked object one that no collection looks at: what it refers to counts as referenced from outside.
pub(crate) fn freeze(heap: HeapPtr) {
    if heap.collecting.get() {
        return; // side words and counts of what was found are the collection's
    }
    recent::forget(heap, Generation::Old);
    let mut frozen = 0;
    heap.for_each_tracked(|_, side| {
        side.set(SideWord::FROZEN.with_purple(side.get().is_purple()));
        frozen += 1;
    });
    heap.frozen.set(frozen);
    heap.schedule.full_pass_left(0);
}

/// Makes frozen objects old ones.
pub(crate) fn unfreeze(heap: HeapPtr) {
    if heap.collecting.get() {
        return;
    }
    let mut thawed = 0;
    heap.for_each_tracked(|_, side| {
        if side.get().generation() == SideWord::FROZEN {
            side.set(SideWord::OLD.with_purple(side.get().is_purple()));
            thawed += 1;
        }
    });
    heap.frozen.set(0);
    heap.schedule.became_old(thawed);
    heap.leftover.set(thawed > 0 || heap.leftover.get());
}

/// Frozen objects that are alive.
pub(crate) fn freeze_count(heap: HeapPtr) -> usize {
    if heap.frozen.get() == 0 {
        return 0;
    }
    let mut frozen = 0;
    heap.for_each_tracked(|_, side| frozen += usize::from(side.get().generation() == SideWord::FROZEN));
    frozen
}

/// A snapshot of the objects that `Debug::SAVEALL` kept.
pub(crate) fn garbage(heap: HeapPtr) -> Vec<AnyGc> {
    heap.garbage.borrow().iter().map(|&object| AnyGc::to(object)).collect()
}

/// Gives up the heap's references to the objects that `Debug::SAVEALL` kept; their number.
pub(crate) fn clear_garbage(heap: HeapPtr) -> usize {
    // Handles, so that a panic in a destructor keeps none of the others.
    let garbage: Vec<AnyGc> = heap.garbage.take().into_iter().map(AnyGc::from_owned).collect();
    garbage.len()
}
