//! The kinds of pointers.

use core::ops::Deref;

/// A counted pointer.
pub(super) trait Kind: 'static {
    type P<T: Send + Sync + 'static>: Clone + Deref<Target = T>;

    fn new<T: Send + Sync + 'static>(value: T) -> Self::P<T>;
}

/// One that threads share.
pub(super) trait SharedKind: 'static {
    type P<T: Send + Sync + 'static>: Clone + Deref<Target = T> + Send + Sync;

    /// Whether a process survives what threads do to it.
    const SURVIVES: bool = true;

    fn new<T: Send + Sync + 'static>(value: T) -> Self::P<T>;

    /// What a thread does now and then for the objects that it has made.
    fn tidy() {}
}

impl<K: SharedKind> Kind for K {
    type P<T: Send + Sync + 'static> = K::P<T>;

    #[inline]
    fn new<T: Send + Sync + 'static>(value: T) -> Self::P<T> {
        K::new(value)
    }
}

macro_rules! kind {
    ($Kind:ident $name:ident: $P:ty, $T:ident, $new:path $(, $tidy:expr)? $(; $survives:literal)?) => {
        pub(in crate::patterns) enum $name {}

        impl $Kind for $name {
            $(const SURVIVES: bool = $survives;)?

            type P<$T: Send + Sync + 'static> = $P;

            #[inline]
            fn new<T: Send + Sync + 'static>(value: T) -> Self::P<T> {
                $new(value)
            }

            $(
                fn tidy() {
                    $tidy;
                }
            )?
        }
    };
}

kind!(Kind Rc: crate::rc::Rc<T>, T, crate::rc::Rc::new);
kind!(SharedKind Arc: crate::sync::Arc<T>, T, crate::sync::Arc::new);
kind!(SharedKind Biased: crate::biased::BiasedRc<T>, T, crate::biased::BiasedRc::new, crate::biased::poll());
kind!(Kind StdRc: std::rc::Rc<T>, T, std::rc::Rc::new);
kind!(SharedKind StdArc: std::sync::Arc<T>, T, std::sync::Arc::new);

#[cfg(feature = "rivals")]
mod rivals {
    use super::*;

    kind!(SharedKind Triomphe: triomphe::Arc<T>, T, triomphe::Arc::new);
    kind!(Kind HybridRc: hybrid_rc::Rc<T>, T, hybrid_rc::Rc::new);
    kind!(SharedKind HybridArc: hybrid_rc::Arc<T>, T, hybrid_rc::Arc::new);
    // 0.1.0 aborts when two foreign threads share an object and its owner looks into its queue: `assertion failed: !old_word.merged`.
    kind!(SharedKind Biasedrc: biasedrc::Brc<T>, T, biasedrc::Brc::new, biasedrc::collect(); false);
}

#[cfg(feature = "rivals")]
pub(super) use rivals::{Biasedrc, HybridArc, HybridRc, Triomphe};
