//! The behaviours of CPython's `Lib/test/test_weakref.py` (3.13), each under the name of the original.
//!
//! What has no meaning here, and why, stands in the documentation of the crate.

mod common;

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use common::*;
use cpymem_cyclegc::{Gc, Trace, Weak, collect};

#[test]
fn test_basic_ref() {
    let world = World::new();
    let o = world.obj("o");
    let weak = Gc::downgrade(&o);
    assert!(Gc::ptr_eq(&weak.upgrade().unwrap(), &o));
    drop(o);
    assert!(weak.upgrade().is_none());
}

#[test]
fn test_basic_callback() {
    let world = World::new();
    let o = world.obj("o");
    let weak = world.watch(&o, "called");
    assert!(weak.upgrade().is_some() && weak.has_callback());
    assert!(world.called().is_empty());
    drop(o);
    assert_eq!(world.called(), ["called"]);
    assert!(weak.upgrade().is_none() && !weak.has_callback());
}

#[test]
fn test_multiple_callbacks() {
    // Last registered first, after all of them died.
    let world = World::new();
    let o = world.obj("o");
    let weaks: Vec<_> = ["first", "second", "third"].map(|name| world.watch(&o, name)).into();
    drop(o);
    assert_eq!(world.called(), ["third", "second", "first"]);
    assert!(weaks.iter().all(|weak| weak.upgrade().is_none()));
}

#[test]
fn test_multiple_selfref_callbacks() {
    // All weak references are dead before the first callback runs.
    let object = Gc::new(String::from("o"));
    let calls = Rc::new(Cell::new(0));
    let others: Rc<RefCell<Vec<Weak<String>>>> = Rc::default();
    for _ in 0..3 {
        let (seen, calls) = (others.clone(), calls.clone());
        let weak = Gc::downgrade_with(&object, move |this| {
            assert!(this.upgrade().is_none());
            assert_eq!(seen.borrow().len(), 3);
            assert!(seen.borrow().iter().all(|weak| weak.upgrade().is_none()));
            calls.set(calls.get() + 1);
        });
        others.borrow_mut().push(weak);
    }
    drop(object);
    assert_eq!(calls.get(), 3);
    others.borrow_mut().clear();
}

#[test]
fn a_callback_goes_unheard_when_its_weak_reference_is_gone() {
    let world = World::new();
    let o = world.obj("o");
    drop(world.watch(&o, "dropped"));
    let kept = world.watch(&o, "kept");
    let clone = kept.clone();
    drop(kept);
    drop(o);
    assert_eq!(world.called(), ["kept"], "a clone is the same reference");
    drop(clone);
}

#[test]
fn test_ref_reuse() {
    // Weak references without a callback share what they can: the count is that of references, the memory one.
    let o = Gc::new(1);
    let (a, b) = (Gc::downgrade(&o), Gc::downgrade(&o));
    assert!(a.ptr_eq(&b));
    assert_eq!(Gc::weak_count(&o), 2);
    drop(a);
    assert!(b.upgrade().is_some());
    assert_eq!(Gc::weak_count(&o), 1);
}

#[test]
fn test_getweakrefcount() {
    let world = World::new();
    let o = world.obj("o");
    assert_eq!(Gc::weak_count(&o), 0);
    let (a, b) = (Gc::downgrade(&o), world.watch(&o, "b"));
    assert_eq!(Gc::weak_count(&o), 2);
    drop((a, b));
    assert_eq!(Gc::weak_count(&o), 0);
}

#[test]
fn test_shared_ref_without_callback() {
    let o = Gc::new(5);
    let weak = Gc::downgrade(&o);
    let clone = weak.clone();
    drop(weak);
    assert_eq!(clone.upgrade().as_deref(), Some(&5));
}

#[test]
fn test_callbacks_protected() {
    // A callback that collects, makes objects and drops weak references to the same object.
    let object = Gc::new(RefCell::new(0));
    let all: Rc<RefCell<Vec<Weak<RefCell<i32>>>>> = Rc::default();
    let calls = Rc::new(Cell::new(0));
    for _ in 0..3 {
        let (list, calls) = (all.clone(), calls.clone());
        let weak = Gc::downgrade_with(&object, move |_| {
            calls.set(calls.get() + 1);
            list.borrow_mut().clear();
            collect();
            drop(Gc::new(vec![Gc::new(1)]));
        });
        all.borrow_mut().push(weak);
    }
    drop(object);
    assert_eq!(calls.get(), 3, "those that die in the first callback are called too");
}

#[test]
fn test_sf_bug_840829() {
    // A weak reference to an object of a subclass: one death, one callback, though memory is used anew in it.
    let world = World::new();
    let o = world.obj("o");
    let log = world.log.clone();
    let _weak = Gc::downgrade_with(&o, move |weak| {
        assert_eq!((weak.strong_count(), weak.upgrade().is_none()), (0, true));
        log.called.borrow_mut().push("once".into());
    });
    drop(o);
    world.collect();
    assert_eq!(world.called(), ["once"]);
}

#[test]
fn test_callback_in_cycle() {
    // The weak reference is part of the garbage: its callback is not called.
    let world = World::new();
    let (i, j) = (world.obj("I"), world.obj("J"));
    link(&i, &j);
    link(&i, &i);
    i.weaks.borrow_mut().push(world.watch(&j, "acallback"));
    drop((i, j));
    assert_eq!((world.collect(), world.called().len()), (2, 0));
}

#[test]
fn test_callback_reachable_one_way() {
    let world = World::new();
    let (i, j) = (world.selfish("I"), world.obj("J"));
    link(&j, &i);
    link(&i, &j);
    i.weaks.borrow_mut().push(world.watch(&j, "acallback"));
    drop((i, j));
    assert_eq!((world.collect(), world.called().len()), (2, 0));
}

#[test]
fn test_callback_different_classes() {
    #[derive(Trace)]
    struct Other {
        me: RefCell<Option<Gc<Other>>>,
        to: RefCell<Vec<Weak<Obj>>>,
        obj: Gc<Obj>,
    }
    let world = World::new();
    let obj = world.obj("obj");
    let weak = world.watch(&obj, "acallback");
    let other = world.collector.alloc(Other { me: RefCell::default(), to: RefCell::new(vec![weak]), obj });
    *other.me.borrow_mut() = Some(other.clone());
    assert!(other.to.borrow()[0].upgrade().is_some() && other.obj.name == "obj");
    drop(other);
    assert_eq!((world.collect(), world.called().len()), (2, 0));
}

#[test]
fn test_callback_in_cycle_resurrection() {
    // A callback inside the garbage would resurrect it; it is not called.
    let world = World::new();
    let (c, d) = (world.obj("C"), world.obj("D"));
    link(&c, &d);
    link(&c, &c);
    let (log, resurrect) = (world.log.clone(), Gc::downgrade(&c));
    let weak = Gc::downgrade_with(&d, move |_| log.survivors.borrow_mut().extend(resurrect.upgrade()));
    c.weaks.borrow_mut().push(weak);
    let outside = [world.watch(&c, "C went away"), world.watch(&d, "D went away")];
    drop((c, d));
    assert_eq!(world.collect(), 2);
    let mut called = world.called();
    called.sort();
    assert_eq!(called, ["C went away", "D went away"]);
    assert!(world.survivors().is_empty() && outside.iter().all(|weak| weak.upgrade().is_none()));
}

#[test]
fn a_callback_outside_may_resurrect() {
    let world = World::new();
    let (c, d) = (world.obj("C"), world.obj("D"));
    ring(&[c.clone(), d.clone()]);
    let (log, to_d) = (world.log.clone(), Gc::downgrade(&d));
    let weak = Gc::downgrade_with(&c, move |_| log.survivors.borrow_mut().extend(to_d.upgrade()));
    drop((c, d));
    assert_eq!((world.collect(), world.dropped().len()), (0, 0));
    let d = world.survivors().pop().unwrap();
    assert_eq!(d.edges.borrow()[0].name, "C");
    assert!(weak.upgrade().is_none(), "it called back, and stays dead");
    drop(d);
    assert_eq!(world.collect(), 2, "finalizers ran already");
}

#[test]
fn test_callbacks_on_callback() {
    // Weak references with callbacks from and to two cycles: those outside are called, the one inside is not.
    let world = World::new();
    let (c, d) = (world.selfish("c"), world.selfish("d"));
    link(&c, &d);
    let outside = world.watch(&c, "external");
    c.weaks.borrow_mut().push(world.watch(&d, "safe"));
    drop((c, d));
    world.collect();
    assert_eq!(world.called(), ["external"]);
    drop(outside);
    world.collect();
    assert!(world.called().is_empty());
}

#[test]
fn test_gc_during_ref_creation() {
    // The collector runs all the time while weak references are made.
    let world = World::new();
    world.collector.set_threshold([1, 1, 1]);
    world.collector.enable();
    let mut weaks = Vec::new();
    for i in 0..200 {
        let object = world.selfish(&i.to_string());
        weaks.push(Gc::downgrade(&object));
        weaks.push(world.watch(&object, "gone"));
        assert!(weaks[2 * i].upgrade().is_some() && weaks[2 * i + 1].upgrade().is_some());
    }
    world.collect();
    assert_eq!(world.called().len(), 200);
    assert!(weaks.iter().all(|weak| weak.upgrade().is_none()));
}

#[test]
fn test_ref_created_during_del() {
    let world = World::new();
    let target = world.obj("target");
    let made: Rc<RefCell<Option<Weak<Obj>>>> = Rc::default();
    let keep = made.clone();
    on_finalize(&target, move |this| *keep.borrow_mut() = Some(Gc::downgrade(this)));
    drop(target);
    assert!(made.take().unwrap().upgrade().is_none());
}

#[test]
fn test_trashcan_16602() {
    // A deep structure with weak references to every level dies at bounded depth, and callbacks run.
    let world = World::new();
    let mut weaks = Vec::new();
    let mut last = world.obj("0");
    for i in 1..20_000 {
        let next = world.obj(&i.to_string());
        link(&next, &last);
        weaks.push(world.watch(&last, "level"));
        last = next;
    }
    drop(last);
    assert_eq!(world.called().len(), weaks.len());
    assert!(weaks.iter().all(|weak| weak.upgrade().is_none()));
}

#[test]
fn test_callback_attribute() {
    let world = World::new();
    let o = world.obj("o");
    assert!(world.watch(&o, "x").has_callback() && !Gc::downgrade(&o).has_callback());
}

#[test]
fn test_callback_attribute_after_deletion() {
    let world = World::new();
    let o = world.obj("o");
    let weak = world.watch(&o, "x");
    drop(o);
    assert!(!weak.has_callback());
}

#[test]
fn test_callback_gcs() {
    // A callback that collects, in the death of an object by its count.
    let world = World::new();
    let world = Rc::new(world);
    let (o, garbage) = (world.obj("o"), world.selfish("garbage"));
    let inner = world.clone();
    let weak = Gc::downgrade_with(&o, move |_| assert_eq!(inner.collect(), 1));
    drop(garbage);
    drop(o);
    assert_eq!(world.dropped(), ["garbage", "o"]);
    drop(weak);
}

#[test]
fn test_equality() {
    let (a, b) = (Gc::new(1), Gc::new(1));
    let (to_a, to_b) = (Gc::downgrade(&a), Gc::downgrade(&b));
    assert!(to_a.ptr_eq(&Gc::downgrade(&a)) && !to_a.ptr_eq(&to_b));
    drop((a, b));
    assert!(to_a.ptr_eq(&to_a.clone()) && !to_a.ptr_eq(&to_b), "dead ones are equal by identity");
    assert!(Weak::<u8>::new().ptr_eq(&Weak::new()));
}

#[test]
fn test_subclass_refs_with_cycle() {
    // A weak reference with a callback that, by way of its own captures, holds the weak reference itself.
    let world = World::new();
    let o = world.selfish("o");
    let cell: Rc<RefCell<Option<Weak<Obj>>>> = Rc::default();
    let (inside, log) = (cell.clone(), world.log.clone());
    let weak = Gc::downgrade_with(&o, move |_| {
        inside.take();
        log.called.borrow_mut().push("called".into());
    });
    *cell.borrow_mut() = Some(weak);
    drop(o);
    assert_eq!((world.collect(), world.called()), (1, vec!["called".into()]));
    assert_eq!(Rc::strong_count(&cell), 1);
}

#[test]
fn a_panicking_callback_stops_nothing() {
    let world = World::new();
    let o = world.selfish("o");
    let _weaks = [
        world.watch(&o, "first"),
        Gc::downgrade_with(&o, |_| panic!("in a callback")),
        world.watch(&o, "last"),
    ];
    drop(o);
    let panic = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| world.collect())).unwrap_err();
    assert_eq!(*panic.downcast_ref::<&str>().unwrap(), "in a callback");
    assert_eq!((world.called(), world.dropped().len()), (vec!["last".into(), "first".into()], 1));
}
