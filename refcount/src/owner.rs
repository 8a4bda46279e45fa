//! What `Rc` and `Arc` have in common: making objects, and the way to raw pointers and back.

/// Implements it for `Rc`, for `Arc` with its policy, or for `BiasedRc`, which is `'static`; the header is that of its objects.
macro_rules! owner {
    ($pointer:ident, $Header:ident $(, $P:ident: $Policy:ident)? $(; $static:lifetime)?) => {
        impl<T: 'static> $pointer<T> {
            /// Moves `value` to the heap.
            #[inline]
            #[cfg_attr(feature = "checked", track_caller)]
            pub fn new(value: T) -> $pointer<T> {
                $pointer::new_in(value, Global)
            }

            /// Moves `value` to the heap.
            ///
            /// # Errors
            ///
            /// There is no memory; `value` is dropped.
            #[inline]
            #[cfg_attr(feature = "checked", track_caller)]
            pub fn try_new(value: T) -> Result<$pointer<T>, AllocError> {
                $pointer::try_new_in(value, Global)
            }

            /// Moves `value` to the heap, where it stays until it is dropped.
            #[inline]
            #[cfg_attr(feature = "checked", track_caller)]
            pub fn pin(value: T) -> Pin<$pointer<T>> {
                $pointer::pin_in(value, Global)
            }

            /// Memory for a value that is written later.
            #[inline]
            #[cfg_attr(feature = "checked", track_caller)]
            pub fn new_uninit() -> $pointer<MaybeUninit<T>> {
                $pointer::new_uninit_in(Global)
            }

            /// [`new_uninit`](Self::new_uninit) with all bytes zero.
            #[cfg_attr(feature = "checked", track_caller)]
            pub fn new_zeroed() -> $pointer<MaybeUninit<T>> {
                let mut zeroed = $pointer::<T>::new_uninit();
                let value = $pointer::get_mut(&mut zeroed).expect("a new object has one reference");
                // SAFETY: room for one value, which may be any bytes.
                unsafe { value.as_mut_ptr().write_bytes(0, 1) };
                zeroed
            }
        }

        impl<T: 'static, A: Allocator + 'static> $pointer<T, A> {
            /// Moves `value` to memory from `alloc`.
            #[inline]
            #[cfg_attr(feature = "checked", track_caller)]
            pub fn new_in(value: T, alloc: A) -> $pointer<T, A> {
                // SAFETY: the storage is for a `T`.
                let (object, alloc) = unsafe { Storage::new::<T>(DEFERRABLE, alloc).init(value) };
                // SAFETY: a new object with its one reference; `T` and `A` are `'static`.
                unsafe { $pointer::from_object(object, alloc) }
            }

            /// Moves `value` to memory from `alloc`.
            ///
            /// # Errors
            ///
            /// There is no memory; `value` and `alloc` are dropped.
            #[inline]
            #[cfg_attr(feature = "checked", track_caller)]
            pub fn try_new_in(value: T, alloc: A) -> Result<$pointer<T, A>, AllocError> {
                // SAFETY: the storage is for a `T`.
                let (object, alloc) = unsafe { Storage::try_new::<T>(DEFERRABLE, alloc)?.init(value) };
                // SAFETY: a new object with its one reference; `T` and `A` are `'static`.
                Ok(unsafe { $pointer::from_object(object, alloc) })
            }

            /// Moves `value` to memory from `alloc`, where it stays until it is dropped. (Therefore `A: 'static`: memory that goes
            /// with its allocator could go before the value is dropped.)
            #[inline]
            #[cfg_attr(feature = "checked", track_caller)]
            pub fn pin_in(value: T, alloc: A) -> Pin<$pointer<T, A>> {
                // SAFETY: the value moves out only by `try_unwrap`, `into_inner` and `get_mut`, which are not to be had from a pinned
                // pointer to a value that minds; and its memory is freed after it has been dropped.
                unsafe { Pin::new_unchecked($pointer::new_in(value, alloc)) }
            }

            /// Memory from `alloc` for a value that is written later.
            #[inline]
            #[cfg_attr(feature = "checked", track_caller)]
            pub fn new_uninit_in(alloc: A) -> $pointer<MaybeUninit<T>, A> {
                let storage = Storage::new::<MaybeUninit<T>>(DEFERRABLE, alloc);
                // SAFETY: the storage is for a `MaybeUninit<T>`, which any bytes are. (Not `init`: the value may be larger than the stack.)
                let (object, alloc) = unsafe { storage.assume_init() };
                // SAFETY: a new object with its one reference; `T` and `A` are `'static`.
                unsafe { $pointer::from_object(object, alloc) }
            }
        }

        impl<T: 'static> $pointer<[T]> {
            /// Memory for `len` values that are written later.
            #[cfg_attr(feature = "checked", track_caller)]
            pub fn new_uninit_slice(len: usize) -> $pointer<[MaybeUninit<T>]> {
                let storage = Storage::for_slice::<MaybeUninit<T>>(len, DEFERRABLE, Global);
                // SAFETY: the storage is for so many values, which any bytes are.
                let (object, alloc) = unsafe { storage.assume_init_slice(len) };
                // SAFETY: a new object with its one reference; `T` is `'static`.
                unsafe { $pointer::from_object(object, alloc) }
            }

            /// [`new_uninit_slice`](Self::new_uninit_slice) with all bytes zero.
            #[cfg_attr(feature = "checked", track_caller)]
            pub fn new_zeroed_slice(len: usize) -> $pointer<[MaybeUninit<T>]> {
                let mut zeroed = $pointer::<[T]>::new_uninit_slice(len);
                let values = $pointer::get_mut(&mut zeroed).expect("a new object has one reference");
                // SAFETY: room for so many values, which may be any bytes.
                unsafe { values.as_mut_ptr().write_bytes(0, len) };
                zeroed
            }
        }

        impl<T $(: $static)?, A: Allocator $(+ $static)? $(, $P: $Policy)?> $pointer<MaybeUninit<T>, A $(, $P)?> {
            /// The same object, whose value has been written.
            ///
            /// # Safety
            ///
            /// As for [`MaybeUninit::assume_init`].
            #[inline]
            #[cfg_attr(feature = "checked", track_caller)]
            pub unsafe fn assume_init(self) -> $pointer<T, A $(, $P)?> {
                let (pointer, alloc) = $pointer::into_raw_with_allocator(self);
                // SAFETY: from the line above; a `MaybeUninit<T>` that is initialised is a `T`.
                unsafe { $pointer::from_raw_in(pointer.cast(), alloc) }
            }
        }

        impl<T $(: $static)?, A: Allocator $(+ $static)? $(, $P: $Policy)?> $pointer<[MaybeUninit<T>], A $(, $P)?> {
            /// The same object, whose values have all been written.
            ///
            /// # Safety
            ///
            /// As for [`MaybeUninit::assume_init`], for each of them.
            #[inline]
            #[cfg_attr(feature = "checked", track_caller)]
            pub unsafe fn assume_init(self) -> $pointer<[T], A $(, $P)?> {
                let (pointer, alloc) = $pointer::into_raw_with_allocator(self);
                // SAFETY: from the line above; as many `T`s, all initialised.
                unsafe { $pointer::from_raw_in(pointer as *const [T], alloc) }
            }
        }

        impl<T: ?Sized $(+ $static)?, A: Allocator $(+ $static)? $(, $P: $Policy)?> $pointer<T, A $(, $P)?> {
            /// # Safety
            ///
            /// The invariants of the pointer hold for the new one; the caller hands over one counted reference.
            #[inline]
            #[cfg_attr(feature = "checked", track_caller)]
            pub(super) unsafe fn from_object(object: ObjectPtr<$Header, T>, alloc: A) -> $pointer<T, A $(, $P)?> {
                $pointer {
                    object,
                    alloc: ManuallyDrop::new(alloc),
                    origin: Origin::here(object.address()),
                    owns: PhantomData,
                    $(policy: PhantomData::<fn() -> $P>,)?
                }
            }

            /// The parts, still counting one reference.
            #[inline]
            pub(super) fn into_parts(self) -> (ObjectPtr<$Header, T>, A) {
                let mut this = ManuallyDrop::new(self);
                // SAFETY: `this` is never dropped, so the allocator is taken once.
                (this.object, unsafe { ManuallyDrop::take(&mut this.alloc) })
            }

            #[inline]
            #[cfg_attr(feature = "checked", track_caller)]
            pub(super) fn header(&self) -> &$Header {
                self.origin.check(self.object.address());
                // SAFETY: invariant 1; the reference cannot outlive `self`.
                unsafe { self.object.header() }
            }

            /// The allocator.
            #[inline]
            pub fn allocator(this: &$pointer<T, A $(, $P)?>) -> &A {
                &this.alloc
            }

            /// Whether both point to the same object.
            #[inline]
            #[cfg_attr(feature = "checked", track_caller)]
            pub fn ptr_eq(this: &$pointer<T, A $(, $P)?>, other: &$pointer<T, A $(, $P)?>) -> bool {
                core::ptr::eq(this.object.address(), other.object.address())
            }

            /// The value's address.
            #[inline]
            #[cfg_attr(feature = "checked", track_caller)]
            pub fn as_ptr(this: &$pointer<T, A $(, $P)?>) -> *const T {
                this.origin.check(this.object.address());
                // SAFETY: invariant 1.
                unsafe { this.object.value() }.as_ptr()
            }

            /// The value's address and the allocator, still counting this reference: [`from_raw_in`](Self::from_raw_in) takes both
            /// back.
            #[inline]
            #[must_use = "losing the pointer leaks the object"]
            #[cfg_attr(feature = "checked", track_caller)]
            pub fn into_raw_with_allocator(this: $pointer<T, A $(, $P)?>) -> (*const T, A) {
                let pointer = $pointer::as_ptr(&this);
                (pointer, this.into_parts().1)
            }

            /// The inverse of [`into_raw_with_allocator`](Self::into_raw_with_allocator).
            ///
            /// # Safety
            ///
            /// `pointer` came from `into_raw_with_allocator` of a pointer to a `U` with an `A`, which counted a reference that is handed
            /// over here. `U` is `T`, or has its size and alignment and its values are valid as a `T`, or `pointer` was unsized from
            /// it. `alloc` is the allocator that came with it, or one that can free its memory and lives as long.
            #[inline]
            #[cfg_attr(feature = "checked", track_caller)]
            pub unsafe fn from_raw_in(pointer: *const T, alloc: A) -> $pointer<T, A $(, $P)?> {
                // SAFETY: the caller's promise; the object is alive, as it counts the reference.
                let object = unsafe { ObjectPtr::from_value(pointer) };
                // SAFETY: the caller's promise.
                unsafe { $pointer::from_object(object, alloc) }
            }

            /// The count has become zero.
            #[cold]
            #[inline(never)]
            fn destroy(&mut self) {
                self.origin.died(self.object.address());
                // SAFETY: `drop` is the last to use the allocator.
                let dead = Dead { object: self.object, alloc: unsafe { ManuallyDrop::take(&mut self.alloc) } };
                // SAFETY: the last reference is gone.
                unsafe { dead.destroy() }
            }

            #[inline]
            fn drop_alloc(&mut self) {
                // SAFETY: called by `drop` only, and by nothing after it.
                unsafe { ManuallyDrop::drop(&mut self.alloc) }
            }
        }

        impl<T: ?Sized $(+ $static)?, A: Allocator $(+ $static)?> $pointer<T, A> {
            /// Counts one more reference, which a later [`from_raw_in`](Self::from_raw_in) or
            /// [`decrement_strong_count_in`](Self::decrement_strong_count_in) takes over.
            ///
            /// # Safety
            ///
            /// As for [`from_raw_in`](Self::from_raw_in), but no reference is handed over: the object is alive during the call.
            #[inline]
            #[cfg_attr(feature = "checked", track_caller)]
            pub unsafe fn increment_strong_count_in(pointer: *const T, alloc: A)
            where
                A: Clone,
            {
                // SAFETY: the caller's promise. It is not dropped, so it takes no reference from anybody.
                let this: $pointer<T, A> = unsafe { $pointer::from_raw_in(pointer, alloc) };
                let this = ManuallyDrop::new(this);
                // Of both only the allocator is dropped.
                let _ours = $pointer::clone(&this).into_parts().1;
                let _passed = ManuallyDrop::into_inner(this).into_parts().1;
            }

            /// Drops one reference.
            ///
            /// # Safety
            ///
            /// As for [`from_raw_in`](Self::from_raw_in).
            #[inline]
            #[cfg_attr(feature = "checked", track_caller)]
            pub unsafe fn decrement_strong_count_in(pointer: *const T, alloc: A) {
                // SAFETY: the caller's promise is the same.
                drop::<$pointer<T, A>>(unsafe { $pointer::from_raw_in(pointer, alloc) });
            }
        }

        impl<T: ?Sized $(+ $static)?> $pointer<T> {
            /// The value's address, still counting this reference: [`from_raw`](Self::from_raw) takes it back.
            #[inline]
            #[must_use = "losing the pointer leaks the object"]
            #[cfg_attr(feature = "checked", track_caller)]
            pub fn into_raw(this: $pointer<T>) -> *const T {
                $pointer::into_raw_with_allocator(this).0
            }

            /// The inverse of [`into_raw`](Self::into_raw).
            ///
            /// # Safety
            ///
            /// That of [`from_raw_in`](Self::from_raw_in).
            #[inline]
            #[cfg_attr(feature = "checked", track_caller)]
            pub unsafe fn from_raw(pointer: *const T) -> $pointer<T> {
                // SAFETY: the caller's promise is the same.
                unsafe { $pointer::from_raw_in(pointer, Global) }
            }

            /// Counts one more reference: see [`increment_strong_count_in`](Self::increment_strong_count_in).
            ///
            /// # Safety
            ///
            /// As there.
            #[inline]
            #[cfg_attr(feature = "checked", track_caller)]
            pub unsafe fn increment_strong_count(pointer: *const T) {
                // SAFETY: the caller's promise is the same.
                unsafe { $pointer::<T>::increment_strong_count_in(pointer, Global) }
            }

            /// Drops one reference: see [`decrement_strong_count_in`](Self::decrement_strong_count_in).
            ///
            /// # Safety
            ///
            /// As there.
            #[inline]
            #[cfg_attr(feature = "checked", track_caller)]
            pub unsafe fn decrement_strong_count(pointer: *const T) {
                // SAFETY: the caller's promise is the same.
                unsafe { $pointer::<T>::decrement_strong_count_in(pointer, Global) }
            }
        }

        impl<T: ?Sized $(+ $static)?, A: Allocator $(+ $static)? $(, $P: $Policy)?> Deref for $pointer<T, A $(, $P)?> {
            type Target = T;

            #[inline]
            #[cfg_attr(feature = "checked", track_caller)]
            fn deref(&self) -> &T {
                self.origin.check(self.object.address());
                // SAFETY: invariant 1.
                let value = unsafe { self.object.value() };
                // SAFETY: it has its value, and a `&mut T` is only made from a `&mut` of the only reference.
                unsafe { value.as_ref() }
            }
        }
    };
}

/// Implements the constructors for values with a borrow in them.
macro_rules! borrowed {
    ($pointer:ident) => {
        impl<T> $pointer<T> {
            /// [`new`](Self::new) for a value with a borrow in it: its destruction is never deferred, so a deep structure of such values
            /// recurses.
            #[inline]
            #[cfg_attr(feature = "checked", track_caller)]
            pub fn new_borrowed(value: T) -> $pointer<T> {
                $pointer::new_borrowed_in(value, Global)
            }
        }

        impl<T, A: Allocator> $pointer<T, A> {
            /// [`new_in`](Self::new_in) for a value or an allocator with a borrow in it: see [`new_borrowed`](Self::new_borrowed).
            #[inline]
            #[cfg_attr(feature = "checked", track_caller)]
            pub fn new_borrowed_in(value: T, alloc: A) -> $pointer<T, A> {
                // SAFETY: the storage is for a `T`.
                let (object, alloc) = unsafe { Storage::new::<T>(0, alloc).init(value) };
                // SAFETY: a new object with its one reference, not deferrable.
                unsafe { $pointer::from_object(object, alloc) }
            }
        }
    };
}

pub(crate) use {borrowed, owner};
