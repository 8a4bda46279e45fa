//! Conversions into `Arc`, and from one to another.
#![allow(unsafe_code, reason = "values move between owners; `str` is a cast of bytes")]

use super::policy::Policy;
use super::strong::Arc;
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
use core::marker::PhantomData;
use core::mem::ManuallyDrop;
use core::pin::Pin;

convert_into!(Arc, P: Policy);
downcast!(Arc, dyn Any + Send + Sync, P: Policy);
take_apart_strong!(Arc, ArcRest, PinnedArcRest, P: Policy);
