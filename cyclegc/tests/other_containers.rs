//! Containers of other crates: `cargo test --features either,hashbrown,indexmap,smallvec`.
#![cfg(all(feature = "either", feature = "hashbrown", feature = "indexmap", feature = "smallvec"))]

use std::cell::RefCell;
use std::hash::{Hash, Hasher, RandomState};

use cpymem_cyclegc::{Collector, Gc, Trace};

#[derive(Trace, Default)]
struct Holder {
    either: RefCell<Option<either::Either<Gc<Holder>, u8>>>,
    map: RefCell<hashbrown::HashMap<u8, Gc<Holder>, RandomState>>,
    keys: RefCell<hashbrown::HashSet<Key, RandomState>>,
    index: RefCell<indexmap::IndexMap<u8, Gc<Holder>, RandomState>>,
    index_keys: RefCell<indexmap::IndexSet<Key, RandomState>>,
    small: RefCell<smallvec::SmallVec<[Gc<Holder>; 2]>>,
}

/// A key that is compared by address.
#[derive(Trace)]
struct Key(Gc<Holder>);

impl PartialEq for Key {
    fn eq(&self, other: &Key) -> bool {
        Gc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Key {}

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        Gc::as_ptr(&self.0).hash(state);
    }
}

#[test]
fn are_followed_and_severed() {
    type Tie = fn(&Holder, Gc<Holder>);
    let ties: &[Tie] = &[
        |h, gc| *h.either.borrow_mut() = Some(either::Either::Left(gc)),
        |h, gc| drop(h.map.borrow_mut().insert(1, gc)),
        |h, gc| assert!(h.keys.borrow_mut().insert(Key(gc))),
        |h, gc| drop(h.index.borrow_mut().insert(1, gc)),
        |h, gc| assert!(h.index_keys.borrow_mut().insert(Key(gc))),
        |h, gc| h.small.borrow_mut().extend([gc.clone(), gc.clone(), gc]),
    ];
    for (i, tie) in ties.iter().enumerate() {
        let collector = Collector::new();
        let holder = collector.alloc(Holder::default());
        tie(&holder, holder.clone());
        assert_eq!(collector.collect(), 0, "tie {i}");
        drop(holder);
        assert_eq!((collector.collect(), collector.objects()), (1, 0), "tie {i}");
    }
}
