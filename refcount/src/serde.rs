//! `Serialize` and `Deserialize`, as serde has them for `std`'s pointers: the value itself, so that what was shared is not shared afterwards.

use alloc::boxed::Box;
use allocator_api2::alloc::Allocator;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

macro_rules! serde {
    ($pointer:ident, $module:ident $(, $P:ident: $Policy:ident)? $(; $static:lifetime)?) => {
        impl<T: ?Sized + Serialize $(+ $static)?, A: Allocator $(+ $static)? $(, $P: $Policy)?> Serialize for $pointer<T, A $(, $P)?> {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                (**self).serialize(serializer)
            }
        }

        /// Everything that a `Box` can be: sized values, slices, `str`.
        impl<'de, T: ?Sized + 'static> Deserialize<'de> for $pointer<T>
        where
            Box<T>: Deserialize<'de>,
        {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<$pointer<T>, D::Error> {
                Box::deserialize(deserializer).map($pointer::from)
            }
        }

        /// The value, if it is alive: as an `Option`.
        impl<T: ?Sized + Serialize $(+ $static)?, A: Allocator + Clone $(+ $static)? $(, $P: $Policy)?> Serialize
            for crate::$module::Weak<T, A $(, $P)?>
        {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                self.upgrade().serialize(serializer)
            }
        }

        /// Reads what was written, and is dead: nobody else would own the value.
        impl<'de, T: Deserialize<'de> $(+ $static)?> Deserialize<'de> for crate::$module::Weak<T> {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                Option::<T>::deserialize(deserializer).map(|_| Self::new())
            }
        }
    };
}

mod local {
    use super::*;
    use crate::rc::Rc;
    serde!(Rc, rc);
}

#[cfg(target_has_atomic = "64")]
mod shared {
    use super::*;
    use crate::sync::{Arc, Policy};
    serde!(Arc, sync, P: Policy);
}

#[cfg(all(feature = "std", target_has_atomic = "64"))]
mod biased {
    use super::*;
    use crate::biased::BiasedRc;
    serde!(BiasedRc, biased; 'static);
}
