//! The pointers that can be interned.

use core::ops::Deref;

/// An owning pointer of this crate.
pub trait Pointer: Clone + Deref + sealed::Sealed {
    /// Its weak pointer.
    type Weak;

    /// A weak pointer to the same object.
    fn weak(&self) -> Self::Weak;

    /// The pointer, if its object is alive.
    fn upgraded(weak: &Self::Weak) -> Option<Self>;

    /// Whether the object was alive a moment ago.
    fn is_alive(weak: &Self::Weak) -> bool;

    /// Makes the object immortal.
    fn make_immortal(&self);
}

mod sealed {
    pub trait Sealed {}
}

macro_rules! pointer {
    ($module:ident, $pointer:ident) => {
        impl<T: ?Sized + 'static> sealed::Sealed for crate::$module::$pointer<T> {}

        impl<T: ?Sized + 'static> Pointer for crate::$module::$pointer<T> {
            type Weak = crate::$module::Weak<T>;

            fn weak(&self) -> Self::Weak {
                Self::downgrade(self)
            }

            #[inline]
            fn upgraded(weak: &Self::Weak) -> Option<Self> {
                weak.upgrade()
            }

            fn is_alive(weak: &Self::Weak) -> bool {
                weak.strong_count() != 0
            }

            fn make_immortal(&self) {
                Self::immortalize(self);
            }
        }
    };
}

pointer!(rc, Rc);
#[cfg(target_has_atomic = "64")]
pointer!(sync, Arc);
#[cfg(all(feature = "std", target_has_atomic = "64"))]
pointer!(biased, BiasedRc);
