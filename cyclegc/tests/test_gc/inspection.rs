//! Looking at a heap: who refers to whom, what is tracked, frozen, kept.

use cpymem_cyclegc::gc::{self, get_referents, is_finalized, is_tracked};
use cpymem_cyclegc::{AnyGc, Debug, Gc, Generation, Trace};

use crate::common::*;

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
