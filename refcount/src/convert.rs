//! Conversions into an owning pointer.
//!
//! They demand `'static` values and make deferrable objects. The alternative, no bound and no bit, would let a structure that is
//! built with `into()` or `collect()` overflow the stack when it is dropped; a value that borrows has `new_borrowed`.

/// Implements them for `Rc`, or for `Arc` with the policy of its constructors.
macro_rules! convert_into {
    ($pointer:ident) => {
        impl<T: 'static> From<T> for $pointer<T> {
            fn from(value: T) -> $pointer<T> {
                $pointer::new(value)
            }
        }

        impl<T: Default + 'static> Default for $pointer<T> {
            fn default() -> $pointer<T> {
                $pointer::new(T::default())
            }
        }

        /// Moves the values; the vector's own memory is freed.
        impl<T: 'static> From<Vec<T>> for $pointer<[T]> {
            fn from(mut values: Vec<T>) -> $pointer<[T]> {
                let storage = Storage::for_slice::<T>(values.len(), DEFERRABLE, Global);
                // SAFETY: the storage is for as many values, and the vector forgets them before it can drop them.
                let (object, alloc) = unsafe { storage.init_slice(&values) };
                // SAFETY: zero values need no initialisation.
                unsafe { values.set_len(0) };
                // SAFETY: a new object with its one reference; `T` is `'static`.
                unsafe { $pointer::from_object(object, alloc) }
            }
        }

        impl<T: Clone + 'static> From<&[T]> for $pointer<[T]> {
            fn from(values: &[T]) -> $pointer<[T]> {
                $pointer::from(values.to_vec())
            }
        }

        impl<T: 'static> From<Box<[T]>> for $pointer<[T]> {
            fn from(values: Box<[T]>) -> $pointer<[T]> {
                $pointer::from(values.into_vec())
            }
        }

        impl<T: 'static> FromIterator<T> for $pointer<[T]> {
            fn from_iter<I: IntoIterator<Item = T>>(values: I) -> $pointer<[T]> {
                $pointer::from(Vec::from_iter(values))
            }
        }

        impl From<&str> for $pointer<str> {
            fn from(text: &str) -> $pointer<str> {
                let storage = Storage::for_slice::<u8>(text.len(), DEFERRABLE, Global);
                // SAFETY: the storage is for as many bytes, and bytes may be copied.
                let (bytes, alloc) = unsafe { storage.init_slice(text.as_bytes()) };
                // SAFETY: the bytes of a `str`.
                let object = unsafe { bytes.into_str() };
                // SAFETY: a new object with its one reference.
                unsafe { $pointer::from_object(object, alloc) }
            }
        }

        impl From<String> for $pointer<str> {
            fn from(text: String) -> $pointer<str> {
                $pointer::from(text.as_str())
            }
        }
    };
}

pub(crate) use convert_into;
