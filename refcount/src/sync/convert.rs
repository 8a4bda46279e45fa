//! Conversions into `Arc`, and unsizing.
//!
//! They demand `'static` values and make deferrable objects. The alternative, no bound and no bit, would let a structure that is
//! built with `into()` or `collect()` overflow the stack when it is dropped; a value that borrows has [`Arc::new_borrowed`].
#![allow(unsafe_code, reason = "values move out of vectors; `str` is a cast of bytes")]

use super::strong::Arc;
use crate::object::{DEFERRABLE, Storage};
use allocator_api2::alloc::Global;

impl<T: 'static> From<T> for Arc<T> {
    fn from(value: T) -> Arc<T> {
        Arc::new(value)
    }
}

impl<T: Default + 'static> Default for Arc<T> {
    fn default() -> Arc<T> {
        Arc::new(T::default())
    }
}

/// Moves the values; the vector's own memory is freed.
impl<T: 'static> From<Vec<T>> for Arc<[T]> {
    fn from(mut values: Vec<T>) -> Arc<[T]> {
        let storage = Storage::for_slice::<T>(values.len(), DEFERRABLE, Global);
        // SAFETY: the storage is for as many values, and the vector forgets them before it can drop them.
        let (object, alloc) = unsafe { storage.init_slice(&values) };
        // SAFETY: zero values need no initialisation.
        unsafe { values.set_len(0) };
        // SAFETY: a new object with its one reference; `T` is `'static`.
        unsafe { Arc::from_object(object, alloc) }
    }
}

impl<T: Clone + 'static> From<&[T]> for Arc<[T]> {
    fn from(values: &[T]) -> Arc<[T]> {
        Arc::from(values.to_vec())
    }
}

impl<T: 'static> From<Box<[T]>> for Arc<[T]> {
    fn from(values: Box<[T]>) -> Arc<[T]> {
        Arc::from(values.into_vec())
    }
}

impl<T: 'static> FromIterator<T> for Arc<[T]> {
    fn from_iter<I: IntoIterator<Item = T>>(values: I) -> Arc<[T]> {
        Arc::from(Vec::from_iter(values))
    }
}

impl From<&str> for Arc<str> {
    fn from(text: &str) -> Arc<str> {
        let storage = Storage::for_slice::<u8>(text.len(), DEFERRABLE, Global);
        // SAFETY: the storage is for as many bytes, and bytes may be copied.
        let (bytes, alloc) = unsafe { storage.init_slice(text.as_bytes()) };
        // SAFETY: the bytes of a `str`.
        let object = unsafe { bytes.into_str() };
        // SAFETY: a new object with its one reference.
        unsafe { Arc::from_object(object, alloc) }
    }
}

impl From<String> for Arc<str> {
    fn from(text: String) -> Arc<str> {
        Arc::from(text.as_str())
    }
}

/// Turns an `Arc` of a sized type into one of an unsized type, as the coercion of `std::sync::Arc` does: the expected type decides.
///
/// (Stable Rust keeps the coercion of smart pointers to the standard library.)
///
/// ```
/// use cpymem_refcount::{sync::Arc, unsize_arc};
///
/// let shown: Arc<dyn std::fmt::Display> = unsize_arc!(Arc::new(7));
/// assert_eq!(shown.to_string(), "7");
/// let slice: Arc<[u8]> = unsize_arc!(Arc::new([1, 2, 3]));
/// assert_eq!(slice.len(), 3);
/// ```
///
/// Nothing but unsizing is possible:
///
/// ```compile_fail,E0308
/// use cpymem_refcount::{sync::Arc, unsize_arc};
/// let wrong: Arc<u64> = unsize_arc!(Arc::new(1.0_f64));
/// ```
#[macro_export]
macro_rules! unsize_arc {
    ($arc:expr $(,)?) => {{
        let (pointer, alloc) = $crate::sync::Arc::into_raw_with_allocator($arc);
        // Not a cast: only a coercion is possible here, and those of raw pointers to pointers keep the value or unsize it.
        let pointer: *const _ = pointer;
        // SAFETY: both come from `into_raw_with_allocator`, and the pointer was at most unsized.
        unsafe { $crate::sync::Arc::from_raw_in(pointer, alloc) }
    }};
}
