//! When collections start, and what they count.

use cpymem_cyclegc::{Debug, Generation, Phase};

use crate::callbacks::record;
use crate::common::*;

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
