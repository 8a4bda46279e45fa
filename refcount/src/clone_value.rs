//! Values that can be cloned into a new object, unsized ones among them.
#![allow(unsafe_code, reason = "clones are written into memory that is not an object yet")]

use alloc::vec::Vec;
use core::ffi::CStr;
use core::ptr;

/// What `make_mut` can clone: every `Clone` type, slices of them, `str`, `CStr`, and with `std` `OsStr` and `Path`.
///
/// It stands for `core::clone::CloneToUninit`, which is not stable. Other unsized types may implement it.
///
/// # Safety
///
/// [`clone_to`](CloneValue::clone_to) keeps its promise.
pub unsafe trait CloneValue {
    /// Writes a clone of the value. If it panics, nothing has been written that needs to be dropped.
    ///
    /// # Safety
    ///
    /// `place` has room for a value of the size and alignment of this one.
    unsafe fn clone_to(&self, place: *mut u8);
}

// SAFETY: writes one value.
unsafe impl<T: Clone> CloneValue for T {
    #[inline]
    unsafe fn clone_to(&self, place: *mut u8) {
        // SAFETY: the caller's promise.
        unsafe { place.cast::<T>().write(self.clone()) };
    }
}

// SAFETY: writes as many values as there are, after all of them have been cloned.
unsafe impl<T: Clone> CloneValue for [T] {
    unsafe fn clone_to(&self, place: *mut u8) {
        let mut clones: Vec<T> = self.to_vec();
        // SAFETY: the caller's promise; a vector of its own does not overlap the place.
        unsafe { ptr::copy_nonoverlapping(clones.as_ptr(), place.cast::<T>(), clones.len()) };
        // SAFETY: zero values need no initialisation. The clones have moved.
        unsafe { clones.set_len(0) };
    }
}

macro_rules! clone_bytes {
    ($($bytes:ty),*) => {$(
        // SAFETY: writes the bytes that the value is.
        unsafe impl CloneValue for $bytes {
            unsafe fn clone_to(&self, place: *mut u8) {
                // SAFETY: the caller's promise; new memory does not overlap the value.
                unsafe { ptr::copy_nonoverlapping(ptr::from_ref(self).cast::<u8>(), place, size_of_val(self)) };
            }
        }
    )*};
}

clone_bytes!(str, CStr);
#[cfg(feature = "std")]
clone_bytes!(std::ffi::OsStr, std::path::Path);
