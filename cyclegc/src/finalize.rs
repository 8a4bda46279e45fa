//! Callables that run when an object dies, as Python's `weakref.finalize`.
//!
//! | CPython | here |
//! | --- | --- |
//! | `f = finalize(obj, func)` | [`finalize(&object, func)`](finalize()) |
//! | `f()` | [`call`](Finalizer::call) |
//! | `f.alive`, `f.atexit` | [`is_alive`](Finalizer::is_alive), [`atexit`](Finalizer::atexit), [`set_atexit`](Finalizer::set_atexit) |
//! | `f.peek()`, `f.detach()` | [`peek`](Finalizer::peek), [`detach`](Finalizer::detach) |
//! | the interpreter's exit | the end of the collector, or [`run_atexit`] |
//!
//! # Exit
//! A finalizer belongs to the collector of its object. When that ends, because a [`Collector`] is dropped or the thread of
//! [`Gc::new`](crate::Gc::new) ends, the finalizers whose [`atexit`](Finalizer::atexit) is set run, newest first; one that such
//! a call makes is the next; the others die without a call. Then comes the last collection. As in CPython, objects that are made
//! meanwhile start no collection. Objects that outlive their collector can get new finalizers, which run when they die.
//!
//! A thread's end counts when its thread-local values are destroyed. Whether that happens to the main thread is up to the
//! platform; and a process that aborts or is killed has no end of this kind: a program that must be sure calls [`run_atexit`].

#![allow(unsafe_code, reason = "Trace is an unsafe trait")]

use core::cell::{Cell, RefCell};
use core::fmt;
use std::rc::{self, Rc};

use crate::collector::Collector;
use crate::finalizers::{Finalizers, Pending};
use crate::gc_ptr::Gc;
use crate::heap::{self, HeapPtr};
use crate::trace::Trace;
use crate::visitor::{Clearer, Visitor};
use crate::weak::Weak;

/// Lets `func` be called when the object dies: when its last reference goes, or a collection finds it unreachable, or at the
/// [end](mod@crate::finalize#exit) of its collector, whichever comes first.
///
/// It is called once, as the callback of a weak reference ([`Gc::downgrade_with`]): before the destructor; of several the newest
/// first; in a collection before [`Finalize`](crate::Finalize), whether the object is resurrected afterwards or not, and after it when the
/// last reference goes. It need not be kept: dropping the [`Finalizer`] changes nothing. What `func` captures is not traced, so a [`Gc`] of the object in it keeps the object alive until the end.
/// A panic in it goes where panics of collections go: see [`set_panic_hook`](crate::gc::set_panic_hook).
///
/// # Panics
/// If the handle is dead.
///
/// # Cost
/// That of a weak reference with a callback, and an entry in a table.
///
/// ```
/// use cpymem_cyclegc::{Gc, finalize};
/// use std::{cell::Cell, rc::Rc};
///
/// let removed = Rc::new(Cell::new(0));
/// let on_death = |removed: Rc<Cell<i32>>| move || { removed.set(removed.get() + 1); "gone" };
///
/// let file = Gc::new(String::from("notes.txt"));
/// let finalizer = finalize(&file, on_death(removed.clone()));
/// assert_eq!(finalizer.call(), Some("gone")); // at once ...
/// assert_eq!(finalizer.call(), None);         // ... and only once
/// finalize(&file, on_death(removed.clone()));
/// drop(file);
/// assert_eq!(removed.get(), 2);
/// ```
pub fn finalize<T: ?Sized + 'static, R: 'static>(
    object: &Gc<T>,
    func: impl FnOnce() -> R + 'static,
) -> Finalizer<T, R> {
    let heap = HeapPtr::of(object.object().expect("a finalizer of a dead handle"));
    let registry = heap.finalizers.get_or_init(Rc::default);
    let state = Rc::new(State {
        registry: Rc::downgrade(registry),
        index: registry.next_index(),
        atexit: Cell::new(true),
        armed: RefCell::default(),
    });
    let watching = Rc::downgrade(&state);
    let weak = Gc::downgrade_with(object, move |_| {
        if let Some(state) = watching.upgrade() {
            state.run();
        }
    });
    *state.armed.borrow_mut() = Some(Armed { func: Box::new(func), weak });
    registry.enter(state.index, state.clone());
    Finalizer(state)
}

/// Runs the finalizers of the thread's own collector that its [end](mod@crate::finalize#exit) would run; returns how many.
/// See [`Collector::run_atexit`].
///
/// # Panics
/// As [`Collector::run_atexit`].
pub fn run_atexit() -> usize {
    match heap::current() {
        Some(_) => Collector::with_current(Collector::run_atexit),
        None => 0,
    }
}

/// A call that waits for the death of an object: see [`finalize`](finalize()).
///
/// It is *alive* until the callable was called or given up. Dropping it changes nothing.
pub struct Finalizer<T: ?Sized + 'static, R: 'static = ()>(Rc<State<T, R>>);

/// What a finalizer is called with: see [`Finalizer::detach`].
pub type Func<R> = Box<dyn FnOnce() -> R>;

struct State<T: ?Sized + 'static, R: 'static> {
    registry: rc::Weak<Finalizers>,
    index: u64,
    atexit: Cell<bool>,
    /// `None` once it is dead.
    armed: RefCell<Option<Armed<T, R>>>,
}

/// The callable, and the weak reference whose callback calls it.
struct Armed<T: ?Sized + 'static, R: 'static> {
    func: Func<R>,
    weak: Weak<T>,
}

impl<T: ?Sized + 'static, R: 'static> State<T, R> {
    /// Makes the finalizer dead.
    fn disarm(&self) -> Option<Armed<T, R>> {
        let armed = self.armed.borrow_mut().take()?;
        if let Some(registry) = self.registry.upgrade() {
            registry.forget(self.index);
        }
        Some(armed)
    }

    fn call(&self) -> Option<R> {
        let Armed { func, weak } = self.disarm()?;
        drop(weak);
        Some(func())
    }

    fn object(&self) -> Option<Gc<T>> {
        self.armed.borrow().as_ref()?.weak.upgrade()
    }
}

impl<T: ?Sized + 'static, R: 'static> Pending for State<T, R> {
    fn is_at_exit(&self) -> bool {
        self.atexit.get()
    }

    fn run(&self) {
        drop(self.call());
    }

    fn give_up(&self) {
        drop(self.disarm());
    }
}

impl<T: ?Sized + 'static, R: 'static> Finalizer<T, R> {
    /// Calls the callable now, and returns what it returns; `None` if the finalizer is dead.
    ///
    /// # Panics
    /// If the callable does; it is dead then, too.
    pub fn call(&self) -> Option<R> {
        self.0.call()
    }

    /// True until the callable was called or given up.
    pub fn is_alive(&self) -> bool {
        self.0.armed.borrow().is_some()
    }

    /// The object and the callable, which nobody else will call any more; `None` if the finalizer is dead, or its object is
    /// garbage that a collection has found.
    pub fn detach(&self) -> Option<(Gc<T>, Func<R>)> {
        let object = self.0.object()?;
        Some((object, self.0.disarm()?.func))
    }

    /// The object; `None` if the finalizer is dead, or its object is garbage that a collection has found.
    pub fn peek(&self) -> Option<Gc<T>> {
        self.0.object()
    }

    /// Whether the callable is called at the [end](mod@crate::finalize#exit) of the collector, as long as the finalizer is alive. True
    /// at first.
    pub fn atexit(&self) -> bool {
        self.is_alive() && self.0.atexit.get()
    }

    /// Sets [`atexit`](Self::atexit).
    pub fn set_atexit(&self, atexit: bool) {
        self.0.atexit.set(atexit);
    }
}

impl<T: ?Sized + 'static, R: 'static> Clone for Finalizer<T, R> {
    /// The same finalizer once more.
    fn clone(&self) -> Finalizer<T, R> {
        Finalizer(Rc::clone(&self.0))
    }
}

impl<T: ?Sized + 'static, R: 'static> fmt::Debug for Finalizer<T, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.armed.borrow().as_ref() {
            None => f.write_str("<finalizer; dead>"),
            Some(armed) => write!(
                f,
                "<finalizer; for {} at {:#x}>",
                core::any::type_name::<T>(),
                armed.weak.ptr().cast::<u8>().addr()
            ),
        }
    }
}

// SAFETY: it owns no `Gc` but what the callable captures, which is not traced.
unsafe impl<T: ?Sized + 'static, R: 'static> Trace for Finalizer<T, R> {
    fn visit(&self, _: &mut Visitor<'_>) {}

    fn clear(&mut self, _: &mut Clearer<'_>) {}

    fn needs_trace() -> bool {
        false
    }
}

/// Runs the finalizers that wait for the end. Panics go to the hook, or are kept.
pub(crate) fn run_atexit_of(heap: HeapPtr) -> usize {
    /// Lets objects start collections again.
    struct Enable(HeapPtr, bool);
    impl Drop for Enable {
        fn drop(&mut self) {
            self.0.schedule.enable(self.1);
        }
    }
    let Some(registry) = heap.finalizers.get() else { return 0 };
    let registry = Rc::clone(registry);
    let _enable = Enable(heap, heap.schedule.is_enabled());
    heap.schedule.enable(false);
    registry.drain_at_exit(|finalizer| heap.events.guard(|| finalizer.run()))
}

/// Makes the finalizers dead that are left, without a call.
pub(crate) fn give_up_all(heap: HeapPtr) {
    if let Some(registry) = heap.finalizers.get().map(Rc::clone) {
        registry.drain(|finalizer| heap.events.guard(move || finalizer.give_up()));
    }
}
