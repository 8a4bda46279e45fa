//! [`Gc`]: a counted reference whose cycles are collected.
#![allow(unsafe_code, reason = "a handle dereferences the object that it keeps alive")]

use core::borrow::Borrow;
use core::cmp::Ordering;
use core::fmt;
use core::hash::{Hash, Hasher};
use core::marker::PhantomData;
use core::ops::Deref;
use core::ptr::NonNull;

use cpymem_refcount::raw::Header;

use crate::collector;
use crate::heap::HeapPtr;
use crate::object::ObjPtr;
use crate::trace::{Clearer, Trace, Visitor};
use crate::vtable::{GcBox, Meta};

/// A reference-counted pointer to a value on a collector's heap.
///
/// The value dies at once when the last `Gc` to it goes, as with [`Rc`](std::rc::Rc), and by a collection
/// when it hangs in a cycle that nothing outside reaches: see [`collect`](crate::collect). There is no
/// mutable access; use cells.
///
/// A `Gc` belongs to the thread that made it:
///
/// ```compile_fail
/// let gc = cpymem_cyclegc::Gc::new(1);
/// std::thread::spawn(move || drop(gc));
/// ```
///
/// ```
/// std::thread::spawn(move || drop(cpymem_cyclegc::Gc::new(1)));
/// ```
///
/// # Dead handles
/// While a collection destroys a cycle, the `Gc`s *inside* it are dead: a destructor that looks at one gets
/// `None` from [`try_deref`](Gc::try_deref), and a panic from `*`. A clone of a dead handle is dead. No other
/// code ever sees one.
///
/// # Invariants
/// 1. Unless it is dead, it points to a live object and owns one of the references that its header counts.
/// 2. It is dead if the lowest bit of its address is set; objects are aligned to 8.
pub struct Gc<T: ?Sized + 'static> {
    ptr: NonNull<GcBox<T>>,
    owns: PhantomData<GcBox<T>>,
}

impl<T: Trace + 'static> Gc<T> {
    /// Moves a value to the heap of the thread's own collector.
    ///
    /// # Panics
    /// Never; without memory it calls [`handle_alloc_error`](std::alloc::handle_alloc_error), as `Rc::new`.
    ///
    /// # Cost
    /// One block of `size_of::<T>() + 8` bytes, and two side bytes.
    #[inline]
    pub fn new(value: T) -> Gc<T> {
        Gc::new_on(collector::current(), value)
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
    pub fn new_cyclic(make: impl FnOnce(&crate::Weak<T>) -> T) -> Gc<T> {
        crate::weak::new_cyclic(collector::current(), make)
    }

    #[inline]
    pub(crate) fn new_on(heap: HeapPtr, value: T) -> Gc<T> {
        let object = heap.alloc::<T>();
        // SAFETY: the block is ours and has room for the value.
        unsafe { write_value(object, value) };
        Gc { ptr: object, owns: PhantomData }
    }
}

/// Completes an object: writes the value and, if it can own a `Gc`, tracks the object.
///
/// # Safety
/// `object` is fresh from [`HeapPtr::alloc`]; nobody looks at its value yet.
#[inline]
pub(crate) unsafe fn write_value<T: Trace + 'static>(object: NonNull<GcBox<T>>, value: T) {
    // SAFETY: the caller's promise: the block is allocated and has the layout of the object.
    let at = unsafe { &raw mut (*object.as_ptr()).value };
    // SAFETY: there is no value yet, so none is overwritten.
    unsafe { at.write(value) };
    if T::needs_trace() {
        // SAFETY: a live object on a heap, which the caller owns the reference to.
        let object = unsafe { ObjPtr::new(object.cast()) };
        object.set_meta(Meta::tracked(object.meta()));
    }
}

impl<T: ?Sized + 'static> Gc<T> {
    /// The value, or `None` if this handle lies in garbage that is being destroyed.
    #[inline]
    pub fn try_deref(this: &Gc<T>) -> Option<&T> {
        if this.is_dead() {
            return None;
        }
        // SAFETY: invariant 1: the object is alive at least as long as this handle.
        Some(&unsafe { this.ptr.as_ref() }.value)
    }

    /// True if both handles point to the same object. Dead handles are equal to their clones only.
    #[inline]
    pub fn ptr_eq(this: &Gc<T>, other: &Gc<T>) -> bool {
        this.ptr.addr() == other.ptr.addr()
    }

    /// Number of `Gc`s to the object, those inside other objects included; 0 for a dead handle.
    pub fn strong_count(this: &Gc<T>) -> usize {
        this.object().map_or(0, |object| object.header().count().get() as usize)
    }

    /// Number of [`Weak`](crate::Weak)s to the object; 0 for a dead handle.
    pub fn weak_count(this: &Gc<T>) -> usize {
        let object = this.object();
        object.as_ref().and_then(ObjPtr::side).map_or(0, |side| side.weak_count() as usize)
    }

    /// A weak reference to the object.
    ///
    /// # Panics
    /// If the handle is dead.
    pub fn downgrade(this: &Gc<T>) -> crate::Weak<T> {
        let object = this.object().expect("downgrade of a handle inside garbage that is being destroyed");
        crate::Weak::to_object(object, this.ptr)
    }

    /// The handle of a reference that the caller owns.
    ///
    /// # Safety
    /// `ptr` points to a live object, and one of the references it counts passes to the handle.
    pub(crate) unsafe fn from_owned(ptr: NonNull<GcBox<T>>) -> Gc<T> {
        Gc { ptr, owns: PhantomData }
    }

    #[inline(always)]
    fn is_dead(&self) -> bool {
        self.ptr.addr().get() & 1 != 0
    }

    /// The object, unless the handle is dead.
    #[inline(always)]
    pub(crate) fn object(&self) -> Option<ObjPtr> {
        // SAFETY: invariant 1: a live object, for as long as the handle is there. The header is the first
        // field.
        (!self.is_dead()).then(|| unsafe { ObjPtr::new(self.ptr.cast::<Header>()) })
    }

    /// Makes the handle dead; the reference that it owned passes to the caller.
    #[inline]
    fn sever(&mut self) -> Option<ObjPtr> {
        let object = self.object()?;
        let dead = self.ptr.as_ptr().wrapping_byte_add(1);
        // SAFETY: an object's address is even and not the last one, so the sum is not 0.
        self.ptr = unsafe { NonNull::new_unchecked(dead) };
        Some(object)
    }
}

impl<T: ?Sized + 'static> Clone for Gc<T> {
    /// Another handle on the same object: one count more, no allocation.
    #[inline]
    fn clone(&self) -> Gc<T> {
        if let Some(object) = self.object() {
            object.header().increment();
        }
        Gc { ptr: self.ptr, owns: PhantomData }
    }
}

impl<T: ?Sized + 'static> Drop for Gc<T> {
    /// One count less; with the last one the value is dropped and its memory freed, at bounded depth.
    #[inline]
    fn drop(&mut self) {
        if let Some(object) = self.object()
            && object.header().decrement()
        {
            drop_last(object);
        }
    }
}

#[cold]
#[inline(never)]
fn drop_last(object: ObjPtr) {
    object.dispose();
}

impl<T: ?Sized + 'static> Deref for Gc<T> {
    type Target = T;

    /// # Panics
    /// If the handle lies in garbage that is being destroyed: see [`Gc::try_deref`].
    #[inline]
    fn deref(&self) -> &T {
        match Gc::try_deref(self) {
            Some(value) => value,
            None => dead_deref(),
        }
    }
}

#[cold]
#[inline(never)]
fn dead_deref() -> ! {
    panic!("a destructor followed a Gc inside the garbage that is being destroyed; use Gc::try_deref there")
}

// SAFETY: the edge of the handle is reported once, and severed by `clear`.
unsafe impl<T: ?Sized + 'static> Trace for Gc<T> {
    #[inline]
    fn visit(&self, visitor: &mut Visitor<'_>) {
        if let Some(object) = self.object() {
            visitor.edge(object);
        }
    }

    #[inline]
    fn clear(&mut self, clearer: &mut Clearer<'_>) {
        if let Some(object) = self.sever() {
            clearer.0.edge(object);
        }
    }
}

impl<T: ?Sized + fmt::Debug + 'static> fmt::Debug for Gc<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match Gc::try_deref(self) {
            Some(value) => value.fmt(f),
            None => f.write_str("(dead)"),
        }
    }
}

impl<T: ?Sized + fmt::Display + 'static> fmt::Display for Gc<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl<T: ?Sized + 'static> fmt::Pointer for Gc<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Pointer::fmt(&self.ptr, f)
    }
}

impl<T: ?Sized + PartialEq + 'static> PartialEq for Gc<T> {
    fn eq(&self, other: &Gc<T>) -> bool {
        **self == **other
    }
}

impl<T: ?Sized + Eq + 'static> Eq for Gc<T> {}

impl<T: ?Sized + PartialOrd + 'static> PartialOrd for Gc<T> {
    fn partial_cmp(&self, other: &Gc<T>) -> Option<Ordering> {
        (**self).partial_cmp(&**other)
    }
}

impl<T: ?Sized + Ord + 'static> Ord for Gc<T> {
    fn cmp(&self, other: &Gc<T>) -> Ordering {
        (**self).cmp(&**other)
    }
}

impl<T: ?Sized + Hash + 'static> Hash for Gc<T> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (**self).hash(state);
    }
}

impl<T: ?Sized + 'static> AsRef<T> for Gc<T> {
    fn as_ref(&self) -> &T {
        self
    }
}

impl<T: ?Sized + 'static> Borrow<T> for Gc<T> {
    fn borrow(&self) -> &T {
        self
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
