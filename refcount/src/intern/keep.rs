//! How long an interned value lives.

use super::pointer::Pointer;
use alloc::vec::Vec;
use hashbrown::HashTable;

/// What an interner has of each object: [`Strong`], [`Immortal`] or [`Weakly`].
pub trait Keep<R: Pointer>: sealed::Sealed {
    /// What is in the table.
    type Kept;

    /// What is kept of a new object with this hash.
    fn keep(object: &R, hash: u64) -> Self::Kept;

    /// The object with this hash that `is_it`, if it is alive. One that is alive and not the one goes to `others`, as dropping it may run its
    /// destructor.
    fn find(
        table: &HashTable<Self::Kept>,
        hash: u64,
        others: &mut Vec<R>,
        is_it: impl Fn(&R::Target) -> bool,
    ) -> Option<R>;

    /// The hash of what is kept; `of` hashes a value.
    fn hash(kept: &Self::Kept, of: impl Fn(&R::Target) -> u64) -> u64;

    /// Whether it can still be found.
    fn is_alive(kept: &Self::Kept) -> bool;
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for super::Strong {}
    impl Sealed for super::Immortal {}
    impl Sealed for super::Weakly {}
}

/// The interner owns a reference to each object. The fastest for [`rc::Rc`](crate::rc::Rc), whose immortal objects cost more than others.
#[derive(Clone, Copy, Debug)]
pub enum Strong {}

/// The objects are immortal: never destroyed, not even with the interner, and not written to by clones. The fastest for threads that share them.
#[derive(Clone, Copy, Debug)]
pub enum Immortal {}

/// The interner has weak references: an object that nobody else has dies, and its place is used again.
#[derive(Clone, Copy, Debug)]
pub enum Weakly {}

/// [`Strong`] and [`Immortal`] differ in what becomes of a new object.
macro_rules! keep_pointers {
    ($Keep:ident, $before:expr) => {
        impl<R: Pointer> Keep<R> for $Keep {
            type Kept = R;

            fn keep(object: &R, _: u64) -> R {
                $before(object);
                object.clone()
            }

            #[inline]
            fn find(
                table: &HashTable<R>,
                hash: u64,
                _: &mut Vec<R>,
                is_it: impl Fn(&R::Target) -> bool,
            ) -> Option<R> {
                table.find(hash, |object| is_it(object)).cloned()
            }

            fn hash(object: &R, of: impl Fn(&R::Target) -> u64) -> u64 {
                of(object)
            }

            fn is_alive(_: &R) -> bool {
                true
            }
        }
    };
}

keep_pointers!(Strong, |_: &R| {});
keep_pointers!(Immortal, R::make_immortal);

/// The hash beside the object: a dead one cannot be hashed again when the table grows; and what has another hash need not be looked at.
#[derive(Debug)]
pub struct Hashed<W> {
    hash: u64,
    weak: W,
}

impl<R: Pointer> Keep<R> for Weakly {
    type Kept = Hashed<R::Weak>;

    fn keep(object: &R, hash: u64) -> Hashed<R::Weak> {
        Hashed { hash, weak: object.weak() }
    }

    #[inline]
    fn find(
        table: &HashTable<Hashed<R::Weak>>,
        hash: u64,
        others: &mut Vec<R>,
        is_it: impl Fn(&R::Target) -> bool,
    ) -> Option<R> {
        let mut found = None;
        let _entry = table.find(hash, |entry| {
            let Some(object) = (entry.hash == hash).then(|| R::upgraded(&entry.weak)).flatten() else {
                return false;
            };
            if !is_it(&object) {
                others.push(object);
                return false;
            }
            found = Some(object);
            true
        });
        found
    }

    fn hash(kept: &Hashed<R::Weak>, _: impl Fn(&R::Target) -> u64) -> u64 {
        kept.hash
    }

    fn is_alive(kept: &Hashed<R::Weak>) -> bool {
        R::is_alive(&kept.weak)
    }
}
