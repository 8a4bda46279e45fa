//! Conversions into `BiasedRc`, and from one to another.
#![allow(unsafe_code, reason = "values move between owners; `str` is a cast of bytes")]

use super::strong::BiasedRc;
use crate::convert::{convert_into, downcast};
use crate::object::{DEFERRABLE, Storage};
use crate::unsize::{TakeApart, take_apart_strong};
use alloc::borrow::{Cow, ToOwned};
use alloc::boxed::Box;
use alloc::ffi::CString;
use alloc::string::String;
use alloc::vec::Vec;
use allocator_api2::alloc::{Allocator, Global};
use core::any::Any;
use core::ffi::CStr;
use core::mem::ManuallyDrop;
use core::pin::Pin;

convert_into!(BiasedRc; 'static);
downcast!(BiasedRc, dyn Any + Send + Sync; 'static);
take_apart_strong!(BiasedRc, BiasedRest, PinnedBiasedRest; 'static);
