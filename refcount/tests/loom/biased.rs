//! `biased::{BiasedRc, Weak}`. In the model's main thread, the object's owner unless it says otherwise.

use super::value::{Deaths, Value, explore};
use cpymem_refcount::biased::{BiasedRc, Weak, poll};
use cpymem_refcount::raw::biased::{depart, merge_all, set_owner_limit};
use loom::sync::atomic::{AtomicBool, Ordering};
use loom::thread;
use std::sync::Arc as Outside;

type Pointer = BiasedRc<Value>;

/// Two references that outlive their owner. (In loom a thread can be joined before its thread-locals are gone; therefore it departs first.)
fn of_a_departed_owner() -> ([Pointer; 2], Deaths) {
    let (value, deaths) = Value::new();
    let owner = thread::spawn(move || {
        let a = BiasedRc::new(value);
        let clones = two_clones_of(&a);
        use_and_drop(a);
        depart();
        clones
    });
    (owner.join().unwrap(), deaths)
}

fn object() -> (Pointer, Deaths) {
    let (value, deaths) = Value::new();
    (BiasedRc::new(value), deaths)
}

/// A new object; what `give` makes of it goes to a second thread, which does `theirs` while the owner does `mine`. Afterwards, when the
/// owner has looked into its queue, nothing is left, and the value has died once.
fn meet_once<X: 'static, R, S: 'static>(
    give: impl FnOnce(&Pointer) -> X,
    mine: impl FnOnce(Pointer) -> R,
    theirs: impl FnOnce(X) -> S + 'static,
) {
    let (object, deaths) = object();
    let given = give(&object);
    let other = thread::spawn(move || theirs(given));
    let mine = mine(object);
    let theirs = other.join().unwrap();
    drop((mine, theirs));
    poll();
    assert_eq!(deaths.count(), 1);
}

/// As [`meet_once`], with two threads besides the owner: each does its part with what it was given.
fn three_meet_once<X: 'static, Y: 'static>(
    give: impl FnOnce(&Pointer) -> (X, Y),
    mine: impl FnOnce(Pointer),
    second: impl FnOnce(X) + 'static,
    third: impl FnOnce(Y) + 'static,
) {
    let (object, deaths) = object();
    let (for_second, for_third) = give(&object);
    let second = thread::spawn(move || second(for_second));
    let third = thread::spawn(move || third(for_third));
    mine(object);
    second.join().unwrap();
    third.join().unwrap();
    poll();
    assert_eq!(deaths.count(), 1);
}

/// A new object goes to a second thread, which does `theirs`, while its owner has but a weak reference, and upgrades that.
fn meet_the_owners_upgrade(theirs: impl FnOnce(Pointer) + 'static) {
    let (object, deaths) = object();
    let weak = weak_of(&object);
    let other = thread::spawn(move || theirs(object));
    upgrade_and_use(weak);
    other.join().unwrap();
    poll();
    assert_eq!(deaths.count(), 1);
}

/// A new object's owner puts what `give` makes of it where the model's main thread finds it, if it looks late enough, and does `mine`, after
/// which it is gone; the main thread does `theirs`.
fn meet_an_owner_that_ends<X: 'static>(
    give: impl FnOnce(&Pointer) -> X + 'static,
    mine: impl FnOnce(Pointer) + 'static,
    theirs: impl FnOnce(X),
) {
    let (value, deaths) = Value::new();
    let place = Outside::new(loom::sync::Mutex::new(None));
    let owner = thread::spawn({
        let place = place.clone();
        move || {
            let object = BiasedRc::new(value);
            *place.lock().unwrap() = Some(give(&object));
            mine(object);
        }
    });
    let given = place.lock().unwrap().take();
    if let Some(given) = given {
        theirs(given);
    }
    owner.join().unwrap();
    drop(place.lock().unwrap().take());
    assert_eq!(deaths.count(), 1);
}

fn clone_of(object: &Pointer) -> Pointer {
    object.clone()
}

fn two_clones_of(object: &Pointer) -> [Pointer; 2] {
    [object.clone(), object.clone()]
}

fn weak_of(object: &Pointer) -> Weak<Value> {
    BiasedRc::downgrade(object)
}

fn use_and_drop(object: Pointer) {
    object.use_it();
}

fn clone_drop_and_use(object: Pointer) {
    let clone = object.clone();
    drop(object);
    clone.use_it();
}

fn upgrade_and_use(weak: Weak<Value>) {
    if let Some(object) = weak.upgrade() {
        object.use_it();
    }
}

fn change_if_alone(mut object: Pointer) -> Pointer {
    if let Some(value) = BiasedRc::get_mut(&mut object) {
        value.change_it();
    }
    object
}

fn unwrap_and_change(object: Pointer) {
    if let Ok(mut value) = BiasedRc::try_unwrap(object) {
        value.change_it();
    }
}

macro_rules! models {
    ($($(#[$doc:meta])* fn $name:ident() $model:block)*) => {$(
        $(#[$doc])*
        #[test]
        fn $name() {
            explore(|| $model);
        }
    )*};
}

models! {
    // Last drops.

    fn last_two_drops() {
        meet_once(clone_of, use_and_drop, use_and_drop);
    }

    fn last_two_drops_and_clones() {
        meet_once(clone_of, clone_drop_and_use, clone_drop_and_use);
    }

    fn last_two_drops_of_an_outlined_object() {
        let mut weak = None;
        meet_once(|a| { weak = Some(weak_of(a)); a.clone() }, use_and_drop, use_and_drop);
        assert!(weak.unwrap().upgrade().is_none());
    }

    /// The last reference of another thread finds itself alone, or not, while the owner lets go.
    fn drop_alone_against_the_owners_clone_and_drop() {
        meet_once(clone_of, |a| { let b = a.clone(); b.use_it(); drop(a); b.use_it() }, use_and_drop);
    }

    /// Two others, one of which clones: the shared count goes up and comes down while the second looks.
    fn drop_alone_against_two_threads() {
        three_meet_once(|a| (a.clone(), a.clone()), use_and_drop, use_and_drop, clone_drop_and_use);
    }

    /// A reference that the other thread has counted comes to the owner, who drops it from the local count.
    fn references_that_move_to_the_owner() {
        let (a, deaths) = object();
        let b = a.clone();
        let other = thread::spawn(move || {
            let (c, d) = (b.clone(), b.clone());
            drop(b);
            c.use_it();
            (c, d)
        });
        use_and_drop(a);
        drop(other.join().unwrap());
        poll();
        assert_eq!(deaths.count(), 1);
    }

    /// The owner's count falls to zero while another thread counts in the shared word.
    fn merge_against_foreign_drops() {
        meet_once(
            two_clones_of,
            |a| { let b = a.clone(); drop(a); use_and_drop(b) },
            |[b, c]| { use_and_drop(b); use_and_drop(c) },
        );
    }

    /// A reference is being queued while the owner merges on its own; and while it drains.
    fn queue_against_merge() {
        meet_once(two_clones_of, |a| { drop(a); poll(); }, |[b, c]| { drop(b); use_and_drop(c) });
    }

    fn queue_against_disowning() {
        meet_once(two_clones_of, |a| { BiasedRc::disown(&a); use_and_drop(a) }, |[b, c]| { drop(b); use_and_drop(c) });
    }

    /// Two threads that could both queue a reference of theirs: one does.
    fn an_object_is_queued_once() {
        let (a, deaths) = object();
        let [b, c] = two_clones_of(&a);
        let second = thread::spawn(move || drop(b));
        let third = thread::spawn(move || drop(c));
        second.join().unwrap();
        third.join().unwrap();
        assert!(poll() <= 1 && deaths.count() == 0);
        assert!(BiasedRc::strong_count(&a) == 1);
        drop(a);
        assert_eq!(deaths.count(), 1);
    }

    fn into_inner_against_a_drop() {
        let mut died = 0;
        let (a, deaths) = object();
        let b = a.clone();
        let other = thread::spawn(move || BiasedRc::into_inner(b).is_some());
        died += usize::from(BiasedRc::into_inner(a).is_some());
        died += usize::from(other.join().unwrap());
        poll();
        assert!(died <= 1);
        assert_eq!(deaths.count(), 1);
    }

    // Weak references.

    fn upgrade_against_the_owners_last_drop() {
        meet_once(weak_of, use_and_drop, upgrade_and_use);
    }

    /// The last reference is the other thread's, the upgrade the owner's.
    fn the_owners_upgrade_against_a_last_drop() {
        meet_the_owners_upgrade(use_and_drop);
    }

    fn upgrade_against_two_drops() {
        three_meet_once(|a| (a.clone(), weak_of(a)), use_and_drop, use_and_drop, upgrade_and_use);
    }

    /// The object gets its side header while the owner is about to let it die by a look alone; and while another thread looks whether it is
    /// alone.
    fn first_downgrade_against_the_quick_deaths() {
        meet_once(clone_of, use_and_drop, |b| {
            let weak = weak_of(&b);
            b.use_it();
            drop(b);
            upgrade_and_use(weak);
        });
    }

    fn the_owners_first_downgrade_against_a_drop() {
        meet_once(clone_of, |a| { let weak = weak_of(&a); drop(a); upgrade_and_use(weak) }, use_and_drop);
    }

    fn two_first_downgrades() {
        let (a, deaths) = object();
        let b = a.clone();
        let other = thread::spawn(move || (weak_of(&b), b));
        let mine = weak_of(&a);
        let (theirs, b) = other.join().unwrap();
        assert!(mine.ptr_eq(&theirs) && BiasedRc::weak_count(&a) == 2);
        drop((a, b));
        poll();
        assert!(theirs.upgrade().is_none());
        assert_eq!(deaths.count(), 1);
    }

    /// A weak reference that leaves the constructor of its own object.
    fn cyclic_against_an_upgrade() {
        let (value, deaths) = Value::new();
        let mut other = None;
        let a = BiasedRc::new_cyclic(|weak: &Weak<Value>| {
            let weak = weak.clone();
            other = Some(thread::spawn(move || upgrade_and_use(weak)));
            value
        });
        drop(a);
        other.unwrap().join().unwrap();
        poll();
        assert_eq!(deaths.count(), 1);
    }

    // Exclusive access.

    fn get_mut_against_a_drop() {
        meet_once(clone_of, change_if_alone, use_and_drop);
    }

    fn get_mut_of_another_thread_against_the_owners_drop() {
        meet_once(clone_of, use_and_drop, change_if_alone);
    }

    fn get_mut_of_another_thread_against_clones() {
        three_meet_once(|a| (a.clone(), a.clone()), use_and_drop, |b| drop(change_if_alone(b)), clone_drop_and_use);
    }

    fn get_mut_against_an_upgrade() {
        meet_once(weak_of, change_if_alone, |weak| {
            let object = weak.upgrade();
            drop(weak);
            if let Some(object) = object {
                use_and_drop(object);
            }
        });
    }

    fn get_mut_of_another_thread_against_a_downgrade() {
        meet_once(
            clone_of,
            |a| { let weak = weak_of(&a); drop(a); upgrade_and_use(weak) },
            change_if_alone,
        );
    }

    fn try_unwrap_against_an_upgrade() {
        meet_once(weak_of, unwrap_and_change, upgrade_and_use);
    }

    fn try_unwrap_of_another_thread_against_the_owners_upgrade() {
        meet_the_owners_upgrade(unwrap_and_change);
    }

    fn try_unwrap_of_another_thread_against_a_drop() {
        meet_once(clone_of, use_and_drop, unwrap_and_change);
    }

    /// What was alone and has changed hands is counted by its new owner.
    fn adopting_against_the_old_owners_drop() {
        meet_once(clone_of, use_and_drop, |mut b| {
            if BiasedRc::adopt(&mut b) {
                assert!(BiasedRc::is_owned(&b));
            }
            clone_drop_and_use(b);
        });
    }

    // Threads that end.

    /// A reference is being queued while its owner ends.
    fn queue_against_the_owners_end() {
        meet_an_owner_that_ends(
            two_clones_of,
            |a| { use_and_drop(a); depart() },
            |[b, c]| { drop(b); use_and_drop(c) },
        );
    }

    /// Two threads merge for an owner that is gone.
    fn merges_for_a_departed_owner() {
        let ([b, c], deaths) = of_a_departed_owner();
        let other = thread::spawn(move || use_and_drop(b));
        drop(change_if_alone(c));
        other.join().unwrap();
        assert_eq!(deaths.count(), 1);
    }

    /// A thread gets the index of one that is gone while a reference is dropped to an object of that one.
    fn a_slot_is_not_reused() {
        let ([b, c], deaths) = of_a_departed_owner();
        let next = thread::spawn(move || {
            let (object, deaths) = object();
            assert!(!BiasedRc::is_owned(&b), "another generation");
            drop(b);
            use_and_drop(object);
            poll();
            assert_eq!(deaths.count(), 1);
        });
        use_and_drop(c);
        next.join().unwrap();
        assert_eq!(deaths.count(), 1);
    }

    /// A thread whose thread-locals are gone is foreign to its own objects.
    fn the_end_of_a_thread_against_drops() {
        meet_an_owner_that_ends(
            clone_of,
            |a| {
                depart();
                assert!(!BiasedRc::is_owned(&a));
                clone_drop_and_use(a);
                drop(object());
            },
            drop,
        );
    }

    /// References in thread-locals that are dropped with their thread.
    fn drops_in_thread_locals() {
        loom::thread_local! {
            static KEPT: std::cell::RefCell<Option<Pointer>> = std::cell::RefCell::new(None);
        }
        let (a, deaths) = object();
        let b = a.clone();
        let other = thread::spawn(|| KEPT.with(|kept| drop(kept.replace(Some(b)))));
        use_and_drop(a);
        other.join().unwrap();
        // It comes after the join, in loom.
        while deaths.count() == 0 {
            poll();
            thread::yield_now();
        }
        assert_eq!(deaths.count(), 1);
    }

    /// No slot is left: the object is born merged.
    fn born_merged_without_a_slot() {
        set_owner_limit(0);
        let mut weak = None;
        meet_once(
            |a| { assert!(!BiasedRc::is_owned(a)); weak = Some(weak_of(a)); two_clones_of(a) },
            |a| drop(change_if_alone(a)),
            |[b, c]| { drop(b); use_and_drop(c) },
        );
        assert!(weak.unwrap().upgrade().is_none() && poll() == 0);
    }

    fn born_merged_and_alone() {
        set_owner_limit(0);
        meet_once(clone_of, |a| { drop(change_if_alone(a)) }, clone_drop_and_use);
    }

    // Immortality, and a collector.

    fn immortalize_against_drops() {
        let (a, deaths) = object();
        let kept = a.clone();
        let [b, c] = two_clones_of(&a);
        let other = thread::spawn(move || { drop(b); clone_drop_and_use(c) });
        BiasedRc::immortalize(&a);
        drop(a);
        other.join().unwrap();
        poll();
        assert!(BiasedRc::is_immortal(&kept));
        drop(kept);
        assert_eq!(deaths.count(), 0);
    }

    fn immortalize_elsewhere_against_the_owners_drop() {
        let (a, deaths) = object();
        let b = a.clone();
        let other = thread::spawn(move || BiasedRc::immortalize(&b));
        use_and_drop(a);
        other.join().unwrap();
        poll();
        assert!(deaths.count() == 0);
    }

    /// A collector merges for an owner that waits.
    fn a_collector_merges_while_the_owner_is_detached() {
        let detached = Outside::new(AtomicBool::new(false));
        let resumed = Outside::new(AtomicBool::new(false));
        let (value, deaths) = Value::new();
        let place = Outside::new(loom::sync::Mutex::new(None));
        let owner = thread::spawn({
            let (detached, resumed, place) = (detached.clone(), resumed.clone(), place.clone());
            move || {
                let a = BiasedRc::new(value);
                *place.lock().unwrap() = Some(two_clones_of(&a));
                a.use_it();
                detached.store(true, Ordering::Release);
                while !resumed.load(Ordering::Acquire) {
                    thread::yield_now();
                }
                clone_drop_and_use(a);
                poll();
            }
        });
        let given = place.lock().unwrap().take();
        drop(given);
        while !detached.load(Ordering::Acquire) {
            thread::yield_now();
        }
        drop(place.lock().unwrap().take());
        #[allow(unsafe_code, reason = "the collector's hook")]
        // SAFETY: the only other thread waits.
        let merged = unsafe { merge_all() };
        assert_eq!(merged.references(), 1);
        resumed.store(true, Ordering::Release);
        drop(merged);
        owner.join().unwrap();
        assert_eq!(deaths.count(), 1);
    }
}
