//! `Gc<T>` to `Gc<dyn Trait>`.
#![allow(unsafe_code, reason = "a handle is taken apart and put together with other metadata")]

use core::ptr::NonNull;

use crate::gc_ptr::Gc;
use crate::vtable::GcBox;
use crate::weak::Weak;

/// Turns a [`Gc<T>`](crate::Gc) or a [`Weak<T>`](crate::Weak) into one of a type that `T` coerces to: a trait object or a slice.
/// It is the same reference, to the same object.
///
/// The stable language cannot do it by itself, as `Rc` does it.
///
/// ```
/// use cpymem_cyclegc::{Gc, coerce};
/// use std::fmt::Display;
///
/// let shown: Vec<Gc<dyn Display>> = vec![coerce!(Gc::new(7) => dyn Display), coerce!(Gc::new('x') => dyn Display)];
/// assert_eq!(format!("{}{}", shown[0], shown[1]), "7x");
///
/// let slice: Gc<[i32]> = coerce!(Gc::new([1, 2, 3]) => [i32]);
/// assert_eq!(slice.len(), 3);
/// ```
///
/// What does not coerce is refused:
///
/// ```compile_fail
/// use cpymem_cyclegc::{Gc, coerce};
///
/// struct Silent;
/// # #[derive(cpymem_cyclegc::Trace)]
/// # struct Wrapper(#[trace(skip)] Silent);
/// let shown = coerce!(Gc::new(Wrapper(Silent)) => dyn std::fmt::Display);
/// ```
#[macro_export]
macro_rules! coerce {
    ($handle:expr => $target:ty) => {
        match $handle {
            // The closure's body is a coercion site, so the compiler makes the metadata.
            //
            // SAFETY: the closure gives back the pointer that it was given.
            #[allow(unsafe_code)]
            handle => unsafe {
                $crate::__private::Handle::coerce(handle, |ptr| -> *mut $crate::__private::GcBox<$target> {
                    ptr
                })
            },
        }
    };
}

/// A handle on an object of a sized type.
#[doc(hidden)]
pub trait Handle {
    type Value;
    type To<U: ?Sized + 'static>;

    /// # Safety
    /// `coercion` gives back the pointer that it is given, coerced and nothing else.
    unsafe fn coerce<U: ?Sized + 'static>(
        self,
        coercion: impl FnOnce(*mut GcBox<Self::Value>) -> *mut GcBox<U>,
    ) -> Self::To<U>;
}

impl<T: 'static> Handle for Gc<T> {
    type Value = T;
    type To<U: ?Sized + 'static> = Gc<U>;

    #[inline]
    unsafe fn coerce<U: ?Sized + 'static>(
        self,
        coercion: impl FnOnce(*mut GcBox<T>) -> *mut GcBox<U>,
    ) -> Gc<U> {
        let ptr = coercion(Gc::into_ptr(self).as_ptr());
        // SAFETY: the caller's promise: the same address, which is not 0.
        let ptr = unsafe { NonNull::new_unchecked(ptr) };
        // SAFETY: the reference that `self` owned; a dead handle stays dead, as its address does.
        unsafe { Gc::from_owned(ptr) }
    }
}

impl<T: 'static> Handle for Weak<T> {
    type Value = T;
    type To<U: ?Sized + 'static> = Weak<U>;

    #[inline]
    unsafe fn coerce<U: ?Sized + 'static>(
        self,
        coercion: impl FnOnce(*mut GcBox<T>) -> *mut GcBox<U>,
    ) -> Weak<U> {
        let ptr = coercion(self.ptr().as_ptr());
        // SAFETY: the caller's promise: the same address, which is not 0.
        let ptr = unsafe { NonNull::new_unchecked(ptr) };
        // SAFETY: the same address, with metadata that the compiler made for it.
        unsafe { self.with_ptr(ptr) }
    }
}
