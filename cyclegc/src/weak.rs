//! [`Weak`]: a reference that does not keep its object alive.
#![allow(unsafe_code, reason = "a weak reference owns a share of a side header")]

use core::fmt;
use core::ptr::NonNull;

use allocator_api2::alloc::Global;
use cpymem_refcount::raw::Side;

use crate::checked;
use crate::gc_ptr::Gc;
use crate::heap::HeapPtr;
use crate::inquiry::{Inquiry, Teardown};
use crate::object::ObjPtr;
use crate::trace::Trace;
use crate::visitor::{Clearer, Visitor};
use crate::vtable::GcBox;
use crate::watcher::{Watcher, WatcherPtr};

/// A reference to an object that neither keeps it alive nor is followed by a collection.
///
/// The first weak reference to an object moves its count to a side header of 16 bytes; objects without weak
/// references pay nothing. The memory of the object itself goes when the object dies, whatever weak
/// references remain.
///
/// A collection kills the weak references to all garbage that it found before it takes any of it apart. Those with a
/// callback ([`Gc::downgrade_with`]) die before finalizers run, the others after: see
/// [`WeakrefOrder`](crate::WeakrefOrder).
pub struct Weak<T: ?Sized + 'static> {
    to: To,
    /// The object, valid while `to` says that it is alive.
    ptr: NonNull<GcBox<T>>,
}

/// What a weak reference owns.
///
/// ```text
///   0                  nothing: it never had an object
///   address of a Side  a share of the side header
///   address + 1        of a Watcher: one of its handles
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
struct To(Option<NonNull<u8>>);

enum Owned {
    Nothing,
    Side(NonNull<Side>),
    Watcher(WatcherPtr),
}

const _: () = assert!(align_of::<Side>() > 1 && align_of::<Watcher>() > 1);

impl To {
    fn watcher(watcher: WatcherPtr) -> To {
        To(NonNull::new(watcher.as_ptr().as_ptr().cast::<u8>().wrapping_add(1)))
    }

    #[inline]
    fn owned(self) -> Owned {
        let Some(ptr) = self.0 else { return Owned::Nothing };
        if ptr.addr().get() & 1 == 0 {
            return Owned::Side(ptr.cast());
        }
        let watcher = ptr.as_ptr().wrapping_sub(1).cast::<Watcher>();
        // SAFETY: an odd word is the address of a watcher, which is not 0, and 1.
        let watcher = unsafe { NonNull::new_unchecked(watcher) };
        // SAFETY: the weak reference owns a handle on it.
        Owned::Watcher(unsafe { WatcherPtr::from_ptr(watcher) })
    }

    #[inline]
    fn side(self) -> Option<NonNull<Side>> {
        match self.owned() {
            Owned::Nothing => None,
            Owned::Side(side) => Some(side),
            Owned::Watcher(watcher) => Some(watcher.side()),
        }
    }
}

impl<T: 'static> Weak<T> {
    /// A weak reference to nothing: [`upgrade`](Self::upgrade) gives `None`. Allocates nothing.
    pub const fn new() -> Weak<T> {
        Weak { to: To(None), ptr: NonNull::dangling() }
    }
}

impl<T: 'static> Default for Weak<T> {
    fn default() -> Weak<T> {
        Weak::new()
    }
}

impl<T: ?Sized + 'static> Weak<T> {
    /// A handle on the object if it is alive and not garbage that a collection has found.
    pub fn upgrade(&self) -> Option<Gc<T>> {
        let alive = match self.to.owned() {
            Owned::Nothing => false,
            // SAFETY: the share that this reference owns keeps the side header.
            Owned::Side(side) => unsafe { side.as_ref() }.upgrade(),
            // SAFETY: the watcher owns a share of the side header.
            Owned::Watcher(watcher) => !watcher.is_cleared() && unsafe { watcher.side().as_ref() }.upgrade(),
        };
        // SAFETY: a successful upgrade is a reference of ours to the live object.
        let gc = alive.then(|| unsafe { Gc::from_owned(self.ptr) });
        gc.as_ref().and_then(Gc::object).into_iter().for_each(checked::acquired);
        gc
    }

    /// Number of `Gc`s to the object; 0 if it is dead.
    pub fn strong_count(&self) -> usize {
        // SAFETY: as in `upgrade`.
        self.to.side().map_or(0, |side| unsafe { side.as_ref() }.count().get() as usize)
    }

    /// Number of weak references to the object, dead or alive; 0 for [`Weak::new`]. The clones of one with a callback
    /// count as one.
    pub fn weak_count(&self) -> usize {
        // SAFETY: as in `upgrade`.
        self.to.side().map_or(0, |side| unsafe { side.as_ref() }.weak_count() as usize)
    }

    /// True if both point to the same object, dead or alive, or both to none.
    pub fn ptr_eq(&self, other: &Weak<T>) -> bool {
        self.to.side() == other.to.side()
    }

    /// True if the reference has a callback that was not called yet and still may be.
    pub fn has_callback(&self) -> bool {
        matches!(self.to.owned(), Owned::Watcher(watcher) if !watcher.is_cleared())
    }

    /// A weak reference to the object at `ptr`.
    pub(crate) fn to_object(object: ObjPtr, ptr: NonNull<GcBox<T>>) -> Weak<T> {
        Weak { to: To(Some(retained_side(object).cast())), ptr }
    }

    /// The object's address; it says nothing about whether the object is alive.
    pub(crate) fn ptr(&self) -> NonNull<GcBox<T>> {
        self.ptr
    }

    /// The same reference seen as one to another type of value.
    ///
    /// # Safety
    /// `ptr` is the address of the same object with metadata that fits it.
    pub(crate) unsafe fn with_ptr<U: ?Sized>(self, ptr: NonNull<GcBox<U>>) -> Weak<U> {
        let this = core::mem::ManuallyDrop::new(self);
        Weak { to: this.to, ptr }
    }
}

/// A share of the side header of an object.
fn retained_side(object: ObjPtr) -> NonNull<Side> {
    let Ok(side) = object.header().side_or_insert(&Global) else {
        std::alloc::handle_alloc_error(core::alloc::Layout::new::<Side>());
    };
    // SAFETY: the object is alive, so its side header is.
    unsafe { side.as_ref() }.retain();
    side
}

impl<T: ?Sized + 'static> Gc<T> {
    /// A weak reference to the object.
    ///
    /// # Panics
    /// If the handle is dead.
    pub fn downgrade(this: &Gc<T>) -> Weak<T> {
        let object = this.object().expect("downgrade of a handle inside garbage that is being destroyed");
        Weak::to_object(object, this.ptr())
    }

    /// A weak reference with a callback, as `weakref.ref(object, callback)`: it is called once when the object dies,
    /// if the reference itself, or a clone of it, is still there. The reference is dead by then, and so are all others
    /// to the object that have a callback; callbacks run last registered first.
    ///
    /// A collection that finds the object unreachable calls it before finalizers and destructors, unless the reference
    /// itself lies in the garbage. If a finalizer resurrects the object afterwards, the reference stays dead.
    ///
    /// What the callback captures is not traced: a `Gc` in it is a reference from outside. A panic in it goes to the
    /// [panic hook](crate::gc::set_panic_hook).
    ///
    /// # Panics
    /// If the handle is dead.
    ///
    /// ```
    /// use cpymem_cyclegc::Gc;
    /// use std::{cell::Cell, rc::Rc};
    ///
    /// let died = Rc::new(Cell::new(false));
    /// let object = Gc::new(5);
    /// let weak = Gc::downgrade_with(&object, { let died = died.clone(); move |_| died.set(true) });
    /// assert_eq!(weak.upgrade().as_deref(), Some(&5));
    /// drop(object);
    /// assert!(died.get() && weak.upgrade().is_none());
    /// ```
    pub fn downgrade_with(this: &Gc<T>, callback: impl FnOnce(&Weak<T>) + 'static) -> Weak<T> {
        let object = this.object().expect("downgrade of a handle inside garbage that is being destroyed");
        let ptr = this.ptr();
        let call = move |watcher: WatcherPtr| {
            watcher.retain();
            callback(&Weak { to: To::watcher(watcher), ptr });
        };
        let watcher = WatcherPtr::new(retained_side(object), Box::new(call));
        HeapPtr::of(object).watchers.register(object.addr(), watcher);
        object.set_meta(object.meta().watched());
        Weak { to: To::watcher(watcher), ptr }
    }
}

impl<T: ?Sized + 'static> Clone for Weak<T> {
    fn clone(&self) -> Weak<T> {
        match self.to.owned() {
            Owned::Nothing => {}
            // SAFETY: the share that this reference owns keeps the side header.
            Owned::Side(side) => unsafe { side.as_ref() }.retain(),
            Owned::Watcher(watcher) => watcher.retain(),
        }
        Weak { to: self.to, ptr: self.ptr }
    }
}

impl<T: ?Sized + 'static> Drop for Weak<T> {
    fn drop(&mut self) {
        match self.to.owned() {
            Owned::Nothing => {}
            // SAFETY: the share is ours and ends here; side headers of objects come from `Global`.
            Owned::Side(side) => unsafe { Side::release(side, &Global) },
            Owned::Watcher(watcher) => {
                if watcher.handles() == 1 && !watcher.is_cleared() {
                    // SAFETY: a watcher that is not cleared watches an object that is not dead.
                    let object = unsafe { ObjPtr::new(self.ptr.cast()) };
                    HeapPtr::of(object).watchers.unregister(object.addr(), watcher);
                }
                // SAFETY: the handle is ours and ends here; the last one was unregistered.
                unsafe { watcher.release() }
            }
        }
    }
}

impl<T: ?Sized + 'static> fmt::Debug for Weak<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(Weak)")
    }
}

// SAFETY: a weak reference owns no `Gc`.
unsafe impl<T: ?Sized + 'static> Trace for Weak<T> {
    #[inline]
    fn visit(&self, visitor: &mut Visitor<'_>) {
        if let Owned::Watcher(watcher) = self.to.owned() {
            visitor.weak(watcher.addr());
        }
    }

    fn clear(&mut self, _: &mut Clearer<'_>) {}

    fn needs_trace() -> bool {
        false
    }

    /// Drops nothing of the program's, but the callback, if it has one: then `visit` says so of the very value.
    fn teardown(_: &mut Inquiry) -> Teardown {
        Teardown::Plain
    }
}
