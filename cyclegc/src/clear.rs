//! Taking garbage apart: weak references die, edges are severed, counts fall to zero by themselves.
#![allow(unsafe_code, reason = "the operations of a type take an object by address")]

use core::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::object::ObjPtr;
use crate::trace::Clearer;

/// What a panicking destructor left.
pub(crate) type Panic = Box<dyn Any + Send>;

/// Makes every weak reference to garbage fail, so that no destructor can reach what is being taken apart.
pub(crate) fn kill_weak_references(garbage: &[ObjPtr]) {
    for side in garbage.iter().filter_map(ObjPtr::side) {
        side.kill();
    }
}

/// The edges of garbage, on their way out.
pub(crate) struct Severing {
    /// Objects that are no garbage of this pass and lost their last reference: untracked ones, or objects of
    /// other heaps.
    released: Vec<ObjPtr>,
}

impl Severing {
    /// Gives up one reference to `target`. No destructor runs.
    #[inline]
    pub(crate) fn edge(&mut self, target: ObjPtr) {
        if target.header().decrement() {
            self.released.push(target);
        }
    }
}

/// Severs every edge of the garbage, of which the caller holds a reference to each object, so that nothing of
/// it dies meanwhile. Returns the other objects that died of it and still have to be destroyed.
pub(crate) fn sever(garbage: &[ObjPtr]) -> Vec<ObjPtr> {
    let mut severing = Severing { released: Vec::new() };
    for object in garbage {
        // SAFETY: nothing outside the garbage refers to the object, its weak references are dead, and no user
        // code runs before everything is severed: nobody else looks at it.
        unsafe { (object.vtable().clear)(object.as_ptr(), &mut Clearer(&mut severing)) }
    }
    severing.released
}

/// Runs `destroy` on every object, whatever panics; returns the first panic.
pub(crate) fn destroy_each(objects: Vec<ObjPtr>, destroy: fn(ObjPtr)) -> Option<Panic> {
    let mut rest = objects.into_iter();
    let mut first = None;
    while let Err(panic) = catch_unwind(AssertUnwindSafe(|| rest.by_ref().for_each(destroy))) {
        match first {
            None => first = Some(panic),
            // Its own destructor might panic once more.
            Some(_) => core::mem::forget(panic),
        }
    }
    first
}
