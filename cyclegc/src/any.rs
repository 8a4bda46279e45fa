//! [`AnyGc`]: a handle on an object whose type is found out at run time.
#![allow(unsafe_code, reason = "a handle is turned back into one of the object's own type")]

use core::any::TypeId;
use core::fmt;
use core::mem::ManuallyDrop;

use crate::checked;
use crate::death;
use crate::gc_ptr::Gc;
use crate::inquiry::{Inquiry, Teardown};
use crate::object::ObjPtr;
use crate::trace::Trace;
use crate::visitor::{Clearer, Target, Visitor};
use crate::vtable::GcBox;

/// A [`Gc`] to a value of any type: what the functions of [`gc`](crate::gc) return and take.
///
/// ```
/// use cpymem_cyclegc::{AnyGc, Gc};
///
/// let any = AnyGc::from(Gc::new(5u32));
/// assert_eq!(any.type_name(), "u32");
/// assert_eq!(*any.downcast::<u32>().unwrap(), 5);
/// ```
///
/// # Invariants
/// 1. It owns one reference to the object, unless it is `None`: severed by a collection.
pub struct AnyGc(Option<ObjPtr>);

impl AnyGc {
    /// The handle of a reference that the caller owns.
    pub(crate) fn from_owned(object: ObjPtr) -> AnyGc {
        AnyGc(Some(object))
    }

    /// A handle of its own on an object that is alive.
    pub(crate) fn to(object: ObjPtr) -> AnyGc {
        object.header().increment();
        checked::acquired(object);
        AnyGc(Some(object))
    }

    /// A handle of its own on the object at the end of an edge.
    pub(crate) fn to_target(target: Target) -> Option<AnyGc> {
        // SAFETY: whoever reported the edge keeps the object alive, and no user code has run since.
        Some(AnyGc::to(unsafe { ObjPtr::new(target) }))
    }

    /// The object, unless the handle is dead.
    pub(crate) fn object(&self) -> Option<ObjPtr> {
        self.0
    }

    /// The handle as one on a value of type `T`, or as it was if the value is of another type.
    ///
    /// # Errors
    /// The handle itself.
    pub fn downcast<T: Trace + 'static>(self) -> Result<Gc<T>, AnyGc> {
        match self.0 {
            Some(object) if (object.vtable().type_id)() == TypeId::of::<T>() => {
                let this = ManuallyDrop::new(self);
                debug_assert!(this.0.is_some());
                // SAFETY: invariant 1, and the object's type was compared.
                Ok(unsafe { Gc::from_owned(object.as_ptr().cast::<GcBox<T>>()) })
            }
            _ => Err(self),
        }
    }

    /// True if the value is of type `T`.
    pub fn is<T: 'static>(&self) -> bool {
        self.0.is_some_and(|object| (object.vtable().type_id)() == TypeId::of::<T>())
    }

    /// The name of the value's type, as [`core::any::type_name`] gives it; for messages.
    pub fn type_name(&self) -> &'static str {
        self.0.map_or("(dead)", |object| (object.vtable().type_name)())
    }

    /// Number of references to the object, this one included; 0 for a dead handle.
    pub fn strong_count(&self) -> usize {
        self.0.map_or(0, |object| object.header().count().get() as usize)
    }

    /// True if both are handles on the same object.
    pub fn ptr_eq(&self, other: &AnyGc) -> bool {
        self.0 == other.0
    }

    /// The object's address: the same for all handles on it as long as it lives. 0 for a dead handle.
    pub fn addr(&self) -> usize {
        self.0.map_or(0, ObjPtr::addr)
    }

    /// True if collections look into the object: see [`is_tracked`](crate::gc::is_tracked).
    pub fn is_tracked(&self) -> bool {
        self.0.is_some_and(|object| object.meta().is_tracked())
    }

    /// True if the object's finalizer has run: see [`is_finalized`](crate::gc::is_finalized).
    pub fn is_finalized(&self) -> bool {
        self.0.is_some_and(|object| object.meta().is_finalized())
    }
}

impl<T: ?Sized + 'static> From<Gc<T>> for AnyGc {
    fn from(gc: Gc<T>) -> AnyGc {
        let object = gc.object();
        if object.is_some() {
            core::mem::forget(gc);
        }
        AnyGc(object)
    }
}

impl Clone for AnyGc {
    fn clone(&self) -> AnyGc {
        self.0.map_or(AnyGc(None), AnyGc::to)
    }
}

impl Drop for AnyGc {
    fn drop(&mut self) {
        if let Some(object) = self.0 {
            checked::released(object);
            death::release(object);
        }
    }
}

impl fmt::Debug for AnyGc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<{} at {:#x}>", self.type_name(), self.addr())
    }
}

// SAFETY: the edge of the handle is reported once, and severed by `clear`.
unsafe impl Trace for AnyGc {
    fn visit(&self, visitor: &mut Visitor<'_>) {
        if let Some(object) = self.0 {
            visitor.edge(object.as_ptr());
        }
    }

    fn clear(&mut self, clearer: &mut Clearer<'_>) {
        if let Some(object) = self.0.take() {
            clearer.edge(object.as_ptr());
        }
    }

    /// As that of a `Gc`.
    fn teardown(_: &mut Inquiry) -> Teardown {
        Teardown::Plain
    }
}
