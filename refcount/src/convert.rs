//! Conversions into an owning pointer, and from one to another.
//!
//! They demand `'static` values and make deferrable objects. The alternative, no bound and no bit, would let a structure that is
//! built with `into()` or `collect()` overflow the stack when it is dropped; a value that borrows has `new_borrowed`.

/// Implements them for `Rc`, or for `Arc` with the policy of its constructors.
macro_rules! convert_into {
    ($pointer:ident $(, $P:ident: $Policy:ident)? $(; $static:lifetime)?) => {
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

        impl<T: 'static> Default for $pointer<[T]> {
            fn default() -> $pointer<[T]> {
                $pointer::from(Vec::new())
            }
        }

        impl Default for $pointer<str> {
            fn default() -> $pointer<str> {
                $pointer::from("")
            }
        }

        impl Default for $pointer<CStr> {
            fn default() -> $pointer<CStr> {
                $pointer::from(c"")
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

        /// Moves the value, sized or not; the box's own memory is freed.
        impl<T: ?Sized + 'static> From<Box<T>> for $pointer<T> {
            fn from(value: Box<T>) -> $pointer<T> {
                let storage = Storage::for_value(&*value, DEFERRABLE, Global);
                let source = ManuallyDrop::new(value);
                // SAFETY: the storage is for this value, which is not dropped where it was.
                let (object, alloc) = unsafe { storage.init_from(&**source) };
                // SAFETY: only its memory is freed: `ManuallyDrop<T>` has the layout of `T`.
                drop(unsafe { Box::from_raw(Box::into_raw(ManuallyDrop::into_inner(source)) as *mut ManuallyDrop<T>) });
                // SAFETY: a new object with its one reference; `T` is `'static`.
                unsafe { $pointer::from_object(object, alloc) }
            }
        }

        impl<T: 'static, const N: usize> From<[T; N]> for $pointer<[T]> {
            fn from(values: [T; N]) -> $pointer<[T]> {
                let (pointer, alloc) = $pointer::into_raw_with_allocator($pointer::new(values));
                // SAFETY: from the line above, and unsized.
                unsafe { $pointer::from_raw_in(pointer as *const [T], alloc) }
            }
        }

        impl<T: 'static> FromIterator<T> for $pointer<[T]> {
            fn from_iter<I: IntoIterator<Item = T>>(values: I) -> $pointer<[T]> {
                $pointer::from(Vec::from_iter(values))
            }
        }

        impl From<&str> for $pointer<str> {
            fn from(text: &str) -> $pointer<str> {
                let storage = Storage::for_value(text, DEFERRABLE, Global);
                // SAFETY: the storage is for as many bytes, and bytes may be copied.
                let (object, alloc) = unsafe { storage.init_from(text) };
                // SAFETY: a new object with its one reference.
                unsafe { $pointer::from_object(object, alloc) }
            }
        }

        impl From<&CStr> for $pointer<CStr> {
            fn from(text: &CStr) -> $pointer<CStr> {
                $pointer::from(Box::<CStr>::from(text))
            }
        }

        impl<T: Clone + 'static> From<&[T]> for $pointer<[T]> {
            fn from(values: &[T]) -> $pointer<[T]> {
                $pointer::from(values.to_vec())
            }
        }

        impl<T: Clone + 'static> From<&mut [T]> for $pointer<[T]> {
            fn from(values: &mut [T]) -> $pointer<[T]> {
                $pointer::from(&*values)
            }
        }

        impl From<&mut str> for $pointer<str> {
            fn from(text: &mut str) -> $pointer<str> {
                $pointer::from(&*text)
            }
        }

        impl From<&mut CStr> for $pointer<CStr> {
            fn from(text: &mut CStr) -> $pointer<CStr> {
                $pointer::from(&*text)
            }
        }

        impl From<String> for $pointer<str> {
            fn from(text: String) -> $pointer<str> {
                $pointer::from(text.as_str())
            }
        }

        impl From<CString> for $pointer<CStr> {
            fn from(text: CString) -> $pointer<CStr> {
                $pointer::from(text.into_boxed_c_str())
            }
        }

        impl<'a, B> From<Cow<'a, B>> for $pointer<B>
        where
            B: ToOwned + ?Sized,
            $pointer<B>: From<&'a B> + From<B::Owned>,
        {
            fn from(value: Cow<'a, B>) -> $pointer<B> {
                match value {
                    Cow::Borrowed(value) => $pointer::from(value),
                    Cow::Owned(value) => $pointer::from(value),
                }
            }
        }

        impl From<$pointer<str>> for $pointer<[u8]> {
            fn from(text: $pointer<str>) -> $pointer<[u8]> {
                let (pointer, alloc) = $pointer::into_raw_with_allocator(text);
                // SAFETY: from the line above; a `str` is bytes.
                unsafe { $pointer::from_raw_in(pointer as *const [u8], alloc) }
            }
        }

        impl<T $(: $static)?, A: Allocator $(+ $static)? $(, $P: $Policy)?, const N: usize> TryFrom<$pointer<[T], A $(, $P)?>>
            for $pointer<[T; N], A $(, $P)?>
        {
            type Error = $pointer<[T], A $(, $P)?>;

            fn try_from(values: Self::Error) -> Result<Self, Self::Error> {
                if values.len() != N {
                    return Err(values);
                }
                let (pointer, alloc) = $pointer::into_raw_with_allocator(values);
                // SAFETY: from the line above, with exactly `N` values.
                Ok(unsafe { $pointer::from_raw_in(pointer.cast(), alloc) })
            }
        }

        #[cfg(feature = "std")]
        mod of_the_system {
            use super::$pointer;
            use std::boxed::Box;
            use std::ffi::{OsStr, OsString};
            use std::path::{Path, PathBuf};

            macro_rules! by_way_of_a_box {
                ($borrowed:ty, $owned:ty, $into_box:ident) => {
                    impl From<&$borrowed> for $pointer<$borrowed> {
                        fn from(value: &$borrowed) -> $pointer<$borrowed> {
                            $pointer::from(Box::<$borrowed>::from(value))
                        }
                    }

                    impl From<&mut $borrowed> for $pointer<$borrowed> {
                        fn from(value: &mut $borrowed) -> $pointer<$borrowed> {
                            $pointer::from(&*value)
                        }
                    }

                    impl From<$owned> for $pointer<$borrowed> {
                        fn from(value: $owned) -> $pointer<$borrowed> {
                            $pointer::from(value.$into_box())
                        }
                    }
                };
            }

            by_way_of_a_box!(OsStr, OsString, into_boxed_os_str);
            by_way_of_a_box!(Path, PathBuf, into_boxed_path);
        }
    };
}

/// `downcast` for a pointer to this kind of `dyn Any`.
macro_rules! downcast {
    ($pointer:ident, $Any:ty $(, $P:ident: $Policy:ident)? $(; $static:lifetime)?) => {
        impl<A: Allocator $(+ $static)? $(, $P: $Policy)?> $pointer<$Any, A $(, $P)?> {
            /// The same object as what it is.
            ///
            /// # Errors
            ///
            /// It is not a `T`: the pointer comes back.
            pub fn downcast<T: Any>(self) -> Result<$pointer<T, A $(, $P)?>, Self> {
                if !(*self).is::<T>() {
                    return Err(self);
                }
                let (pointer, alloc) = $pointer::into_raw_with_allocator(self);
                // SAFETY: from the line above, and a `T`.
                Ok(unsafe { $pointer::from_raw_in(pointer.cast(), alloc) })
            }
        }
    };
}

pub(crate) use {convert_into, downcast};
