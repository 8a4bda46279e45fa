//! The behaviours of CPython's `Lib/test/test_gc.py` (3.13), each under the name of the original.
//!
//! What has no meaning here, and why, stands in the documentation of the crate.

mod common;

use std::cell::{Cell, OnceCell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;

use common::*;
use cpymem_cyclegc::gc::{self, get_referents, is_finalized, is_tracked};
use cpymem_cyclegc::{AnyGc, Collector, Debug, Gc, Generation, Phase, Trace, Weak, WeakrefOrder, collect};

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
fn test_saveall() {
    let world = World::new();
    world.collect();
    assert!(world.collector.garbage().is_empty());
    world.collector.set_debug(Debug::SAVEALL);
    let list = world.selfish("list");
    let addr = AnyGc::from(list.clone()).addr();
    drop(list);
    assert_eq!(world.collect(), 1);
    world.collector.set_debug(Debug::NONE);
    let garbage = world.collector.garbage();
    assert_eq!((garbage.len(), garbage[0].addr()), (1, addr));
    assert_eq!(garbage[0].clone().downcast::<Obj>().unwrap().name, "list");
    assert!(world.dropped().is_empty());
    drop(garbage);
    assert_eq!(world.collect(), 0, "the list of garbage keeps it");
    assert_eq!(world.collector.clear_garbage(), 1);
    assert_eq!((world.collect(), world.dropped().len()), (1, 1));
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
fn test_get_count() {
    let world = World::new();
    world.collect();
    let [a, b, c] = world.collector.get_count();
    let x = world.obj("x");
    let [d, e, f] = world.collector.get_count();
    assert_eq!(((b, c), (e, f)), ((0, 0), (0, 0)));
    assert!(a < 5 && d > a);
    drop(x);
    assert_eq!(world.collector.get_count(), [a, 0, 0]);
}

#[test]
fn test_collect_generations() {
    let world = World::new();
    world.collect();
    let _x = world.obj("x");
    world.collector.collect_generation(Generation::Young);
    assert_eq!(world.collector.get_count()[1..], [1, 0]);
    world.collector.collect_generation(Generation::Middle);
    assert_eq!(world.collector.get_count()[1..], [0, 1]);
    world.collector.collect_generation(Generation::Old);
    assert_eq!(world.collector.get_count()[1..], [0, 0]);
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
fn test_get_referents() {
    let world = World::new();
    let (a, b, leaf) = (world.obj("a"), world.obj("b"), Gc::new(5u32));
    link(&a, &b);
    link(&a, &b);
    a.any.borrow_mut().push(leaf.clone().into());
    let names = |objects: &[AnyGc]| -> Vec<String> {
        get_referents(objects)
            .into_iter()
            .map(|any| any.type_name().rsplit("::").next().unwrap().to_owned())
            .collect()
    };
    assert_eq!(names(&[a.clone().into()]), ["Obj", "Obj", "u32"]);
    assert_eq!(names(&[b.clone().into()]), [""; 0]);
    assert_eq!(names(&[a.clone().into(), b.into(), a.clone().into()]).len(), 6);
    // What the collector does not know has no referents.
    assert!(get_referents(&[leaf.into()]).is_empty());
    assert!(get_referents(&[]).is_empty());
    // What is borrowed mutably cannot be looked into.
    let _borrowed = a.edges.borrow_mut();
    assert_eq!(names(&[a.clone().into()]), ["u32"]);
}

#[test]
fn test_get_referrers() {
    let world = World::new();
    let (a, b, c) = (world.obj("a"), world.obj("b"), world.obj("c"));
    ring(&[a.clone(), b.clone()]);
    link(&c, &a);
    let referrers = |to: &[AnyGc]| -> Vec<String> {
        let objects = world.collector.get_referrers(to);
        objects.into_iter().map(|any| any.downcast::<Obj>().unwrap().name.clone()).collect()
    };
    assert_eq!(referrers(&[a.clone().into()]), ["b", "c"]);
    assert_eq!(referrers(&[b.clone().into()]), ["a"]);
    assert_eq!(referrers(&[b.into(), a.into()]), ["a", "b", "c"]);
    assert!(referrers(&[c.into()]).is_empty());
}

#[test]
fn test_is_tracked() {
    // Atomic built-in types are not tracked, containers of things that can refer are.
    #[derive(Trace)]
    struct Empty;
    #[derive(Trace)]
    #[allow(dead_code, reason = "the fields decide whether the type is tracked")]
    struct Slots {
        x: u8,
        name: String,
    }
    assert!(!is_tracked(&Gc::new(())) && !is_tracked(&Gc::new(1)) && !is_tracked(&Gc::new(1.0)));
    assert!(!is_tracked(&Gc::new("a")) && !is_tracked(&Gc::new(String::from("a"))));
    assert!(!is_tracked(&Gc::new(Empty)) && !is_tracked(&Gc::new(Slots { x: 1, name: "a".into() })));
    assert!(!is_tracked(&Gc::new((1, 2))));
    let world = World::new();
    let object = world.obj("a");
    assert!(is_tracked(&object) && AnyGc::from(object).is_tracked());
    assert!(is_tracked(&Gc::new(Vec::<Gc<Obj>>::new())));
}

#[test]
fn test_is_finalized() {
    // Only an object that was resurrected can be seen as finalized.
    let world = World::new();
    let lazarus = world.selfish("lazarus");
    assert!(!is_finalized(&lazarus) && !is_finalized(&Gc::new(3)));
    resurrects(&lazarus);
    drop(lazarus);
    world.collect();
    let lazarus = world.survivors().pop().unwrap();
    assert!(is_finalized(&lazarus) && AnyGc::from(lazarus).is_finalized());
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

#[test]
fn test_get_stats() {
    let world = World::new();
    let before = world.collector.get_stats();
    assert_eq!(before.len(), 3);
    world.collector.collect_generation(Generation::Young);
    world.collector.collect_generation(Generation::Young);
    world.selfish("x");
    world.collector.collect_generation(Generation::Old);
    let after = world.collector.get_stats();
    assert_eq!(after[0].collections, before[0].collections + 2);
    assert_eq!(after[1], before[1]);
    assert_eq!((after[2].collections, after[2].collected), (before[2].collections + 1, 1));
    assert!(after.iter().all(|generation| generation.uncollectable == 0));
}

#[test]
fn test_freeze() {
    let world = World::new();
    let kept = world.selfish("kept");
    world.selfish("garbage");
    world.collector.freeze();
    assert_eq!(world.collector.get_freeze_count(), 2);
    let fresh = world.selfish("fresh");
    link(&kept, &fresh);
    drop(fresh);
    assert_eq!(world.collect(), 0, "frozen objects are not garbage, nor is what they refer to");
    drop(kept);
    assert_eq!(world.collect(), 0);
    world.collector.unfreeze();
    assert_eq!((world.collector.get_freeze_count(), world.collect()), (0, 3));
    // By its count a frozen object dies as any other.
    let counted = world.obj("counted");
    world.collector.freeze();
    drop(counted);
    assert_eq!(world.collector.get_freeze_count(), 0);
    assert_eq!(world.dropped().len(), 4);
}

#[test]
fn test_get_objects() {
    let world = World::new();
    world.collect();
    let object = world.obj("x");
    let is_there = || world.collector.get_objects(None).iter().any(|any| any.ptr_eq(&object.clone().into()));
    assert!(is_there());
    assert!(gc::get_objects(None).iter().all(|any| !any.ptr_eq(&object.clone().into())), "another collector");
}

#[test]
fn test_get_objects_generations() {
    let world = World::new();
    world.collect();
    let object = world.obj("x");
    let generations = || {
        let this = AnyGc::from(object.clone());
        let has =
            |generation| world.collector.get_objects(Some(generation)).iter().any(|any| any.ptr_eq(&this));
        Generation::ALL.map(has)
    };
    assert_eq!(generations(), [true, false, false]);
    world.collector.collect_generation(Generation::Young);
    assert_eq!(generations(), [false, true, false]);
    world.collector.collect_generation(Generation::Young);
    assert_eq!(generations(), [false, true, false]);
    world.collector.collect_generation(Generation::Middle);
    assert_eq!(generations(), [false, false, true]);
    world.collector.collect_generation(Generation::Old);
    assert_eq!(generations(), [false, false, true]);
}

#[test]
fn test_resurrection_only_happens_once_per_object() {
    let world = World::new();
    let lazarus = world.selfish("lazarus");
    resurrects(&lazarus);
    world.collect();
    assert!(world.finalized().is_empty());
    drop(lazarus);
    // It comes back.
    assert_eq!(world.collect(), 0);
    assert_eq!(world.finalized(), ["lazarus"]);
    assert!(world.dropped().is_empty());
    // And dies for good.
    assert_eq!(world.survivors().len(), 1);
    assert_eq!((world.collect(), world.finalized().len(), world.dropped().len()), (1, 0, 1));
}

#[test]
fn test_resurrection_is_transitive() {
    // What a resurrected object refers to is resurrected with it, and is not garbage.
    let world = World::new();
    let (cargo, lazarus) = (world.obj("cargo"), world.obj("lazarus"));
    ring(&[cargo.clone(), lazarus.clone()]);
    let of_cargo = Gc::downgrade(&cargo);
    resurrects(&lazarus);
    drop((cargo, lazarus));
    assert_eq!(world.collect(), 0);
    let lazarus = world.survivors().pop().unwrap();
    assert_eq!(lazarus.edges.borrow()[0].name, "cargo");
    assert!(of_cargo.upgrade().is_some() && world.dropped().is_empty());
    drop(lazarus);
    assert_eq!((world.collect(), world.dropped()), (2, vec!["cargo".into(), "lazarus".into()]));
}

#[test]
fn test_resurrection_does_not_block_cleanup_of_other_objects() {
    let world = World::new();
    const N: usize = 100;
    let cycles = |prefix: &str| {
        for i in 0..N {
            let (a, b) = (world.obj(&format!("{prefix}{i}a")), world.obj(&format!("{prefix}{i}b")));
            ring(&[a, b]);
        }
    };
    assert_eq!(world.collect(), 0);
    cycles("plain");
    assert_eq!(world.collect(), 2 * N);
    cycles("more");
    let zombie = world.selfish("zombie");
    resurrects(&zombie);
    drop(zombie);
    assert_eq!(world.collect(), 2 * N, "the zombie does not count");
    assert_eq!(world.survivors().len(), 1);
    cycles("again");
    assert_eq!(world.collect(), 2 * N + 1, "now it does");
    assert_eq!(world.collect(), 0);
}

#[test]
fn test_trash_weakref_clear() {
    // A weak reference in the garbage, the referent of which has a reference that the collector is not shown: weak references die
    // before anything is taken apart, and a callback in the garbage is not called.
    #[derive(Trace)]
    struct Holder {
        me: RefCell<Option<Gc<Holder>>>,
        weak: RefCell<Weak<Obj>>,
        #[trace(skip)]
        hidden: RefCell<Option<Gc<Obj>>>,
    }
    let world = World::new();
    for order in [WeakrefOrder::AfterFinalizers, WeakrefOrder::Py313] {
        world.collector.set_weakref_order(order);
        let hidden = world.selfish("hidden");
        let holder = world.collector.alloc(Holder {
            me: RefCell::default(),
            weak: RefCell::new(world.watch(&hidden, "hidden died")),
            hidden: RefCell::new(Some(hidden)),
        });
        *holder.me.borrow_mut() = Some(holder.clone());
        let weak = Gc::downgrade(holder.hidden.borrow().as_ref().unwrap());
        drop(holder);
        // The holder goes; what it hides was referenced from outside as far as anyone could see.
        assert_eq!(world.collect(), 1);
        assert!(weak.upgrade().is_some() && world.called().is_empty());
        // Now nothing refers to it; the callback went with its holder.
        assert_eq!((world.collect(), world.called().len(), weak.upgrade().is_none()), (1, 0, true));
    }
}

/// What a callback was told.
fn record(collector: &Collector) -> Rc<RefCell<Vec<(Phase, Generation, usize)>>> {
    let visits = Rc::new(RefCell::new(Vec::new()));
    let seen = visits.clone();
    collector.add_callback(move |phase, info| {
        assert_eq!(info.uncollectable, 0);
        seen.borrow_mut().push((phase, info.generation, info.collected));
    });
    visits
}

#[test]
fn test_collect() {
    let world = World::new();
    let visits = record(&world.collector);
    world.collect();
    assert_eq!(visits.take(), [(Phase::Start, Generation::Old, 0), (Phase::Stop, Generation::Old, 0)]);
}

#[test]
fn test_collect_generation() {
    let world = World::new();
    let visits = record(&world.collector);
    for generation in Generation::ALL {
        world.collector.collect_generation(generation);
        assert_eq!(visits.take(), [(Phase::Start, generation, 0), (Phase::Stop, generation, 0)]);
    }
}

#[test]
fn test_collect_garbage() {
    let world = World::new();
    let visits = record(&world.collector);
    world.selfish("a");
    world.selfish("b");
    world.collect();
    assert_eq!(visits.take()[1].2, 2);
}

#[test]
fn test_callbacks_run_in_pairs_and_in_order() {
    let world = World::new();
    let order = Rc::new(RefCell::new(String::new()));
    let add = |name: &'static str| {
        let order = order.clone();
        world.collector.add_callback(move |_, _| order.borrow_mut().push_str(name))
    };
    let (a, b) = (add("a"), add("b"));
    world.collect();
    assert_eq!(order.take(), "abab");
    assert!(world.collector.remove_callback(a) && !world.collector.remove_callback(a));
    world.collect();
    assert_eq!(order.take(), "bb");
    world.collector.remove_callback(b);
    world.collect();
    assert_eq!(order.take(), "");
}

#[test]
fn test_collect_in_a_callback_is_a_no_op() {
    gc::disable();
    let found = Rc::new(RefCell::new(Vec::new()));
    let seen = found.clone();
    let id = gc::add_callback(move |_, _| seen.borrow_mut().push(collect()));
    let object = Gc::new(RefCell::new(Vec::<AnyGc>::new()));
    object.borrow_mut().push(object.clone().into());
    drop(object);
    assert_eq!(collect(), 1);
    assert_eq!(found.take(), [0, 0]);
    gc::remove_callback(id);
}

#[test]
fn test_bug1055820c() {
    // GCTogglingTests: a weak reference to the garbage lies outside, as does the object that its callback is about. The collection is
    // started by making objects.
    for collector_runs in [true, false] {
        let world = World::new();
        world.collector.set_threshold([700, 10, 10]);
        if collector_runs {
            world.collector.enable();
        }
        let (c0, c1) = (world.selfish("c0"), world.selfish("c1"));
        link(&c1, &c0);
        let to_c1 = Gc::downgrade(&c1);
        let log = world.log.clone();
        let of_c1 = to_c1.clone();
        let _to_c0 = Gc::downgrade_with(&c0, move |_| {
            // CPython 3.13 has cleared all weak references by now; from 3.14 on they work.
            log.called.borrow_mut().push(of_c1.upgrade().map_or("gone".into(), |c1| c1.name.clone()));
        });
        drop((c0, c1));
        let junk: Vec<_> = (0..2000).map(|i| world.obj(&format!("junk {i}"))).collect();
        assert_eq!(world.called(), if collector_runs { vec!["c1".to_owned()] } else { vec![] });
        assert_eq!(to_c1.upgrade().is_none(), collector_runs);
        drop(junk);
    }
}

#[test]
fn test_bug1055820d() {
    // As before, with a finalizer in place of the callback.
    let world = World::new();
    world.collector.enable();
    world.collector.set_threshold([700, 10, 10]);
    let (c0, c1, d) = (world.selfish("c0"), world.selfish("c1"), world.obj("d"));
    link(&c1, &c0);
    link(&c0, &d);
    let to_c1 = Gc::downgrade(&c1);
    let of_c1 = to_c1.clone();
    on_finalize(&d, move |this| {
        let c1 = of_c1.upgrade().map_or("gone".into(), |c1| c1.name.clone());
        this.world.called.borrow_mut().push(c1);
    });
    drop((c0, c1, d));
    let _junk: Vec<_> = (0..2000).map(|i| world.obj(&format!("junk {i}"))).collect();
    assert_eq!((world.called(), to_c1.upgrade().is_none()), (vec!["c1".into()], true));
}

#[test]
fn test_weakrefs_die_before_finalizers_in_the_order_of_3_13() {
    let world = World::new();
    world.collector.set_weakref_order(WeakrefOrder::Py313);
    let (a, b) = (world.obj("a"), world.obj("b"));
    ring(&[a.clone(), b.clone()]);
    let weak = Gc::downgrade(&b);
    let of_b = weak.clone();
    on_finalize(&a, move |this| {
        assert!(of_b.upgrade().is_none());
        this.world.survivors.borrow_mut().push(this.clone());
    });
    drop((a, b));
    assert_eq!(world.collect(), 0);
    let a = world.survivors().pop().unwrap();
    let b = a.edges.borrow()[0].clone();
    assert!(weak.upgrade().is_none(), "it stays dead though its object was resurrected");
    let again = Gc::downgrade(&b);
    assert!(again.upgrade().is_some(), "a new one works");
    assert_eq!((Gc::weak_count(&b), weak.strong_count()), (1, 0));
}

#[test]
fn test_indirect_calls_with_gc_disabled() {
    let world = World::new();
    let visits = record(&world.collector);
    world.collector.set_threshold([10, 10, 10]);
    let objects: Vec<_> = (0..100).map(|i| world.selfish(&i.to_string())).collect();
    drop(objects);
    assert!(visits.take().is_empty() && !world.collector.is_enabled());
    assert_eq!(world.collect(), 100, "it still collects when it is told to");
}

#[test]
fn test_automatic_collection_and_its_counts() {
    let world = World::new();
    world.collector.enable();
    assert_eq!(world.collector.get_threshold(), [2000, 10, 10]);
    world.collector.set_threshold([100, 5, 1000]);
    let visits = record(&world.collector);
    for i in 0..1000 {
        world.selfish(&i.to_string());
    }
    let visits = visits.take();
    let of =
        |generation| visits.iter().filter(|visit| visit.0 == Phase::Stop && visit.1 == generation).count();
    // Every 101st object starts one; the sixth pass after five young ones is a middle one.
    assert_eq!((of(Generation::Young), of(Generation::Middle), of(Generation::Old)), (8, 1, 0));
    assert!(world.collector.objects() <= 101);
    world.collector.set_threshold([0, 5, 5]);
    for i in 0..1000 {
        world.selfish(&i.to_string());
    }
    assert!(world.collector.objects() >= 1000);
}

#[test]
fn test_garbage_at_shutdown() {
    // Dropping a collector collects, and what SAVEALL kept goes then.
    let log = {
        let world = World::new();
        world.collector.set_debug(Debug::SAVEALL);
        world.selfish("kept");
        assert_eq!(world.collect(), 1);
        world.collector.set_debug(Debug::NONE);
        world.selfish("garbage");
        world.log.clone()
    };
    assert_eq!(log.dropped.borrow().len(), 2);
}

#[test]
fn test_external_bytes_start_a_full_collection() {
    let world = World::new();
    world.collector.enable();
    world.selfish("huge");
    world.collector.add_external_bytes(64 << 20);
    assert_eq!((world.dropped().len(), world.collector.external_bytes()), (0, 64 << 20));
    let _next = world.obj("next");
    assert_eq!(world.dropped(), ["huge"]);
    world.collector.add_external_bytes(-(64 << 20));
    assert_eq!(world.collector.external_bytes(), 0);
}
