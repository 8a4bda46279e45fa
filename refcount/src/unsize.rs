//! From a pointer to a sized type to one to an unsized type.
#![allow(unsafe_code, reason = "pointers are taken apart and put together")]

/// Turns a pointer to a sized type into one to an unsized type, as the coercion of `std`'s pointers does: the expected type decides.
///
/// It takes every pointer of this crate: `Rc`, `Arc`, their `Weak`s, and the first two inside a `Pin`. (Stable Rust keeps the coercion of smart
/// pointers to the standard library.)
///
/// ```
/// use cpymem_refcount::{rc, sync, unsize};
///
/// let shown: rc::Rc<dyn std::fmt::Display> = unsize!(rc::Rc::new(7));
/// assert_eq!(shown.to_string(), "7");
/// let slice: sync::Arc<[u8]> = unsize!(sync::Arc::new([1, 2, 3]));
/// assert_eq!(slice.len(), 3);
/// let nothing: rc::Weak<dyn std::fmt::Display> = unsize!(rc::Weak::<u8>::new());
/// assert!(nothing.upgrade().is_none());
/// ```
///
/// Nothing but unsizing is possible:
///
/// ```compile_fail,E0308
/// use cpymem_refcount::{rc::Rc, unsize};
/// let wrong: Rc<u64> = unsize!(Rc::new(1.0_f64));
/// ```
/// ```
/// use cpymem_refcount::{rc::Rc, unsize};
/// let right: Rc<[u64]> = unsize!(Rc::new([1_u64]));
/// ```
#[macro_export]
macro_rules! unsize {
    ($pointer:expr $(,)?) => {{
        let (pointer, rest) = $crate::unsize::TakeApart::take_apart($pointer);
        // Not a cast: only a coercion is possible here, and those of raw pointers to pointers keep the value or unsize it.
        let pointer: *const _ = pointer;
        // SAFETY: both come from `take_apart`, and the pointer was at most unsized.
        unsafe { rest.put_together(pointer) }
    }};
}

/// What [`unsize!`](crate::unsize!) needs to know of a pointer.
pub trait TakeApart {
    /// What it points to.
    type Value: ?Sized;
    /// All but the address.
    type Rest;

    /// The address, perhaps dangling, and the rest, whose `put_together` is the way back.
    fn take_apart(self) -> (*const Self::Value, Self::Rest);
}

/// The rest of an `Rc` or `Arc`, or of a pinned one.
macro_rules! take_apart_strong {
    ($pointer:ident, $Rest:ident, $PinnedRest:ident $(, $P:ident: $Policy:ident)? $(; $static:lifetime)?) => {
        #[doc(hidden)]
        pub struct $Rest<A: Allocator $(+ $static)? $(, $P: $Policy)?>(A $(, PhantomData<fn() -> $P>)?);

        impl<T: ?Sized $(+ $static)?, A: Allocator $(+ $static)? $(, $P: $Policy)?> TakeApart for $pointer<T, A $(, $P)?> {
            type Value = T;
            type Rest = $Rest<A $(, $P)?>;

            fn take_apart(self) -> (*const T, $Rest<A $(, $P)?>) {
                let (pointer, alloc) = $pointer::into_raw_with_allocator(self);
                (pointer, $Rest(alloc $(, PhantomData::<fn() -> $P>)?))
            }
        }

        impl<A: Allocator $(+ $static)? $(, $P: $Policy)?> $Rest<A $(, $P)?> {
            /// # Safety
            ///
            /// `pointer` came with this from `take_apart`, at most unsized since.
            #[doc(hidden)]
            pub unsafe fn put_together<T: ?Sized $(+ $static)?>(self, pointer: *const T) -> $pointer<T, A $(, $P)?> {
                // SAFETY: the caller's promise.
                unsafe { $pointer::from_raw_in(pointer, self.0) }
            }
        }

        #[doc(hidden)]
        pub struct $PinnedRest<A: Allocator $(+ $static)? $(, $P: $Policy)?>($Rest<A $(, $P)?>);

        impl<T: ?Sized $(+ $static)?, A: Allocator $(+ $static)? $(, $P: $Policy)?> TakeApart for Pin<$pointer<T, A $(, $P)?>> {
            type Value = T;
            type Rest = $PinnedRest<A $(, $P)?>;

            fn take_apart(self) -> (*const T, $PinnedRest<A $(, $P)?>) {
                // SAFETY: the value does not move, and is pinned again by `put_together`.
                let (pointer, rest) = unsafe { Pin::into_inner_unchecked(self) }.take_apart();
                (pointer, $PinnedRest(rest))
            }
        }

        impl<A: Allocator $(+ $static)? $(, $P: $Policy)?> $PinnedRest<A $(, $P)?> {
            /// # Safety
            ///
            /// `pointer` came with this from `take_apart`, at most unsized since.
            #[doc(hidden)]
            pub unsafe fn put_together<T: ?Sized $(+ $static)?>(self, pointer: *const T) -> Pin<$pointer<T, A $(, $P)?>> {
                // SAFETY: the caller's promise.
                let pointer = unsafe { self.0.put_together(pointer) };
                // SAFETY: it was pinned before.
                unsafe { Pin::new_unchecked(pointer) }
            }
        }
    };
}

pub(crate) use take_apart_strong;
