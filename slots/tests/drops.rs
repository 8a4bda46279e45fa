//! Values are dropped exactly once, also where a drop panics.

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};

use cpymem_slots::object::{Dict, Name, Shapes, SharedKeys, Slots};

/// How often each value was dropped, and which one panics.
struct Ledger {
    drops: RefCell<Vec<u32>>,
    bomb: Option<usize>,
}

struct Value<'l>(&'l Ledger, usize);

impl Drop for Value<'_> {
    fn drop(&mut self) {
        self.0.drops.borrow_mut()[self.1] += 1;
        assert!(self.0.bomb != Some(self.1), "bomb went off: value {}", self.1);
    }
}

impl Ledger {
    fn of(values: usize, bomb: Option<usize>) -> Ledger {
        Ledger { drops: RefCell::new(vec![0; values]), bomb }
    }

    /// Every one of the values was dropped, and dropped once.
    fn close(self) {
        let drops = self.drops.into_inner();
        assert!(drops.iter().all(|&count| count == 1), "drops {drops:?} with bomb {:?}", self.bomb);
    }
}

fn names(shapes: &mut Shapes, n: usize) -> Vec<Name> {
    (0..n).map(|i| shapes.intern(&i.to_string())).collect()
}

/// Drops an object, of which a value may panic.
fn drop_quietly<T>(object: T) {
    let _ = catch_unwind(AssertUnwindSafe(|| drop(object)));
}

/// Runs a scenario with no bomb and with each value as the bomb.
fn for_each_bomb(values: usize, scenario: impl Fn(&Ledger)) {
    std::panic::set_hook(Box::new(|info| {
        if !info.to_string().contains("bomb went off") {
            eprintln!("{info}");
        }
    }));
    for bomb in std::iter::once(None).chain((0..values).map(Some)) {
        let ledger = Ledger::of(values, bomb);
        scenario(&ledger);
        ledger.close();
    }
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
