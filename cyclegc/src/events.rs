//! What a collection tells the program about itself, and what it is told: callbacks, debug flags, a hook for panics.

use core::any::Any;
use core::cell::{Cell, RefCell};
use core::fmt;
use core::ops::{BitOr, BitOrAssign};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;

use crate::checked;
use crate::schedule::Generation;

/// What a panic left.
pub(crate) type Panic = Box<dyn Any + Send>;

/// The two moments of a collection that callbacks hear of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Before anything was looked at.
    Start,
    /// After everything was destroyed.
    Stop,
}

/// What a callback is told, as the `info` of CPython's `gc.callbacks`. The counts are 0 at the start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Info {
    /// The oldest generation that is collected.
    pub generation: Generation,
    /// Unreachable objects found, without those that were resurrected.
    pub collected: usize,
    /// Unreachable objects that could not be collected: 0, as there are no legacy finalizers.
    pub uncollectable: usize,
}

/// Names a callback: see [`add_callback`](crate::gc::add_callback).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CallbackId(u64);

/// Flags for [`set_debug`](crate::gc::set_debug), with CPython's values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Debug(u32);

impl Debug {
    /// Nothing.
    pub const NONE: Debug = Debug(0);
    /// Prints counts on standard error when a collection starts and stops.
    pub const STATS: Debug = Debug(1);
    /// Prints every unreachable object on standard error.
    pub const COLLECTABLE: Debug = Debug(2);
    /// Accepted as in CPython; nothing here is uncollectable.
    pub const UNCOLLECTABLE: Debug = Debug(4);
    /// Keeps unreachable objects, and all they refer to, in [`garbage`](crate::gc::garbage) instead of destroying them.
    pub const SAVEALL: Debug = Debug(32);
    /// What one wants to look for a leak.
    pub const LEAK: Debug = Debug(38);

    /// True if all flags of `other` are set.
    pub const fn contains(self, other: Debug) -> bool {
        self.0 & other.0 == other.0
    }

    /// The flags as CPython's number.
    pub const fn bits(self) -> u32 {
        self.0
    }
}

impl BitOr for Debug {
    type Output = Debug;

    fn bitor(self, other: Debug) -> Debug {
        Debug(self.0 | other.0)
    }
}

impl BitOrAssign for Debug {
    fn bitor_assign(&mut self, other: Debug) {
        *self = *self | other;
    }
}

type Callback = Rc<dyn Fn(Phase, &Info)>;
type PanicHook = Rc<dyn Fn(Panic)>;

/// The callbacks, flags and hook of one heap.
#[derive(Default)]
pub(crate) struct Events {
    callbacks: RefCell<Vec<(CallbackId, Callback)>>,
    next_id: Cell<u64>,
    pub(crate) debug: Cell<Debug>,
    panic_hook: RefCell<Option<PanicHook>>,
    /// The first panic of the running pass that no hook took.
    first_panic: Cell<Option<Panic>>,
}

impl fmt::Debug for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Events").field("callbacks", &self.callbacks.borrow().len()).finish_non_exhaustive()
    }
}

impl Events {
    pub(crate) fn add(&self, callback: Callback) -> CallbackId {
        let id = CallbackId(self.next_id.replace(self.next_id.get() + 1));
        self.callbacks.borrow_mut().push((id, callback));
        id
    }

    pub(crate) fn remove(&self, id: CallbackId) -> bool {
        let mut callbacks = self.callbacks.borrow_mut();
        let Some(place) = callbacks.iter().position(|(other, _)| *other == id) else { return false };
        let removed = callbacks.remove(place);
        drop(callbacks); // before what the callback captured, whose destructor may come back here
        drop(removed);
        true
    }

    pub(crate) fn set_panic_hook(&self, hook: Option<PanicHook>) {
        drop(self.panic_hook.replace(hook));
    }

    /// Calls every callback, in the order in which they were added.
    pub(crate) fn notify(&self, phase: Phase, info: &Info) {
        if self.callbacks.borrow().is_empty() {
            return;
        }
        let callbacks = self.callbacks.borrow().clone();
        for (_, callback) in callbacks {
            self.guard(move || callback(phase, info));
        }
    }

    /// Runs user code of a collection; a panic goes to the hook, or is kept if it is the first.
    pub(crate) fn guard(&self, run: impl FnOnce()) {
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| checked::unobserved(run))) {
            self.unraisable(panic);
        }
    }

    /// A panic that has nobody to go to.
    #[cold]
    pub(crate) fn unraisable(&self, panic: Panic) {
        let hook = self.panic_hook.borrow().clone();
        if let Some(hook) = hook {
            if let Err(again) = catch_unwind(AssertUnwindSafe(|| hook(panic))) {
                discard(again);
            }
            return;
        }
        match self.first_panic.take() {
            None => self.first_panic.set(Some(panic)),
            first => {
                self.first_panic.set(first);
                discard(panic);
            }
        }
    }

    /// The first panic since this was asked last.
    pub(crate) fn take_panic(&self) -> Option<Panic> {
        self.first_panic.take()
    }
}

/// Drops a panic's payload, which may panic itself; one that keeps doing so is forgotten.
pub(crate) fn discard(panic: Panic) {
    if let Err(again) = catch_unwind(AssertUnwindSafe(|| drop(panic))) {
        core::mem::forget(again);
    }
}
