//! Taking garbage apart: edges are severed, counts fall to zero by themselves.
#![allow(unsafe_code, reason = "garbage is severed and destroyed by address")]

use std::panic::{AssertUnwindSafe, catch_unwind};

use cpymem_refcount::raw::Decrement;

use crate::checked;
use crate::death;
use crate::doomed::Doomed;
use crate::heap::HeapPtr;
use crate::object::ObjPtr;
use crate::side_word::prefetch;
use crate::visitor::{Clearer, Target};

/// Severs every edge of the garbage, of which the caller owns a reference to each object, and then destroys what is
/// not referenced any more. Destructors run when everything is severed; a panic in one stops nothing.
pub(crate) fn take_apart(heap: HeapPtr, garbage: Vec<ObjPtr>) {
    let released = sever(heap, &garbage);
    destroy(heap, released, garbage);
}

/// As [`take_apart`], with garbage beside it that is destroyed while the rest is severed.
pub(crate) fn take_apart_with(heap: HeapPtr, doomed: &Doomed, garbage: Vec<ObjPtr>) {
    // SAFETY: the caller took both from a pass, and no user code has run since.
    let released = unsafe { doomed.take_apart(heap) };
    destroy(heap, released, garbage);
}

fn destroy(heap: HeapPtr, released: Vec<ObjPtr>, garbage: Vec<ObjPtr>) {
    // Objects that are no garbage of this pass and lost their last reference: untracked ones, or of other heaps.
    each_guarded(heap, released, death::dispose);
    each_guarded(heap, garbage, |object| {
        let was_last = match object.header().decrement_fast() {
            Decrement::Done => false,
            Decrement::Unsure => object.header().decrement_slow(),
        };
        if was_last {
            // SAFETY: as it says.
            unsafe { death::destroy(object) }
        } else if object.meta().is_purple() {
            // A destructor has handed out a reference to it: it lives on, with dead handles inside.
            object.set_meta(object.meta().not_purple());
            death::note_decrement(object);
        }
    });
}

/// Severs the edges. No destructor runs, but those of map keys and set elements, which can only be severed by being
/// taken out; a panic in one of them leaves the rest of its object to reference counting. Returns what died of it.
fn sever(heap: HeapPtr, garbage: &[ObjPtr]) -> Vec<ObjPtr> {
    let mut released = Vec::new();
    let mut give_up = |targets: &[Target]| {
        for target in targets {
            prefetch(target.as_ptr().cast_const().cast());
        }
        for &target in targets {
            // SAFETY: the reference that is given up kept the object alive until now.
            let target = unsafe { ObjPtr::new(target) };
            death::give_up(target, &mut released);
        }
    };
    let mut clearer = Clearer::new(&mut give_up);
    each_guarded(heap, garbage.iter().copied(), |object| {
        // SAFETY: nothing outside the garbage refers to the object, its weak references are dead, and the only user
        // code that runs before everything is severed sees nothing but what its own object held.
        checked::clearing(object, &mut clearer, |clearer| unsafe { object.clear(clearer) });
    });
    drop(clearer);
    released
}

/// Runs `each` on every object, whatever panics.
fn each_guarded(heap: HeapPtr, objects: impl IntoIterator<Item = ObjPtr>, mut each: impl FnMut(ObjPtr)) {
    let mut rest = objects.into_iter();
    while let Err(panic) = catch_unwind(AssertUnwindSafe(|| rest.by_ref().for_each(&mut each))) {
        heap.events.unraisable(panic);
    }
}
