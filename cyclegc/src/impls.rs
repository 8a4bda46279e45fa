//! [`Trace`] for the types of the standard library.
#![allow(unsafe_code, reason = "Trace is an unsafe trait")]

use core::cell::{Cell, OnceCell, RefCell};
use core::cmp::Reverse;
use core::hash::{BuildHasher, Hash};
use core::marker::PhantomData;
use core::mem::ManuallyDrop;
use core::num::{self, Saturating, Wrapping};
use core::ops::{ControlFlow, Range, RangeFrom, RangeInclusive, RangeTo};
use core::pin::Pin;
use core::sync::atomic;
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap, HashMap, HashSet, LinkedList, VecDeque};
use std::panic::AssertUnwindSafe;
use std::path::Path;
use std::rc::Rc;
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock, TryLockError};

use crate::trace::Trace;
use crate::visitor::{Clearer, Note, Visitor};

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

/// Whether a container of `T`s behind a pointer can own a `Gc`: whoever owns one has something to drop.
///
/// A type can contain itself behind such a pointer, so asking `T::needs_trace()` might never end.
const fn may_own_gc<T: ?Sized>() -> bool {
    core::mem::needs_drop::<T>()
}

/// Containers whose elements can be reached by shared and by exclusive iterators.
macro_rules! sequence {
    ($($type:ident),*) => { $(
        // SAFETY: each element is visited once, and cleared.
        unsafe impl<T: Trace> Trace for $type<T> {
            #[inline]
            fn visit(&self, visitor: &mut Visitor<'_>) {
                if may_own_gc::<T>() {
                    self.iter().for_each(|element| element.visit(visitor));
                }
            }

            #[inline]
            fn clear(&mut self, clearer: &mut Clearer<'_>) {
                self.iter_mut().for_each(|element| element.clear(clearer));
            }

            #[inline]
            fn needs_trace() -> bool {
                may_own_gc::<T>()
            }
        }
    )* };
}

sequence!(Vec, VecDeque, LinkedList);

// SAFETY: the value, if there is one, is visited once, and cleared.
unsafe impl<T: Trace> Trace for Option<T> {
    #[inline]
    fn visit(&self, visitor: &mut Visitor<'_>) {
        if let Some(value) = self {
            value.visit(visitor);
        }
    }

    #[inline]
    fn clear(&mut self, clearer: &mut Clearer<'_>) {
        if let Some(value) = self {
            value.clear(clearer);
        }
    }

    #[inline]
    fn needs_trace() -> bool {
        T::needs_trace()
    }
}

// SAFETY: each element is visited once, and cleared.
unsafe impl<T: Trace> Trace for [T] {
    fn visit(&self, visitor: &mut Visitor<'_>) {
        self.iter().for_each(|element| element.visit(visitor));
    }

    fn clear(&mut self, clearer: &mut Clearer<'_>) {
        self.iter_mut().for_each(|element| element.clear(clearer));
    }
}

// SAFETY: each element is visited once, and cleared.
unsafe impl<T: Trace, const N: usize> Trace for [T; N] {
    fn visit(&self, visitor: &mut Visitor<'_>) {
        self.as_slice().visit(visitor);
    }

    fn clear(&mut self, clearer: &mut Clearer<'_>) {
        self.as_mut_slice().clear(clearer);
    }

    fn needs_trace() -> bool {
        T::needs_trace()
    }
}

// SAFETY: the one value that there is is visited once, and cleared.
unsafe impl<T: Trace, E: Trace> Trace for Result<T, E> {
    fn visit(&self, visitor: &mut Visitor<'_>) {
        match self {
            Ok(value) => value.visit(visitor),
            Err(error) => error.visit(visitor),
        }
    }

    fn clear(&mut self, clearer: &mut Clearer<'_>) {
        match self {
            Ok(value) => value.clear(clearer),
            Err(error) => error.clear(clearer),
        }
    }

    fn needs_trace() -> bool {
        T::needs_trace() || E::needs_trace()
    }
}

// SAFETY: a box owns its value alone.
unsafe impl<T: Trace + ?Sized> Trace for Box<T> {
    #[inline]
    fn visit(&self, visitor: &mut Visitor<'_>) {
        (**self).visit(visitor);
    }

    #[inline]
    fn clear(&mut self, clearer: &mut Clearer<'_>) {
        (**self).clear(clearer);
    }

    #[inline]
    fn needs_trace() -> bool {
        may_own_gc::<T>()
    }
}

// SAFETY: a cell owns its value alone. While it is mutably borrowed, `visit` reports nothing, so what the
// value refers to counts as referenced from outside in this pass; a borrow cannot begin or end between two
// phases of a pass, since no user code runs there.
unsafe impl<T: Trace> Trace for RefCell<T> {
    #[inline]
    fn visit(&self, visitor: &mut Visitor<'_>) {
        // SAFETY: a visit runs no code that borrows the cell, so nobody borrows it mutably before this returns.
        match unsafe { self.try_borrow_unguarded() } {
            Ok(value) => value.visit(visitor),
            Err(_) => visitor.pinned(),
        }
    }

    #[inline]
    fn clear(&mut self, clearer: &mut Clearer<'_>) {
        self.get_mut().clear(clearer);
    }

    #[inline]
    fn needs_trace() -> bool {
        T::needs_trace()
    }
}

// SAFETY: a cell owns its value alone.
unsafe impl<T: Trace> Trace for Cell<T> {
    #[inline]
    fn visit(&self, visitor: &mut Visitor<'_>) {
        // SAFETY: a `Cell` lends nothing of its value, and `visit` runs no code that sets it.
        unsafe { &*self.as_ptr() }.visit(visitor);
    }

    #[inline]
    fn clear(&mut self, clearer: &mut Clearer<'_>) {
        self.get_mut().clear(clearer);
    }

    #[inline]
    fn needs_trace() -> bool {
        T::needs_trace()
    }
}

/// Locks. While one is taken, its value is pinned, as that of a borrowed `RefCell`.
macro_rules! lock {
    ($($type:ident, $try:ident;)*) => { $(
        // SAFETY: a lock owns its value alone.
        unsafe impl<T: Trace> Trace for $type<T> {
            fn visit(&self, visitor: &mut Visitor<'_>) {
                match self.$try() {
                    Ok(value) => value.visit(visitor),
                    Err(TryLockError::Poisoned(value)) => value.get_ref().visit(visitor),
                    Err(TryLockError::WouldBlock) => visitor.pinned(),
                }
            }

            fn clear(&mut self, clearer: &mut Clearer<'_>) {
                self.get_mut().unwrap_or_else(PoisonError::into_inner).clear(clearer);
            }

            fn needs_trace() -> bool {
                T::needs_trace()
            }
        }
    )* };
}

lock! {
    Mutex, try_lock;
    RwLock, try_read;
}

/// Wrappers of one value.
macro_rules! wrapper {
    ($($type:ident, |$this:ident| $get:expr, $get_mut:expr;)*) => { $(
        // SAFETY: the one value is visited once, and cleared.
        unsafe impl<T: Trace> Trace for $type<T> {
            fn visit(&self, visitor: &mut Visitor<'_>) {
                let $this = self;
                $get.visit(visitor);
            }

            fn clear(&mut self, clearer: &mut Clearer<'_>) {
                let $this = self;
                $get_mut.clear(clearer);
            }

            fn needs_trace() -> bool {
                T::needs_trace()
            }
        }
    )* };
}

wrapper! {
    Reverse, |this| this.0, this.0;
    Wrapping, |this| this.0, this.0;
    Saturating, |this| this.0, this.0;
    AssertUnwindSafe, |this| this.0, this.0;
}

// SAFETY: the value is visited once, and cleared.
unsafe impl<T: Trace> Trace for ManuallyDrop<T> {
    fn visit(&self, visitor: &mut Visitor<'_>) {
        visitor.note(Note::Undropped);
        (**self).visit(visitor);
    }

    fn clear(&mut self, clearer: &mut Clearer<'_>) {
        (**self).clear(clearer);
    }

    fn needs_trace() -> bool {
        T::needs_trace()
    }
}

// SAFETY: a pinned box owns its value alone; nothing is moved.
unsafe impl<T: Trace + Unpin + ?Sized> Trace for Pin<Box<T>> {
    fn visit(&self, visitor: &mut Visitor<'_>) {
        (**self).visit(visitor);
    }

    fn clear(&mut self, clearer: &mut Clearer<'_>) {
        (**self).clear(clearer);
    }

    fn needs_trace() -> bool {
        may_own_gc::<T>()
    }
}

// SAFETY: what is borrowed is `'static` or ends before any object, and is not owned; an owned value is visited once.
unsafe impl<'a, B: ToOwned + ?Sized> Trace for Cow<'a, B>
where
    B::Owned: Trace,
{
    fn visit(&self, visitor: &mut Visitor<'_>) {
        if let Cow::Owned(value) = self {
            value.visit(visitor);
        }
    }

    fn clear(&mut self, clearer: &mut Clearer<'_>) {
        if let Cow::Owned(value) = self {
            value.clear(clearer);
        }
    }

    fn needs_trace() -> bool {
        may_own_gc::<B::Owned>()
    }
}

// SAFETY: the break or continue value that there is is visited once, and cleared.
unsafe impl<B: Trace, C: Trace> Trace for ControlFlow<B, C> {
    fn visit(&self, visitor: &mut Visitor<'_>) {
        match self {
            ControlFlow::Break(value) => value.visit(visitor),
            ControlFlow::Continue(value) => value.visit(visitor),
        }
    }

    fn clear(&mut self, clearer: &mut Clearer<'_>) {
        match self {
            ControlFlow::Break(value) => value.clear(clearer),
            ControlFlow::Continue(value) => value.clear(clearer),
        }
    }

    fn needs_trace() -> bool {
        B::needs_trace() || C::needs_trace()
    }
}

/// Cells that are set once.
macro_rules! once {
    ($($type:ident),*) => { $(
        // SAFETY: a cell owns its value alone.
        unsafe impl<T: Trace> Trace for $type<T> {
            fn visit(&self, visitor: &mut Visitor<'_>) {
                if let Some(value) = self.get() {
                    value.visit(visitor);
                }
            }

            fn clear(&mut self, clearer: &mut Clearer<'_>) {
                if let Some(value) = self.get_mut() {
                    value.clear(clearer);
                }
            }

            fn needs_trace() -> bool {
                T::needs_trace()
            }
        }
    )* };
}

once!(OnceCell, OnceLock);

/// Maps. Keys cannot be changed in place, so a map whose keys own `Gc`s is emptied to sever them.
macro_rules! map {
    ($([$($generics:tt)*] $type:ty, $take:ident;)*) => { $(
        // SAFETY: each key and each value is visited once, and cleared.
        unsafe impl<$($generics)*> Trace for $type {
            fn visit(&self, visitor: &mut Visitor<'_>) {
                for (key, value) in self {
                    key.visit(visitor);
                    value.visit(visitor);
                }
            }

            fn clear(&mut self, clearer: &mut Clearer<'_>) {
                if may_own_gc::<K>() {
                    for (mut key, mut value) in $take(self) {
                        key.clear(clearer);
                        value.clear(clearer);
                    }
                } else {
                    self.values_mut().for_each(|value| value.clear(clearer));
                }
            }

            fn needs_trace() -> bool {
                may_own_gc::<K>() || may_own_gc::<V>()
            }
        }
    )* };
}

fn take_hash_map<K, V, S>(map: &mut HashMap<K, V, S>) -> impl Iterator<Item = (K, V)> {
    map.drain()
}

fn take_btree_map<K, V>(map: &mut BTreeMap<K, V>) -> impl Iterator<Item = (K, V)> {
    core::mem::take(map).into_iter()
}

map! {
    [K: Trace + Eq + Hash, V: Trace, S: BuildHasher] HashMap<K, V, S>, take_hash_map;
    [K: Trace + Ord, V: Trace] BTreeMap<K, V>, take_btree_map;
}

/// Sets, and heaps, whose elements cannot be changed in place either.
macro_rules! set {
    ($([$($generics:tt)*] $type:ty, $take:ident;)*) => { $(
        // SAFETY: each element is visited once, and cleared.
        unsafe impl<$($generics)*> Trace for $type {
            fn visit(&self, visitor: &mut Visitor<'_>) {
                self.iter().for_each(|element| element.visit(visitor));
            }

            fn clear(&mut self, clearer: &mut Clearer<'_>) {
                if may_own_gc::<T>() {
                    for mut element in $take(self) {
                        element.clear(clearer);
                    }
                }
            }

            fn needs_trace() -> bool {
                may_own_gc::<T>()
            }
        }
    )* };
}

fn take_hash_set<T, S>(set: &mut HashSet<T, S>) -> impl Iterator<Item = T> {
    set.drain()
}

fn take_btree_set<T>(set: &mut BTreeSet<T>) -> impl Iterator<Item = T> {
    core::mem::take(set).into_iter()
}

fn take_heap<T>(heap: &mut BinaryHeap<T>) -> impl Iterator<Item = T> {
    heap.drain()
}

set! {
    [T: Trace + Eq + Hash, S: BuildHasher] HashSet<T, S>, take_hash_set;
    [T: Trace + Ord] BTreeSet<T>, take_btree_set;
    [T: Trace + Ord] BinaryHeap<T>, take_heap;
}

/// Tuples.
macro_rules! tuple {
    ($($name:ident)*) => {
        // SAFETY: each element is visited once, and cleared.
        unsafe impl<$($name: Trace),*> Trace for ($($name,)*) {
            #[allow(non_snake_case, reason = "the type's name stands for the element")]
            fn visit(&self, visitor: &mut Visitor<'_>) {
                let ($($name,)*) = self;
                $($name.visit(visitor);)*
            }

            #[allow(non_snake_case, reason = "the type's name stands for the element")]
            fn clear(&mut self, clearer: &mut Clearer<'_>) {
                let ($($name,)*) = self;
                $($name.clear(clearer);)*
            }

            fn needs_trace() -> bool {
                $($name::needs_trace())||*
            }
        }
    };
}

tuple!(A);
tuple!(A B);
tuple!(A B C);
tuple!(A B C D);
tuple!(A B C D E);
tuple!(A B C D E F);
tuple!(A B C D E F G);
tuple!(A B C D E F G H);
tuple!(A B C D E F G H I);
tuple!(A B C D E F G H I J);
tuple!(A B C D E F G H I J K);
tuple!(A B C D E F G H I J K L);

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

/// Maps of other crates, which are emptied to sever their keys.
#[cfg(feature = "hashbrown")]
mod of_hashbrown {
    use super::{BuildHasher, Clearer, Hash, Trace, Visitor, may_own_gc};

    fn take_map<K, V, S>(map: &mut hashbrown::HashMap<K, V, S>) -> impl Iterator<Item = (K, V)> {
        map.drain()
    }

    fn take_set<T, S>(set: &mut hashbrown::HashSet<T, S>) -> impl Iterator<Item = T> {
        set.drain()
    }

    map! { [K: Trace + Eq + Hash, V: Trace, S: BuildHasher] hashbrown::HashMap<K, V, S>, take_map; }
    set! { [T: Trace + Eq + Hash, S: BuildHasher] hashbrown::HashSet<T, S>, take_set; }
}

#[cfg(feature = "indexmap")]
mod of_indexmap {
    use super::{BuildHasher, Clearer, Hash, Trace, Visitor, may_own_gc};

    fn take_map<K, V, S>(map: &mut indexmap::IndexMap<K, V, S>) -> impl Iterator<Item = (K, V)> {
        map.drain(..)
    }

    fn take_set<T, S>(set: &mut indexmap::IndexSet<T, S>) -> impl Iterator<Item = T> {
        set.drain(..)
    }

    map! { [K: Trace + Eq + Hash, V: Trace, S: BuildHasher] indexmap::IndexMap<K, V, S>, take_map; }
    set! { [T: Trace + Eq + Hash, S: BuildHasher] indexmap::IndexSet<T, S>, take_set; }
}

// SAFETY: each element is visited once, and cleared.
#[cfg(feature = "smallvec")]
unsafe impl<A: smallvec::Array<Item: Trace>> Trace for smallvec::SmallVec<A> {
    fn visit(&self, visitor: &mut Visitor<'_>) {
        self.as_slice().visit(visitor);
    }

    fn clear(&mut self, clearer: &mut Clearer<'_>) {
        self.as_mut_slice().clear(clearer);
    }

    fn needs_trace() -> bool {
        may_own_gc::<A::Item>()
    }
}

// SAFETY: the one value that there is is visited once, and cleared.
#[cfg(feature = "either")]
unsafe impl<L: Trace, R: Trace> Trace for either::Either<L, R> {
    fn visit(&self, visitor: &mut Visitor<'_>) {
        match self {
            either::Either::Left(value) => value.visit(visitor),
            either::Either::Right(value) => value.visit(visitor),
        }
    }

    fn clear(&mut self, clearer: &mut Clearer<'_>) {
        match self {
            either::Either::Left(value) => value.clear(clearer),
            either::Either::Right(value) => value.clear(clearer),
        }
    }

    fn needs_trace() -> bool {
        L::needs_trace() || R::needs_trace()
    }
}
