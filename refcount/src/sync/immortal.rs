//! Immortal objects in statics.
#![allow(unsafe_code, reason = "an `Arc` to an object that was never allocated")]

use super::strong::Arc;
use crate::object::{Object, ObjectPtr};
use crate::raw::SharedHeader;
use allocator_api2::alloc::Global;
use core::fmt;
use core::ops::Deref;

/// An object that is immortal from the beginning and needs no allocation: for constants in statics.
///
/// ```
/// use cpymem_refcount::sync::{Arc, Immortal};
///
/// static EMPTY: Immortal<[u8; 0]> = Immortal::new([]);
///
/// let a = EMPTY.to_arc();
/// let b = a.clone();
/// assert!(Arc::ptr_eq(&a, &b));
/// ```
///
/// There is none for [`rc::Rc`](crate::rc::Rc): its clones write to the header before they look, and a static is seen by all threads.
#[repr(transparent)]
pub struct Immortal<T>(Object<SharedHeader, T>);

impl<T> Immortal<T> {
    /// The object.
    pub const fn new(value: T) -> Immortal<T> {
        Immortal(Object::new_immortal(value))
    }

    /// A reference to it. Its clones and drops store nothing.
    #[inline]
    pub fn to_arc(&'static self) -> Arc<T> {
        // SAFETY: a static object with its value. It is immortal, so it is never handed to the allocator, nobody is its only owner
        // who could get a `&mut T`, and it needs no counted reference. Not deferrable.
        unsafe { Arc::from_object(ObjectPtr::from_static(&self.0), Global) }
    }
}

impl<T> Deref for Immortal<T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.0.value()
    }
}

impl<T: fmt::Debug> fmt::Debug for Immortal<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}
