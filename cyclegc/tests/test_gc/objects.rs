//! What becomes garbage: every kind of object, deep ones, and those whose finalizers and callbacks take others along.

use std::cell::{Cell, OnceCell, RefCell};
use std::collections::HashMap;

use cpymem_cyclegc::gc;
use cpymem_cyclegc::{Collector, Gc, Trace, collect};

use crate::common::*;

#[test]
fn test_list() {
    // A list that contains itself.
    #[derive(Trace)]
    struct List(RefCell<Vec<Gc<List>>>);
    let collector = Collector::new();
    let list = collector.alloc(List(RefCell::default()));
    list.0.borrow_mut().push(list.clone());
    collector.collect();
    drop(list);
    assert_eq!(collector.collect(), 1);
}

#[test]
fn test_dict() {
    #[derive(Trace)]
    struct Dict(RefCell<HashMap<u32, Gc<Dict>>>);
    let collector = Collector::new();
    let dict = collector.alloc(Dict(RefCell::default()));
    dict.0.borrow_mut().insert(1, dict.clone());
    collector.collect();
    drop(dict);
    assert_eq!(collector.collect(), 1);
}

#[test]
fn test_tuple() {
    // A tuple can only be part of a cycle through something that can change.
    #[derive(Trace)]
    struct List(RefCell<Vec<Gc<(Gc<List>,)>>>);
    let collector = Collector::new();
    let list = collector.alloc(List(RefCell::default()));
    let tuple = collector.alloc((list.clone(),));
    list.0.borrow_mut().push(tuple.clone());
    collector.collect();
    drop(tuple);
    drop(list);
    assert_eq!(collector.collect(), 2);
}

#[test]
fn test_instance() {
    let world = World::new();
    let a = world.obj("a");
    link(&a, &a);
    world.collect();
    drop(a);
    assert_ne!(world.collect(), 0);
}

#[test]
fn test_class() {
    // An instance and the object that stands for its class.
    let world = World::new();
    let class = world.selfish("class");
    world.collect();
    drop(class);
    assert_ne!(world.collect(), 0);
}

#[test]
fn test_newstyleclass() {
    // A class refers to itself through its method resolution order, which is a tuple.
    #[derive(Trace)]
    struct Class(OnceCell<Gc<Vec<Gc<Class>>>>);
    let collector = Collector::new();
    let class = collector.alloc(Class(OnceCell::new()));
    let order = collector.alloc(vec![class.clone()]);
    class.0.set(order).ok().unwrap();
    collector.collect();
    drop(class);
    assert_eq!(collector.collect(), 2);
}

#[test]
fn test_newinstance() {
    let world = World::new();
    let (base, derived, a) = (world.selfish("A"), world.selfish("B"), world.obj("a"));
    link(&derived, &base);
    link(&a, &derived);
    link(&a, &a);
    drop(a);
    assert_eq!(world.collect(), 1);
    drop(derived);
    assert_eq!(world.collect(), 1);
    drop(base);
    assert_eq!(world.collect(), 1);
}

#[test]
fn test_method() {
    // A bound method in the dictionary of its object.
    let world = World::new();
    let object = world.obj("object");
    let method = world.obj("method");
    link(&method, &object);
    link(&object, &method);
    drop((object, method));
    assert_eq!(world.collect(), 2);
}

#[test]
fn test_function() {
    // A function and the dictionary of its globals, in which it is.
    #[derive(Trace)]
    enum Value {
        Dict(RefCell<HashMap<String, Gc<Value>>>),
        Function { globals: Gc<Value> },
    }
    let collector = Collector::new();
    let globals = collector.alloc(Value::Dict(RefCell::default()));
    let function = collector.alloc(Value::Function { globals: globals.clone() });
    if let Value::Dict(dict) = &*globals {
        dict.borrow_mut().insert("f".into(), function);
    }
    collector.collect();
    drop(globals);
    assert_eq!(collector.collect(), 2);
}

#[test]
fn test_frame() {
    // A frame that refers to itself through a local variable.
    test_list();
    let world = World::new();
    let frame = world.selfish("frame");
    world.collect();
    drop(frame);
    assert_eq!(world.collect(), 1);
}

#[test]
fn test_function_tp_clear_leaves_consistent_state() {
    // A weak reference's callback runs while what it can reach of the garbage is still whole.
    let world = World::new();
    let (latefin, func, cyclic) = (world.obj("latefin"), world.obj("func"), world.obj("cyclic"));
    ring(&[latefin.clone(), func.clone(), cyclic.clone()]);
    let plain = Gc::downgrade(&func);
    let log = world.log.clone();
    let _watching = Gc::downgrade_with(&cyclic, move |_| {
        let func = plain.upgrade().expect("weak references without a callback are still usable");
        assert_eq!(func.edges.borrow()[0].name, "cyclic");
        log.called.borrow_mut().push(func.name.clone());
    });
    drop((latefin, func, cyclic));
    // The callback's own handle was given up, so nothing is resurrected.
    assert_eq!((world.collect(), world.called()), (3, vec!["func".into()]));
    assert_eq!(world.dropped().len(), 3);
}

#[test]
fn test_del() {
    // Objects with a finalizer are collected by thresholds as others are.
    let world = World::new();
    world.collector.set_threshold([2, 2, 2]);
    world.collector.enable();
    for _ in 0..100 {
        world.selfish("A");
    }
    assert!(world.dropped().len() > 90 && world.finalized().len() > 90);
}

#[test]
fn test_del_newclass() {
    test_del();
}

#[test]
fn test_trashcan() {
    // Deep structures that are destroyed while the collector is provoked.
    #[derive(Trace)]
    struct Ouch {
        inner: Option<Gc<Ouch>>,
    }
    thread_local! { static N: Cell<u32> = const { Cell::new(0) }; }
    #[derive(Trace)]
    #[trace(drop)]
    struct Provoking(Option<Gc<Provoking>>);
    impl Drop for Provoking {
        fn drop(&mut self) {
            N.set(N.get() + 1);
            if N.get().is_multiple_of(17) {
                collect();
            }
        }
    }
    gc::enable();
    for _ in 0..2 {
        let mut t = None;
        for _ in 0..200 {
            t = Some(Gc::new(Provoking(t)));
        }
        let mut u = None;
        for _ in 0..20_000 {
            u = Some(Gc::new(Ouch { inner: u }));
        }
        assert!(u.as_ref().unwrap().inner.is_some());
        drop((t, u));
    }
    assert_eq!(N.get(), 400);
}

#[test]
fn test_trashcan_threads() {
    // Several threads at once, each with deep structures and collections of its own.
    let threads: Vec<_> = (0..4)
        .map(|_| {
            std::thread::spawn(|| {
                #[derive(Trace)]
                struct Nested(RefCell<Option<Gc<Nested>>>);
                for round in 0..20 {
                    let mut nested = None;
                    for _ in 0..1000 {
                        nested = Some(Gc::new(Nested(RefCell::new(nested))));
                    }
                    if round % 2 == 0 {
                        let inner = nested.clone();
                        let mut last = nested.clone().unwrap();
                        while let Some(next) = { last.0.borrow().clone() } {
                            last = next;
                        }
                        *last.0.borrow_mut() = inner;
                    }
                    drop(nested);
                    assert_eq!(collect(), if round % 2 == 0 { 1000 } else { 0 });
                }
            })
        })
        .collect();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
}

#[test]
fn test_boom() {
    // Looking at an object breaks its cycle: here, its finalizer does.
    let world = World::new();
    let (a, b) = (world.obj("a"), world.obj("b"));
    ring(&[a.clone(), b.clone()]);
    on_finalize(&a, |this| this.edges.borrow_mut().clear());
    on_finalize(&b, |this| this.edges.borrow_mut().clear());
    drop((a, b));
    assert_eq!((world.collect(), world.collector.garbage().len()), (2, 0));
    assert_eq!(world.dropped().len(), 2);
}

#[test]
fn test_boom2() {
    // The finalizer breaks the cycle only when it is asked a second time, which never happens.
    let world = World::new();
    let (a, b) = (world.obj("a"), world.obj("b"));
    ring(&[a.clone(), b.clone()]);
    for object in [&a, &b] {
        let asked = Cell::new(0);
        on_finalize(object, move |this| {
            asked.set(asked.get() + 1);
            if asked.get() == 2 {
                this.edges.borrow_mut().clear();
            }
        });
    }
    drop((a, b));
    assert_eq!((world.collect(), world.dropped().len()), (2, 2));
}

#[test]
fn test_bug1055820b() {
    // A weak reference in the garbage to other garbage, with a callback: it is not called.
    let world = World::new();
    let objects: Vec<_> = (0..2).map(|_| world.selfish("ouch")).collect();
    let outside: Vec<_> = objects.iter().map(|object| world.watch(object, "outside")).collect();
    objects[0].weaks.borrow_mut().push(world.watch(&objects[1], "inside"));
    world.collect();
    assert!(outside.iter().all(|weak| weak.upgrade().is_some()));
    drop(objects);
    assert_eq!(world.collect(), 2);
    assert_eq!(world.called(), ["outside", "outside"]);
    assert!(outside.iter().all(|weak| weak.upgrade().is_none()));
}

#[test]
fn test_bug21435() {
    // A finalizer makes the number of references from outside differ from that of garbage.
    let world = World::new();
    let (a, b) = (world.obj("A"), world.obj("B"));
    ring(&[a.clone(), b.clone()]);
    let extra = world.obj("extra");
    link(&a, &extra);
    on_finalize(&b, |this| {
        let other = this.edges.borrow()[0].clone();
        other.edges.borrow_mut().push(this.clone());
        this.edges.borrow_mut().push(this.clone());
    });
    drop((a, b, extra));
    assert_eq!((world.collect(), world.dropped().len()), (3, 3));
}
