//! A collection, as CPython's `gc_collect_main` does it (`Python/gc.c`), a phase a line.
//!
//! ```text
//!   candidates       gc_refs := count                         every object of the generation and younger
//!   subtract_refs    gc_refs -= 1 for each internal edge      what is left comes from outside
//!   mark_reachable   from gc_refs > 0 along the edges         the rest is unreachable
//!                    (a full collection does these three by other means: `full`)
//!   clear_watchers   weak references with a callback die      callbacks run
//!   finalize         once for each object                     may resurrect
//!   resurrected      the first three phases again             for the unreachable alone
//!   clear_all        every other weak reference dies
//!   take_apart       every Gc in it is dead from now on       counts fall to zero, destructors run
//! ```
//!
//! Garbage of a full collection whose end runs no user code skips all that: see [`doomed`](crate::doomed).
//!
//! No user code but [`Trace::visit`](crate::Trace::visit) runs before the callbacks, nor between the check for
//! resurrected objects and the first destructor.

use std::panic::resume_unwind;
use std::thread;

#[cfg(feature = "checked")]
use crate::audit;
use crate::candidates::{Candidates, Found};
use crate::death;
use crate::events::{Debug, Info, Panic, Phase, discard};
use crate::full;
use crate::heap::{HeapPtr, WeakrefOrder};
use crate::object::ObjPtr;
use crate::recent;
use crate::schedule::Generation;
use crate::subtract::subtract_refs;
use crate::teardown::{take_apart, take_apart_with};
use crate::weakrefs::{clear_all, clear_watchers};

/// Collects one generation of a heap and all younger ones, as the program asked. See
/// [`Collector::collect`](crate::Collector::collect).
pub(crate) fn collect(heap: HeapPtr, generation: Generation) -> usize {
    let found = run(heap, generation);
    resume(found.panic);
    found.collected
}

/// Resumes what a collection that was asked for has kept, unless the thread unwinds already.
pub(crate) fn resume(panic: Option<Panic>) {
    match panic {
        Some(panic) if thread::panicking() => discard(panic),
        Some(panic) => resume_unwind(panic),
        None => {}
    }
}

/// Collects what is due, before an object is made. A panic that the hook does not take is lost: making an object does
/// not panic.
#[cold]
#[inline(never)]
pub(crate) fn collect_due(heap: HeapPtr) {
    if let Some(generation) = heap.schedule.due()
        && let Some(panic) = run(heap, generation).panic
    {
        discard(panic);
    }
}

/// What came of a collection.
#[derive(Default)]
struct Outcome {
    collected: usize,
    panic: Option<Panic>,
}

fn run(heap: HeapPtr, generation: Generation) -> Outcome {
    let Some(running) = Running::start(heap) else { return Outcome::default() };
    heap.schedule.start(generation);
    heap.schedule.reset_limit();
    let mut info = Info { generation, collected: 0, uncollectable: 0 };
    heap.events.notify(Phase::Start, &info);
    heap.events.guard(|| info.collected = pass(heap, generation));
    let tally = &heap.tallies[generation as usize];
    tally.collections.set(tally.collections.get() + 1);
    tally.collected.set(tally.collected.get() + info.collected);
    if heap.events.debug.get().contains(Debug::STATS) {
        eprintln!(
            "gc: generation {} done, {} unreachable, 0 uncollectable",
            generation as u8, info.collected
        );
    }
    heap.events.notify(Phase::Stop, &info);
    let panic = heap.events.take_panic();
    drop(running);
    Outcome { collected: info.collected, panic }
}

/// One pass; the number of tracked objects found unreachable, without the resurrected ones.
fn pass(heap: HeapPtr, generation: Generation) -> usize {
    if generation == Generation::Old && heap.purple.is_empty() && !heap.leftover.get() {
        let survivors = recent::promote(heap);
        heap.schedule.became_old(survivors);
        heap.schedule
            .full_pass_left(heap.schedule.long_lived_total.get() + heap.schedule.long_lived_pending.get());
        return 0;
    }
    let Some(found) = find(heap, generation) else {
        heap.inconsistent.set(heap.inconsistent.get() + 1);
        #[cfg(feature = "checked")]
        audit::accuse_contradiction(heap);
        return 0;
    };
    match generation {
        Generation::Young => {}
        Generation::Middle => heap.schedule.became_old(found.survivors),
        Generation::Old => {
            heap.schedule.full_pass_left(found.survivors);
            heap.given_up.set(0);
            heap.step_baseline.set(found.survivors);
        }
    }
    destroy(heap, found)
}

/// The candidates that nothing outside reaches, in address order; `None` if the reported edges contradict the counts.
fn find(heap: HeapPtr, generation: Generation) -> Option<Found> {
    let mut candidates = match generation {
        Generation::Young => Candidates::young(heap),
        Generation::Middle => Candidates::young_and_middle(heap),
        Generation::Old => return full::find(heap),
    };
    if !subtract_refs(heap, &mut candidates) {
        return None;
    }
    candidates.mark_reachable();
    recent::forget(heap, generation);
    Some(candidates.settle())
}

/// Destroys what was found, unless it is resurrected; the number of objects that were not.
pub(crate) fn destroy(heap: HeapPtr, found: Found) -> usize {
    let mut unreachable = found.unreachable;
    if let Some(doomed) = found.doomed {
        if found.weak {
            clear_all(&unreachable);
        }
        let collected = unreachable.len() + doomed.len;
        take_apart_with(heap, &doomed, unreachable);
        return collected;
    }
    if unreachable.is_empty() {
        return 0;
    }
    let debug = heap.events.debug.get();
    if debug.contains(Debug::COLLECTABLE) {
        unreachable.iter().for_each(|object| print_collectable(*object));
    }
    if found.eventful {
        let called = clear_watchers(heap, &unreachable);
        if heap.weakref_order.get() == WeakrefOrder::Py313 {
            clear_all(&unreachable);
        }
        death::call_back(heap, called);
        for &object in &unreachable {
            if object.meta().is_to_finalize() {
                death::run_finalizer(object);
            }
        }
        unreachable = without_resurrected(heap, unreachable);
    }
    let collected = unreachable.len();
    if debug.contains(Debug::SAVEALL) {
        for &object in &unreachable {
            recolour(object);
        }
        heap.garbage.borrow_mut().append(&mut unreachable);
        return collected;
    }
    if found.weak || found.eventful {
        clear_all(&unreachable);
    }
    take_apart(heap, unreachable);
    collected
}

/// Lets go of the objects that callbacks and finalizers have made reachable again, and all that these reach (CPython's
/// `handle_resurrected_objects`); returns the others. No user code runs.
fn without_resurrected(heap: HeapPtr, unreachable: Vec<ObjPtr>) -> Vec<ObjPtr> {
    let mut candidates = Candidates::listed(heap, &unreachable);
    let (resurrected, dead) = match subtract_refs(heap, &mut candidates) {
        true => {
            candidates.mark_reachable();
            candidates.split()
        }
        false => {
            heap.inconsistent.set(heap.inconsistent.get() + 1);
            drop(candidates);
            (unreachable, Vec::new())
        }
    };
    heap.schedule.became_old(resurrected.len());
    for object in resurrected {
        recolour(object);
        death::release(object);
    }
    dead
}

/// An object that was found unreachable lives on: it is noted as purple, not only marked so.
fn recolour(object: ObjPtr) {
    object.set_meta(object.meta().not_purple());
    death::note_decrement(object);
}

fn print_collectable(object: ObjPtr) {
    eprintln!("gc: collectable <{} at {:#x}>", (object.vtable().type_name)(), object.addr());
}

/// Says that a pass is under way until it is dropped, also by a panic.
pub(crate) struct Running(HeapPtr);

impl Running {
    /// `None` if one is under way already.
    pub(crate) fn start(heap: HeapPtr) -> Option<Running> {
        (!heap.collecting.replace(true)).then(|| Running(heap))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.collecting.set(false);
        self.0.free_if_unused();
    }
}
