//! `biased::{BiasedRc, Weak}`: the behaviours of `std::sync`'s pointers, and who destroys an object when, on real threads.

use cpymem_refcount::biased::{BiasedRc, Watch, Weak, poll};
use cpymem_refcount::raw::biased::{is_owner, merge_all};
use cpymem_refcount::{set_unraisable_hook, unsize};
use std::cell::RefCell;
use std::error::Error;
use std::fmt::Display;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, mpsc};
use std::thread;

/// Counts its drops.
#[derive(Clone, Default)]
struct Deaths(Arc<AtomicUsize>);

impl Deaths {
    fn count(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }

    fn object(&self) -> BiasedRc<Counted> {
        BiasedRc::new(Counted(self.clone()))
    }
}

struct Counted(Deaths);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// On another thread, which has ended afterwards.
fn elsewhere<R: Send + 'static>(work: impl FnOnce() -> R + Send + 'static) -> R {
    thread::spawn(work).join().expect("no panic")
}

#[test]
fn counts_and_identity() {
    let a = BiasedRc::new(5);
    let b = a.clone();
    let weak = BiasedRc::downgrade(&a);
    assert_eq!((BiasedRc::strong_count(&b), BiasedRc::weak_count(&b)), (2, 1));
    assert_eq!((weak.strong_count(), weak.weak_count()), (2, 1));
    assert!(BiasedRc::ptr_eq(&a, &b) && !BiasedRc::ptr_eq(&a, &BiasedRc::new(5)));
    assert!(weak.ptr_eq(&BiasedRc::downgrade(&b)) && is_owner());
    drop((a, b));
    assert_eq!((weak.strong_count(), weak.weak_count()), (0, 0));
    assert!(weak.upgrade().is_none() && Weak::<u8>::new().upgrade().is_none());
}

#[test]
fn the_owner_keeps_its_object_through_upgrades() {
    let a = BiasedRc::new(1);
    let weak = BiasedRc::downgrade(&a);
    for _ in 0..10 {
        drop(weak.upgrade().unwrap());
        assert!(BiasedRc::is_owned(&a));
    }
    assert_eq!(BiasedRc::strong_count(&a), 1);
}

#[test]
fn an_only_reference_dies_where_it_is_dropped() {
    let deaths = Deaths::default();
    let object = deaths.object();
    elsewhere(move || drop(object));
    assert_eq!((deaths.count(), poll()), (1, 0));
    // With a weak reference too, which sees it die.
    let object = deaths.object();
    let weak = BiasedRc::downgrade(&object);
    elsewhere(move || drop(object));
    assert_eq!((deaths.count(), poll()), (2, 0));
    assert!(weak.upgrade().is_none());
    // And after clones have come and gone there.
    let object = deaths.object();
    elsewhere(move || {
        let clones = [object.clone(), object.clone()];
        drop(object);
        drop(clones);
    });
    assert_eq!((deaths.count(), poll()), (3, 0));
}

#[test]
fn others_are_left_to_the_owner_once() {
    for weak in [false, true] {
        let deaths = Deaths::default();
        let object = deaths.object();
        let weak = weak.then(|| BiasedRc::downgrade(&object));
        let clones: Vec<_> = (0..5).map(|_| object.clone()).collect();
        elsewhere(move || drop(clones));
        assert_eq!(BiasedRc::strong_count(&object), 1);
        assert!(BiasedRc::is_owned(&object));
        assert_eq!(poll(), 1, "the first one; the others were subtracted");
        assert!(!BiasedRc::is_owned(&object));
        assert_eq!((BiasedRc::strong_count(&object), deaths.count()), (1, 0));
        drop(object);
        assert_eq!(deaths.count(), 1);
        assert!(weak.is_none_or(|weak| weak.upgrade().is_none()));
    }
}

#[test]
fn the_queue_is_drained_where_it_should_be() {
    // In `poll`, when an object is made, and when the owner's last reference to one goes.
    for way in 0..3 {
        let deaths = Deaths::default();
        let object = deaths.object();
        let other = BiasedRc::new(1);
        let clones = [object.clone(), object.clone()];
        drop(object);
        elsewhere(move || drop(clones));
        let clone = other.clone();
        drop(clone);
        assert_eq!(deaths.count(), 0, "never in `clone`, nor in the drop of one");
        match way {
            0 => assert_eq!(poll(), 1),
            1 => assert_eq!(*BiasedRc::new(2), 2),
            _ => drop(other),
        }
        assert_eq!((deaths.count(), poll()), (1, 0));
    }
}

#[test]
fn a_thread_that_ends_merges_its_queue() {
    let deaths = Deaths::default();
    let counted = deaths.clone();
    let (send, receive) = mpsc::channel();
    let (done, dropped) = mpsc::channel::<()>();
    let owner = thread::spawn(move || {
        let object = counted.object();
        send.send([object.clone(), object.clone()]).unwrap();
        drop(object);
        dropped.recv().unwrap();
        assert_eq!(counted.count(), 0);
    });
    drop(receive.recv().unwrap());
    done.send(()).unwrap();
    owner.join().unwrap();
    assert_eq!(deaths.count(), 1);
}

#[test]
fn objects_outlive_their_owner() {
    let deaths = Deaths::default();
    let counted = deaths.clone();
    let mut objects = elsewhere(move || {
        let object = counted.object();
        [object.clone(), object.clone(), object]
    });
    assert_eq!(BiasedRc::strong_count(&objects[0]), 3);
    assert!(BiasedRc::get_mut(&mut objects[1]).is_none());
    let [a, b, mut c] = objects;
    drop((a, b));
    assert!(BiasedRc::get_mut(&mut c).is_some());
    assert!(BiasedRc::adopt(&mut c));
    drop(c);
    assert_eq!(deaths.count(), 1);
    // Among many threads.
    let counted = deaths.clone();
    let objects = elsewhere(move || {
        (0..100).map(|_| counted.object()).flat_map(|a| [a.clone(), a]).collect::<Vec<_>>()
    });
    let (ours, theirs): (Vec<_>, Vec<_>) = objects.into_iter().enumerate().partition(|(i, _)| i % 2 == 0);
    let other = thread::spawn(move || drop(theirs));
    drop(ours);
    other.join().unwrap();
    assert_eq!((deaths.count(), poll()), (101, 0));
}

#[test]
fn exclusive_access_wherever_the_object_is() {
    let mut object = BiasedRc::new(1);
    *BiasedRc::get_mut(&mut object).unwrap() += 1;
    let mut object = elsewhere(move || {
        let clone = object.clone();
        assert!(BiasedRc::get_mut(&mut object).is_none());
        drop(clone);
        *BiasedRc::get_mut(&mut object).unwrap() += 1;
        object
    });
    let weak = BiasedRc::downgrade(&object);
    assert!(BiasedRc::get_mut(&mut object).is_none());
    let object = elsewhere(move || {
        let (mut object, _makes_it_an_owner) = (object, BiasedRc::new(0));
        *BiasedRc::make_mut(&mut object) += 1;
        assert!(BiasedRc::is_owned(&object), "it is this thread's now");
        object
    });
    assert!(weak.upgrade().is_none(), "left behind");
    assert_eq!(elsewhere(move || BiasedRc::try_unwrap(object)), Ok(4));
}

#[test]
fn unwrapping() {
    assert_eq!(BiasedRc::try_unwrap(BiasedRc::new(3)), Ok(3));
    let shared = BiasedRc::new(4);
    let other = shared.clone();
    let shared = BiasedRc::try_unwrap(shared).unwrap_err();
    assert_eq!(BiasedRc::into_inner(shared), None);
    let weak = BiasedRc::downgrade(&other);
    assert_eq!(BiasedRc::into_inner(other), Some(4));
    assert!(weak.upgrade().is_none());
    let mut copied = BiasedRc::new(vec![1]);
    let kept = copied.clone();
    BiasedRc::make_mut(&mut copied).push(2);
    assert_eq!((&kept[..], &copied[..]), (&[1][..], &[1, 2][..]));
    assert_eq!(BiasedRc::unwrap_or_clone(kept), [1]);
}

#[test]
fn into_inner_of_many_threads_gives_the_value_once_or_leaves_it_to_the_owner() {
    for _ in 0..200 {
        let deaths = Deaths::default();
        let object = deaths.object();
        BiasedRc::disown(&object);
        let start = Arc::new(Barrier::new(3));
        let threads: Vec<_> = (0..3)
            .map(|_| {
                let (object, start) = (object.clone(), start.clone());
                thread::spawn(move || {
                    start.wait();
                    BiasedRc::into_inner(object).is_some()
                })
            })
            .collect();
        let mine = BiasedRc::into_inner(object).is_some();
        let theirs = threads.into_iter().map(|t| t.join().unwrap()).filter(|got| *got).count();
        assert_eq!(theirs + usize::from(mine), 1);
        assert_eq!(deaths.count(), 1);
    }
}

#[test]
fn a_panic_loses_nothing() {
    struct Bomb(Deaths);
    impl Drop for Bomb {
        fn drop(&mut self) {
            self.0.0.fetch_add(1, Ordering::SeqCst);
            panic!("bomb {}", self.0.count());
        }
    }
    let leave = |deaths: &Deaths| {
        let objects: Vec<_> = (0..10).map(|_| BiasedRc::new(Bomb(deaths.clone()))).collect();
        let clones: Vec<_> = objects.iter().flat_map(|object| [object.clone(), object.clone()]).collect();
        drop(objects);
        elsewhere(move || drop(clones));
    };
    let deaths = Deaths::default();
    leave(&deaths);
    let panic = catch_unwind(poll).unwrap_err();
    assert_eq!(panic.downcast_ref::<String>().unwrap(), "bomb 1", "the first one goes on");
    assert_eq!((deaths.count(), poll()), (10, 0));
    // From `new`, whose value is dropped, and whose next call succeeds.
    leave(&deaths);
    let given = deaths.clone();
    assert!(catch_unwind(AssertUnwindSafe(|| given.object())).is_err());
    assert_eq!(deaths.count(), 21);
    drop(deaths.object());
    // In a thread that is unwinding it is discarded.
    let last = BiasedRc::new(0);
    leave(&deaths);
    let unwound = catch_unwind(AssertUnwindSafe(move || {
        let _dropped_while_unwinding = last;
        panic!("the only one");
    }));
    assert_eq!(*unwound.unwrap_err().downcast::<&str>().unwrap(), "the only one");
    assert_eq!(deaths.count(), 32);
}

#[test]
fn a_panic_at_the_end_of_a_thread_goes_to_the_hook() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("bomb");
        }
    }
    static CAUGHT: AtomicUsize = AtomicUsize::new(0);
    let before = set_unraisable_hook(|_| {
        CAUGHT.fetch_add(1, Ordering::SeqCst);
    });
    let (send, receive) = mpsc::channel();
    let (done, dropped) = mpsc::channel::<()>();
    let owner = thread::spawn(move || {
        for _ in 0..3 {
            let object = BiasedRc::new(Bomb);
            send.send([object.clone(), object.clone()]).unwrap();
        }
        drop(send);
        dropped.recv().unwrap();
    });
    // Not before it has made them all: it would be `new` that panics.
    drop(receive.iter().collect::<Vec<_>>());
    done.send(()).unwrap();
    owner.join().unwrap();
    set_unraisable_hook(before);
    assert_eq!(CAUGHT.load(Ordering::SeqCst), 3);
}

/// An object that makes and drops others of its kind, and looks into the queue, while it is destroyed.
#[test]
fn destructors_may_do_all_of_it() {
    struct Busy(u32, Deaths);
    impl Drop for Busy {
        fn drop(&mut self) {
            self.1.0.fetch_add(1, Ordering::SeqCst);
            if self.0 > 0 {
                let next = BiasedRc::new(Busy(self.0 - 1, self.1.clone()));
                drop(next.clone());
                drop(next);
                poll();
            }
        }
    }
    let deaths = Deaths::default();
    let objects: Vec<_> = (0..4).map(|_| BiasedRc::new(Busy(3, deaths.clone()))).collect();
    let clones: Vec<_> = objects.iter().flat_map(|object| [object.clone(), object.clone()]).collect();
    drop(objects);
    elsewhere(move || drop(clones));
    assert_eq!(poll(), 4);
    assert_eq!((deaths.count(), poll()), (16, 0));
}

#[test]
fn deep_structures_need_no_stack() {
    struct Node(Option<BiasedRc<Node>>);
    let list = |length: usize| (0..length).fold(None, |next, _| Some(BiasedRc::new(Node(next))));
    let small = |work: Box<dyn FnOnce() + Send>| {
        thread::Builder::new().stack_size(256 << 10).spawn(work).unwrap().join().unwrap();
    };
    small(Box::new(move || drop(list(300_000))));
    // Dropped elsewhere, where each is the only reference; and left to the owner.
    let away = list(300_000);
    small(Box::new(move || drop(away)));
    small(Box::new(move || {
        let head = list(300_000).unwrap();
        let clones = [head.clone(), head.clone()];
        drop(head);
        elsewhere(move || drop(clones));
        assert_eq!(poll(), 1);
    }));
    let depth = |mut node: &Node| {
        let mut depth = 1;
        while let Some(next) = &node.0 {
            (node, depth) = (next, depth + 1);
        }
        depth
    };
    assert_eq!(depth(&list(7).unwrap()), 7);
}

/// In the destructor of a thread-local that runs after the thread has given up its slot.
#[test]
fn the_end_of_a_thread_is_foreign_to_it() {
    struct Late(RefCell<Vec<BiasedRc<Counted>>>, RefCell<Option<Deaths>>);
    impl Drop for Late {
        fn drop(&mut self) {
            let kept = self.0.take();
            let Some(deaths) = self.1.take() else { return };
            // Its own objects, and a new one that is born merged, with a weak reference.
            let clones: Vec<_> = kept.iter().map(BiasedRc::clone).collect();
            drop(kept);
            drop(clones);
            let new = deaths.object();
            let weak = BiasedRc::downgrade(&new);
            drop(new.clone());
            assert!(weak.upgrade().is_some());
            drop(new);
            assert!(weak.upgrade().is_none());
            poll();
        }
    }
    thread_local! {
        static LATE: Late = const { Late(RefCell::new(Vec::new()), RefCell::new(None)) };
    }
    for first in [false, true] {
        let deaths = Deaths::default();
        let counted = deaths.clone();
        elsewhere(move || {
            // Destructors of thread-locals run in one order or the other.
            if first {
                LATE.with(|late| late.1.replace(Some(counted.clone())));
            }
            let object = counted.object();
            LATE.with(|late| {
                late.0.borrow_mut().extend([object.clone(), object, counted.object()]);
                late.1.replace(Some(counted));
            });
        });
        assert_eq!(deaths.count(), 3);
    }
}

#[test]
fn immortal_objects_stay() {
    let deaths = Deaths::default();
    for elsewhere_too in [false, true] {
        let object = deaths.object();
        let weak = BiasedRc::downgrade(&object);
        let clone = object.clone();
        if elsewhere_too {
            elsewhere(move || BiasedRc::immortalize(&clone));
        } else {
            BiasedRc::immortalize(&clone);
        }
        assert!(BiasedRc::is_immortal(&object));
        assert_eq!(BiasedRc::strong_count(&object), u32::MAX as usize);
        let clones = [object.clone(), object.clone()];
        elsewhere(move || drop(clones));
        let mut object = object;
        assert!(BiasedRc::get_mut(&mut object).is_none());
        drop(object);
        assert!(weak.upgrade().is_some_and(|object| BiasedRc::is_immortal(&object)));
        assert_eq!(weak.strong_count(), u32::MAX as usize);
        poll();
    }
    assert_eq!(deaths.count(), 0);
}

#[test]
fn callbacks_are_called_by_whoever_finds_the_object_dead() {
    let calls = Arc::new(AtomicUsize::new(0));
    let watch = |object: &BiasedRc<u64>| {
        let calls = calls.clone();
        BiasedRc::downgrade_with(object, move |weak: &Weak<u64>| {
            assert!(weak.upgrade().is_none());
            calls.fetch_add(1, Ordering::SeqCst);
        })
    };
    let object = BiasedRc::new(1);
    let (first, second) = (watch(&object), watch(&object));
    let cancelled = watch(&object);
    drop(cancelled);
    let clones = [object.clone(), object.clone()];
    drop(object);
    elsewhere(move || drop(clones));
    assert_eq!((calls.load(Ordering::SeqCst), Watch::is_waiting(&first)), (0, true));
    poll();
    assert_eq!((calls.load(Ordering::SeqCst), Watch::is_waiting(&second)), (2, false));
}

#[test]
fn cyclic() {
    struct Node(Weak<Node>);
    let node = BiasedRc::new_cyclic(|me: &Weak<Node>| {
        assert!(me.upgrade().is_none() && me.strong_count() == 0);
        Node(me.clone())
    });
    assert!(BiasedRc::ptr_eq(&node.0.upgrade().unwrap(), &node));
    assert_eq!(BiasedRc::strong_count(&node), 1);
    let weak = node.0.clone();
    elsewhere(move || drop(node));
    assert!(weak.upgrade().is_none());
    assert!(catch_unwind(|| BiasedRc::<Node>::new_cyclic(|_| panic!("no value"))).is_err());
}

#[test]
fn conversions_and_unsized_values() -> Result<(), Box<dyn Error>> {
    let text: BiasedRc<str> = "text".into();
    let bytes: BiasedRc<[u8]> = text.clone().into();
    assert_eq!((&*text, &*bytes), ("text", &b"text"[..]));
    let shown: BiasedRc<dyn Display + Send + Sync> = unsize!(BiasedRc::new(7));
    let sent = shown.clone();
    assert_eq!((shown.to_string(), elsewhere(move || sent.to_string())), ("7".into(), "7".into()));
    let array: BiasedRc<[u8; 4]> = BiasedRc::try_from(bytes).map_err(|_| "four bytes")?;
    assert_eq!(*array, *b"text");
    let collected: BiasedRc<[String]> = (0..3).map(|i| i.to_string()).collect();
    let moved = collected.clone();
    elsewhere(move || drop(moved));
    assert_eq!(collected.concat(), "012");
    let any: BiasedRc<dyn std::any::Any + Send + Sync> = unsize!(BiasedRc::new(5_u8));
    assert_eq!(any.downcast::<u8>().map(|five| *five).ok(), Some(5));
    let raw = BiasedRc::into_raw(text);
    // SAFETY: from the line above.
    #[allow(unsafe_code, reason = "the round trip is what is tested")]
    let text = unsafe { BiasedRc::from_raw(raw) };
    assert_eq!(&*text, "text");
    Ok(())
}

/// A collector that has stopped the owner merges for it; the destructors come when that goes on.
#[test]
#[allow(unsafe_code, reason = "the collector's hook")]
fn a_collector_merges_for_owners_that_are_stopped() {
    // All other tests of this process would have to be stopped: a process of its own.
    if std::env::var_os("CPYMEM_TEST_COLLECTOR").is_none() {
        let me = std::env::current_exe().unwrap();
        let name = "a_collector_merges_for_owners_that_are_stopped";
        let run = std::process::Command::new(me)
            .args([name, "--exact", "--test-threads", "1"])
            .env("CPYMEM_TEST_COLLECTOR", "1")
            .output()
            .unwrap();
        assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stdout));
        return;
    }
    let deaths = Deaths::default();
    let counted = deaths.clone();
    let (send, receive) = mpsc::channel();
    let (go_on, stopped) = mpsc::channel::<()>();
    let owner = thread::spawn(move || {
        for _ in 0..10 {
            let object = counted.object();
            send.send([object.clone(), object.clone()]).unwrap();
        }
        let kept = counted.object();
        send.send([kept.clone(), kept.clone()]).unwrap();
        drop(send);
        stopped.recv().unwrap();
        assert!(!BiasedRc::is_owned(&kept), "merged meanwhile");
        assert_eq!(poll(), 0);
    });
    receive.iter().for_each(drop);
    // SAFETY: the only other thread with objects waits for the channel.
    let merged = unsafe { merge_all() };
    assert_eq!((merged.references(), deaths.count()), (11, 0));
    drop(merged);
    assert_eq!(deaths.count(), 10);
    go_on.send(()).unwrap();
    owner.join().unwrap();
    assert_eq!(deaths.count(), 11);
}
