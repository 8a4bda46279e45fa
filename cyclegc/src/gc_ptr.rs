//! [`Gc`]: a counted reference whose cycles are collected.
#![allow(unsafe_code, reason = "a handle dereferences the object that it keeps alive")]

use core::borrow::Borrow;
use core::cmp::Ordering;
use core::fmt;
use core::hash::{Hash, Hasher};
use core::marker::PhantomData;
use core::ops::Deref;
use core::ptr::NonNull;

use cpymem_refcount::raw::{Decrement, Header};

use crate::checked;
use crate::death;
use crate::object::ObjPtr;
use crate::vtable::GcBox;

/// A reference-counted pointer to a value on a collector's heap.
///
/// The value dies at once when the last `Gc` to it goes, as with [`Rc`](std::rc::Rc), and by a collection
/// when it hangs in a cycle that nothing outside reaches: see [`collect`](crate::collect). There is no
/// mutable access but [`with_mut`](Gc::with_mut); use cells.
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
/// code ever sees one, unless a destructor hands it out.
///
/// # Invariants
/// 1. Unless it is dead, it points to a live object and owns one of the references that its header counts.
/// 2. It is dead if the lowest bit of its address is set; objects are aligned to 8.
pub struct Gc<T: ?Sized + 'static> {
    ptr: NonNull<GcBox<T>>,
    owns: PhantomData<GcBox<T>>,
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

    /// Number of `Gc`s to the object, those inside other objects included; 0 for a dead handle, `u32::MAX` once
    /// more than 2^30 were made, which makes the object immortal.
    pub fn strong_count(this: &Gc<T>) -> usize {
        this.object().map_or(0, |object| object.header().count().get() as usize)
    }

    /// Number of [`Weak`](crate::Weak)s to the object; 0 for a dead handle.
    pub fn weak_count(this: &Gc<T>) -> usize {
        let object = this.object();
        object.as_ref().and_then(ObjPtr::side).map_or(0, |side| side.weak_count() as usize)
    }

    /// Lets `f` change the value if this is the only reference to it; `None` if there are others, weak ones
    /// included, or the handle is dead.
    ///
    /// While `f` runs, collections do not look into the value: what it refers to counts as referenced from outside.
    /// So nothing of it is collected, however `f` moves the `Gc`s about.
    ///
    /// ```
    /// use cpymem_cyclegc::Gc;
    ///
    /// let mut list = Gc::new(vec![Gc::new(2), Gc::new(1)]);
    /// assert_eq!(Gc::with_mut(&mut list, |list| list.sort()), Some(()));
    /// assert_eq!(*list[0], 1);
    /// let other = list.clone();
    /// assert_eq!(Gc::with_mut(&mut list, |list| list.clear()), None);
    /// ```
    pub fn with_mut<R>(this: &mut Gc<T>, f: impl FnOnce(&mut T) -> R) -> Option<R> {
        /// Lets collections look again, also after a panic.
        struct Pin(ObjPtr, bool);
        impl Drop for Pin {
            fn drop(&mut self) {
                if self.1 {
                    self.0.set_meta(self.0.meta().tracked());
                    death::note_decrement(self.0); // what a full pass did not see meanwhile, the next one looks for
                }
            }
        }
        let object = this.object()?;
        if !object.header().count().is_one() || Gc::weak_count(this) > 0 {
            return None;
        }
        let _pin = Pin(object, object.meta().is_tracked());
        object.set_meta(object.meta().untracked());
        // SAFETY: this is the only handle, it is borrowed mutably, and there is no weak reference to make another
        // one from; the collector does not look into untracked objects.
        Some(f(&mut unsafe { this.ptr.as_mut() }.value))
    }

    /// The value's address, which is the same for all handles on the object; dead handles included, off by one.
    #[inline]
    pub fn as_ptr(this: &Gc<T>) -> *const T {
        // SAFETY: no memory is touched; the field of an object lies at the same offset wherever the object is.
        unsafe { &raw const (*this.ptr.as_ptr()).value }
    }

    /// The handle of a reference that the caller owns.
    ///
    /// # Safety
    /// `ptr` points to a live object, and one of the references it counts passes to the handle.
    #[inline(always)]
    pub(crate) unsafe fn from_owned(ptr: NonNull<GcBox<T>>) -> Gc<T> {
        Gc { ptr, owns: PhantomData }
    }

    /// The object's address; the reference that the handle owned passes to the caller.
    pub(crate) fn into_ptr(this: Gc<T>) -> NonNull<GcBox<T>> {
        core::mem::ManuallyDrop::new(this).ptr
    }

    /// The object's address, also of a dead handle.
    pub(crate) fn ptr(&self) -> NonNull<GcBox<T>> {
        self.ptr
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
    pub(crate) fn sever(&mut self) -> Option<ObjPtr> {
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
            checked::acquired(object);
        }
        Gc { ptr: self.ptr, owns: PhantomData }
    }
}

impl<T: ?Sized + 'static> Drop for Gc<T> {
    /// One count less; with the last one the value is dropped and its memory freed, at bounded depth.
    #[inline]
    fn drop(&mut self) {
        let Some(object) = self.object() else { return };
        checked::released(object);
        match object.header().decrement_fast() {
            Decrement::Done if !object.meta().turns_purple() => {}
            Decrement::Done => death::note_decrement(object),
            Decrement::Unsure => drop_slow(object),
        }
    }
}

#[cold]
#[inline(never)]
fn drop_slow(object: ObjPtr) {
    if object.header().decrement_slow() {
        death::dispose(object);
    } else if object.meta().turns_purple() {
        death::note_decrement(object);
    }
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
