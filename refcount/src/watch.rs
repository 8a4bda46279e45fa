//! What `rc::Watch` and `sync::Watch` do.

/// Implements them: for `Rc`, or for `Arc` with its policy, whose callbacks are `Send`.
macro_rules! watch {
    ($pointer:ident $(, $P:ident: $Policy:ident)? $(=> $Send:ident)? $(; $static:lifetime)?) => {
        impl<T: ?Sized $(+ $static)?, A: Allocator $(+ $static)? $(, $P: $Policy)?> $pointer<T, A $(, $P)?> {
            /// Makes a [`Watch`]: a [`Weak`] to the object, and a callback for its death.
            ///
            /// The first one allocates a record of the object's callbacks, each of them a block of its own.
            pub fn downgrade_with(
                this: &$pointer<T, A $(, $P)?>,
                callback: impl FnOnce(&Weak<T, A $(, $P)?>) $(+ $Send)? + 'static,
            ) -> Watch<T, A $(, $P)?>
            where
                A: Clone,
            {
                let weak = $pointer::downgrade(this);
                let seed = weak.seed();
                // The `Weak` that the callback sees is made when it is called, so that it does not count until then.
                // SAFETY: a callback is called by the object's last owner, before the object gives back its share of the side header.
                let call = move || callback(&unsafe { seed.grow() });
                // SAFETY: our weak reference has the side header; its allocator. The callback is `'static`; what else is captured stays valid as long as
                // the object does, and may go where the object may.
                match unsafe { weak.watched_side().watch(call, weak.allocator()) } {
                    Ok(callback) => Watch { weak, callback: ManuallyDrop::new(callback) },
                    Err(AllocError) => handle_alloc_error(Layout::new::<[usize; 8]>()),
                }
            }
        }

        impl<T: ?Sized $(+ $static)?, A: Allocator $(+ $static)? $(, $P: $Policy)?> Watch<T, A $(, $P)?> {
            /// Whether the callback is still to be called. (In CPython: whether `__callback__` is not `None`.)
            pub fn is_waiting(this: &Watch<T, A $(, $P)?>) -> bool {
                // SAFETY: invariant 1.
                unsafe { this.weak.watched_side().is_waiting(&this.callback) }
            }

            /// Lets the callback wait without the `Watch`: nothing can cancel it any more. Returns the weak reference.
            ///
            /// Unlike the `Watch`, the callback alone does not keep `get_mut` from giving access.
            pub fn detach(this: Watch<T, A $(, $P)?>) -> Weak<T, A $(, $P)?> {
                let mut this = ManuallyDrop::new(this);
                // SAFETY: `this` is never dropped, so the callback is taken once.
                let callback = unsafe { ManuallyDrop::take(&mut this.callback) };
                // SAFETY: invariant 1; the weak reference has a share.
                unsafe { this.weak.watched_side().detach_watch(callback) };
                // SAFETY: as above, taken once.
                unsafe { ptr::read(&this.weak) }
            }
        }

        impl<T: ?Sized $(+ $static)?, A: Allocator $(+ $static)? $(, $P: $Policy)?> Drop for Watch<T, A $(, $P)?> {
            fn drop(&mut self) {
                // SAFETY: taken once, here.
                let callback = unsafe { ManuallyDrop::take(&mut self.callback) };
                // SAFETY: invariant 1; the weak reference, which has a share, is dropped afterwards.
                unsafe { self.weak.watched_side().cancel_watch(callback) };
            }
        }

        impl<T: ?Sized $(+ $static)?, A: Allocator $(+ $static)? $(, $P: $Policy)?> Deref for Watch<T, A $(, $P)?> {
            type Target = Weak<T, A $(, $P)?>;

            fn deref(&self) -> &Weak<T, A $(, $P)?> {
                &self.weak
            }
        }

        impl<T: ?Sized $(+ $static)?, A: Allocator $(+ $static)? $(, $P: $Policy)?> fmt::Debug for Watch<T, A $(, $P)?> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct("Watch").field("waiting", &Watch::is_waiting(self)).finish_non_exhaustive()
            }
        }

        // Moving it moves neither the object nor the callback.
        impl<T: ?Sized $(+ $static)?, A: Allocator $(+ $static)? $(, $P: $Policy)?> Unpin for Watch<T, A $(, $P)?> {}
    };
}

pub(crate) use watch;
