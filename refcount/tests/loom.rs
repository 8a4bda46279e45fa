//! Every interleaving of the shared pointers' protocols, on the code that ships.
//!
//! ```text
//! RUSTFLAGS="--cfg loom" cargo test --release -p cpymem-refcount --test loom
//! ```
#![cfg(loom)]

use allocator_api2::alloc::Global;
use cpymem_refcount::sync::{Arc, CheckFirst, CountFirst, Policy, Weak};
use loom::cell::UnsafeCell;
use loom::sync::atomic::{AtomicUsize, Ordering};
use loom::thread;
use std::sync::Arc as Outside;

type Pointer<P> = Arc<Value, Global, P>;

/// A value that loom watches: a drop or an exclusive use beside any other use is reported as a race. It counts how often it died.
struct Value {
    cell: UnsafeCell<u32>,
    deaths: Outside<AtomicUsize>,
}

// SAFETY is loom's to check: the cell is read by `use_it` and written by `Drop` and by whoever has a `&mut`.
#[allow(unsafe_code, reason = "the models look for exactly what this could break")]
unsafe impl Sync for Value {}

impl Value {
    fn use_it(&self) -> u32 {
        #[allow(unsafe_code, reason = "loom reports a writer at the same time")]
        // SAFETY: loom's to check.
        self.cell.with(|value| unsafe { *value })
    }

    fn change_it(&mut self) {
        #[allow(unsafe_code, reason = "loom reports any other use at the same time")]
        // SAFETY: loom's to check.
        self.cell.with_mut(|value| unsafe { *value += 1 });
    }
}

impl Drop for Value {
    fn drop(&mut self) {
        self.change_it();
        self.deaths.fetch_add(1, Ordering::Relaxed);
    }
}

fn object<P: Policy>() -> (Pointer<P>, Outside<AtomicUsize>) {
    let deaths = Outside::new(AtomicUsize::new(0));
    let value = Value { cell: UnsafeCell::new(0), deaths: deaths.clone() };
    (Arc::with_policy(Arc::new(value)), deaths)
}

fn died(deaths: &AtomicUsize) -> usize {
    deaths.load(Ordering::Relaxed)
}

/// Three preemptions find what there is to find (with two threads, all that these protocols can do); without a bound the model with
/// three threads runs for more than ten minutes.
fn explore(model: fn()) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(builder.preemption_bound.unwrap_or(3));
    builder.check(model);
}

/// Each model under both policies.
macro_rules! models {
    ($($(#[$doc:meta])* $name:ident)*) => {
        mod check_first {
            $($(#[$doc])* #[test] fn $name() { super::explore(super::$name::<super::CheckFirst>) })*
        }
        mod count_first {
            $($(#[$doc])* #[test] fn $name() { super::explore(super::$name::<super::CountFirst>) })*
        }
    };
}

models! {
    last_two_drops
    last_three_drops_and_a_clone
    last_two_drops_of_an_outlined_object
    upgrade_against_the_last_drop
    two_upgrades_against_the_last_drop
    into_inner_gives_the_value_once
    get_mut_against_a_clone
    get_mut_against_an_upgrade
    get_mut_against_a_downgrade
    try_unwrap_against_a_drop
    try_unwrap_against_an_upgrade
    make_mut_against_an_upgrade
    immortalize_against_a_drop
    immortalize_against_a_downgrade
    first_downgrade_against_a_drop
    first_downgrade_against_a_clone
    two_first_downgrades
    cyclic_against_an_upgrade
}

fn last_two_drops<P: Policy>() {
    let (a, deaths) = object::<P>();
    let b = a.clone();
    let other = thread::spawn(move || {
        b.use_it();
        drop(b);
    });
    a.use_it();
    drop(a);
    other.join().unwrap();
    assert_eq!(died(&deaths), 1);
}

fn last_three_drops_and_a_clone<P: Policy>() {
    let (a, deaths) = object::<P>();
    let b = a.clone();
    let other = thread::spawn(move || {
        let c = b.clone();
        drop(b);
        c.use_it();
    });
    a.use_it();
    drop(a);
    other.join().unwrap();
    assert_eq!(died(&deaths), 1);
}

fn last_two_drops_of_an_outlined_object<P: Policy>() {
    let (a, deaths) = object::<P>();
    let weak = Arc::downgrade(&a);
    let b = a.clone();
    let other = thread::spawn(move || {
        b.use_it();
        drop(b);
    });
    drop(a);
    other.join().unwrap();
    assert_eq!(died(&deaths), 1);
    assert!(weak.upgrade().is_none());
}

fn upgrade_against_the_last_drop<P: Policy>() {
    let (a, deaths) = object::<P>();
    let weak = Arc::downgrade(&a);
    let other = thread::spawn(move || {
        if let Some(b) = weak.upgrade() {
            b.use_it();
        }
    });
    a.use_it();
    drop(a);
    other.join().unwrap();
    assert_eq!(died(&deaths), 1);
}

fn two_upgrades_against_the_last_drop<P: Policy>() {
    let (a, deaths) = object::<P>();
    let weak = Arc::downgrade(&a);
    let other = thread::spawn({
        let weak = weak.clone();
        move || weak.upgrade().map(|b| b.use_it())
    });
    let third = thread::spawn(move || drop(a));
    let _used = weak.upgrade().map(|b| b.use_it());
    other.join().unwrap();
    third.join().unwrap();
    assert_eq!(died(&deaths), 1);
    assert!(weak.upgrade().is_none());
}

fn into_inner_gives_the_value_once<P: Policy>() {
    let (a, deaths) = object::<P>();
    let b = a.clone();
    let other = thread::spawn(move || Arc::into_inner(b).is_some());
    let mine = Arc::into_inner(a).is_some();
    assert!(mine ^ other.join().unwrap());
    assert_eq!(died(&deaths), 1);
}

fn get_mut_against_a_clone<P: Policy>() {
    let (mut a, deaths) = object::<P>();
    let b = a.clone();
    let other = thread::spawn(move || {
        let c = b.clone();
        drop(b);
        c.use_it();
    });
    if let Some(value) = Arc::get_mut(&mut a) {
        value.change_it();
    }
    other.join().unwrap();
    assert!(Arc::get_mut(&mut a).is_some());
    drop(a);
    assert_eq!(died(&deaths), 1);
}

fn get_mut_against_an_upgrade<P: Policy>() {
    let (mut a, deaths) = object::<P>();
    let weak = Arc::downgrade(&a);
    let other = thread::spawn(move || {
        let b = weak.upgrade();
        drop(weak);
        b.map(|b| b.use_it())
    });
    if let Some(value) = Arc::get_mut(&mut a) {
        value.change_it();
    }
    other.join().unwrap();
    assert!(Arc::get_mut(&mut a).is_some());
    drop(a);
    assert_eq!(died(&deaths), 1);
}

/// The case that two plain reads get wrong: the other reference turns from strong to weak between them.
fn get_mut_against_a_downgrade<P: Policy>() {
    let (mut a, deaths) = object::<P>();
    drop(Arc::downgrade(&a));
    let b = a.clone();
    let other = thread::spawn(move || {
        let weak = Arc::downgrade(&b);
        drop(b);
        weak.upgrade().map(|c| c.use_it())
    });
    if let Some(value) = Arc::get_mut(&mut a) {
        value.change_it();
    }
    other.join().unwrap();
    drop(a);
    assert_eq!(died(&deaths), 1);
}

fn try_unwrap_against_a_drop<P: Policy>() {
    let (a, deaths) = object::<P>();
    let b = a.clone();
    let other = thread::spawn(move || {
        b.use_it();
        drop(b);
    });
    if let Ok(mut value) = Arc::try_unwrap(a) {
        value.change_it();
    }
    other.join().unwrap();
    assert_eq!(died(&deaths), 1);
}

fn try_unwrap_against_an_upgrade<P: Policy>() {
    let (a, deaths) = object::<P>();
    let weak = Arc::downgrade(&a);
    let other = thread::spawn(move || weak.upgrade().map(|b| b.use_it()));
    if let Ok(mut value) = Arc::try_unwrap(a) {
        value.change_it();
    }
    other.join().unwrap();
    assert_eq!(died(&deaths), 1);
}

#[derive(Clone)]
struct Cloneable(Outside<AtomicUsize>);

fn make_mut_against_an_upgrade<P: Policy>() {
    let uses = Outside::new(AtomicUsize::new(0));
    let mut a: Arc<Cloneable, Global, P> = Arc::with_policy(Arc::new(Cloneable(uses)));
    let weak: Weak<Cloneable, Global, P> = Arc::downgrade(&a);
    let other = thread::spawn(move || weak.upgrade().map(|b| b.0.fetch_add(1, Ordering::Relaxed)).is_some());
    Arc::make_mut(&mut a).0 = Outside::new(AtomicUsize::new(7));
    other.join().unwrap();
    assert_eq!(a.0.load(Ordering::Relaxed), 7);
    assert_eq!((Arc::strong_count(&a), Arc::weak_count(&a)), (1, 0));
}

fn immortalize_against_a_drop<P: Policy>() {
    let (a, deaths) = object::<P>();
    let (b, c) = (a.clone(), a.clone());
    let other = thread::spawn(move || {
        drop(b.clone());
        drop(b);
    });
    Arc::immortalize(&a);
    drop(a);
    other.join().unwrap();
    assert!(Arc::is_immortal(&c));
    drop(c);
    assert_eq!(died(&deaths), 0);
}

fn immortalize_against_a_downgrade<P: Policy>() {
    let (a, deaths) = object::<P>();
    let b = a.clone();
    let other = thread::spawn(move || Arc::downgrade(&b));
    Arc::immortalize(&a);
    drop(a);
    let weak = other.join().unwrap();
    let again = weak.upgrade().expect("an immortal object");
    assert!(Arc::is_immortal(&again));
    drop((again, weak));
    assert_eq!(died(&deaths), 0);
}

fn first_downgrade_against_a_drop<P: Policy>() {
    let (a, deaths) = object::<P>();
    let b = a.clone();
    let other = thread::spawn(move || {
        b.use_it();
        drop(b);
    });
    let weak = Arc::downgrade(&a);
    a.use_it();
    drop(a);
    drop(weak.upgrade());
    other.join().unwrap();
    assert!(weak.upgrade().is_none());
    assert_eq!(died(&deaths), 1);
}

fn first_downgrade_against_a_clone<P: Policy>() {
    let (a, deaths) = object::<P>();
    let b = a.clone();
    let other = thread::spawn(move || {
        let c = b.clone();
        drop(b);
        c
    });
    let weak = Arc::downgrade(&a);
    let c = other.join().unwrap();
    assert_eq!((Arc::strong_count(&a), Arc::weak_count(&c)), (2, 1));
    drop((a, c));
    assert!(weak.upgrade().is_none());
    assert_eq!(died(&deaths), 1);
}

fn two_first_downgrades<P: Policy>() {
    let (a, deaths) = object::<P>();
    let b = a.clone();
    let other = thread::spawn(move || Arc::downgrade(&b));
    let mine = Arc::downgrade(&a);
    let theirs = other.join().unwrap();
    assert!(mine.ptr_eq(&theirs));
    assert_eq!((Arc::strong_count(&a), Arc::weak_count(&a)), (1, 2));
    drop(a);
    assert!(theirs.upgrade().is_none());
    assert_eq!(died(&deaths), 1);
}

/// A weak reference that leaves the constructor of its own object.
fn cyclic_against_an_upgrade<P: Policy>() {
    let deaths = Outside::new(AtomicUsize::new(0));
    let mut other = None;
    let a = Arc::new_cyclic(|weak: &Weak<Value>| {
        let weak = weak.clone();
        other = Some(thread::spawn(move || weak.upgrade().map(|b| b.use_it())));
        Value { cell: UnsafeCell::new(0), deaths: deaths.clone() }
    });
    other.unwrap().join().unwrap();
    drop(a);
    assert_eq!(died(&deaths), 1);
}
