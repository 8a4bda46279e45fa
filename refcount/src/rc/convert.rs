//! Conversions into `Rc`, and unsizing.
//!
//! They demand `'static` values and make deferrable objects. The alternative, no bound and no bit, would let a structure that is
//! built with `into()` or `collect()` overflow the stack when it is dropped; a value that borrows has [`Rc::new_borrowed`].
#![allow(unsafe_code, reason = "values move out of vectors; `str` is a cast of bytes")]

use super::strong::Rc;
use crate::object::{DEFERRABLE, Storage};
use allocator_api2::alloc::Global;

impl<T: 'static> From<T> for Rc<T> {
    fn from(value: T) -> Rc<T> {
        Rc::new(value)
    }
}

impl<T: Default + 'static> Default for Rc<T> {
    fn default() -> Rc<T> {
        Rc::new(T::default())
    }
}

/// Moves the values; the vector's own memory is freed.
impl<T: 'static> From<Vec<T>> for Rc<[T]> {
    fn from(mut values: Vec<T>) -> Rc<[T]> {
        let storage = Storage::for_slice::<T>(values.len(), DEFERRABLE, Global);
        // SAFETY: the storage is for as many values, and the vector forgets them before it can drop them.
        let (object, alloc) = unsafe { storage.init_slice(&values) };
        // SAFETY: zero values need no initialisation.
        unsafe { values.set_len(0) };
        // SAFETY: a new object with its one reference; `T` is `'static`.
        unsafe { Rc::from_object(object, alloc) }
    }
}

impl<T: Clone + 'static> From<&[T]> for Rc<[T]> {
    fn from(values: &[T]) -> Rc<[T]> {
        Rc::from(values.to_vec())
    }
}

impl<T: 'static> From<Box<[T]>> for Rc<[T]> {
    fn from(values: Box<[T]>) -> Rc<[T]> {
        Rc::from(values.into_vec())
    }
}

impl<T: 'static> FromIterator<T> for Rc<[T]> {
    fn from_iter<I: IntoIterator<Item = T>>(values: I) -> Rc<[T]> {
        Rc::from(Vec::from_iter(values))
    }
}

impl From<&str> for Rc<str> {
    fn from(text: &str) -> Rc<str> {
        let storage = Storage::for_slice::<u8>(text.len(), DEFERRABLE, Global);
        // SAFETY: the storage is for as many bytes, and bytes may be copied.
        let (bytes, alloc) = unsafe { storage.init_slice(text.as_bytes()) };
        // SAFETY: the bytes of a `str`.
        let object = unsafe { bytes.into_str() };
        // SAFETY: a new object with its one reference.
        unsafe { Rc::from_object(object, alloc) }
    }
}

impl From<String> for Rc<str> {
    fn from(text: String) -> Rc<str> {
        Rc::from(text.as_str())
    }
}

/// Turns an `Rc` of a sized type into one of an unsized type, as the coercion of `std::rc::Rc` does: the expected type decides.
///
/// (Stable Rust keeps the coercion of smart pointers to the standard library.)
///
/// ```
/// use cpymem_refcount::{rc::Rc, unsize_rc};
///
/// let shown: Rc<dyn std::fmt::Display> = unsize_rc!(Rc::new(7));
/// assert_eq!(shown.to_string(), "7");
/// let slice: Rc<[u8]> = unsize_rc!(Rc::new([1, 2, 3]));
/// assert_eq!(slice.len(), 3);
/// ```
///
/// Nothing but unsizing is possible:
///
/// ```compile_fail,E0308
/// use cpymem_refcount::{rc::Rc, unsize_rc};
/// let wrong: Rc<u64> = unsize_rc!(Rc::new(1.0_f64));
/// ```
#[macro_export]
macro_rules! unsize_rc {
    ($rc:expr $(,)?) => {{
        let (pointer, alloc) = $crate::rc::Rc::into_raw_with_allocator($rc);
        // Not a cast: only a coercion is possible here, and those of raw pointers to pointers keep the value or unsize it.
        let pointer: *const _ = pointer;
        // SAFETY: both come from `into_raw_with_allocator`, and the pointer was at most unsized.
        unsafe { $crate::rc::Rc::from_raw_in(pointer, alloc) }
    }};
}
