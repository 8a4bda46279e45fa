//! What `std::rc` promises and this crate promises too.
#![allow(unsafe_code, reason = "raw pointers are part of the interface")]

use cpymem_refcount::rc::{Rc, Weak};
use cpymem_refcount::unsize;
use std::any::Any;
use std::cell::{Cell, RefCell};
use std::collections::HashSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;

/// Counts its drops in a cell of the test's own.
struct Counted<'a>(&'a Cell<u32>);

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.set(self.0.get() + 1);
    }
}

#[test]
#[cfg(not(feature = "checked"))]
fn sizes() {
    assert_eq!(size_of::<Rc<u64>>(), size_of::<usize>());
    assert_eq!(size_of::<Option<Rc<u64>>>(), size_of::<usize>());
    assert_eq!(size_of::<Rc<[u8]>>(), 2 * size_of::<usize>());
    assert_eq!(size_of::<Option<Weak<u64>>>(), 2 * size_of::<usize>());
}

#[test]
fn clones_share_and_the_last_one_drops() {
    let drops = Cell::new(0);
    let a = Rc::new_borrowed(Counted(&drops));
    let b = a.clone();
    assert!(Rc::ptr_eq(&a, &b));
    assert_eq!((Rc::strong_count(&a), Rc::weak_count(&a)), (2, 0));
    drop(a);
    assert_eq!(drops.get(), 0);
    drop(b);
    assert_eq!(drops.get(), 1);
}

#[test]
fn weak_references_die_with_the_value_and_not_before() {
    let drops = Cell::new(0);
    let strong = Rc::new_borrowed(Counted(&drops));
    let weak = Rc::downgrade(&strong);
    let other = weak.clone();
    assert_eq!((Rc::weak_count(&strong), weak.strong_count()), (2, 1));
    let again = weak.upgrade().unwrap();
    assert!(Rc::ptr_eq(&strong, &again));
    drop(strong);
    assert_eq!((drops.get(), weak.strong_count()), (0, 1));
    drop(again);
    assert_eq!(drops.get(), 1);
    assert!(weak.upgrade().is_none() && other.upgrade().is_none());
    assert_eq!((weak.strong_count(), weak.weak_count()), (0, 0));
    assert!(weak.ptr_eq(&other));
}

#[test]
fn weak_of_nothing() {
    let weak = Weak::<String>::new();
    assert!(weak.upgrade().is_none());
    assert!(weak.clone().ptr_eq(&Weak::default()));
    assert_eq!((weak.strong_count(), weak.weak_count()), (0, 0));
    assert_eq!(format!("{weak:?}"), "(Weak)");
    let object = Rc::new(String::new());
    assert!(!Rc::downgrade(&object).ptr_eq(&weak));
}

#[test]
fn weak_ptr_eq_is_not_fooled_by_reused_memory() {
    let first = Rc::new(1_u64);
    let dead = Rc::downgrade(&first);
    drop(first);
    for value in 0..100 {
        let second = Rc::new(value);
        assert!(!Rc::downgrade(&second).ptr_eq(&dead));
    }
}

#[test]
fn upgrade_inside_drop_fails() {
    struct SelfAware {
        me: RefCell<Weak<SelfAware>>,
        saw: std::rc::Rc<Cell<Option<bool>>>,
    }
    impl Drop for SelfAware {
        fn drop(&mut self) {
            let me = self.me.borrow().clone();
            self.saw.set(Some(me.upgrade().is_some()));
        }
    }
    let saw = std::rc::Rc::new(Cell::new(None));
    let object = Rc::new(SelfAware { me: RefCell::default(), saw: saw.clone() });
    *object.me.borrow_mut() = Rc::downgrade(&object);
    drop(object);
    assert_eq!(saw.get(), Some(false));
}

#[test]
fn try_unwrap_and_into_inner() {
    let a = Rc::new(String::from("x"));
    let b = a.clone();
    let a = Rc::try_unwrap(a).unwrap_err();
    let weak = Rc::downgrade(&a);
    drop(b);
    assert_eq!(Rc::try_unwrap(a).unwrap(), "x");
    assert!(weak.upgrade().is_none());

    let a = Rc::new(String::from("y"));
    let b = a.clone();
    assert_eq!(Rc::into_inner(a), None);
    let weak = Rc::downgrade(&b);
    assert_eq!(Rc::into_inner(b).as_deref(), Some("y"));
    assert!(weak.upgrade().is_none());

    let a = Rc::new(5);
    assert_eq!((Rc::unwrap_or_clone(a.clone()), Rc::unwrap_or_clone(a)), (5, 5));
}

#[test]
fn get_mut_needs_the_only_reference() {
    let mut a = Rc::new(1);
    *Rc::get_mut(&mut a).unwrap() = 2;
    let b = a.clone();
    assert_eq!(Rc::get_mut(&mut a), None);
    drop(b);
    let weak = Rc::downgrade(&a);
    assert_eq!(Rc::get_mut(&mut a), None);
    assert_eq!(Rc::get_mut_borrowed(&mut a), None);
    drop(weak);
    assert_eq!(Rc::get_mut(&mut a), Some(&mut 2));
    assert_eq!(Rc::get_mut_borrowed(&mut a), Some(&mut 2));
}

#[test]
fn make_mut_clones_shared_values_only() {
    for make_mut in [Rc::<Vec<u32>>::make_mut, Rc::<Vec<u32>>::make_mut_borrowed] {
        let mut a = Rc::new(vec![1]);
        let alone = Rc::as_ptr(&a);
        make_mut(&mut a).push(2);
        assert_eq!(Rc::as_ptr(&a), alone);
        let b = a.clone();
        make_mut(&mut a).push(3);
        assert_eq!((&**a, &**b), (&[1, 2, 3][..], &[1, 2][..]));
        assert_eq!((Rc::strong_count(&a), Rc::strong_count(&b)), (1, 1));
    }
}

#[test]
fn make_mut_leaves_weak_references_behind() {
    let mut a = Rc::new(String::from("a"));
    let weak = Rc::downgrade(&a);
    let address = Rc::as_ptr(&a);
    Rc::make_mut(&mut a).push('b');
    assert_eq!((a.as_str(), Rc::as_ptr(&a)), ("ab", address));
    assert!(weak.upgrade().is_none());
    assert_eq!((Rc::weak_count(&a), weak.strong_count()), (0, 0));
    let fresh = Rc::downgrade(&a);
    assert_eq!(*fresh.upgrade().unwrap(), "ab");
    assert!(!fresh.ptr_eq(&weak));
}

#[test]
fn new_cyclic_hands_out_a_weak_that_works_later() {
    struct Node {
        me: Weak<Node>,
        value: u32,
    }
    let node = Rc::new_cyclic(|me| {
        assert!(me.upgrade().is_none());
        assert_eq!((me.strong_count(), me.weak_count()), (0, 0));
        Node { me: me.clone(), value: 7 }
    });
    assert_eq!((Rc::strong_count(&node), Rc::weak_count(&node)), (1, 1));
    assert_eq!(node.me.upgrade().unwrap().value, 7);
}

#[test]
fn new_cyclic_survives_a_panic() {
    let mut kept = Weak::<String>::new();
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        Rc::new_cyclic(|me| {
            kept = me.clone();
            panic!("no value")
        })
    }));
    assert!(panicked.is_err());
    assert!(kept.upgrade().is_none());
}

#[test]
fn zero_sized_and_over_aligned_values() {
    #[derive(Clone, Default, PartialEq, Debug)]
    #[repr(align(64))]
    struct Line(u8);
    #[derive(Clone, Default, PartialEq, Debug)]
    #[repr(align(4096))]
    struct Page(u8);
    #[derive(Clone, Default, PartialEq, Debug)]
    #[repr(align(64))]
    struct Nothing;

    fn exercise<T: Clone + Default + PartialEq + std::fmt::Debug + 'static>() {
        let rc = Rc::<T>::default();
        assert!(Rc::as_ptr(&rc).is_aligned());
        let weak = Rc::downgrade(&rc);
        // SAFETY: `into_raw` counted the reference that `from_raw` takes back.
        let rc = unsafe { Rc::from_raw(Rc::into_raw(rc)) };
        assert_eq!(*weak.upgrade().unwrap(), T::default());
        assert_eq!(Rc::try_unwrap(rc), Ok(T::default()));
    }
    exercise::<()>();
    exercise::<u8>();
    exercise::<u128>();
    exercise::<Nothing>();
    exercise::<Line>();
    exercise::<Page>();
}

/// Immortal objects, in sight of leak checkers.
static IMMORTALS: Mutex<Vec<usize>> = Mutex::new(Vec::new());

fn immortalize<T>(rc: &Rc<T>) {
    Rc::immortalize(rc);
    IMMORTALS.lock().unwrap().push(Rc::as_ptr(rc).expose_provenance());
}

#[test]
fn immortal_objects_are_never_dropped() {
    let drops = Cell::new(0);
    let rc = Rc::new_borrowed(Counted(&drops));
    immortalize(&rc);
    assert!(Rc::is_immortal(&rc));
    assert_eq!(Rc::strong_count(&rc), u32::MAX as usize);
    let rc = Rc::try_unwrap(rc).err().unwrap();
    drop(rc.clone());
    drop(rc);
    assert_eq!(drops.get(), 0);

    let mut inline = Rc::new(1);
    immortalize(&inline);
    assert_eq!(Rc::get_mut(&mut inline), None);
    assert_eq!(Rc::into_inner(inline), None);
}

#[test]
fn unsized_values() {
    let text: Rc<str> = "héllo".into();
    assert_eq!((&*text, text.len()), ("héllo", 6));
    assert_eq!(Rc::<str>::from(String::new()).len(), 0);
    let bytes: Rc<[u8]> = Rc::from(&b"abc"[..]);
    assert_eq!(&*bytes, b"abc");
    let strings: Rc<[String]> = (0..5).map(|i| i.to_string()).collect();
    assert_eq!(strings.concat(), "01234");
    let boxed: Rc<[String]> = vec![String::from("x")].into_boxed_slice().into();
    assert_eq!(*boxed, [String::from("x")]);
    let aligned: Rc<[u128]> = vec![1, 2, 3].into();
    assert!(aligned.as_ptr().is_aligned());

    let any: Rc<dyn Any> = unsize!(Rc::new(String::from("any")));
    let weak = Rc::downgrade(&any);
    assert_eq!(any.downcast_ref::<String>().unwrap(), "any");
    assert!(weak.upgrade().unwrap().is::<String>());
    drop(any);
    assert!(weak.upgrade().is_none());

    let drops = Cell::new(0);
    let slice: Rc<[Counted]> = unsize!(Rc::new_borrowed([Counted(&drops), Counted(&drops)]));
    drop(slice);
    assert_eq!(drops.get(), 2);
}

#[test]
fn traits_go_to_the_value() {
    let (one, two) = (Rc::new(1), Rc::new(2));
    assert!(one < two && one == Rc::new(1) && one.max(two.clone()) == two);
    let set: HashSet<Rc<str>> = [Rc::from("a"), Rc::from("a")].into();
    assert!(set.len() == 1 && set.contains("a"));
    assert_eq!(format!("{two} {two:?}"), "2 2");
    assert_eq!(format!("{two:p}"), format!("{:p}", Rc::as_ptr(&two)));
    assert_eq!(Rc::from(3), Rc::new(3));
    let as_ref: &i32 = two.as_ref();
    assert_eq!(*as_ref, 2);
}

#[test]
fn covariant_in_the_value() {
    fn shorten<'a>(rc: Rc<&'static str>, _: &'a str) -> Rc<&'a str> {
        rc
    }
    assert_eq!(*shorten(Rc::new("static"), String::from("local").as_str()), "static");
}

#[test]
fn a_panic_in_drop_frees_the_object() {
    struct Bomb(#[expect(dead_code, reason = "must be freed in spite of the panic")] String);
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("bomb");
        }
    }
    let rc = Rc::new(Bomb("x".repeat(100)));
    let weak = Rc::downgrade(&rc);
    assert!(catch_unwind(AssertUnwindSafe(|| drop(rc))).is_err());
    assert!(weak.upgrade().is_none());
}
