//! Weak references to garbage and in it.

use std::cell::RefCell;

use cpymem_cyclegc::{Gc, Trace, Weak, WeakrefOrder};

use crate::common::*;

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
