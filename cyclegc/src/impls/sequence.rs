//! Sequences: slices, arrays, vectors, lists, tuples.
#![allow(unsafe_code, reason = "Trace is an unsafe trait")]

use std::collections::{LinkedList, VecDeque};

use super::may_own_gc;
use crate::inquiry::{Inquiry, Teardown};
use crate::trace::Trace;
use crate::visitor::{Clearer, Visitor};

/// Containers whose elements can be reached by shared and by exclusive iterators.
macro_rules! sequence {
    ($($type:ident),*) => { $(
        // SAFETY: each element is visited once, and cleared.
        unsafe impl<T: Trace> Trace for $type<T> {
            #[inline]
            fn visit(&self, visitor: &mut Visitor<'_>) {
                if may_own_gc::<T>() {
                    self.iter().for_each(|element| element.visit(visitor));
                }
            }

            #[inline]
            fn clear(&mut self, clearer: &mut Clearer<'_>) {
                self.iter_mut().for_each(|element| element.clear(clearer));
            }

            #[inline]
            fn needs_trace() -> bool {
                may_own_gc::<T>()
            }

            fn teardown(inquiry: &mut Inquiry) -> Teardown {
                inquiry.of::<T>()
            }
        }
    )* };
}

sequence!(Vec, VecDeque, LinkedList);

// SAFETY: each element is visited once, and cleared.
unsafe impl<T: Trace> Trace for [T] {
    fn visit(&self, visitor: &mut Visitor<'_>) {
        self.iter().for_each(|element| element.visit(visitor));
    }

    fn clear(&mut self, clearer: &mut Clearer<'_>) {
        self.iter_mut().for_each(|element| element.clear(clearer));
    }
}

// SAFETY: each element is visited once, and cleared.
unsafe impl<T: Trace, const N: usize> Trace for [T; N] {
    fn visit(&self, visitor: &mut Visitor<'_>) {
        self.as_slice().visit(visitor);
    }

    fn clear(&mut self, clearer: &mut Clearer<'_>) {
        self.as_mut_slice().clear(clearer);
    }

    fn needs_trace() -> bool {
        T::needs_trace()
    }

    fn teardown(inquiry: &mut Inquiry) -> Teardown {
        inquiry.of::<T>()
    }
}

/// Tuples.
macro_rules! tuple {
    ($($name:ident)*) => {
        // SAFETY: each element is visited once, and cleared.
        unsafe impl<$($name: Trace),*> Trace for ($($name,)*) {
            #[allow(non_snake_case, reason = "the type's name stands for the element")]
            fn visit(&self, visitor: &mut Visitor<'_>) {
                let ($($name,)*) = self;
                $($name.visit(visitor);)*
            }

            #[allow(non_snake_case, reason = "the type's name stands for the element")]
            fn clear(&mut self, clearer: &mut Clearer<'_>) {
                let ($($name,)*) = self;
                $($name.clear(clearer);)*
            }

            fn needs_trace() -> bool {
                $($name::needs_trace())||*
            }

            fn teardown(inquiry: &mut Inquiry) -> Teardown {
                Teardown::Plain$(.and(inquiry.of::<$name>()))*
            }
        }
    };
}

tuple!(A);
tuple!(A B);
tuple!(A B C);
tuple!(A B C D);
tuple!(A B C D E);
tuple!(A B C D E F);
tuple!(A B C D E F G);
tuple!(A B C D E F G H);
tuple!(A B C D E F G H I);
tuple!(A B C D E F G H I J);
tuple!(A B C D E F G H I J K);
tuple!(A B C D E F G H I J K L);
