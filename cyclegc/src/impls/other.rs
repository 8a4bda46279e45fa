//! Types of other crates.
#![allow(unsafe_code, reason = "Trace is an unsafe trait")]

#[cfg(feature = "smallvec")]
use super::may_own_gc;
#[cfg(any(feature = "either", feature = "smallvec"))]
use crate::inquiry::{Inquiry, Teardown};
#[cfg(any(feature = "either", feature = "smallvec"))]
use crate::trace::Trace;
#[cfg(any(feature = "either", feature = "smallvec"))]
use crate::visitor::{Clearer, Visitor};

/// Maps of other crates, which are emptied to sever their keys.
#[cfg(feature = "hashbrown")]
mod of_hashbrown {
    use core::hash::{BuildHasher, Hash};

    use crate::impls::map::{emptied, map, set};
    use crate::impls::may_own_gc;
    use crate::inquiry::{Inquiry, Teardown};
    use crate::trace::Trace;
    use crate::visitor::{Clearer, Visitor};

    fn take_map<K, V, S>(map: &mut hashbrown::HashMap<K, V, S>) -> impl Iterator<Item = (K, V)> {
        map.drain()
    }

    fn take_set<T, S>(set: &mut hashbrown::HashSet<T, S>) -> impl Iterator<Item = T> {
        set.drain()
    }

    map! { [K: Trace + Eq + Hash, V: Trace, S: BuildHasher] hashbrown::HashMap<K, V, S>, take_map, S; }
    set! { [T: Trace + Eq + Hash, S: BuildHasher] hashbrown::HashSet<T, S>, take_set, S; }
}

#[cfg(feature = "indexmap")]
mod of_indexmap {
    use core::hash::{BuildHasher, Hash};

    use crate::impls::map::{emptied, map, set};
    use crate::impls::may_own_gc;
    use crate::inquiry::{Inquiry, Teardown};
    use crate::trace::Trace;
    use crate::visitor::{Clearer, Visitor};

    fn take_map<K, V, S>(map: &mut indexmap::IndexMap<K, V, S>) -> impl Iterator<Item = (K, V)> {
        map.drain(..)
    }

    fn take_set<T, S>(set: &mut indexmap::IndexSet<T, S>) -> impl Iterator<Item = T> {
        set.drain(..)
    }

    map! { [K: Trace + Eq + Hash, V: Trace, S: BuildHasher] indexmap::IndexMap<K, V, S>, take_map, S; }
    set! { [T: Trace + Eq + Hash, S: BuildHasher] indexmap::IndexSet<T, S>, take_set, S; }
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

    fn teardown(inquiry: &mut Inquiry) -> Teardown {
        inquiry.of::<A::Item>()
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

    fn teardown(inquiry: &mut Inquiry) -> Teardown {
        inquiry.of::<L>().and(inquiry.of::<R>())
    }
}
