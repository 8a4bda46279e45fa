//! Conversions into `Rc`, and unsizing.
#![allow(unsafe_code, reason = "values move out of vectors; `str` is a cast of bytes")]

use super::strong::Rc;
use crate::convert::convert_into;
use crate::object::{DEFERRABLE, Storage};
use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use allocator_api2::alloc::Global;

convert_into!(Rc);

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
