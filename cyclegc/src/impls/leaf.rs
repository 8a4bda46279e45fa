//! Types that own no `Gc`.
#![allow(unsafe_code, reason = "Trace is an unsafe trait")]

use core::marker::PhantomData;
use core::num;
use core::ops::{Range, RangeFrom, RangeInclusive, RangeTo};
use core::sync::atomic;
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;

use crate::inquiry::{Inquiry, Teardown};
use crate::trace::Trace;
use crate::visitor::{Clearer, Visitor};

/// A type that owns no `Gc`.
macro_rules! leaf {
    ([$($generics:tt)*] $type:ty) => {
        // SAFETY: a value of this type owns no `Gc`.
        unsafe impl<$($generics)*> Trace for $type {
            #[inline]
            fn visit(&self, _: &mut Visitor<'_>) {}

            #[inline]
            fn clear(&mut self, _: &mut Clearer<'_>) {}

            #[inline]
            fn needs_trace() -> bool {
                false
            }

            fn teardown(_: &mut Inquiry) -> Teardown {
                Teardown::Plain
            }
        }
    };
}

macro_rules! leaves {
    ($($type:ty),* $(,)?) => { $(leaf!([] $type);)* };
}

leaves! {
    (), bool, char, String,
    u8, u16, u32, u64, u128, usize, i8, i16, i32, i64, i128, isize, f32, f64,
    num::NonZeroU8, num::NonZeroU16, num::NonZeroU32, num::NonZeroU64, num::NonZeroU128, num::NonZeroUsize,
    num::NonZeroI8, num::NonZeroI16, num::NonZeroI32, num::NonZeroI64, num::NonZeroI128, num::NonZeroIsize,
    atomic::AtomicBool, atomic::AtomicU8, atomic::AtomicU16, atomic::AtomicU32, atomic::AtomicU64,
    atomic::AtomicUsize, atomic::AtomicI8, atomic::AtomicI16, atomic::AtomicI32, atomic::AtomicI64,
    atomic::AtomicIsize,
    core::time::Duration, std::time::Instant, std::time::SystemTime,
    core::alloc::Layout, core::any::TypeId, core::cmp::Ordering, core::marker::PhantomPinned,
    core::net::IpAddr, core::net::Ipv4Addr, core::net::Ipv6Addr, core::net::SocketAddr,
    std::ffi::OsString, std::ffi::CString, std::path::PathBuf, std::thread::ThreadId,
    Rc<str>, Arc<str>, Rc<Path>, Arc<Path>, Rc<[u8]>, Arc<[u8]>, Rc<String>, Arc<String>,
    std::collections::hash_map::RandomState,
    std::fs::File, std::net::TcpStream, std::net::TcpListener, std::net::UdpSocket,
}
leaf!(['a, T: ?Sized] &'a T);
leaf!([T: ?Sized] PhantomData<T>);
leaf!([T: ?Sized] *const T);
leaf!([T: ?Sized] *mut T);
leaf!([T: ?Sized] core::ptr::NonNull<T>);

// SAFETY: text owns no `Gc`.
unsafe impl Trace for str {
    fn visit(&self, _: &mut Visitor<'_>) {}

    fn clear(&mut self, _: &mut Clearer<'_>) {}
}

/// Ranges are not changed in place through their public interface, and own no `Gc` if their ends are numbers.
macro_rules! range {
    ($($type:ident)*) => { $( leaf!([T: Copy] $type<T>); )* };
}

range!(Range RangeFrom RangeInclusive RangeTo);

/// Functions own nothing.
macro_rules! function {
    ($($argument:ident)*) => {
        leaf!([Ret, $($argument),*] fn($($argument),*) -> Ret);
    };
}

function!();
function!(A);
function!(A B);
function!(A B C);
function!(A B C D);
