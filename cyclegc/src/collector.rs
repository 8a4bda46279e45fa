//! [`Collector`]: a heap of objects and the passes over it; and the thread's own.

use core::cell::Cell;

use crate::collect::collect as collect_heap;
use crate::gc::Gc;
use crate::heap::HeapPtr;
use crate::trace::Trace;

/// What a collector has done so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Passes that ran.
    pub collections: usize,
    /// Unreachable objects found by them in all.
    pub collected: usize,
    /// Passes that were given up because an object reported a reference that nobody counts: some
    /// [`Trace`] implementation is wrong. Such a pass finds nothing and frees nothing.
    pub inconsistent: usize,
}

/// A heap of objects of its own, collected apart from every other.
///
/// A thread has one that [`Gc::new`] uses; more can be made. References between objects of two collectors
/// count as references from outside for both, so a cycle across two collectors is never collected.
///
/// Dropping a collector collects once; objects that are still referenced live on and die by their counts,
/// the last of them frees the memory.
///
/// ```
/// use cpymem_cyclegc::{Collector, Gc, Trace};
/// use std::cell::RefCell;
///
/// #[derive(Trace)]
/// struct Node { next: RefCell<Option<Gc<Node>>> }
///
/// let collector = Collector::new();
/// let a = collector.alloc(Node { next: RefCell::new(None) });
/// let b = collector.alloc(Node { next: RefCell::new(Some(a.clone())) });
/// *a.next.borrow_mut() = Some(b.clone());
/// drop((a, b));
/// assert_eq!(collector.collect(), 2);
/// assert_eq!(collector.objects(), 0);
/// ```
#[derive(Debug)]
pub struct Collector {
    heap: HeapPtr,
}

impl Default for Collector {
    fn default() -> Collector {
        Collector::new()
    }
}

impl Collector {
    /// A collector without objects. It maps memory with its first one.
    pub fn new() -> Collector {
        Collector { heap: HeapPtr::create() }
    }

    /// An object on this collector's heap.
    ///
    /// # Panics
    /// Never; without memory it calls [`handle_alloc_error`](std::alloc::handle_alloc_error), as `Rc::new`.
    pub fn alloc<T: Trace + 'static>(&self, value: T) -> Gc<T> {
        Gc::new_on(self.heap, value)
    }

    /// Finds and frees every object of this collector that nothing outside reaches, and returns how many
    /// tracked ones there were, as CPython's `gc.collect()`. A call from a destructor that a collection runs
    /// does nothing and returns 0.
    ///
    /// # Panics
    /// With the first panic of a destructor, after all of them have run.
    ///
    /// # Cost
    /// Two looks at every object and its edges, whatever is garbage: 10 to 100 ns an object, by how the
    /// objects lie in memory.
    pub fn collect(&self) -> usize {
        collect_heap(self.heap)
    }

    /// Objects on this collector's heap, tracked or not.
    pub fn objects(&self) -> usize {
        self.heap.pools.live_blocks()
    }

    /// Bytes that the collector's pools hold from the system.
    pub fn held_bytes(&self) -> usize {
        self.heap.pools.held_bytes()
    }

    /// What the collector has done so far.
    pub fn stats(&self) -> Stats {
        Stats {
            collections: self.heap.collections.get(),
            collected: self.heap.collected.get(),
            inconsistent: self.heap.inconsistent.get(),
        }
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        retire(self.heap);
    }
}

/// Collects a last time and leaves the heap to its objects, also when a destructor panics.
fn retire(heap: HeapPtr) {
    struct Orphan(HeapPtr);
    impl Drop for Orphan {
        fn drop(&mut self) {
            self.0.orphan();
        }
    }
    let _orphan = Orphan(heap);
    collect_heap(heap);
}

/// Collects the objects of the thread's own collector: see [`Collector::collect`]. Returns 0 if the thread
/// has made none.
pub fn collect() -> usize {
    CURRENT.get().map_or(0, collect_heap)
}

thread_local! {
    /// The thread's own heap. Without a destructor, so that it can be used while the thread ends.
    static CURRENT: Cell<Option<HeapPtr>> = const { Cell::new(None) };
    /// Gives the heap up when the thread ends.
    static GUARD: Guard = const { Guard };
}

struct Guard;

impl Drop for Guard {
    fn drop(&mut self) {
        if let Some(heap) = CURRENT.take() {
            retire(heap);
        }
    }
}

/// The thread's own heap, made at its first use. The caller makes an object on it at once.
#[inline]
pub(crate) fn current() -> HeapPtr {
    match CURRENT.get() {
        Some(heap) => heap,
        None => create_current(),
    }
}

#[cold]
fn create_current() -> HeapPtr {
    let heap = HeapPtr::create();
    if GUARD.try_with(|_| ()).is_err() {
        // The thread is at its end and nobody will come back for the heap: it is left to the object that is
        // about to be made on it, and to those that follow.
        heap.mark_orphaned();
    }
    CURRENT.set(Some(heap));
    heap
}

/// The heap is about to be freed.
pub(crate) fn forget(heap: HeapPtr) {
    if CURRENT.get() == Some(heap) {
        CURRENT.set(None);
    }
}
