//! The behaviours of `FinalizeTestCase` in CPython's `Lib/test/test_weakref.py` (3.13), each under the name of the original, and
//! what the end of a collector or a thread adds here.

mod common;

use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::mpsc;

use common::*;
use cpymem_cyclegc::{Collector, Finalizer, Gc, Trace, collect, finalize};

type Calls = Rc<RefCell<Vec<String>>>;

/// A callable that writes `name` down.
fn note(calls: &Calls, name: &str) -> impl FnOnce() + 'static {
    let (calls, name) = (calls.clone(), name.to_owned());
    move || calls.borrow_mut().push(name)
}

fn taken(calls: &Calls) -> Vec<String> {
    calls.take()
}

#[test]
fn test_finalize() {
    let results: Rc<RefCell<Vec<i32>>> = Rc::default();
    let add = |x: i32, y: i32, z: i32| {
        let results = results.clone();
        move || {
            results.borrow_mut().push(x + y + z);
            x + y + z
        }
    };
    let assert_dead = |f: &Finalizer<String, i32>| {
        assert_eq!((f.call(), f.call()), (None, None));
        assert!(f.peek().is_none() && f.detach().is_none() && !f.is_alive() && !f.atexit());
    };
    let a = Gc::new(String::from("a"));

    let f = finalize(&a, add(67, 43, 89));
    assert!(f.is_alive() && Gc::ptr_eq(&f.peek().unwrap(), &a));
    assert_eq!(f.call(), Some(199));
    assert_dead(&f);
    assert_eq!(results.take(), [199]);

    let f = finalize(&a, add(67, 43, 89));
    let (object, func) = f.detach().unwrap();
    assert!(Gc::ptr_eq(&object, &a));
    assert_dead(&f);
    assert!(results.borrow().is_empty());
    assert_eq!((func(), results.take()), (199, vec![199]), "the callable is the caller's now");

    let f = finalize(&a, add(67, 43, 89));
    drop((a, object));
    assert_dead(&f);
    assert_eq!(results.take(), [199]);
}

#[test]
fn test_order() {
    let calls = Calls::default();
    let a = Gc::new(());
    let of = |name: &str| finalize(&a, note(&calls, name));
    let (f1, f2, f3, f4, f5) = (of("f1"), of("f2"), of("f3"), of("f4"), of("f5"));
    // Finalizers keep themselves alive.
    drop((f1, f4));
    assert!(f2.is_alive() && f3.is_alive() && f5.is_alive());
    assert!(f5.detach().is_some() && !f5.is_alive());
    f5.call();
    note(&calls, "A")();
    f3.call();
    assert!(!f3.is_alive());
    note(&calls, "B")();
    f3.call();
    note(&calls, "C")();
    drop(a);
    assert!(!f2.is_alive());
    note(&calls, "D")();
    f2.call();
    assert_eq!(taken(&calls), ["A", "f3", "B", "C", "f4", "f2", "f1", "D"]);
}

#[test]
fn test_all_freed() {
    let a = Gc::new(());
    let callable = Rc::new(Cell::new(0));
    let captured = callable.clone();
    let f = finalize(&a, move || captured.set(123));
    let again = f.clone();
    drop(f);
    assert_eq!((Rc::strong_count(&callable), again.is_alive()), (2, true));
    drop(a);
    assert_eq!((Rc::strong_count(&callable), callable.get(), again.is_alive()), (1, 123, false));
    assert_eq!(Gc::weak_count(&Gc::new(())), 0);
}

#[test]
fn test_atexit() {
    // The child process of the original is a thread here; its object is never freed, as a class until exit.
    let (sender, receiver) = mpsc::channel();
    let child = std::thread::spawn(move || {
        let class = Gc::new(String::from("class"));
        let say = |what: &'static str| {
            let sender = sender.clone();
            move || sender.send(what).unwrap()
        };
        let f1 = finalize(&class, say("f1 foobar"));
        let f2 = finalize(&class, say("f2 foobar"));
        let f3 = finalize(&class, {
            let (object, print, g1) = (class.clone(), say("f3 error"), say("g1"));
            move || {
                // The next to be run.
                finalize(&object, g1);
                print();
                panic!("error");
            }
        });
        let f4 = finalize(&class, say("f4 foobar"));
        assert!(f1.atexit());
        f2.set_atexit(false);
        assert!(f3.atexit() && f4.atexit() && !f2.atexit());
        std::mem::forget(class);
    });
    child.join().expect("a panic at the end of a thread ends nothing else");
    assert_eq!(receiver.iter().collect::<Vec<_>>(), ["f4 foobar", "f3 error", "g1", "f1 foobar"]);
}

#[test]
fn a_collection_calls_what_waits_for_its_garbage() {
    let world = World::new();
    let calls = Calls::default();
    let (a, b) = (world.obj("a"), world.obj("b"));
    ring(&[a.clone(), b.clone()]);
    let (of_a, of_b) = (finalize(&a, note(&calls, "a")), finalize(&b, note(&calls, "b")));
    assert!(of_a.peek().is_some());
    let seen = calls.clone();
    on_finalize(&a, move |_| seen.borrow_mut().push("Finalize".into()));
    drop((a, b));
    assert_eq!(world.collect(), 2);
    let calls = taken(&calls);
    assert_eq!((calls.len(), calls[2].as_str()), (3, "Finalize"), "callbacks come first: {calls:?}");
    assert!(of_a.call().is_none() && !of_b.is_alive());
}

#[test]
fn a_resurrected_object_has_spent_its_finalizers() {
    let world = World::new();
    let calls = Calls::default();
    let a = world.selfish("a");
    resurrects(&a);
    let f = finalize(&a, note(&calls, "once"));
    drop(a);
    assert_eq!((world.collect(), taken(&calls)), (0, vec!["once".into()]));
    let survivors = world.survivors();
    assert!(!f.is_alive() && f.peek().is_none());
    // A new one is for the death that follows.
    finalize(&survivors[0], note(&calls, "twice"));
    drop(survivors);
    assert_eq!((world.collect(), taken(&calls)), (1, vec!["twice".into()]));
}

#[test]
fn a_finalizer_inside_its_own_garbage_is_called() {
    #[derive(Trace)]
    struct Selfish {
        me: RefCell<Option<Gc<Selfish>>>,
        finalizer: RefCell<Option<Finalizer<Selfish, i32>>>,
    }
    let collector = Collector::new();
    let called = Rc::new(Cell::new(false));
    let a = collector.alloc(Selfish { me: RefCell::default(), finalizer: RefCell::default() });
    *a.me.borrow_mut() = Some(a.clone());
    let f = finalize(&a, {
        let called = called.clone();
        move || {
            called.set(true);
            5
        }
    });
    *a.finalizer.borrow_mut() = Some(f);
    drop(a);
    assert_eq!((collector.collect(), called.get()), (1, true));
}

#[test]
fn one_finalizer_may_call_detach_or_make_others() {
    let calls = Calls::default();
    let a = Gc::new(1);
    let oldest = finalize(&a, note(&calls, "oldest"));
    let old = finalize(&a, note(&calls, "old"));
    finalize(&a, {
        let (calls, oldest, old) = (calls.clone(), oldest.clone(), old.clone());
        move || {
            assert!(old.peek().is_none() && old.detach().is_none(), "its object is dead already");
            oldest.call();
            finalize(&Gc::new(2), note(&calls, "of another"));
            note(&calls, "newest")();
        }
    });
    drop(a);
    assert_eq!(taken(&calls), ["oldest", "of another", "newest", "old"]);
}

#[test]
fn the_end_of_a_collector_runs_the_newest_first_and_gives_the_others_up() {
    let calls = Calls::default();
    let collector = Collector::new();
    let (a, b) = (collector.alloc(1), collector.alloc(2));
    let others = Collector::new().alloc(3);
    let f1 = finalize(&a, note(&calls, "a"));
    let f2 = finalize(&b, note(&calls, "b"));
    let (captured, kept) = (Rc::new(()), finalize(&others, note(&calls, "of another collector")));
    let f3 = finalize(&b, {
        let captured = captured.clone();
        move || drop(captured)
    });
    f3.set_atexit(false);
    drop(collector);
    assert_eq!(taken(&calls), ["b", "a"]);
    assert!(!f1.is_alive() && !f2.is_alive() && !f3.is_alive() && kept.is_alive());
    assert_eq!(Rc::strong_count(&captured), 1, "what is given up is dropped");
    // What outlives its collector gets finalizers for its death.
    let late = finalize(&a, note(&calls, "late"));
    drop(b);
    assert!(late.is_alive());
    drop(a);
    drop(others);
    assert_eq!(taken(&calls), ["late", "of another collector"]);
}

#[test]
fn garbage_that_only_the_last_collection_finds_is_finalized_before_it() {
    let world = World::new();
    let calls = Calls::default();
    let a = world.selfish("a");
    finalize(&a, note(&calls, "called"));
    finalize(&a, note(&calls, "never")).set_atexit(false);
    drop(a);
    let World { collector, log } = world;
    drop(collector);
    assert_eq!((taken(&calls), log.dropped.take()), (vec!["called".into()], vec!["a".into()]));
}

#[test]
fn run_atexit_can_be_asked_for() {
    let collector = Collector::new();
    let calls = Calls::default();
    let a = collector.alloc(1);
    finalize(&a, note(&calls, "first"));
    let kept = finalize(&a, note(&calls, "kept"));
    kept.set_atexit(false);
    finalize(&a, {
        let calls = calls.clone();
        move || {
            note(&calls, "panics")();
            panic!("in a finalizer");
        }
    });
    let panic = catch_unwind(AssertUnwindSafe(|| collector.run_atexit())).unwrap_err();
    assert_eq!(*panic.downcast_ref::<&str>().unwrap(), "in a finalizer");
    assert_eq!(taken(&calls), ["panics", "first"], "all have run");
    assert!(kept.is_alive() && collector.is_enabled());
    kept.set_atexit(true);
    assert_eq!((collector.run_atexit(), collector.run_atexit(), taken(&calls)), (1, 0, vec!["kept".into()]));
    assert_eq!(finalize::run_atexit(), 0);
    let of_thread = Gc::new(6);
    finalize(&of_thread, note(&calls, "thread"));
    assert_eq!((finalize::run_atexit(), taken(&calls)), (1, vec!["thread".into()]));
}

#[test]
fn no_collection_starts_by_itself_while_finalizers_run_at_the_end() {
    let collector = Rc::new(Collector::new());
    collector.set_threshold([1, 10, 10]);
    let a = collector.alloc(1);
    let ran = Rc::new(Cell::new(0));
    let (inner, counted) = (Rc::downgrade(&collector), ran.clone());
    finalize(&a, move || {
        let collector = inner.upgrade().unwrap();
        assert!(!collector.is_enabled());
        let before = collector.stats().collections;
        (0..100).for_each(|_| drop(collector.alloc(RefCell::new(None::<Gc<i32>>))));
        assert_eq!(collector.stats().collections, before);
        collector.collect();
        assert_eq!(collector.stats().collections, before + 1);
        // One inside the other.
        finalize(&collector.alloc(2), || ());
        assert_eq!(collector.run_atexit(), 0);
        counted.set(1);
    });
    assert_eq!((collector.run_atexit(), ran.get(), collector.is_enabled()), (1, 1, true));
}

#[test]
fn a_panic_at_the_end_of_a_collector_comes_after_everything() {
    let calls = Calls::default();
    let collector = Collector::new();
    let a = collector.alloc(1);
    finalize(&a, note(&calls, "oldest"));
    finalize(&a, || panic!("at exit"));
    finalize(&a, note(&calls, "newest"));
    let panic = catch_unwind(AssertUnwindSafe(move || drop(collector))).unwrap_err();
    assert_eq!(*panic.downcast_ref::<&str>().unwrap(), "at exit");
    assert_eq!((taken(&calls), *a), (vec!["newest".into(), "oldest".into()], 1));
    // While another panic is under way it is lost.
    let outer = catch_unwind(|| {
        let collector = Collector::new();
        let a = collector.alloc(1);
        finalize(&a, || panic!("inner"));
        std::mem::forget(a);
        let _collector = collector;
        panic!("outer");
    });
    assert_eq!(*outer.unwrap_err().downcast_ref::<&str>().unwrap(), "outer");
}

/// At the end of a thread, finalizers find its collector, make objects and finalizers, and panic.
#[test]
fn the_end_of_a_thread() {
    #[derive(Trace, Default)]
    struct Half(RefCell<Option<Gc<Half>>>);

    let (sender, receiver) = mpsc::channel();
    thread_local! {
        static KEPT: RefCell<Option<(Gc<i32>, Finalizer<i32>)>> = const { RefCell::new(None) };
    }
    for kept_outlives_the_collector in [true, false] {
        let sender = sender.clone();
        let thread = std::thread::spawn(move || {
            if kept_outlives_the_collector {
                KEPT.with_borrow(|_| ()); // destroyed last
            }
            let a = Gc::new(7);
            let f = finalize(&a, move || {
                let pair = [Gc::new(Half::default()), Gc::new(Half::default())];
                *pair[0].0.borrow_mut() = Some(pair[1].clone());
                *pair[1].0.borrow_mut() = Some(pair[0].clone());
                drop(pair);
                sender.send(collect()).unwrap();
                let of_another = sender.clone();
                finalize(&Gc::new(1), move || of_another.send(100).unwrap());
                panic!("at the end of a thread");
            });
            KEPT.set(Some((a, f)));
        });
        thread.join().unwrap();
    }
    drop(sender);
    assert_eq!(receiver.iter().collect::<Vec<_>>(), [2, 100, 2, 100]);
}

#[test]
fn what_a_finalizer_prints() {
    let a = Gc::new(5u8);
    let f = finalize(&a, || ());
    assert!(format!("{f:?}").starts_with("<finalizer; for u8 at 0x"));
    f.call();
    assert_eq!(format!("{f:?}"), "<finalizer; dead>");
}
