//! Conversions into `Arc`, and unsizing.
#![allow(unsafe_code, reason = "values move out of vectors; `str` is a cast of bytes")]

use super::strong::Arc;
use crate::convert::convert_into;
use crate::object::{DEFERRABLE, Storage};
use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use allocator_api2::alloc::Global;

convert_into!(Arc);

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
