//! How long an interned value lives.

use super::pointer::Pointer;
use alloc::vec::Vec;

/// What an interner has of each object: [`Strong`], [`Immortal`] or [`Weakly`].
pub trait Keep<R: Pointer>: sealed::Sealed {
    /// What is in the table.
    type Kept;

    /// What is kept of a new object.
    fn keep(object: &R) -> Self::Kept;

    /// The object, if it is alive and `is_it`. One that is alive and not the one goes to `others`, as dropping it may run its destructor.
    fn find(kept: &Self::Kept, others: &mut Vec<R>, is_it: impl FnOnce(&R::Target) -> bool) -> Option<R>;

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

fn find_strong<R: Pointer>(kept: &R, is_it: impl FnOnce(&R::Target) -> bool) -> Option<R> {
    is_it(kept).then(|| kept.clone())
}

impl<R: Pointer> Keep<R> for Strong {
    type Kept = R;

    fn keep(object: &R) -> R {
        object.clone()
    }

    #[inline]
    fn find(kept: &R, _: &mut Vec<R>, is_it: impl FnOnce(&R::Target) -> bool) -> Option<R> {
        find_strong(kept, is_it)
    }

    fn is_alive(_: &R) -> bool {
        true
    }
}

impl<R: Pointer> Keep<R> for Immortal {
    type Kept = R;

    fn keep(object: &R) -> R {
        object.make_immortal();
        object.clone()
    }

    #[inline]
    fn find(kept: &R, _: &mut Vec<R>, is_it: impl FnOnce(&R::Target) -> bool) -> Option<R> {
        find_strong(kept, is_it)
    }

    fn is_alive(_: &R) -> bool {
        true
    }
}

impl<R: Pointer> Keep<R> for Weakly {
    type Kept = R::Weak;

    fn keep(object: &R) -> R::Weak {
        object.weak()
    }

    #[inline]
    fn find(kept: &R::Weak, others: &mut Vec<R>, is_it: impl FnOnce(&R::Target) -> bool) -> Option<R> {
        let object = R::upgraded(kept)?;
        if is_it(&object) {
            return Some(object);
        }
        others.push(object);
        None
    }

    fn is_alive(kept: &R::Weak) -> bool {
        R::is_alive(kept)
    }
}
