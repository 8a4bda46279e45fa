//! Values are dropped exactly once, also where a drop panics.

mod common;

use std::panic::{AssertUnwindSafe, catch_unwind};

use common::{Ledger, Value, drop_quietly, for_each_bomb};
use cpymem_slots::object::{CompactDict, Dict, Name, Shapes, SharedKeys, Slots};

fn names(shapes: &mut Shapes, n: usize) -> Vec<Name> {
    (0..n).map(|i| shapes.intern(&i.to_string())).collect()
}

#[test]
fn slots_drop_their_values() {
    for n in [0, 3, 16, 17, 40] {
        for_each_bomb(n, |ledger| {
            let mut shapes = Shapes::new();
            let names = names(&mut shapes, n + 2);
            let class = shapes.class(&names).unwrap();
            drop_quietly(Slots::with_values(class, (0..n).map(|i| Value(ledger, i))));
        });
    }
}

#[test]
fn slots_give_values_back() {
    for_each_bomb(3, |ledger| {
        let mut shapes = Shapes::new();
        let names = names(&mut shapes, 2);
        let class = shapes.class(&names[..1]).unwrap();
        let mut object = Slots::new(class);
        drop_quietly(object.set(names[0], Value(ledger, 0), &shapes));
        drop_quietly(object.set(names[0], Value(ledger, 1), &shapes)); // gives back 0
        let refused =
            catch_unwind(AssertUnwindSafe(|| object.set(names[1], Value(ledger, 2), &shapes).is_err()));
        assert!(refused.unwrap_or(true));
        drop_quietly(object.delete(names[0], &shapes)); // gives back 1
        drop_quietly(object);
    });
}

#[test]
fn values_too_many_for_the_slots_are_dropped() {
    for_each_bomb(5, |ledger| {
        let mut shapes = Shapes::new();
        let names = names(&mut shapes, 3);
        let class = shapes.class(&names).unwrap();
        let values: Vec<Value> = (0..5).map(|i| Value(ledger, i)).collect();
        let made = catch_unwind(AssertUnwindSafe(|| Slots::with_values(class, values)));
        made.into_iter().for_each(drop_quietly);
    });
}

#[test]
fn dicts_drop_their_values() {
    for n in [0, 3, 16, 17, 29, 30, 31, 60] {
        for_each_bomb(n, |ledger| {
            let mut shapes = Shapes::new();
            let names = names(&mut shapes, n);
            let mut keys = SharedKeys::new();
            let mut object = Dict::new(&mut keys);
            for (i, &name) in names.iter().enumerate() {
                object.set(name, Value(ledger, i), &mut keys).unwrap();
            }
            assert_eq!(object.is_shared(), n < 30);
            drop_quietly(object);
        });
    }
}

#[test]
fn dicts_give_values_back() {
    for n in [3, 40] {
        for_each_bomb(2 * n, |ledger| {
            let mut shapes = Shapes::new();
            let names = names(&mut shapes, n);
            let mut keys = SharedKeys::new();
            let mut object = Dict::new(&mut keys);
            for i in 0..2 * n {
                drop_quietly(object.set(names[i % n], Value(ledger, i), &mut keys));
            }
            for &name in names.iter().step_by(2) {
                drop_quietly(object.delete(name, &keys));
            }
            drop_quietly(object);
        });
    }
}

#[test]
fn refused_values_are_dropped() {
    for_each_bomb(1, |ledger| {
        let mut shapes = Shapes::new();
        let names = names(&mut shapes, 1);
        let mut object = Dict::new(&mut SharedKeys::new());
        let mut strangers = SharedKeys::new();
        let set = catch_unwind(AssertUnwindSafe(|| {
            object.set(names[0], Value(ledger, 0), &mut strangers).is_err()
        }));
        assert!(set.unwrap_or(true));
        assert!(object.is_empty());
    });
}

/// A key that panics when it is dropped, if it is the bomb.
struct Tag<'l>(u64, #[allow(dead_code, reason = "it is dropped")] Value<'l>, bool);

impl PartialEq for Tag<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

impl Eq for Tag<'_> {}

impl cpymem_slots::object::Key for Tag<'_> {
    fn hash(&self) -> u64 {
        self.0.wrapping_mul(0x9e37_79b9_7f4a_7c15)
    }

    fn carries_hash(&self) -> bool {
        self.2
    }
}

#[test]
fn compact_dicts_drop_keys_and_values() {
    for n in [0, 1, 5, 6, 11, 200] {
        for stored_from in [0, n / 2, n] {
            let step = if n > 50 { 37 } else { 1 };
            for bomb in std::iter::once(None).chain((0..4 * n).step_by(step).map(Some)) {
                let ledger = Ledger::of(4 * n, bomb);
                let mut dict = CompactDict::new();
                for i in 0..n {
                    dict.insert(Tag(i as u64, Value(&ledger, i), i < stored_from), Value(&ledger, n + i));
                }
                for i in 0..n {
                    // A key that is there already is dropped, and so is the value before.
                    let again = Tag(i as u64, Value(&ledger, 2 * n + i), i < stored_from);
                    let set = || dict.insert(again, Value(&ledger, 3 * n + i));
                    drop_quietly(catch_unwind(AssertUnwindSafe(set)));
                }
                for i in (0..n).step_by(3) {
                    let probe = catch_unwind(AssertUnwindSafe(|| dict.pop()));
                    drop_quietly(probe);
                    let _ = i;
                }
                drop_quietly(dict);
                ledger.close();
            }
        }
    }
}
