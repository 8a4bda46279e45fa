//! Objects that their finalizers bring back.

use cpymem_cyclegc::Gc;

use crate::common::*;

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
