//! Traits that an owning pointer passes on to its value.

/// Implements them for `Rc`, or for `Arc` with its policy.
macro_rules! forward_to_value {
    ($pointer:ident $(, $P:ident: $Policy:ident)?) => {
        impl<T: ?Sized, A: Allocator $(, $P: $Policy)?> AsRef<T> for $pointer<T, A $(, $P)?> {
            #[inline]
            fn as_ref(&self) -> &T {
                self
            }
        }

        impl<T: ?Sized, A: Allocator $(, $P: $Policy)?> Borrow<T> for $pointer<T, A $(, $P)?> {
            #[inline]
            fn borrow(&self) -> &T {
                self
            }
        }

        // Moving the pointer does not move its value.
        impl<T: ?Sized, A: Allocator $(, $P: $Policy)?> Unpin for $pointer<T, A $(, $P)?> {}
        // As for `std`: what a panic can leave behind is what a shared reference shows; the counts are never left half done.
        impl<T, A, $($P)?> UnwindSafe for $pointer<T, A $(, $P)?>
        where
            T: RefUnwindSafe + ?Sized,
            A: Allocator + UnwindSafe,
            $($P: $Policy,)?
        {
        }
        impl<T, A, $($P)?> RefUnwindSafe for $pointer<T, A $(, $P)?>
        where
            T: RefUnwindSafe + ?Sized,
            A: Allocator + RefUnwindSafe,
            $($P: $Policy,)?
        {
        }

        impl<T: ?Sized + PartialEq, A: Allocator $(, $P: $Policy)?> PartialEq for $pointer<T, A $(, $P)?> {
            #[inline]
            fn eq(&self, other: &$pointer<T, A $(, $P)?>) -> bool {
                **self == **other
            }
        }

        impl<T: ?Sized + Eq, A: Allocator $(, $P: $Policy)?> Eq for $pointer<T, A $(, $P)?> {}

        impl<T: ?Sized + PartialOrd, A: Allocator $(, $P: $Policy)?> PartialOrd for $pointer<T, A $(, $P)?> {
            #[inline]
            fn partial_cmp(&self, other: &$pointer<T, A $(, $P)?>) -> Option<Ordering> {
                (**self).partial_cmp(&**other)
            }
        }

        impl<T: ?Sized + Ord, A: Allocator $(, $P: $Policy)?> Ord for $pointer<T, A $(, $P)?> {
            #[inline]
            fn cmp(&self, other: &$pointer<T, A $(, $P)?>) -> Ordering {
                (**self).cmp(&**other)
            }
        }

        impl<T: ?Sized + Hash, A: Allocator $(, $P: $Policy)?> Hash for $pointer<T, A $(, $P)?> {
            fn hash<H: Hasher>(&self, state: &mut H) {
                (**self).hash(state);
            }
        }

        impl<T: ?Sized + fmt::Display, A: Allocator $(, $P: $Policy)?> fmt::Display for $pointer<T, A $(, $P)?> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                (**self).fmt(f)
            }
        }

        impl<T: ?Sized + fmt::Debug, A: Allocator $(, $P: $Policy)?> fmt::Debug for $pointer<T, A $(, $P)?> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                (**self).fmt(f)
            }
        }

        /// The value's address.
        impl<T: ?Sized, A: Allocator $(, $P: $Policy)?> fmt::Pointer for $pointer<T, A $(, $P)?> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Pointer::fmt(&$pointer::as_ptr(self), f)
            }
        }

        impl<T: ?Sized + Error, A: Allocator $(, $P: $Policy)?> Error for $pointer<T, A $(, $P)?> {
            fn source(&self) -> Option<&(dyn Error + 'static)> {
                (**self).source()
            }
        }
    };
}

pub(crate) use forward_to_value;
