//! How classes are owned: counted, or collected.

use core::ops::Deref;
use std::rc::{Rc, Weak};

/// Owning and weak pointers. Instances own their class, classes own their bases, and know their subclasses weakly.
pub trait Handles: Sized + 'static {
    /// An owning pointer.
    type Strong<T: 'static>: Clone + Deref<Target = T>;
    /// A pointer that does not keep its target alive.
    type Weak<T: 'static>;

    /// A weak pointer to the same target.
    fn downgrade<T: 'static>(strong: &Self::Strong<T>) -> Self::Weak<T>;

    /// The target, if it is still there.
    fn upgrade<T: 'static>(weak: &Self::Weak<T>) -> Option<Self::Strong<T>>;

    /// Where the target lies; equal for all pointers to it.
    fn address<T: 'static>(strong: &Self::Strong<T>) -> *const T;
}

/// [`std::rc::Rc`]: a class that refers to itself, through a method or an instance, is never freed.
#[derive(Clone, Copy, Debug)]
pub struct Counted;

impl Handles for Counted {
    type Strong<T: 'static> = Rc<T>;
    type Weak<T: 'static> = Weak<T>;

    fn downgrade<T: 'static>(strong: &Rc<T>) -> Weak<T> {
        Rc::downgrade(strong)
    }

    fn upgrade<T: 'static>(weak: &Weak<T>) -> Option<Rc<T>> {
        weak.upgrade()
    }

    fn address<T: 'static>(strong: &Rc<T>) -> *const T {
        Rc::as_ptr(strong)
    }
}
