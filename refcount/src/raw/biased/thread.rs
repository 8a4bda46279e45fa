//! A thread's slot, and when it looks into its queue.
#![allow(unsafe_code, reason = "links are settled by whoever took them")]

use super::super::trashcan::first_panic::FirstPanic;
use super::super::unraisable::contain;
use super::queue::{Chain, Queue, merge, settle};
use super::slot::{Slot, Slots};
use core::cell::Cell;
use core::ptr;

#[cfg(not(loom))]
type SlotsRef = &'static Slots;
#[cfg(loom)]
type SlotsRef = std::sync::Arc<Slots>;

#[cfg(not(loom))]
static SLOTS: Slots = Slots::new();
#[cfg(loom)]
crate::primitive::lazy_static! {
    static ref SLOTS: SlotsRef = SlotsRef::new(Slots::new());
}

/// The slots of this process.
pub(super) fn slots() -> SlotsRef {
    #[cfg(not(loom))]
    return &SLOTS;
    #[cfg(loom)]
    return SLOTS.clone();
}

/// What a thread knows of itself.
///
/// # Invariants
///
/// 1. While `slot` is not [`Slot::NONE`] it is this thread's, and `queue` points to its queue, which stays where it is.
struct Local {
    slot: Cell<Slot>,
    queue: Cell<*const Queue>,
    /// It asked for a slot, and has one, had one or got none.
    asked: Cell<bool>,
    /// It is draining its queue.
    draining: Cell<bool>,
    #[cfg(loom)]
    slots: Cell<Option<SlotsRef>>,
}

impl Local {
    const fn new() -> Local {
        Local {
            slot: Cell::new(Slot::NONE),
            queue: Cell::new(ptr::null()),
            asked: Cell::new(false),
            draining: Cell::new(false),
            #[cfg(loom)]
            slots: Cell::new(None),
        }
    }

    /// The thread ends, or at least this part of it. From here on it is a foreign thread to its own objects.
    fn depart(&self) {
        let slot = self.slot.replace(Slot::NONE);
        if slot == Slot::NONE {
            return;
        }
        #[cfg(not(loom))]
        let slots = slots();
        #[cfg(loom)]
        let Some(slots) = self.slots.take() else { return };
        let mut chain = slots.queue(slot).close(slot.generation());
        slots.release(slot);
        while let Some(link) = chain.pop() {
            // There is nobody above who could be told.
            // SAFETY: just taken, and their owner, this thread, does not count locally any more.
            contain(|| unsafe { finish(link) });
        }
    }
}

#[cfg(not(loom))]
mod storage {
    use super::Local;

    // Without drop glue it needs no registration, and stays usable while the thread's other thread-locals are destroyed.
    const _: () = assert!(!core::mem::needs_drop::<Local>());

    /// Departs at the end of the thread.
    struct Guard;

    impl Drop for Guard {
        fn drop(&mut self) {
            let _gone = LOCAL.try_with(Local::depart);
        }
    }

    std::thread_local! {
        static LOCAL: Local = const { Local::new() };
        static GUARD: Guard = const { Guard };
    }

    /// `None` at the end of a thread, on targets without native thread-local storage.
    #[inline]
    pub(super) fn with<R>(use_it: impl FnOnce(&Local) -> R) -> Option<R> {
        LOCAL.try_with(use_it).ok()
    }

    /// Whether the end of this thread will be seen.
    pub(super) fn guard() -> bool {
        GUARD.try_with(|_| ()).is_ok()
    }
}

#[cfg(loom)]
mod storage {
    use super::Local;

    impl Drop for Local {
        fn drop(&mut self) {
            self.depart();
        }
    }

    crate::primitive::thread_local! {
        static LOCAL: Local = Local::new();
    }

    pub(super) fn with<R>(use_it: impl FnOnce(&Local) -> R) -> Option<R> {
        LOCAL.try_with(use_it).ok()
    }

    pub(super) fn guard() -> bool {
        true
    }
}

/// This thread's slot, or [`Slot::NONE`].
#[inline]
pub(super) fn mine() -> Slot {
    storage::with(|local| local.slot.get()).unwrap_or(Slot::NONE)
}

/// This thread gives its slot up.
pub(super) fn depart() {
    let _gone = storage::with(Local::depart);
}

/// Before this thread makes an object: gives it a slot if it is the first, and drains the queue.
#[inline]
pub(crate) fn prepare() {
    let busy = storage::with(|local| match local.slot.get() {
        Slot::NONE => !local.asked.get(),
        slot => {
            // SAFETY: invariant 1.
            let queue = unsafe { &*local.queue.get() };
            !queue.is_idle(slot.generation())
        }
    });
    if busy == Some(true) {
        prepare_slowly();
    }
}

#[cold]
#[inline(never)]
fn prepare_slowly() {
    let asked = storage::with(|local| local.asked.replace(true));
    if asked == Some(false) && storage::guard() {
        let slots = slots();
        if let Some((slot, queue)) = slots.acquire() {
            let queue = ptr::from_ref(queue);
            let _known = storage::with(|local| {
                local.queue.set(queue);
                local.slot.set(slot);
                #[cfg(loom)]
                local.slots.set(Some(slots.clone()));
            });
        }
    }
    drain();
}

/// Whether there is something in this thread's queue.
#[inline]
pub(crate) fn has_work() -> bool {
    let work = storage::with(|local| {
        let slot = local.slot.get();
        // SAFETY: invariant 1.
        slot != Slot::NONE && !unsafe { &*local.queue.get() }.is_idle(slot.generation())
    });
    work == Some(true)
}

/// Merges what is in this thread's queue, unless that is being done already further up on the stack; returns how many references that were.
///
/// # Panics
///
/// With the first panic of a destructor, after all of them have run; unless the thread is unwinding already.
#[cold]
#[inline(never)]
pub(crate) fn drain() -> usize {
    let chain = storage::with(|local| {
        let slot = local.slot.get();
        if slot == Slot::NONE || local.draining.replace(true) {
            return None;
        }
        // SAFETY: invariant 1.
        Some(unsafe { &*local.queue.get() }.take(slot.generation()))
    });
    let Some(Some(mut chain)) = chain else { return 0 };
    let mut first_panic = FirstPanic::none();
    let mut merged = 0;
    while let Some(link) = chain.pop() {
        merged += 1;
        // SAFETY: taken out of this thread's own queue.
        first_panic.catch(|| unsafe { finish(link) });
    }
    storage::with(|local| local.draining.set(false));
    drop(first_panic);
    merged
}

/// # Safety
///
/// That of [`merge`].
unsafe fn finish(link: core::ptr::NonNull<super::queue::Link>) {
    // SAFETY: the caller's promise.
    if unsafe { merge(link) } {
        // SAFETY: the line above.
        unsafe { settle(link) }
    }
}

/// The dead among the objects that a collector has merged for their owners. They are destroyed when this is dropped.
#[must_use = "dropping it runs the destructors"]
pub struct Merged {
    dead: Chain,
    references: usize,
}

impl Merged {
    /// How many queued references were merged.
    pub fn references(&self) -> usize {
        self.references
    }
}

/// Destroys them, all of them even if destructors panic.
impl Drop for Merged {
    fn drop(&mut self) {
        let mut first_panic = FirstPanic::none();
        while let Some(link) = self.dead.pop() {
            // SAFETY: `merge` has said that it is dead.
            first_panic.catch(|| unsafe { settle(link) });
        }
        drop(first_panic);
    }
}

/// Merges what is in the queues of all threads, for a collector that has stopped them.
///
/// No destructor runs before the result is dropped, which may be after the threads go on.
///
/// # Safety
///
/// While it runs no other thread clones, drops or otherwise counts [`BiasedRc`](crate::biased::BiasedRc)s, begins to or ends; and all that they did
/// before happens before this call, as this call does before what they do next.
pub unsafe fn merge_all() -> Merged {
    let mut merged = Merged { dead: Chain::empty(), references: 0 };
    slots().each(|slot, queue| {
        let mut chain = queue.take(slot.generation());
        while let Some(link) = chain.pop() {
            merged.references += 1;
            // SAFETY: just taken; its owner is stopped.
            if unsafe { merge(link) } {
                merged.dead.push(link);
            }
        }
    });
    merged
}
