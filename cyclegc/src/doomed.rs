//! Garbage that is taken apart in one stream.
//!
//! Of most objects nobody can watch the end: no finalizer or callback is to run, and neither severing nor dropping the value runs any code of
//! the program's ([`Teardown::Plain`]). These are *doomed*. When the other garbage is severed too, one walk in address order drops the
//! doomed objects and frees them, pool by pool. References among them are not even counted down: where an edge leads is told by the
//! number of the target, so nothing is asked of an object that is freed already.
//!
//! ```text
//!   doomed object     each Gc of it:   to a doomed object    nothing
//!                                      to another one        a reference less
//!                     then the value is dropped, and its memory freed with the others of the pool
//!   other garbage     severed, as ever; its destructors run when the stream has passed
//! ```
//!
//! So it is only done if no garbage at all runs code while it is severed, or leaves an edge ([`Teardown::Unknown`]).
#![allow(unsafe_code, reason = "garbage is destroyed by address")]

use std::sync::Arc;

use allocator_api2::alloc::Global;
use cpymem_allocator::pool::Pool;

use crate::death;
use crate::heap::HeapPtr;
use crate::numbers::{Group, Numbers, Place};
use crate::object::{ObjPtr, SIDE_BYTES};
use crate::reached::{Bits, GROUP, Reached};
use crate::visitor::{Clearer, Target};

/// What a full pass has found in one shard.
pub(crate) struct DoomedShard {
    pub(crate) groups: Vec<Group>,
    /// The candidates that were not reached are garbage.
    pub(crate) reached: Reached,
    /// A word a group: those of them that are doomed.
    pub(crate) doomed: Vec<u64>,
}

/// The garbage of a full pass.
///
/// # Invariants
/// 1. The numbers that are not reached are those of garbage, which is alive and intact until [`take_apart`](Self::take_apart). Nothing but
///    garbage refers to it, and no other weak references than those that the doomed objects have.
/// 2. Those of them that are doomed have said [`Teardown::Plain`](crate::Teardown::Plain), and nothing runs when they die; the others at
///    least [`Teardown::Severs`](crate::Teardown::Severs).
pub(crate) struct Doomed {
    numbers: Arc<Numbers>,
    shards: Vec<DoomedShard>,
    /// How many objects are doomed.
    pub(crate) len: usize,
}

impl DoomedShard {
    /// The other garbage.
    pub(crate) fn each_other(&self, mut each: impl FnMut(ObjPtr)) {
        for (place, (group, doomed)) in self.groups.iter().zip(&self.doomed).enumerate() {
            for index in Bits(self.reached.unreached(place) & !doomed) {
                // SAFETY: invariant 1 of `Shard`, which this was.
                each(unsafe { group.object(index) });
            }
        }
    }

    fn len(&self) -> usize {
        self.doomed.iter().map(|doomed| doomed.count_ones() as usize).sum()
    }
}

impl Doomed {
    /// # Safety
    /// The invariants of [`Doomed`] must hold. The numbers are those of the shards.
    pub(crate) unsafe fn new(numbers: Arc<Numbers>, shards: Vec<DoomedShard>) -> Doomed {
        let len = shards.iter().map(DoomedShard::len).sum();
        Doomed { numbers, shards, len }
    }

    #[inline(always)]
    fn contains(&self, target: Target) -> bool {
        let Place { shard, number } = self.numbers.place(target);
        let shard = self.shards.get(shard as usize);
        shard.is_some_and(|shard| shard.doomed[number / GROUP] >> (number % GROUP) & 1 != 0)
    }

    /// Severs all garbage, drops the doomed objects and frees them. Returns the objects that are no garbage and lost their last reference:
    /// they are to be destroyed.
    ///
    /// # Safety
    /// It is called once, no code of the program's has run since the garbage was found, and the caller owns a reference to
    /// each object of the other garbage.
    pub(crate) unsafe fn take_apart(&self, heap: HeapPtr) -> Vec<ObjPtr> {
        let unfinished = Unfinished;
        let mut released = Vec::new();
        let mut give_up = |targets: &[Target]| {
            for &target in targets.iter().filter(|target| !self.contains(**target)) {
                // SAFETY: the reference that is given up kept the object alive until now, as it is not doomed.
                let target = unsafe { ObjPtr::new(target) };
                death::give_up(target, &mut released);
            }
        };
        let mut clearer = Clearer::new(&mut give_up);
        for DoomedShard { groups, reached, doomed } in &self.shards {
            let mut place = 0;
            for groups in groups.chunk_by(Group::is_beside) {
                let words = || (place..).zip(groups);
                for (place, group) in words() {
                    for index in Bits(reached.unreached(place)) {
                        group.prefetch_behind(index);
                        // SAFETY: invariant 1.
                        let object = unsafe { group.object(index) };
                        match doomed[place] >> index & 1 != 0 {
                            // SAFETY: invariants 1 and 2: no code runs that could look at it, now or later.
                            true => unsafe { drop_value(object, &mut clearer) },
                            // SAFETY: as above: no code runs before it is severed.
                            false => unsafe { object.clear(&mut clearer) },
                        }
                    }
                }
                // SAFETY: the values of the doomed objects are dropped, and nothing refers to them but what is still to be severed.
                unsafe { free(heap, words().map(|(place, group)| (group, doomed[place]))) };
                place += groups.len();
            }
        }
        drop(clearer);
        heap.schedule.freed(self.len);
        core::mem::forget(unfinished);
        released
    }
}

/// Ends the process if a panic leaves the stream: half of the garbage would be there, referring to the other half. Only code that
/// [`Trace::teardown`](crate::Trace::teardown) has denied could do so.
struct Unfinished;

impl Drop for Unfinished {
    fn drop(&mut self) {
        eprintln!("cyclegc: `Trace::teardown` of a type denies code that has panicked");
        std::process::abort();
    }
}

/// Severs the edges of a doomed object, ends its weak references and drops its value.
///
/// # Safety
/// The object is doomed, and its value not used again.
#[inline(always)]
unsafe fn drop_value(object: ObjPtr, clearer: &mut Clearer<'_>) {
    // SAFETY: the caller's promise.
    unsafe { object.dismantle(clearer) };
    // SAFETY: side headers of objects come from `Global`.
    unsafe { object.header().release_side(&Global) };
}

/// Frees the doomed objects of one pool.
///
/// # Safety
/// Their values are dropped and they are not used again. The groups are all that there are in the pool.
unsafe fn free<'a>(heap: HeapPtr, groups: impl Iterator<Item = (&'a Group, u64)> + Clone) {
    let doomed: usize = groups.clone().map(|(_, doomed)| doomed.count_ones() as usize).sum();
    let Some((first, _)) = groups.clone().next().filter(|_| doomed > 0) else { return };
    // SAFETY: a block of a heap's pools, which have these side bytes; a doomed object keeps the pool until below.
    let pool: Pool<'_> = unsafe { Pool::holding(first.block(0), SIDE_BYTES) };
    if pool.live() == doomed {
        // SAFETY: there are no other objects in it.
        return unsafe { heap.dealloc_pool(pool) };
    }
    for (group, doomed) in groups {
        for index in Bits(doomed) {
            // SAFETY: the caller's promise.
            let object = unsafe { group.object(index) };
            // SAFETY: as above; the object has the layout of its type, and others keep the pool.
            unsafe { heap.pools.dealloc(object.block(), object.vtable().layout) };
        }
    }
}
