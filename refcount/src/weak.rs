//! What `sync::Weak` and `biased::Weak` do.

/// Implements them: for `Arc` with its policy, or for `BiasedRc`, which is `'static`; header and side header are those of its objects.
macro_rules! weak {
    ($pointer:ident, $Header:ident, $Side:ident $(, $P:ident: $Policy:ident)? $(; $static:lifetime)?) => {
        impl<T $(: $static)?> Weak<T> {
            /// A `Weak` without an object: it cannot be upgraded. Allocates nothing.
            pub const fn new() -> Weak<T> {
                Weak::new_in(Global)
            }
        }

        impl<T $(: $static)?, A: Allocator $(+ $static)? $(, $P: $Policy)?> Weak<T, A $(, $P)?> {
            /// A `Weak` without an object, with an allocator.
            pub const fn new_in(alloc: A) -> Weak<T, A $(, $P)?> {
                Weak { side: None, object: ObjectPtr::dangling(), alloc $(, policy: PhantomData::<fn() -> $P>)? }
            }
        }

        impl<T $(: $static)?, A: Allocator $(+ $static)? $(, $P: $Policy)?> Weak<T, A $(, $P)?> {
            /// The value's address if the object is alive; otherwise an address that must not be looked at.
            pub fn as_ptr(&self) -> *const T {
                self.object.dangling_value()
            }
        }

        impl<T: ?Sized $(+ $static)?, A: Allocator $(+ $static)? $(, $P: $Policy)?> Weak<T, A $(, $P)?> {
            fn side(&self) -> Option<&$Side> {
                // SAFETY: invariant 1: our share keeps it allocated.
                self.side.map(|side| unsafe { side.as_ref() })
            }

            /// Takes a strong reference, if the object is alive.
            #[inline]
            #[cfg_attr(feature = "checked", track_caller)]
            pub fn upgrade(&self) -> Option<$pointer<T, A $(, $P)?>>
            where
                A: Clone,
            {
                let side = self.side()?;
                // Before counting, because cloning the allocator may panic.
                let alloc = self.alloc.clone();
                if !side.upgrade() {
                    return None;
                }
                // SAFETY: after a successful upgrade the object is alive.
                unsafe { self.object.header() }.upgraded();
                // SAFETY: it counts our reference; the allocator stands for its own.
                Some(unsafe { $pointer::from_object(self.object, alloc) })
            }

            /// The number of `Weak`s to the object; zero if it is dead.
            pub fn weak_count(&self) -> usize {
                self.side().filter(|side| side.is_alive()).map_or(0, |side| side.weak_count() as usize)
            }

            /// Whether both belong to the same object, or neither ever had one.
            pub fn ptr_eq(&self, other: &Weak<T, A $(, $P)?>) -> bool {
                // Objects come and go at the same address, side headers do not while there is a `Weak`.
                self.side == other.side
            }

            /// The allocator.
            pub fn allocator(&self) -> &A {
                &self.alloc
            }
        }

        impl<T: ?Sized $(+ $static)?, A: Allocator $(+ $static)? $(, $P: $Policy)?> $pointer<T, A $(, $P)?> {
            /// Makes a `Weak` to the object. The first one allocates the object's side header.
            #[inline]
            pub fn downgrade(this: &$pointer<T, A $(, $P)?>) -> Weak<T, A $(, $P)?>
            where
                A: Clone,
            {
                let alloc = $pointer::allocator(this).clone();
                match this.header().side_or_insert(&alloc) {
                    // SAFETY: the object's own side header, just taken from its header; a clone of its allocator.
                    Ok(side) => unsafe { Weak::first(side, this.object, alloc) },
                    Err(AllocError) => handle_alloc_error(Layout::new::<$Side>()),
                }
            }
        }

        impl<T: ?Sized $(+ $static)?, A: Allocator $(+ $static)? $(, $P: $Policy)?> Weak<T, A $(, $P)?> {
            /// A `Weak` made from an `$pointer`.
            ///
            /// # Safety
            ///
            /// `side` is allocated and belongs to `object`; `alloc` can stand for the allocator of both.
            #[inline]
            unsafe fn first(
                side: NonNull<$Side>,
                object: ObjectPtr<$Header, T>,
                alloc: A,
            ) -> Weak<T, A $(, $P)?> {
                // SAFETY: the caller's promise.
                unsafe { side.as_ref() }.retain_locked();
                Weak { side: Some(side), object, alloc $(, policy: PhantomData::<fn() -> $P>)? }
            }

            /// A `Weak` made from another one.
            ///
            /// # Safety
            ///
            /// `side` is allocated and belongs to `object`; `alloc` can stand for the allocator of both.
            #[inline]
            unsafe fn retaining(
                side: NonNull<$Side>,
                object: ObjectPtr<$Header, T>,
                alloc: A,
            ) -> Weak<T, A $(, $P)?> {
                // SAFETY: the caller's promise.
                unsafe { side.as_ref() }.retain();
                Weak { side: Some(side), object, alloc $(, policy: PhantomData::<fn() -> $P>)? }
            }
        }

        /// What it takes to make a `Weak` later, without counting as one until then.
        pub(super) struct Seed<T: ?Sized $(+ $static)?, A: Allocator $(+ $static)? $(, $P: $Policy)?> {
            side: Option<NonNull<$Side>>,
            object: ObjectPtr<$Header, T>,
            alloc: A,
            $(policy: PhantomData<fn() -> $P>,)?
        }

        impl<T: ?Sized $(+ $static)?, A: Allocator $(+ $static)? $(, $P: $Policy)?> Seed<T, A $(, $P)?> {
            /// # Safety
            ///
            /// The side header is still allocated.
            pub(super) unsafe fn grow(self) -> Weak<T, A $(, $P)?> {
                if let Some(side) = self.side {
                    // SAFETY: the caller's promise.
                    unsafe { side.as_ref() }.retain_locked();
                }
                Weak { side: self.side, object: self.object, alloc: self.alloc $(, policy: PhantomData::<fn() -> $P>)? }
            }
        }

        impl<T: ?Sized $(+ $static)?, A: Allocator $(+ $static)? $(, $P: $Policy)?> Weak<T, A $(, $P)?> {
            pub(super) fn seed(&self) -> Seed<T, A $(, $P)?>
            where
                A: Clone,
            {
                Seed { side: self.side, object: self.object, alloc: self.alloc.clone() $(, policy: PhantomData::<fn() -> $P>)? }
            }

            /// The side header of a `Weak` that was made from an object.
            pub(super) fn watched_side(&self) -> &$Side {
                self.side().expect("made from an object")
            }
        }

        /// All of a `Weak` but the address, for [`unsize!`](crate::unsize!).
        #[doc(hidden)]
        pub struct WeakRest<A: Allocator $(, $P: $Policy)?> {
            side: Option<NonNull<$Side>>,
            value_offset: usize,
            alloc: A,
            $(policy: PhantomData<fn() -> $P>,)?
        }

        impl<T $(: $static)?, A: Allocator $(+ $static)? $(, $P: $Policy)?> TakeApart for Weak<T, A $(, $P)?> {
            type Value = T;
            type Rest = WeakRest<A $(, $P)?>;

            fn take_apart(self) -> (*const T, Self::Rest) {
                let this = ManuallyDrop::new(self);
                let value_offset = ObjectPtr::<$Header, T>::VALUE_OFFSET;
                // SAFETY: `this` is never dropped, so the allocator is taken once.
                let alloc = unsafe { ptr::read(&this.alloc) };
                (this.as_ptr(), WeakRest { side: this.side, value_offset, alloc $(, policy: PhantomData::<fn() -> $P>)? })
            }
        }

        impl<A: Allocator $(, $P: $Policy)?> WeakRest<A $(, $P)?> {
            /// # Safety
            ///
            /// `pointer` came with this from `take_apart`, at most unsized since.
            #[doc(hidden)]
            pub unsafe fn put_together<T: ?Sized $(+ $static)?>(self, pointer: *const T) -> Weak<T, A $(, $P)?> where A: $($static)? {
                // SAFETY: the caller's promise.
                let object = unsafe { ObjectPtr::from_dangling_value(pointer, self.value_offset) };
                Weak { side: self.side, object, alloc: self.alloc $(, policy: PhantomData::<fn() -> $P>)? }
            }
        }

        impl<T: 'static> $pointer<T> {
            /// Makes a value that holds a `Weak` to itself. Until `make` has returned, that `Weak` cannot be upgraded.
            ///
            /// ```
            /// use cpymem_refcount::sync::{Arc, Weak};
            ///
            /// struct Node { me: Weak<Node> }
            /// let node = Arc::new_cyclic(|me| Node { me: me.clone() });
            /// assert!(Arc::ptr_eq(&node.me.upgrade().unwrap(), &node));
            /// ```
            #[cfg_attr(feature = "checked", track_caller)]
            pub fn new_cyclic(make: impl FnOnce(&Weak<T>) -> T) -> $pointer<T> {
                $pointer::new_cyclic_in(make, Global)
            }
        }

        impl<T: 'static, A: Allocator + Clone + 'static> $pointer<T, A> {
            /// [`new_cyclic`](Self::new_cyclic) with an allocator.
            #[cfg_attr(feature = "checked", track_caller)]
            pub fn new_cyclic_in(make: impl FnOnce(&Weak<T, A>) -> T, alloc: A) -> $pointer<T, A> {
                let unborn: Unborn<$Header, A> = Unborn::new(Storage::new::<T>(DEFERRABLE, alloc));
                let storage = unborn.storage();
                let Ok(side) = storage.header().side_or_insert(storage.alloc()) else {
                    handle_alloc_error(Layout::new::<$Side>())
                };
                storage.header().unborn();
                // SAFETY: the storage is for a `T`.
                let object = unsafe { storage.object::<T>() };
                // SAFETY: the side header is the object's, and alive as above; a clone of its allocator.
                let weak = unsafe { Weak::first(side, object, storage.alloc().clone()) };
                // If `make` panics, `unborn` is dropped, and no clone of `weak` can be upgraded ever after.
                let value = make(&weak);
                // SAFETY: the storage is for a `T`.
                let (object, alloc) = unsafe { unborn.into_storage().init(value) };
                // SAFETY: a new object.
                unsafe { object.header() }.born();
                // SAFETY: a new object with its one reference; `T` and `A` are `'static`.
                unsafe { $pointer::from_object(object, alloc) }
            }
        }

        impl<T: ?Sized $(+ $static)?, A: Allocator + Clone $(+ $static)? $(, $P: $Policy)?> Clone for Weak<T, A $(, $P)?> {
            #[inline]
            fn clone(&self) -> Weak<T, A $(, $P)?> {
                let alloc = self.alloc.clone();
                match self.side {
                    // SAFETY: invariants 1 and 2.
                    Some(side) => unsafe { Weak::retaining(side, self.object, alloc) },
                    None => Weak { side: None, object: self.object, alloc $(, policy: PhantomData::<fn() -> $P>)? },
                }
            }
        }

        impl<T: ?Sized $(+ $static)?, A: Allocator $(+ $static)? $(, $P: $Policy)?> Drop for Weak<T, A $(, $P)?> {
            #[inline]
            fn drop(&mut self) {
                if let Some(side) = self.side {
                    // SAFETY: invariants 1 and 2; our share goes with us.
                    unsafe { $Side::release(side, &self.alloc) };
                }
            }
        }

        impl<T $(: $static)?, A: Allocator + Default $(+ $static)? $(, $P: $Policy)?> Default for Weak<T, A $(, $P)?> {
            fn default() -> Weak<T, A $(, $P)?> {
                Weak::new_in(A::default())
            }
        }

        impl<T: ?Sized $(+ $static)?, A: Allocator $(+ $static)? $(, $P: $Policy)?> fmt::Debug for Weak<T, A $(, $P)?> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("(Weak)")
            }
        }

        // As for `$pointer`.
        impl<T: ?Sized $(+ $static)?, A: Allocator $(+ $static)? $(, $P: $Policy)?> Unpin for Weak<T, A $(, $P)?> {}
        impl<T: RefUnwindSafe + ?Sized $(+ $static)?, A: Allocator + UnwindSafe $(+ $static)? $(, $P: $Policy)?> UnwindSafe for Weak<T, A $(, $P)?> {}
        impl<T: RefUnwindSafe + ?Sized $(+ $static)?, A: Allocator + RefUnwindSafe $(+ $static)? $(, $P: $Policy)?> RefUnwindSafe for Weak<T, A $(, $P)?> {}
    };
}

pub(crate) use weak;
