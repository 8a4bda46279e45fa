//! The feature `checked`: broken promises about raw parts are caught, and both places named.
#![cfg(feature = "checked")]
#![allow(unsafe_code, reason = "the tests break the promises of unsafe functions on purpose")]

use cpymem_refcount::rc::Rc;
use cpymem_refcount::sync::Immortal;
use std::cell::RefCell;
use std::mem::ManuallyDrop;
use std::panic::{AssertUnwindSafe, Location, catch_unwind};

/// The message of the panic that `broken` must end in.
fn complaint(broken: impl FnOnce()) -> String {
    let panic = catch_unwind(AssertUnwindSafe(broken)).expect_err("it is caught");
    *panic.downcast::<String>().expect("a message")
}

/// This file at the caller's line, plus some.
#[track_caller]
fn line(later: u32) -> String {
    let here = Location::caller();
    format!("{}:{}:", here.file(), here.line() + later)
}

macro_rules! tests_of {
    ($module:ident, $Pointer:ident) => {
        mod $module {
            use super::*;
            use cpymem_refcount::$module::$Pointer;

            #[test]
            fn an_address_taken_back_twice_is_dropped_twice() {
                let raw = $Pointer::into_raw($Pointer::new(String::from("x")));
                // SAFETY: from `into_raw`.
                let first = unsafe { $Pointer::from_raw(raw) };
                // SAFETY: broken on purpose: the reference has been taken back already.
                let second = unsafe { $Pointer::from_raw(raw) };
                drop(first);
                let message = complaint(|| drop(second));
                assert!(
                    message.contains("outlives its object") && message.ends_with("and is dropped"),
                    "{message}"
                );
                assert_eq!(message.matches(file!()).count(), 3, "made, created, died: {message}");
            }

            #[test]
            fn a_reference_used_after_the_object() {
                let raw = $Pointer::into_raw($Pointer::new(String::from("x")));
                // SAFETY: from `into_raw`.
                let first = unsafe { $Pointer::from_raw(raw) };
                // SAFETY: broken on purpose: as above.
                let second = ManuallyDrop::new(unsafe { $Pointer::from_raw(raw) });
                drop(first);
                for message in [
                    complaint(|| assert_eq!(second.len(), 1)),
                    complaint(|| drop($Pointer::clone(&second))),
                    complaint(|| drop($Pointer::downgrade(&second))),
                    complaint(|| assert_eq!($Pointer::strong_count(&second), 1)),
                ] {
                    assert!(
                        message.contains("outlives its object") && message.contains("is used at"),
                        "{message}"
                    );
                    assert!(message.matches(file!()).count() >= 3, "{message}");
                }
            }

            #[test]
            fn an_address_taken_back_after_the_object() {
                let raw = $Pointer::into_raw($Pointer::new(1_u64));
                // SAFETY: from `into_raw`.
                drop(unsafe { $Pointer::from_raw(raw) });
                // The memory waits in quarantine: the next objects are elsewhere.
                let _others: Vec<_> = (0..100).map($Pointer::new).collect();
                // SAFETY: broken on purpose: the reference is gone.
                let message = complaint(|| drop(unsafe { $Pointer::from_raw(raw) }));
                assert!(message.starts_with("a reference is made at"), "{message}");
                assert_eq!(message.matches(file!()).count(), 3, "{message}");
                // SAFETY: broken on purpose: the same.
                let message = complaint(|| unsafe { $Pointer::decrement_strong_count(raw) });
                assert!(message.starts_with("a reference is made at"), "{message}");
            }

            #[test]
            fn a_count_below_zero() {
                let object = $Pointer::new(1_u64);
                let clone = object.clone();
                // SAFETY: broken on purpose: neither of the two references was given away.
                unsafe { $Pointer::decrement_strong_count($Pointer::as_ptr(&object)) };
                drop(clone);
                let message = complaint(|| drop(object));
                assert!(message.contains("outlives its object"), "{message}");
            }

            #[test]
            fn resurrection_through_a_raw_part() {
                thread_local! {
                    static SAVED: RefCell<Option<$Pointer<Phoenix>>> = const { RefCell::new(None) };
                }
                struct Phoenix;
                impl Drop for Phoenix {
                    fn drop(&mut self) {
                        // SAFETY: broken on purpose: the object is dead, and there is no reference to take.
                        SAVED.set(Some(unsafe { $Pointer::from_raw(self) }));
                    }
                }
                let message = complaint(|| drop($Pointer::new(Phoenix)));
                assert!(message.starts_with("a reference is made at"), "{message}");
                assert!(SAVED.take().is_none());
            }

            #[test]
            fn what_is_right_is_left_alone() {
                let object = $Pointer::new(vec![1, 2, 3]);
                let raw = $Pointer::into_raw(object.clone());
                for _ in 0..3 {
                    // SAFETY: the reference of `into_raw` is borrowed, not taken.
                    let borrowed = ManuallyDrop::new(unsafe { $Pointer::from_raw(raw) });
                    assert_eq!($Pointer::clone(&borrowed).len(), 3);
                }
                // SAFETY: the reference of `into_raw`.
                unsafe { $Pointer::decrement_strong_count(raw) };
                let weak = $Pointer::downgrade(&object);
                assert_eq!($Pointer::try_unwrap(object).map(|values| values.len()), Ok(3));
                assert!(weak.upgrade().is_none());
                for i in 0..10_000 {
                    drop($Pointer::new(i));
                }
            }
        }
    };
}

tests_of!(rc, Rc);
tests_of!(sync, Arc);

#[test]
fn every_place_is_named() {
    let created = line(1);
    let raw = Rc::into_raw(Rc::new(5));
    let taken = line(2);
    // SAFETY: from `into_raw`.
    let first = unsafe { Rc::from_raw(raw) };
    let taken_again = line(2);
    // SAFETY: broken on purpose: the reference has been taken back already.
    let second = ManuallyDrop::new(unsafe { Rc::from_raw(raw) });
    drop(first);
    let used = line(1);
    let message = complaint(|| assert_eq!(**second, 5));
    for place in [created, taken, taken_again, used] {
        assert!(message.contains(&place), "{place} in: {message}");
    }
}

#[test]
fn immortal_objects_are_not_in_the_table() {
    static ONE: Immortal<u64> = Immortal::new(1);
    for _ in 0..10 {
        assert_eq!(*ONE.to_arc().clone(), 1);
    }
}
