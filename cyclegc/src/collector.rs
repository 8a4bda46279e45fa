//! [`Collector`]: a heap of objects and the passes over it; and the thread's own.

use core::fmt;
use core::time::Duration;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;

use crate::any::AnyGc;
use crate::audit::{self, Finding};
use crate::collect::{collect as collect_heap, collect_due, resume};
use crate::events::{CallbackId, Debug, Info, Phase, discard};
use crate::finalize::{give_up_all, run_atexit_of};
use crate::gc_ptr::Gc;
use crate::heap::{self, HeapPtr, WeakrefOrder};
use crate::inspect;
use crate::schedule::Generation;
use crate::step::{self, StepReport};
use crate::trace::Trace;
use crate::typed;
use crate::weak::Weak;

/// What a collector has done so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Collections that ran, of any generation.
    pub collections: usize,
    /// Unreachable objects found by them in all, without those that were resurrected.
    pub collected: usize,
    /// Passes that were given up because an object reported a reference that nobody counts: some
    /// [`Trace`] implementation is wrong. Such a pass finds nothing and frees nothing.
    pub inconsistent: usize,
}

/// What was done to one generation, as an entry of CPython's `gc.get_stats()`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GenerationStats {
    /// Collections of which this was the oldest generation.
    pub collections: usize,
    /// Unreachable objects that they found, without those that were resurrected.
    pub collected: usize,
    /// 0: nothing is uncollectable.
    pub uncollectable: usize,
}

/// A heap of objects of its own, collected apart from every other.
///
/// A thread has one that [`Gc::new`] uses; more can be made. References between objects of two collectors
/// count as references from outside for both, so a cycle across two collectors is never collected.
///
/// Dropping a collector runs the [finalizers](mod@crate::finalize#exit) that wait for its end and collects once; objects that are still referenced live on and die by their counts,
/// the last of them frees the memory.
///
/// The functions of [`gc`](crate::gc) do for the thread's own collector what the methods do here.
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
pub struct Collector {
    heap: HeapPtr,
}

impl Default for Collector {
    fn default() -> Collector {
        Collector::new()
    }
}

impl fmt::Debug for Collector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Collector").field("objects", &self.objects()).field("stats", &self.stats()).finish()
    }
}

impl Collector {
    /// A collector without objects, enabled, with CPython 3.13's thresholds. It maps memory with its first object.
    pub fn new() -> Collector {
        Collector { heap: HeapPtr::create() }
    }

    /// An object on this collector's heap. First a collection runs if one is due: see
    /// [`set_threshold`](Self::set_threshold).
    ///
    /// # Panics
    /// Never; without memory it calls [`handle_alloc_error`](std::alloc::handle_alloc_error), as `Rc::new`.
    #[inline]
    pub fn alloc<T: Trace + 'static>(&self, value: T) -> Gc<T> {
        count_one::<T>(self.heap);
        typed::new_object(self.heap, value)
    }

    /// As [`alloc`](Self::alloc), for a value that holds weak references to itself: see [`Gc::new_cyclic`].
    ///
    /// # Panics
    /// If `make` does; nothing leaks.
    pub fn alloc_cyclic<T: Trace + 'static>(&self, make: impl FnOnce(&Weak<T>) -> T) -> Gc<T> {
        count_one::<T>(self.heap);
        typed::new_cyclic(self.heap, make)
    }

    /// Finds and frees every object of this collector that nothing outside reaches, and returns how many
    /// tracked ones there were, without those that a finalizer or callback resurrected, as CPython's `gc.collect()`. A call
    /// from a destructor, finalizer or callback that a collection runs does nothing and returns 0.
    ///
    /// # Panics
    /// With the first panic of a destructor, finalizer, callback or [`Trace::visit`], after everything is done, unless
    /// there is a [panic hook](Self::set_panic_hook).
    ///
    /// # Cost
    /// Two looks at every object and its edges, whatever is garbage: 10 to 50 ns an object, by how the
    /// objects lie in memory. O(1) if no reference went since the last full collection while others to its target
    /// stayed, and O(young objects) with it.
    pub fn collect(&self) -> usize {
        collect_heap(self.heap, Generation::Old)
    }

    /// Collects one generation and all younger ones. See [`collect`](Self::collect).
    ///
    /// # Panics
    /// As [`collect`](Self::collect).
    pub fn collect_generation(&self, generation: Generation) -> usize {
        collect_heap(self.heap, generation)
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
        let sum = self.get_stats().into_iter().fold(Stats::default(), |sum, of| Stats {
            collections: sum.collections + of.collections,
            collected: sum.collected + of.collected,
            ..sum
        });
        Stats { inconsistent: self.heap.inconsistent.get(), ..sum }
    }

    /// What was done to each generation, youngest first.
    pub fn get_stats(&self) -> [GenerationStats; 3] {
        Generation::ALL.map(|generation| {
            let tally = &self.heap.tallies[generation as usize];
            GenerationStats {
                collections: tally.collections.get(),
                collected: tally.collected.get(),
                uncollectable: 0,
            }
        })
    }

    /// Lets objects that are made start collections. The default.
    pub fn enable(&self) {
        self.heap.schedule.enable(true);
    }

    /// Collections run only when they are asked for.
    pub fn disable(&self) {
        self.heap.schedule.enable(false);
    }

    /// True unless [`disable`](Self::disable) was called.
    pub fn is_enabled(&self) -> bool {
        self.heap.schedule.is_enabled()
    }

    /// Sets when collections start: the young generation is collected when more than the first number of tracked objects were
    /// made and not freed since the last collection, the middle one after more than so many collections of the young one,
    /// the old one after more than so many of the middle one, and only if a quarter as many objects became old meanwhile
    /// as survived the last full collection. 0 as the first stops all. The default is CPython 3.13's, `[2000, 10, 10]`.
    pub fn set_threshold(&self, thresholds: [u32; 3]) {
        self.heap.schedule.set_thresholds(thresholds);
    }

    /// What [`set_threshold`](Self::set_threshold) has set.
    pub fn get_threshold(&self) -> [u32; 3] {
        self.heap.schedule.thresholds()
    }

    /// The numbers that are compared with the thresholds.
    pub fn get_count(&self) -> [u32; 3] {
        self.heap.schedule.counts()
    }

    /// Says that objects of this collector came to own so many more bytes elsewhere (fewer, if negative). A full
    /// collection is due when they have grown by a quarter, and by a MiB at least, since the last one.
    pub fn add_external_bytes(&self, bytes: isize) {
        self.heap.schedule.add_external(bytes);
    }

    /// The sum of what [`add_external_bytes`](Self::add_external_bytes) was told.
    pub fn external_bytes(&self) -> usize {
        self.heap.schedule.external()
    }

    /// Calls `callback` when a collection starts and when it stops, after those that were added before. Inside it
    /// collections are no-ops. A panic in it goes to the panic hook.
    pub fn add_callback(&self, callback: impl Fn(Phase, &Info) + 'static) -> CallbackId {
        self.heap.events.add(Rc::new(callback))
    }

    /// Takes a callback away; `false` if it was away already.
    pub fn remove_callback(&self, id: CallbackId) -> bool {
        self.heap.events.remove(id)
    }

    /// Sets what collections print and keep.
    pub fn set_debug(&self, debug: Debug) {
        self.heap.events.debug.set(debug);
    }

    /// What [`set_debug`](Self::set_debug) has set.
    pub fn get_debug(&self) -> Debug {
        self.heap.events.debug.get()
    }

    /// Takes the panics of finalizers, callbacks and destructors that collections run, as `sys.unraisablehook`. Without a
    /// hook, a collection that was asked for resumes the first of them at its end, and drops the others.
    pub fn set_panic_hook(&self, hook: impl Fn(Box<dyn core::any::Any + Send>) + 'static) {
        self.heap.events.set_panic_hook(Some(Rc::new(hook)));
    }

    /// Takes the panic hook away.
    pub fn take_panic_hook(&self) {
        self.heap.events.set_panic_hook(None);
    }

    /// Sets when weak references without a callback to garbage die.
    pub fn set_weakref_order(&self, order: WeakrefOrder) {
        self.heap.weakref_order.set(order);
    }

    /// Sets how many threads, the collector's own included, find the garbage in a full collection of at least `objects` objects. The
    /// default is 1: then no [`Trace::visit`] runs on another thread. With 0 they are as many as the machine has cores, at most 4. The
    /// helpers are started for each such collection, as many as the system has to spare; all that a collection runs beside `visit`
    /// runs on the collector's own thread. What is found does not depend on it.
    ///
    /// It costs 8 bytes for each edge that was found and not looked at yet, and pays, if at all, in heaps of millions of objects.
    pub fn set_threads(&self, threads: usize, objects: usize) {
        self.heap.collecting_threads.set(threads);
        self.heap.parallel_from.set(objects);
    }

    /// The tracked objects of a generation, or all of them, in address order. Frozen ones are left out.
    ///
    /// # Cost
    /// A walk over all objects, and a reference to each.
    pub fn get_objects(&self, generation: Option<Generation>) -> Vec<AnyGc> {
        inspect::objects(self.heap, generation)
    }

    /// The tracked objects of this collector that refer to one of `targets`. What is mutably borrowed at the moment is not looked
    /// into, and references that are not traced are not seen.
    ///
    /// # Cost
    /// A walk over all objects and their edges.
    pub fn get_referrers(&self, targets: &[AnyGc]) -> Vec<AnyGc> {
        inspect::referrers(self.heap, targets)
    }

    /// Checks every [`Trace`] implementation at work: compares the references that tracked objects report, and the handles
    /// that the caller passes, with what each tracked object counts. `handles` must be all the handles that there are outside the
    /// objects, each converted by itself and not cloned. An empty result is a heap without faults.
    ///
    /// ```
    /// use cpymem_cyclegc::{AnyGc, Collector, Fault, Gc, Trace};
    ///
    /// #[derive(Trace)]
    /// struct Node(Option<Gc<Node>>, #[trace(skip)] Option<Gc<Node>>);
    ///
    /// let collector = Collector::new();
    /// let inner = collector.alloc(Node(None, None));
    /// let outer = AnyGc::from(collector.alloc(Node(Some(inner.clone()), Some(inner))));
    /// let findings = collector.audit(&[outer]);
    /// assert_eq!((findings[0].fault, findings[0].references), (Fault::Hidden, 1));
    /// ```
    pub fn audit(&self, handles: &[AnyGc]) -> Vec<Finding> {
        audit::audit(self.heap, handles)
    }

    /// Makes every tracked object that there is *frozen*: no collection looks at it any more, and what it refers to counts as
    /// referenced from outside. Reference counting still frees it. Does nothing during a collection.
    pub fn freeze(&self) {
        inspect::freeze(self.heap);
    }

    /// Makes frozen objects old ones. Does nothing during a collection.
    pub fn unfreeze(&self) {
        inspect::unfreeze(self.heap);
    }

    /// Number of frozen objects.
    pub fn get_freeze_count(&self) -> usize {
        inspect::freeze_count(self.heap)
    }

    /// The objects that collections found while [`Debug::SAVEALL`] was set. They stay until
    /// [`clear_garbage`](Self::clear_garbage).
    pub fn garbage(&self) -> Vec<AnyGc> {
        inspect::garbage(self.heap)
    }

    /// Forgets [`garbage`](Self::garbage), so that what is still unreachable is found again; returns how many objects
    /// that were.
    pub fn clear_garbage(&self) -> usize {
        inspect::clear_garbage(self.heap)
    }

    /// Collects for about as long as `budget`, looking only at what lost references: see [`StepReport`].
    ///
    /// # Panics
    /// As [`collect`](Self::collect).
    pub fn step(&self, budget: Duration) -> StepReport {
        step::step(self.heap, budget)
    }

    /// Runs the finalizers of objects of this collector that its [end](mod@crate::finalize#exit) would run, newest first; returns
    /// how many. One that is made meanwhile is the next.
    ///
    /// # Panics
    /// With the first panic of a callable, after all have run, unless there is a [panic hook](Self::set_panic_hook).
    pub fn run_atexit(&self) -> usize {
        let ran = run_atexit_of(self.heap);
        if !self.heap.collecting.get() {
            resume(self.heap.events.take_panic());
        }
        ran
    }

    /// The thread's own collector, as long as `f` runs; made if there is none yet.
    pub(crate) fn with_current<R>(f: impl FnOnce(&Collector) -> R) -> R {
        // Not dropped: the heap stays the thread's.
        f(&core::mem::ManuallyDrop::new(Collector { heap: current() }))
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        retire(self.heap);
    }
}

/// Runs the finalizers that wait for it, collects a last time and leaves the heap to its objects, also when a destructor panics.
fn retire(heap: HeapPtr) {
    struct Orphan(HeapPtr);
    impl Drop for Orphan {
        fn drop(&mut self) {
            self.0.orphan();
        }
    }
    let _orphan = Orphan(heap);
    run_atexit_of(heap);
    give_up_all(heap);
    inspect::clear_garbage(heap);
    collect_heap(heap, Generation::Old);
}

/// Collects all generations of the thread's own collector: see [`Collector::collect`]. Returns 0 if the thread
/// has made none.
///
/// # Panics
/// As [`Collector::collect`].
pub fn collect() -> usize {
    heap::current().map_or(0, |heap| collect_heap(heap, Generation::Old))
}

thread_local! {
    /// Gives the heap up when the thread ends.
    static GUARD: Guard = const { Guard };
}

struct Guard;

impl Drop for Guard {
    fn drop(&mut self) {
        let Some(heap) = heap::current() else { return };
        // Finalizers still find the thread's own collector; what comes after them does not.
        run_atexit_of(heap);
        heap::set_current(None);
        // There is nobody to resume a panic, which would end the process here.
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| retire(heap))) {
            discard(panic);
        }
    }
}

/// The thread's own heap, made at its first use.
#[inline(always)]
fn current() -> HeapPtr {
    match heap::current() {
        Some(heap) => heap,
        None => create_current(),
    }
}

#[cold]
#[inline(never)]
fn create_current() -> HeapPtr {
    let heap = HeapPtr::create();
    if GUARD.try_with(|_| ()).is_err() {
        // The thread is at its end and nobody will come back for the heap: it is left to the object that is
        // about to be made on it, and to those that follow.
        heap.mark_orphaned();
    }
    heap::set_current(Some(heap));
    heap
}

/// Counts an object that is about to be made on the collector's heap, and collects if that makes a collection due.
#[inline(always)]
fn count_one<T: Trace + 'static>(heap: HeapPtr) {
    if T::needs_trace() && heap.schedule.allocated() {
        collect_due(heap);
    }
}

/// The thread's own heap, after an object that is about to be made on it was counted.
#[inline(always)]
fn current_for_one<T: Trace + 'static>() -> HeapPtr {
    let heap = current();
    if T::needs_trace() && heap.schedule.allocated() {
        collect_due(heap);
        // While the thread ends, the heap belongs to its objects, and the last of them may have gone.
        return current();
    }
    heap
}

impl<T: Trace + 'static> Gc<T> {
    /// Moves a value to the heap of the thread's own collector. First a collection runs if one is due: see
    /// [`Collector::set_threshold`].
    ///
    /// # Panics
    /// Never; without memory it calls [`handle_alloc_error`](std::alloc::handle_alloc_error), as `Rc::new`.
    ///
    /// # Cost
    /// One block of `size_of::<T>() + 8` bytes, and two side bytes.
    #[inline]
    pub fn new(value: T) -> Gc<T> {
        typed::new_object(current_for_one::<T>(), value)
    }

    /// Makes a value that holds weak references to itself. [`upgrade`](crate::Weak::upgrade) gives `None`
    /// until the value is complete.
    ///
    /// # Panics
    /// If `make` does; nothing leaks.
    ///
    /// ```
    /// use cpymem_cyclegc::{Gc, Trace, Weak};
    ///
    /// #[derive(Trace)]
    /// struct Widget { me: Weak<Widget> }
    ///
    /// let widget = Gc::new_cyclic(|me| {
    ///     assert!(me.upgrade().is_none());
    ///     Widget { me: me.clone() }
    /// });
    /// assert!(Gc::ptr_eq(&widget, &widget.me.upgrade().unwrap()));
    /// ```
    pub fn new_cyclic(make: impl FnOnce(&Weak<T>) -> T) -> Gc<T> {
        typed::new_cyclic(current_for_one::<T>(), make)
    }
}

impl<T: Trace + 'static> From<T> for Gc<T> {
    fn from(value: T) -> Gc<T> {
        Gc::new(value)
    }
}

impl<T: Trace + Default + 'static> Default for Gc<T> {
    fn default() -> Gc<T> {
        Gc::new(T::default())
    }
}
