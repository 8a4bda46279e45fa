//! Traits that an owning pointer passes on to its value.

/// Implements them for `Rc`, or for `Arc` with its policy.
macro_rules! forward_to_value {
    ($pointer:ident $(, $P:ident: $Policy:ident)? $(; $static:lifetime)?) => {
        impl<T: ?Sized $(+ $static)?, A: Allocator $(+ $static)? $(, $P: $Policy)?> AsRef<T> for $pointer<T, A $(, $P)?> {
            #[inline]
            fn as_ref(&self) -> &T {
                self
            }
        }

        impl<T: ?Sized $(+ $static)?, A: Allocator $(+ $static)? $(, $P: $Policy)?> Borrow<T> for $pointer<T, A $(, $P)?> {
            #[inline]
            fn borrow(&self) -> &T {
                self
            }
        }

        // Moving the pointer does not move its value.
        impl<T: ?Sized $(+ $static)?, A: Allocator $(+ $static)? $(, $P: $Policy)?> Unpin for $pointer<T, A $(, $P)?> {}
        // As for `std`: what a panic can leave behind is what a shared reference shows; the counts are never left half done.
        impl<T, A, $($P)?> UnwindSafe for $pointer<T, A $(, $P)?>
        where
            T: RefUnwindSafe + ?Sized $(+ $static)?,
            A: Allocator + UnwindSafe $(+ $static)?,
            $($P: $Policy,)?
        {
        }
        impl<T, A, $($P)?> RefUnwindSafe for $pointer<T, A $(, $P)?>
        where
            T: RefUnwindSafe + ?Sized $(+ $static)?,
            A: Allocator + RefUnwindSafe $(+ $static)?,
            $($P: $Policy,)?
        {
        }

        impl<T: ?Sized + PartialEq $(+ $static)?, A: Allocator $(+ $static)? $(, $P: $Policy)?> PartialEq for $pointer<T, A $(, $P)?> {
            #[inline]
            fn eq(&self, other: &$pointer<T, A $(, $P)?>) -> bool {
                **self == **other
            }
        }

        impl<T: ?Sized + Eq $(+ $static)?, A: Allocator $(+ $static)? $(, $P: $Policy)?> Eq for $pointer<T, A $(, $P)?> {}

        impl<T: ?Sized + PartialOrd $(+ $static)?, A: Allocator $(+ $static)? $(, $P: $Policy)?> PartialOrd for $pointer<T, A $(, $P)?> {
            #[inline]
            fn partial_cmp(&self, other: &$pointer<T, A $(, $P)?>) -> Option<Ordering> {
                (**self).partial_cmp(&**other)
            }
        }

        impl<T: ?Sized + Ord $(+ $static)?, A: Allocator $(+ $static)? $(, $P: $Policy)?> Ord for $pointer<T, A $(, $P)?> {
            #[inline]
            fn cmp(&self, other: &$pointer<T, A $(, $P)?>) -> Ordering {
                (**self).cmp(&**other)
            }
        }

        impl<T: ?Sized + Hash $(+ $static)?, A: Allocator $(+ $static)? $(, $P: $Policy)?> Hash for $pointer<T, A $(, $P)?> {
            fn hash<H: Hasher>(&self, state: &mut H) {
                (**self).hash(state);
            }
        }

        impl<T: ?Sized + fmt::Display $(+ $static)?, A: Allocator $(+ $static)? $(, $P: $Policy)?> fmt::Display for $pointer<T, A $(, $P)?> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                (**self).fmt(f)
            }
        }

        impl<T: ?Sized + fmt::Debug $(+ $static)?, A: Allocator $(+ $static)? $(, $P: $Policy)?> fmt::Debug for $pointer<T, A $(, $P)?> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                (**self).fmt(f)
            }
        }

        /// The value's address.
        impl<T: ?Sized $(+ $static)?, A: Allocator $(+ $static)? $(, $P: $Policy)?> fmt::Pointer for $pointer<T, A $(, $P)?> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Pointer::fmt(&$pointer::as_ptr(self), f)
            }
        }

        impl<T: ?Sized + Error $(+ $static)?, A: Allocator $(+ $static)? $(, $P: $Policy)?> Error for $pointer<T, A $(, $P)?> {
            fn source(&self) -> Option<&(dyn Error + 'static)> {
                (**self).source()
            }
        }
    };
}

pub(crate) use forward_to_value;
