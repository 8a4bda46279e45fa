//! Slots: the numbers by which threads own objects, and where their queues are.
#![allow(unsafe_code, reason = "segments of queues are published by pointer")]

use super::queue::Queue;
use crate::primitive::{AtomicPtr, Mutex, Ordering};
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::ptr;

/// The number of a thread, in the headers of the objects that it owns. No other thread has or will have the same.
///
/// ```text
///            31           16 15            0
///           ┌───────────────┬───────────────┐
///           │ generation    │ index         │
///           └───────────────┴───────────────┘
/// ```
///
/// The index says where the queue is, and is used again when its thread is gone; the generation says for which of its threads. An
/// index whose generations are used up is retired. So there are 2^32 threads with slots in the life of a process, less a few, of which 2^16
/// at the same time; the objects of the others are born merged.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Slot(pub(super) u32);

/// Counts the threads that have had an index, from 1.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Generation(pub(super) u16);

impl Generation {
    pub(super) const FIRST: Generation = Generation(1);
    /// No thread has it: what comes after the last.
    const OVER: Generation = Generation(0);

    pub(super) const fn next(self) -> Generation {
        Generation(self.0.wrapping_add(1))
    }
}

impl Slot {
    /// In the header of an object that nobody owns.
    pub(super) const NOBODY: Slot = Slot(0);
    /// What a thread without a slot has: equal to that of no header.
    pub(super) const NONE: Slot = Slot(u32::MAX);

    const fn new(index: u16, generation: Generation) -> Slot {
        Slot((generation.0 as u32) << 16 | index as u32)
    }

    #[expect(clippy::cast_possible_truncation, reason = "the low half")]
    const fn index(self) -> u16 {
        self.0 as u16
    }

    pub(super) const fn generation(self) -> Generation {
        Generation((self.0 >> 16) as u16)
    }
}

#[cfg(not(loom))]
const SEGMENTS: usize = 256;
#[cfg(not(loom))]
const SEGMENT_QUEUES: usize = 256;
// Few, as loom remembers what happens to each.
#[cfg(loom)]
const SEGMENTS: usize = 2;
#[cfg(loom)]
const SEGMENT_QUEUES: usize = 2;

/// The last index is never used, so that no slot equals [`Slot::NONE`].
const INDEXES: usize = SEGMENTS * SEGMENT_QUEUES - 1;

type Segment = [Queue; SEGMENT_QUEUES];

/// Which slots there are.
///
/// # Invariants
///
/// 1. A segment is null or a leaked box, and does not change once it is not null.
/// 2. The segments of all indexes below `Free::fresh` are there.
pub(super) struct Slots {
    segments: [AtomicPtr<Segment>; SEGMENTS],
    free: Mutex<Free>,
}

struct Free {
    /// Slots that the next threads may have.
    vacant: Vec<Slot>,
    /// The indexes from here on have never been used.
    fresh: usize,
    taken: usize,
    limit: usize,
}

impl Slots {
    #[cfg(not(loom))]
    pub(super) const fn new() -> Slots {
        Slots {
            segments: [const { AtomicPtr::new(ptr::null_mut()) }; SEGMENTS],
            free: Mutex::new(Free { vacant: Vec::new(), fresh: 0, taken: 0, limit: INDEXES }),
        }
    }

    #[cfg(loom)]
    pub(super) fn new() -> Slots {
        Slots {
            segments: core::array::from_fn(|_| AtomicPtr::new(ptr::null_mut())),
            free: Mutex::new(Free { vacant: Vec::new(), fresh: 0, taken: 0, limit: INDEXES }),
        }
    }

    fn free(&self) -> crate::primitive::MutexGuard<'_, Free> {
        self.free.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// A slot for the calling thread, and its queue; `None` if there are no more, or no memory.
    pub(super) fn acquire(&self) -> Option<(Slot, &Queue)> {
        let mut free = self.free();
        if free.taken >= free.limit {
            return None;
        }
        let slot = match free.vacant.pop() {
            Some(slot) => slot,
            None => {
                let index = free.fresh;
                let index = u16::try_from(index).ok().filter(|_| index < INDEXES)?;
                self.make_segment(index);
                free.fresh += 1;
                Slot::new(index, Generation::FIRST)
            }
        };
        free.taken += 1;
        drop(free);
        Some((slot, self.queue(slot)))
    }

    /// Under the lock.
    fn make_segment(&self, index: u16) {
        let place = &self.segments[usize::from(index) / SEGMENT_QUEUES];
        // Relaxed: written under the lock.
        if place.load(Ordering::Relaxed).is_null() {
            let segment = Box::new(core::array::from_fn(|_| Queue::new()));
            // Release: the queues; pairs with the Acquire in `queue`.
            place.store(Box::into_raw(segment), Ordering::Release);
        }
    }

    /// The thread is gone, and its queue closed.
    pub(super) fn release(&self, slot: Slot) {
        let mut free = self.free();
        free.taken -= 1;
        let generation = slot.generation().next();
        if generation != Generation::OVER {
            free.vacant.push(Slot::new(slot.index(), generation));
        }
    }

    /// The queue of a thread, which may be another's by now: its generation tells.
    pub(super) fn queue(&self, slot: Slot) -> &Queue {
        let index = usize::from(slot.index());
        // Acquire: pairs with the Release in `make_segment`. (Whoever knows the slot has it from its thread, and so comes after that.)
        let segment = self.segments[index / SEGMENT_QUEUES].load(Ordering::Acquire);
        // SAFETY: invariants 1 and 2: a slot was made by `acquire`.
        let segment = unsafe { &*segment };
        &segment[index % SEGMENT_QUEUES]
    }

    /// Every slot that a thread may have now.
    pub(super) fn each(&self, mut visit: impl FnMut(Slot, &Queue)) {
        let free = self.free();
        let mut generations = alloc::vec![Generation::FIRST; free.fresh];
        // What is vacant belongs to nobody, and its queue is empty.
        for slot in &free.vacant {
            generations[usize::from(slot.index())] = Generation::OVER;
        }
        for index in 0..free.fresh {
            let index = u16::try_from(index).unwrap_or(u16::MAX);
            let first = Slot::new(index, Generation::FIRST);
            let queue = self.queue(first);
            if generations[usize::from(index)] != Generation::OVER {
                visit(Slot::new(index, queue.generation()), queue);
            }
        }
    }

    /// At most so many threads have slots from now on; returns what it was. Those that have one keep it.
    pub(super) fn set_limit(&self, limit: usize) -> usize {
        core::mem::replace(&mut self.free().limit, limit.min(INDEXES))
    }
}

/// Only models end one.
impl Drop for Slots {
    fn drop(&mut self) {
        for segment in &self.segments {
            let segment = segment.load(Ordering::Relaxed); // Relaxed: nobody else is there.
            if !segment.is_null() {
                // SAFETY: invariant 1.
                drop(unsafe { Box::from_raw(segment) });
            }
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn slots_are_never_reused() {
        let slots = Slots::new();
        let (first, queue) = slots.acquire().unwrap();
        let mut seen = HashSet::from([first.0]);
        assert!(queue.is_open(first.generation()));
        let mut last = first;
        for _ in 1..u16::MAX {
            assert!(slots.queue(last).close(last.generation()).pop().is_none());
            slots.release(last);
            let (next, queue) = slots.acquire().unwrap();
            assert!(next.index() == 0 && seen.insert(next.0));
            assert!(queue.is_open(next.generation()) && !queue.is_open(last.generation()));
            last = next;
        }
        // The index is used up.
        slots.queue(last).close(last.generation());
        slots.release(last);
        let (other, _) = slots.acquire().unwrap();
        assert!(other.index() == 1 && !slots.queue(first).is_open(first.generation()));
        assert!(!seen.contains(&Slot::NOBODY.0) && !seen.contains(&Slot::NONE.0));
    }

    #[test]
    fn there_is_an_end() {
        let slots = Slots::new();
        for index in 0..INDEXES {
            assert_eq!(usize::from(slots.acquire().unwrap().0.index()), index);
        }
        assert!(slots.acquire().is_none());
        slots.release(Slot::new(7, Generation(1)));
        assert_eq!(slots.acquire().unwrap().0, Slot::new(7, Generation(2)));
        assert_eq!(slots.set_limit(5), INDEXES);
        slots.release(Slot::new(7, Generation(2)));
        assert!(slots.acquire().is_none());
    }
}
