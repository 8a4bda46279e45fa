//! The behaviours of CPython's `Lib/test/test_finalization.py` (3.13), each under the name of the original, prefixed with
//! the name of its class.
//!
//! The classes of the original are finalizers here: a plain one, one that resurrects, one that breaks its cycle. Legacy
//! finalizers (`tp_del`) do not exist.

mod common;

use common::*;
use cpymem_cyclegc::gc::is_finalized;
use cpymem_cyclegc::{Finalize, Gc, Trace, collect};

/// Nothing is garbage any more, and nothing was left in the list of garbage.
fn assert_clean(world: &World) {
    assert_eq!((world.collect(), world.collector.garbage().len()), (0, 0));
}

#[test]
fn simple_test_simple() {
    let world = World::new();
    let s = world.obj("s");
    let weak = Gc::downgrade(&s);
    drop(s);
    assert_eq!((world.finalized(), world.dropped()), (vec!["s".into()], vec!["s".into()]));
    assert!(weak.upgrade().is_none() && world.survivors().is_empty());
    assert_clean(&world);
    assert!(world.finalized().is_empty());
}

#[test]
fn simple_test_simple_resurrect() {
    let world = World::new();
    let s = world.obj("s");
    resurrects(&s);
    let weak = Gc::downgrade(&s);
    drop(s);
    assert_eq!((world.finalized().len(), world.dropped().len()), (1, 0));
    assert!(weak.upgrade().is_some(), "a weak reference survives with its object");
    assert_clean(&world);
    assert_eq!(world.survivors().len(), 1); // and gone
    assert!(weak.upgrade().is_none());
    assert_eq!((world.finalized().len(), world.dropped().len()), (0, 1));
}

/// An object that the collector does not track.
#[derive(Trace)]
#[trace(finalize)]
struct NonGc(#[trace(skip)] std::rc::Rc<NonGcLog>);

#[derive(Default)]
struct NonGcLog {
    finalized: std::cell::Cell<u32>,
    resurrect: bool,
    survivors: std::cell::RefCell<Vec<Gc<NonGc>>>,
}

impl Finalize for NonGc {
    fn finalize(this: &Gc<NonGc>) {
        this.0.finalized.set(this.0.finalized.get() + 1);
        if this.0.resurrect {
            this.0.survivors.borrow_mut().push(this.clone());
        }
    }
}

#[test]
fn simple_test_non_gc() {
    let log = std::rc::Rc::new(NonGcLog::default());
    drop(Gc::new(NonGc(log.clone())));
    assert_eq!((log.finalized.get(), std::rc::Rc::strong_count(&log), collect()), (1, 1, 0));
}

#[test]
fn simple_test_non_gc_resurrect() {
    let log = std::rc::Rc::new(NonGcLog { resurrect: true, ..NonGcLog::default() });
    drop(Gc::new(NonGc(log.clone())));
    assert_eq!(log.finalized.get(), 1);
    let survivor = log.survivors.borrow_mut().pop().unwrap();
    assert!(is_finalized(&survivor));
    drop(survivor);
    assert_eq!((log.finalized.get(), std::rc::Rc::strong_count(&log)), (1, 1));
}

#[test]
fn self_cycle_test_simple() {
    let world = World::new();
    let s = world.selfish("s");
    let weak = Gc::downgrade(&s);
    drop(s);
    assert!(world.finalized().is_empty());
    assert_eq!(world.collect(), 1);
    assert_eq!((world.finalized().len(), world.dropped().len()), (1, 1));
    assert!(weak.upgrade().is_none());
    assert_clean(&world);
}

#[test]
fn self_cycle_test_simple_resurrect() {
    let world = World::new();
    let s = world.selfish("s");
    resurrects(&s);
    let weak = Gc::downgrade(&s);
    drop(s);
    assert_eq!(world.collect(), 0);
    assert_eq!((world.finalized().len(), world.dropped().len()), (1, 0));
    let survivors = world.survivors();
    assert_eq!(survivors.len(), 1);
    assert!(weak.upgrade().is_some(), "this kind of weak reference lives until the object dies");
    drop(survivors);
    assert_eq!((world.collect(), world.finalized().len(), world.dropped().len()), (1, 0, 1));
    assert!(weak.upgrade().is_none());
}

#[test]
fn self_cycle_test_simple_suicide() {
    let world = World::new();
    let s = world.selfish("s");
    commits_suicide(&s);
    let weak = Gc::downgrade(&s);
    drop(s);
    assert!(world.finalized().is_empty());
    world.collect();
    assert_eq!((world.finalized().len(), world.dropped().len()), (1, 1));
    assert!(weak.upgrade().is_none());
    assert_clean(&world);
    assert!(world.finalized().is_empty());
}

type Kind = fn(&Gc<Obj>);
const SIMPLE: Kind = |_| {};
const RESURRECTOR: Kind = resurrects;
/// Takes itself out of the chain, as `SuicidalChained.side_effect`.
const SUICIDAL: Kind = commits_suicide;

/// Builds a ring of `3 * kinds` objects linked both ways, drops it, and compares what happens with the original's
/// `check_non_resurrecting_chain` and `check_resurrecting_chain`.
fn check_chain(kinds: &[Kind]) {
    const N: usize = 3;
    let world = World::new();
    let kinds: Vec<Kind> = kinds.iter().copied().cycle().take(N * kinds.len()).collect();
    let nodes: Vec<Gc<Obj>> = (0..kinds.len()).map(|i| world.obj(&format!("{i:02}"))).collect();
    ring(&nodes);
    let mut backwards = nodes.clone();
    backwards.reverse();
    ring(&backwards);
    drop(backwards);
    for (kind, node) in kinds.iter().zip(&nodes) {
        kind(node);
    }
    let names: Vec<String> = nodes.iter().map(|node| node.name.clone()).collect();
    let weaks: Vec<_> = nodes.iter().map(Gc::downgrade).collect();
    drop(nodes);
    world.collect();
    assert_eq!(world.finalized(), names, "every finalizer runs once");
    let resurrects = kinds.iter().any(|&kind| std::ptr::fn_addr_eq(kind, RESURRECTOR));
    let survivors = world.survivors();
    assert_eq!(survivors.is_empty(), !resurrects);
    if !resurrects {
        assert_eq!(world.dropped(), names);
        assert!(weaks.iter().all(|weak| weak.upgrade().is_none()));
        return assert_clean(&world);
    }
    // What a survivor reaches is alive and whole.
    for survivor in &survivors {
        assert!(is_finalized(survivor));
        survivor.edges.borrow().iter().for_each(|edge| assert!(Gc::try_deref(edge).is_some()));
    }
    drop(survivors);
    world.collect();
    assert!(world.finalized().is_empty(), "and never again");
    assert_eq!(world.dropped().len(), names.len());
    assert!(weaks.iter().all(|weak| weak.upgrade().is_none()));
    assert_clean(&world);
}

#[test]
fn chain_test_homogenous() {
    check_chain(&[SIMPLE]);
}

#[test]
fn chain_test_homogenous_resurrect() {
    check_chain(&[RESURRECTOR]);
}

#[test]
fn chain_test_homogenous_suicidal() {
    check_chain(&[SUICIDAL]);
}

#[test]
fn chain_test_heterogenous_suicidal_one() {
    check_chain(&[SUICIDAL, SIMPLE, SIMPLE]);
}

#[test]
fn chain_test_heterogenous_suicidal_two() {
    check_chain(&[SUICIDAL, SIMPLE, SIMPLE, SUICIDAL, SIMPLE]);
}

#[test]
fn chain_test_heterogenous_resurrect_one() {
    check_chain(&[RESURRECTOR, SIMPLE, SIMPLE]);
}

#[test]
fn chain_test_heterogenous_resurrect_two() {
    check_chain(&[RESURRECTOR, SIMPLE, SUICIDAL, SUICIDAL]);
}

#[test]
fn chain_test_heterogenous_resurrect_three() {
    check_chain(&[SUICIDAL, SIMPLE, RESURRECTOR]);
}

#[test]
fn a_panicking_finalizer_stops_nothing() {
    let world = World::new();
    for name in ["a", "b", "c"] {
        let object = world.selfish(name);
        on_finalize(&object, |this| assert_ne!(this.name, "b", "no luck"));
    }
    let panic = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| world.collect())).unwrap_err();
    assert!(panic.downcast_ref::<String>().unwrap().contains("no luck"));
    assert_eq!((world.finalized().len(), world.dropped().len()), (3, 3));
    // With a hook nothing is resumed.
    let taken = std::rc::Rc::new(std::cell::Cell::new(0));
    let count = taken.clone();
    world.collector.set_panic_hook(move |_| count.set(count.get() + 1));
    let object = world.selfish("b");
    on_finalize(&object, |_| panic!("again"));
    drop(object);
    assert_eq!((world.collect(), taken.get()), (1, 1));
    let counted = world.obj("d");
    on_finalize(&counted, |_| panic!("by count"));
    drop(counted);
    assert_eq!((taken.get(), world.dropped().len()), (2, 2));
}

#[test]
fn deep_chains_are_finalized_one_after_the_other() {
    // PEP 442 and the trashcan: a chain that dies by its counts, every link with a finalizer.
    std::thread::Builder::new()
        .stack_size(256 << 10)
        .spawn(|| {
            let world = World::new();
            let mut last = world.obj("0");
            for i in 1..50_000 {
                let next = world.obj(&i.to_string());
                link(&next, &last);
                last = next;
            }
            drop(last);
            assert_eq!((world.finalized().len(), world.dropped().len()), (50_000, 50_000));
        })
        .unwrap()
        .join()
        .unwrap();
}
