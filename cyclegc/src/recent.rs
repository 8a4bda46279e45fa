//! The pools that hold young and middle objects, after a pass.
#![allow(unsafe_code, reason = "side bytes are walked by address")]

use crate::heap::{HAS_MIDDLE, HAS_YOUNG, HeapPtr};
use crate::object::ObjPtr;
use crate::schedule::Generation;
use crate::side_word::{SidePtr, SideWord};

/// The objects of a generation and all younger ones have moved one on.
pub(crate) fn forget(heap: HeapPtr, generation: Generation) {
    match generation {
        Generation::Young => {}
        Generation::Middle => return heap.recent.drain(|_| {}),
        Generation::Old => {
            promote(heap); // a full pass has not touched their side words
            return;
        }
    }
    for pool in (0..heap.recent.len()).filter_map(|place| heap.recent.get(place)) {
        if heap.recent.flags(pool) & HAS_YOUNG != 0 {
            heap.recent.set_flags(pool, HAS_MIDDLE);
        }
    }
}

/// Makes all young and middle objects old; their number.
pub(crate) fn promote(heap: HeapPtr) -> usize {
    let mut promoted = 0;
    heap.recent.drain(|pool| {
        for (block, side) in pool.blocks() {
            // SAFETY: the side bytes of a carved block of a pool that holds objects.
            let side = unsafe { SidePtr::new(side) };
            if matches!(side.get().generation(), SideWord::YOUNG | SideWord::MIDDLE) {
                side.set(SideWord::OLD.with_purple(side.get().is_purple()));
                // SAFETY: a carved block of the heap's pools.
                let object = unsafe { ObjPtr::in_block(block) };
                promoted += usize::from(object.is_some_and(|object| object.meta().is_tracked()));
            }
        }
    });
    promoted
}
