//! Weak maps and sets, and the audit. Names are those of CPython's `test_weakref.py` (`MappingTestCase`) where it has them.

mod common;

use std::cell::RefCell;

use common::*;
use cpymem_cyclegc::{AnyGc, Collector, Fault, Gc, WeakKeyMap, WeakSet, WeakValueMap};

#[test]
fn test_weak_keyed_len_cycles() {
    let world = World::new();
    let map = WeakKeyMap::new();
    for i in 0..20 {
        map.insert(&world.selfish(&i.to_string()), i);
    }
    assert_eq!(map.len(), 20);
    assert_eq!((world.collect(), map.len()), (20, 0));
}

#[test]
fn test_weak_valued_len_cycles() {
    let world = World::new();
    let map = WeakValueMap::new();
    for i in 0..20 {
        map.insert(i, &world.selfish(&i.to_string()));
    }
    assert_eq!(map.len(), 20);
    assert_eq!((world.collect(), map.len()), (20, 0));
}

#[test]
fn test_weak_values() {
    let map = WeakValueMap::new();
    let objects: Vec<Gc<String>> = (0..10).map(|i| Gc::new(i.to_string())).collect();
    for (i, object) in objects.iter().enumerate() {
        assert!(map.insert(i, object).is_none());
    }
    assert!(map.entries().iter().all(|(i, object)| **object == i.to_string()));
    // Replaced: the death of the old one does not take the new one out.
    let (old, new) = (Gc::new("old".to_owned()), Gc::new("new".to_owned()));
    map.insert(100, &old);
    assert!(Gc::ptr_eq(&map.insert(100, &new).unwrap(), &old));
    drop(old);
    assert_eq!(*map.get(&100).unwrap(), "new");
    assert!(map.remove(&100).is_some() && map.remove(&100).is_none());
    drop(objects);
    assert!(map.is_empty());
}

#[test]
fn test_weak_keys() {
    let world = World::new();
    let map = WeakKeyMap::new();
    let objects: Vec<_> = (0..10).map(|i| world.obj(&i.to_string())).collect();
    objects.iter().enumerate().for_each(|(i, object)| assert!(map.insert(object, i).is_none()));
    assert_eq!(
        (map.get(&objects[3]), map.insert(&objects[3], 33), map.get(&objects[3])),
        (Some(3), Some(3), Some(33))
    );
    assert_eq!(map.keys().len(), 10);
    assert_eq!((map.remove(&objects[0]), map.contains_key(&objects[0])), (Some(0), false));
    drop(objects);
    assert!(map.is_empty());
}

#[test]
fn test_weak_keyed_cascading_deletes() {
    // The value of each entry holds the key of the next: one death takes all with it.
    let world = World::new();
    let map = WeakKeyMap::new();
    let mut key = world.obj("last");
    for i in 0..10_000 {
        let before = world.obj(&i.to_string());
        map.insert(&before, key);
        key = before;
    }
    assert_eq!(map.len(), 10_000);
    drop(key);
    assert_eq!((map.len(), world.dropped().len()), (0, 10_001));
}

#[test]
fn weak_set() {
    let world = World::new();
    let set = WeakSet::new();
    let (a, b) = (world.obj("a"), world.selfish("b"));
    assert!(set.insert(&a) && !set.insert(&a) && set.insert(&b));
    assert!(set.contains(&a) && set.objects().len() == 2);
    drop(a);
    assert_eq!(set.len(), 1);
    drop(b);
    world.collect();
    assert!(set.is_empty());
}

#[test]
#[cfg_attr(feature = "checked", ignore = "the feature panics at what this looks into")]
fn an_audit_finds_what_is_hidden_and_what_is_reported_twice() {
    let collector = Collector::new();
    let inner = collector.alloc(Liar(RefCell::default()));
    let outer: AnyGc = collector.alloc(Liar(RefCell::new(vec![inner]))).into();
    let findings = collector.audit(std::slice::from_ref(&outer));
    assert_eq!((findings.len(), findings[0].fault, findings[0].references), (1, Fault::ReportedTwice, 1));
    assert!(findings[0].reported_by[0].ends_with("Liar"));

    let world = World::new();
    let objects: Vec<_> = (0..10).map(|i| world.obj(&i.to_string())).collect();
    ring(&objects);
    let handles: Vec<AnyGc> = objects.into_iter().map(AnyGc::from).collect();
    assert!(world.collector.audit(&handles).is_empty());
    let hidden = world.collector.audit(&handles[1..]);
    assert_eq!((hidden[0].fault, hidden[0].objects, hidden[0].references), (Fault::Hidden, 1, 1));
}
