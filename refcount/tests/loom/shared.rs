//! `sync::{Arc, Weak}`.

use super::value::{Deaths, Value, explore};
use allocator_api2::alloc::Global;
use cpymem_refcount::sync::{Arc, CheckFirst, CountFirst, Policy, Watch, Weak};
use loom::sync::atomic::{AtomicUsize, Ordering};
use loom::thread;
use std::sync::Arc as Outside;

type Pointer<P> = Arc<Value, Global, P>;

fn object<P: Policy>() -> (Pointer<P>, Deaths) {
    let (value, deaths) = Value::new();
    (Arc::with_policy(Arc::new(value)), deaths)
}

/// A new object; what `give` makes of it goes to a second thread, which does `theirs` while this one does `mine`.
fn meet<P: Policy, X: 'static, R, S: 'static>(
    give: impl FnOnce(&Pointer<P>) -> X,
    mine: impl FnOnce(Pointer<P>) -> R,
    theirs: impl FnOnce(X) -> S + 'static,
) -> (R, S, Deaths) {
    let (object, deaths) = object::<P>();
    let given = give(&object);
    let other = thread::spawn(move || theirs(given));
    let mine = mine(object);
    (mine, other.join().unwrap(), deaths)
}

/// The same; afterwards nothing is left, and the value has died once.
fn meet_once<P: Policy, X: 'static, R, S: 'static>(
    give: impl FnOnce(&Pointer<P>) -> X,
    mine: impl FnOnce(Pointer<P>) -> R,
    theirs: impl FnOnce(X) -> S + 'static,
) {
    let (mine, theirs, deaths) = meet(give, mine, theirs);
    drop((mine, theirs));
    assert_eq!(deaths.count(), 1);
}

fn clone_of<P: Policy>(object: &Pointer<P>) -> Pointer<P> {
    object.clone()
}

fn weak_of<P: Policy>(object: &Pointer<P>) -> Weak<Value, Global, P> {
    Arc::downgrade(object)
}

fn use_and_drop<P: Policy>(object: Pointer<P>) {
    object.use_it();
}

fn clone_drop_and_use<P: Policy>(object: Pointer<P>) {
    let clone = object.clone();
    drop(object);
    clone.use_it();
}

fn upgrade_and_use<P: Policy>(weak: Weak<Value, Global, P>) {
    if let Some(object) = weak.upgrade() {
        object.use_it();
    }
}

fn change_if_alone<P: Policy>(mut object: Pointer<P>) -> Pointer<P> {
    if let Some(value) = Arc::get_mut(&mut object) {
        value.change_it();
    }
    object
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
    callback_against_its_cancelling
    callback_against_its_detaching
    two_first_callbacks
    callback_and_upgrade_against_the_last_drop
    make_mut_against_cancelling
}

fn last_two_drops<P: Policy>() {
    meet_once::<P, _, _, _>(clone_of, use_and_drop, use_and_drop);
}

fn last_three_drops_and_a_clone<P: Policy>() {
    meet_once::<P, _, _, _>(clone_of, use_and_drop, clone_drop_and_use);
}

fn last_two_drops_of_an_outlined_object<P: Policy>() {
    let mut weak = None;
    let give = |a: &Pointer<P>| {
        weak = Some(Arc::downgrade(a));
        a.clone()
    };
    meet_once(give, use_and_drop, use_and_drop);
    assert!(weak.unwrap().upgrade().is_none());
}

fn upgrade_against_the_last_drop<P: Policy>() {
    meet_once::<P, _, _, _>(weak_of, use_and_drop, upgrade_and_use);
}

fn two_upgrades_against_the_last_drop<P: Policy>() {
    let (a, deaths) = object::<P>();
    let weak = Arc::downgrade(&a);
    let other = thread::spawn({
        let weak = weak.clone();
        move || upgrade_and_use(weak)
    });
    let third = thread::spawn(move || drop(a));
    upgrade_and_use(weak.clone());
    other.join().unwrap();
    third.join().unwrap();
    assert_eq!(deaths.count(), 1);
    assert!(weak.upgrade().is_none());
}

fn into_inner_gives_the_value_once<P: Policy>() {
    let taken = |object| Arc::into_inner(object).is_some();
    let (mine, theirs, deaths) = meet::<P, _, _, _>(clone_of, taken, taken);
    assert!(mine ^ theirs);
    assert_eq!(deaths.count(), 1);
}

/// Afterwards the only owner is found to be that.
fn get_mut_in_the_end<P: Policy>((mut mine, (), deaths): (Pointer<P>, (), Deaths)) {
    assert!(Arc::get_mut(&mut mine).is_some());
    drop(mine);
    assert_eq!(deaths.count(), 1);
}

fn get_mut_against_a_clone<P: Policy>() {
    get_mut_in_the_end(meet::<P, _, _, _>(clone_of, change_if_alone, clone_drop_and_use));
}

fn get_mut_against_an_upgrade<P: Policy>() {
    let upgrade_and_forget_the_weak = |weak: Weak<Value, Global, P>| {
        let object = weak.upgrade();
        drop(weak);
        if let Some(object) = object {
            use_and_drop(object);
        }
    };
    get_mut_in_the_end(meet::<P, _, _, _>(weak_of, change_if_alone, upgrade_and_forget_the_weak));
}

/// The case that two plain reads get wrong: the other reference turns from strong to weak between them.
fn get_mut_against_a_downgrade<P: Policy>() {
    let give = |a: &Pointer<P>| {
        drop(Arc::downgrade(a));
        a.clone()
    };
    meet_once(give, change_if_alone, |object| {
        let weak = Arc::downgrade(&object);
        drop(object);
        upgrade_and_use(weak);
    });
}

fn unwrap_and_change<P: Policy>(object: Pointer<P>) {
    if let Ok(mut value) = Arc::try_unwrap(object) {
        value.change_it();
    }
}

fn try_unwrap_against_a_drop<P: Policy>() {
    meet_once::<P, _, _, _>(clone_of, unwrap_and_change, use_and_drop);
}

fn try_unwrap_against_an_upgrade<P: Policy>() {
    meet_once::<P, _, _, _>(weak_of, unwrap_and_change, upgrade_and_use);
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
    let mut kept = None;
    let give = |a: &Pointer<P>| {
        kept = Some(a.clone());
        a.clone()
    };
    let ((), (), deaths) = meet(give, |a| Arc::immortalize(&a), |b| drop((b.clone(), b)));
    assert!(kept.is_some_and(|object| Arc::is_immortal(&object)));
    assert_eq!(deaths.count(), 0);
}

fn immortalize_against_a_downgrade<P: Policy>() {
    let ((), weak, deaths) = meet::<P, _, _, _>(clone_of, |a| Arc::immortalize(&a), |b| Arc::downgrade(&b));
    assert!(weak.upgrade().is_some_and(|object| Arc::is_immortal(&object)));
    drop(weak);
    assert_eq!(deaths.count(), 0);
}

fn downgrade_and_drop<P: Policy>(object: Pointer<P>) -> Weak<Value, Global, P> {
    let weak = Arc::downgrade(&object);
    object.use_it();
    drop(object);
    drop(weak.upgrade());
    weak
}

fn first_downgrade_against_a_drop<P: Policy>() {
    let (weak, (), deaths) = meet::<P, _, _, _>(clone_of, downgrade_and_drop, use_and_drop);
    assert!(weak.upgrade().is_none());
    assert_eq!(deaths.count(), 1);
}

fn first_downgrade_against_a_clone<P: Policy>() {
    let downgrade = |a: Pointer<P>| (Arc::downgrade(&a), a);
    let ((weak, a), c, deaths) = meet(clone_of, downgrade, |b| b.clone());
    assert_eq!((Arc::strong_count(&a), Arc::weak_count(&c)), (2, 1));
    drop((a, c));
    assert!(weak.upgrade().is_none());
    assert_eq!(deaths.count(), 1);
}

fn two_first_downgrades<P: Policy>() {
    let downgrade = |a: Pointer<P>| (Arc::downgrade(&a), a);
    let ((mine, a), theirs, deaths) = meet(clone_of, downgrade, |b| Arc::downgrade(&b));
    assert!(mine.ptr_eq(&theirs));
    assert_eq!((Arc::strong_count(&a), Arc::weak_count(&a)), (1, 2));
    drop(a);
    assert!(theirs.upgrade().is_none());
    assert_eq!(deaths.count(), 1);
}

/// A weak reference that leaves the constructor of its own object.
fn cyclic_against_an_upgrade<P: Policy>() {
    let (value, deaths) = Value::new();
    let mut other = None;
    let a = Arc::new_cyclic(|weak: &Weak<Value>| {
        let weak = weak.clone();
        other = Some(thread::spawn(move || upgrade_and_use(weak)));
        value
    });
    other.unwrap().join().unwrap();
    drop(a);
    assert_eq!(deaths.count(), 1);
}

/// What a callback leaves behind: how often it was called, and how often it went away.
#[derive(Clone)]
struct Calls {
    called: Outside<AtomicUsize>,
    dropped: Outside<AtomicUsize>,
}

impl Calls {
    fn new() -> Calls {
        Calls { called: Outside::new(AtomicUsize::new(0)), dropped: Outside::new(AtomicUsize::new(0)) }
    }

    fn watch<P: Policy>(&self, object: &Pointer<P>) -> Watch<Value, Global, P> {
        struct Guard(Calls);
        impl Drop for Guard {
            fn drop(&mut self) {
                self.0.dropped.fetch_add(1, Ordering::Relaxed);
            }
        }
        let guard = Guard(self.clone());
        Arc::downgrade_with(object, move |weak| {
            assert!(weak.upgrade().is_none());
            guard.0.called.fetch_add(1, Ordering::Relaxed);
        })
    }

    /// Called at most so often, and gone whether called or not.
    fn expect(&self, registered: usize, called: std::ops::RangeInclusive<usize>) {
        assert!(called.contains(&self.called.load(Ordering::Relaxed)));
        assert_eq!(self.dropped.load(Ordering::Relaxed), registered);
    }
}

fn callback_against_its_cancelling<P: Policy>() {
    let calls = Calls::new();
    let other_calls = calls.clone();
    meet_once::<P, _, _, _>(
        |a| (calls.watch(a), Watch::detach(other_calls.watch(a)), calls.watch(a)).0,
        use_and_drop,
        drop,
    );
    // One was cancelled at once, one waits without a `Watch`, one is cancelled or called.
    calls.expect(3, 1..=2);
}

fn callback_against_its_detaching<P: Policy>() {
    let calls = Calls::new();
    meet_once::<P, _, _, _>(|a| calls.watch(a), use_and_drop, |watch| drop(Watch::detach(watch)));
    calls.expect(1, 1..=1);
}

fn two_first_callbacks<P: Policy>() {
    let calls = Calls::new();
    let register = |calls: Calls| move |a: Pointer<P>| calls.watch(&a);
    meet_once(clone_of, register(calls.clone()), register(calls.clone()));
    calls.expect(2, 2..=2);
}

fn callback_and_upgrade_against_the_last_drop<P: Policy>() {
    let calls = Calls::new();
    let mut watch = None;
    let give = |a: &Pointer<P>| {
        let weak = Arc::downgrade(a);
        watch = Some(calls.watch(a));
        weak
    };
    meet_once(give, use_and_drop, upgrade_and_use);
    drop(watch);
    calls.expect(1, 1..=1);
}

fn make_mut_against_cancelling<P: Policy>() {
    let calls = Calls::new();
    let uses = Outside::new(AtomicUsize::new(0));
    let mut a: Arc<Cloneable, Global, P> = Arc::with_policy(Arc::new(Cloneable(uses)));
    let called = calls.called.clone();
    let watch = Arc::downgrade_with(&a, move |_| {
        called.fetch_add(1, Ordering::Relaxed);
    });
    let other = thread::spawn(move || drop(watch));
    Arc::make_mut(&mut a).0 = Outside::new(AtomicUsize::new(7));
    other.join().unwrap();
    assert_eq!((Arc::strong_count(&a), Arc::weak_count(&a)), (1, 0));
    assert!(calls.called.load(Ordering::Relaxed) <= 1);
}
