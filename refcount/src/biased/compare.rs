//! Traits that a `BiasedRc` passes on to its value.

use super::strong::BiasedRc;
use crate::forward::forward_to_value;
use allocator_api2::alloc::Allocator;
use core::borrow::Borrow;
use core::cmp::Ordering;
use core::error::Error;
use core::fmt;
use core::hash::{Hash, Hasher};
use core::panic::{RefUnwindSafe, UnwindSafe};

forward_to_value!(BiasedRc; 'static);
