//! `sync::{Arc, Weak}`: the behaviours of `std::sync`'s pointers, on real threads, and destruction at bounded depth.

use cpymem_refcount::raw::trashcan;
use cpymem_refcount::sync::{Arc, CountFirst, Immortal, Weak};
use cpymem_refcount::unsize;
use std::collections::HashMap;
use std::error::Error;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, mpsc};
use std::thread;

/// Counts its drops.
struct Counted<'a>(&'a AtomicUsize);

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn counts_and_identity() {
    let a = Arc::new(5);
    let b = a.clone();
    let weak = Arc::downgrade(&a);
    assert_eq!((Arc::strong_count(&b), Arc::weak_count(&b)), (2, 1));
    assert_eq!((weak.strong_count(), weak.weak_count()), (2, 1));
    assert!(Arc::ptr_eq(&a, &b) && !Arc::ptr_eq(&a, &Arc::new(5)));
    assert!(weak.ptr_eq(&Arc::downgrade(&b)));
    drop((a, b));
    assert_eq!((weak.strong_count(), weak.weak_count()), (0, 0));
    assert!(weak.upgrade().is_none() && Weak::<u8>::new().upgrade().is_none());
}

#[test]
fn unwrapping() {
    assert_eq!(Arc::try_unwrap(Arc::new(3)), Ok(3));
    let shared = Arc::new(4);
    let other = shared.clone();
    assert_eq!(Arc::try_unwrap(shared), Err(Arc::new(4)));
    let weak = Arc::downgrade(&other);
    assert_eq!(Arc::try_unwrap(other), Ok(4));
    assert!(weak.upgrade().is_none());
    let (a, b) = (Arc::new(5), Arc::new(5));
    let _b = b.clone();
    assert_eq!((Arc::into_inner(a), Arc::into_inner(b)), (Some(5), None));
    assert_eq!(Arc::unwrap_or_clone(Arc::new(String::from("x"))), "x");
}

#[test]
fn exclusive_access() {
    let mut a = Arc::new(1);
    *Arc::get_mut(&mut a).unwrap() = 2;
    let b = a.clone();
    assert!(Arc::get_mut(&mut a).is_none());
    drop(b);
    let weak = Arc::downgrade(&a);
    assert!(Arc::get_mut(&mut a).is_none());
    *Arc::make_mut(&mut a) = 3;
    assert!(weak.upgrade().is_none(), "left behind");
    let b = a.clone();
    *Arc::make_mut(&mut a) = 4;
    assert_eq!((*a, *b), (4, 3));
    drop(Arc::downgrade(&a));
    assert!(Arc::get_mut(&mut a).is_some(), "no weak reference is left");
}

#[test]
fn borrowed_values() {
    let drops = AtomicUsize::new(0);
    let mut a = Arc::new_borrowed(Some(Counted(&drops)));
    *Arc::get_mut_borrowed(&mut a).unwrap() = None;
    assert_eq!(drops.load(Ordering::Relaxed), 1);
    thread::scope(|scope| {
        let b = Arc::new_borrowed(Counted(&drops));
        scope.spawn(move || drop(b));
    });
    assert_eq!(drops.load(Ordering::Relaxed), 2);
}

#[test]
fn cyclic_values_and_panics_in_their_making() {
    struct Node(Weak<Node>);
    let node = Arc::new_cyclic(|me| {
        assert!(me.upgrade().is_none() && me.strong_count() == 0);
        Node(me.clone())
    });
    assert!(Arc::ptr_eq(&node.0.upgrade().unwrap(), &node));
    let mut escaped = Weak::new();
    let made = catch_unwind(AssertUnwindSafe(|| {
        Arc::new_cyclic(|me: &Weak<u32>| {
            escaped = me.clone();
            panic!("not today")
        })
    }));
    assert!(made.is_err() && escaped.upgrade().is_none());
}

#[test]
fn unsized_values_and_conversions() {
    let text: Arc<str> = "grün".into();
    assert_eq!((&*text, text.len()), ("grün", 5));
    let slice: Arc<[String]> = vec![String::from("a"), String::from("b")].into();
    assert_eq!(slice.join(""), "ab");
    let collected: Arc<[u32]> = (0..4).collect();
    assert_eq!(*collected, [0, 1, 2, 3]);
    let error: Arc<dyn Error + Send + Sync> = unsize!(Arc::new(std::fmt::Error));
    let weak = Arc::downgrade(&error);
    assert_eq!(weak.upgrade().unwrap().to_string(), std::fmt::Error.to_string());
    let empty: Arc<[u64]> = Arc::from(Vec::new());
    assert!(empty.is_empty());
    #[repr(align(64))]
    struct Aligned(u8);
    let aligned = Arc::new(Aligned(7));
    let raw = Arc::into_raw(aligned);
    assert!(raw.addr().is_multiple_of(64));
    #[expect(unsafe_code, reason = "the way back")]
    // SAFETY: from `into_raw`.
    let aligned = unsafe { Arc::from_raw(raw) };
    assert_eq!(aligned.0, 7);
}

#[test]
fn traits_of_the_value() {
    let (one, two) = (Arc::new(1), Arc::new(2));
    assert!(one < two && one == Arc::new(1) && one.max(two.clone()) == two);
    assert_eq!(format!("{two} {two:?} {:?}", Arc::downgrade(&two)), "2 2 (Weak)");
    let map = HashMap::from([(Arc::<str>::from("k"), 1)]);
    assert_eq!(map.get("k"), Some(&1));
    assert_eq!(*Arc::<u32>::default(), 0);
}

#[test]
fn threads_send_clones_around() {
    static DROPS: AtomicUsize = AtomicUsize::new(0);
    let object = Arc::new(Counted(&DROPS));
    let weak = Arc::downgrade(&object);
    let (send, receive) = mpsc::channel();
    let upgraders: Vec<_> = (0..4)
        .map(|_| {
            let (weak, send) = (weak.clone(), send.clone());
            thread::spawn(move || {
                for _ in 0..2_000 {
                    if let Some(strong) = weak.upgrade() {
                        drop(Arc::with_policy::<CountFirst>(strong.clone()));
                        send.send(strong).unwrap();
                    }
                }
            })
        })
        .collect();
    drop((object, send));
    receive.iter().for_each(drop);
    upgraders.into_iter().for_each(|thread| thread.join().unwrap());
    assert_eq!(DROPS.load(Ordering::Relaxed), 1);
    assert_eq!((weak.strong_count(), weak.upgrade().is_some()), (0, false));
}

#[test]
fn threads_count_one_object_while_it_gets_its_side_header() {
    for _ in 0..200 {
        let object = Arc::new(Mutex::new(0));
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for i in 0..100 {
                        let clone = Arc::with_policy::<CountFirst>(object.clone());
                        let weak = (i == 50).then(|| Arc::downgrade(&clone));
                        *clone.lock().unwrap() += 1;
                        drop((clone.clone(), weak));
                    }
                });
            }
        });
        assert_eq!((Arc::strong_count(&object), Arc::weak_count(&object)), (1, 0));
        assert_eq!(*object.lock().unwrap(), 400);
    }
}

static ONE: Immortal<u64> = Immortal::new(1);

#[test]
fn immortal_objects() {
    let mut one: Arc<u64> = ONE.to_arc();
    assert!(Arc::is_immortal(&one) && Arc::get_mut(&mut one).is_none());
    assert!(Arc::try_unwrap(one.clone()).is_err() && Arc::into_inner(one.clone()).is_none());
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                for _ in 0..10_000 {
                    drop(Arc::with_policy::<CountFirst>(ONE.to_arc()));
                    drop(Arc::downgrade(&one).upgrade().unwrap());
                }
            });
        }
    });
    assert_eq!((Arc::strong_count(&one), Arc::weak_count(&one)), (u32::MAX as usize, 0));
    let side_of_one = Arc::downgrade(&one);
    *Arc::make_mut(&mut one) = 2;
    assert_eq!((*one, *ONE), (2, 1));
    drop(one);

    let made = Arc::new(String::from("for ever"));
    Arc::immortalize(&made);
    let weak = Arc::downgrade(&made);
    drop(made);
    assert_eq!(*weak.upgrade().unwrap(), "for ever");

    /// In sight of leak checkers, which do not see the address in an outlined header.
    type Kept = (Weak<u64>, Weak<String>, usize);
    static KEPT: Mutex<Vec<Kept>> = Mutex::new(Vec::new());
    let address = Arc::as_ptr(&weak.upgrade().unwrap()).expose_provenance();
    KEPT.lock().unwrap().push((side_of_one, weak, address));
}

#[test]
fn chain_of_ten_million_on_a_small_stack() {
    // With `checked` every object is in a table.
    const MANY: usize = if cfg!(feature = "checked") { 100_000 } else { 10_000_000 };
    static DROPS: AtomicUsize = AtomicUsize::new(0);
    struct Link {
        _next: Option<Arc<Link>>,
        _counted: Counted<'static>,
    }
    let small = thread::Builder::new().stack_size(512 << 10);
    let dropper = || {
        let chain =
            (0..MANY).fold(None, |next, _| Some(Arc::new(Link { _next: next, _counted: Counted(&DROPS) })));
        drop(chain);
        assert_eq!(DROPS.load(Ordering::Relaxed), MANY);
        assert_eq!(trashcan::leaked(), 0);
    };
    small.spawn(dropper).unwrap().join().unwrap();
}

#[test]
fn a_panicking_drop_frees_the_object() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("boom");
        }
    }
    let bomb = Arc::new(Bomb);
    let weak = Arc::downgrade(&bomb);
    assert!(catch_unwind(AssertUnwindSafe(|| drop(bomb))).is_err());
    assert!(weak.upgrade().is_none());
}
