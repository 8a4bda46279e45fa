//! What callbacks are told.

use std::cell::RefCell;
use std::rc::Rc;

use cpymem_cyclegc::gc;
use cpymem_cyclegc::{AnyGc, Collector, Gc, Generation, Phase, collect};

use crate::common::*;

/// What a callback was told.
pub(crate) fn record(collector: &Collector) -> Rc<RefCell<Vec<(Phase, Generation, usize)>>> {
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
