//! Weak references with callbacks: CPython's order, and what callbacks may do. Each test for `rc` and for `sync`.

use std::cell::RefCell;
use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::process::Command;
use std::sync::{Arc as StdArc, Mutex};

type Log = StdArc<Mutex<Vec<String>>>;

fn entries(log: &Log) -> Vec<String> {
    std::mem::take(&mut log.lock().unwrap())
}

fn note(log: &Log, entry: impl Into<String>) {
    log.lock().unwrap().push(entry.into());
}

/// What a real interpreter says about [`SCENARIO`], and what this crate must say about the same.
const ORDER: [&str; 8] = [
    "third, alive: 0",
    "second, alive: 0",
    "panic",
    "first, alive: 0",
    "parent",
    "child",
    "cancelled: nothing",
    "again, alive: 0",
];

/// Three callbacks of one object, of which the second drops the reference of the first and then fails; a parent that owns its child;
/// a cancelled callback; and a callback of an object that is made and dropped inside a callback.
const SCENARIO: &str = r#"
import sys, weakref
class Object: pass
refs = {}
def alive(): return sum(ref() is not None for ref in refs.values())
def callback(name):
    def call(ref):
        assert ref() is None
        print(name + ', alive: %d' % alive())
        if name == 'second':
            refs.pop('first')
            raise ValueError
    return call
class Stderr:
    def write(self, text):
        if 'ValueError' in text and 'raise' not in text: print('panic')
    def flush(self): pass
sys.stderr = Stderr()
o = Object()
refs['plain'] = weakref.ref(o)
for name in ('first', 'second', 'third'): refs[name] = weakref.ref(o, callback(name))
assert weakref.ref(o) is refs['plain'] and weakref.getweakrefcount(o) == 4
del o
parent = Object(); parent.child = Object()
kept = [weakref.ref(parent.child, lambda ref: print('child')), weakref.ref(parent, lambda ref: print('parent'))]
del parent
o = Object(); ref = weakref.ref(o, lambda ref: print('called')); del ref; del o
print('cancelled: nothing')
def again(ref):
    refs.clear()
    inner = Object()
    refs['again'] = weakref.ref(inner, callback('again'))
    del inner
o = Object(); ref = weakref.ref(o, again); del o
"#;

/// Every CPython 3 on the path and of pyenv.
fn interpreters() -> Vec<PathBuf> {
    let installed = std::env::var_os("HOME")
        .and_then(|home| std::fs::read_dir(PathBuf::from(home).join(".pyenv/versions")).ok())
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path().join("bin/python3")));
    std::iter::once(PathBuf::from("python3")).chain(installed).collect()
}

#[test]
fn the_order_is_that_of_a_real_interpreter() {
    let mut asked = 0;
    for python in interpreters() {
        let Ok(output) = Command::new(&python).args(["-c", SCENARIO]).output() else { continue };
        let said = String::from_utf8_lossy(&output.stdout);
        assert_eq!(said.lines().collect::<Vec<_>>(), ORDER, "{python:?}: {output:?}");
        asked += 1;
    }
    if asked == 0 {
        eprintln!("skipped: there is no python3");
    }
}

thread_local! {
    static RAISED: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

/// From now on the messages of callbacks' panics are in `RAISED`; and the hook is no better than they are.
fn hear_of_panics() {
    cpymem_refcount::set_unraisable_hook(|payload| {
        let message = match payload.downcast::<String>() {
            Ok(message) => *message,
            Err(payload) => {
                payload.downcast::<&str>().map_or_else(|_| String::new(), |message| (*message).into())
            }
        };
        RAISED.with_borrow_mut(|raised| raised.push(message));
        panic!("the hook");
    });
}

macro_rules! tests_of {
    ($module:ident, $Pointer:ident) => {
        mod $module {
            use super::*;
            use cpymem_refcount::$module::{Watch, Weak, $Pointer};
            use std::any::Any;

            /// Notes its drop.
            struct Noisy(&'static str, Log);

            impl Drop for Noisy {
                fn drop(&mut self) {
                    note(&self.1, format!("drop {}", self.0));
                }
            }

            /// A callback that notes its name, and that its weak reference is dead.
            fn noting<T>(name: &'static str, log: &Log) -> impl FnOnce(&Weak<T>) + Send + 'static {
                let log = log.clone();
                move |weak: &Weak<T>| {
                    assert!(weak.upgrade().is_none());
                    assert_eq!(weak.strong_count(), 0);
                    note(&log, name);
                }
            }

            #[test]
            fn cpythons_order() {
                let log = Log::default();
                type Kept = StdArc<Mutex<HashMap<&'static str, Watch<u64>>>>;
                let kept: Kept = Kept::default();
                let plain: StdArc<Mutex<Vec<Weak<u64>>>> = StdArc::default();
                let alive = {
                    let (kept, plain) = (kept.clone(), plain.clone());
                    move || {
                        kept.lock().unwrap().values().filter(|watch| watch.upgrade().is_some()).count()
                            + plain.lock().unwrap().iter().filter(|weak| weak.upgrade().is_some()).count()
                    }
                };
                let callback = |name: &'static str| {
                    let (log, kept, alive) = (log.clone(), kept.clone(), alive.clone());
                    move |weak: &Weak<u64>| {
                        assert!(weak.upgrade().is_none());
                        note(&log, format!("{name}, alive: {}", alive()));
                        if name == "second" {
                            let first = kept.lock().unwrap().remove("first");
                            assert!(first.is_some_and(|watch| !Watch::is_waiting(&watch)));
                            panic!("second");
                        }
                    }
                };
                let object = $Pointer::new(1_u64);
                plain.lock().unwrap().push($Pointer::downgrade(&object));
                for name in ["first", "second", "third"] {
                    let watch = $Pointer::downgrade_with(&object, callback(name));
                    kept.lock().unwrap().insert(name, watch);
                }
                assert_eq!($Pointer::weak_count(&object), 4);
                assert_eq!(alive(), 4);
                RAISED.take();
                hear_of_panics();
                drop(object);
                assert_eq!(RAISED.take(), ["second"]);
                // Where CPython reports the error.
                log.lock().unwrap().insert(2, String::from("panic"));

                struct Parent(#[expect(dead_code, reason = "owned")] $Pointer<u64>);
                let child = $Pointer::new(1);
                let _child = $Pointer::downgrade_with(&child, noting("child", &log));
                let parent = $Pointer::new(Parent(child));
                let _parent = $Pointer::downgrade_with(&parent, noting("parent", &log));
                drop(parent);

                let object = $Pointer::new(1_u64);
                drop($Pointer::downgrade_with(&object, noting("called", &log)));
                assert_eq!($Pointer::weak_count(&object), 0);
                drop(object);
                note(&log, "cancelled: nothing");

                let object = $Pointer::new(1_u64);
                let _watch = $Pointer::downgrade_with(&object, {
                    let (kept, plain, again) = (kept.clone(), plain.clone(), callback("again"));
                    move |_: &Weak<u64>| {
                        kept.lock().unwrap().clear();
                        plain.lock().unwrap().clear();
                        let inner = $Pointer::new(1_u64);
                        let watch = $Pointer::downgrade_with(&inner, again);
                        kept.lock().unwrap().insert("again", watch);
                        drop(inner);
                    }
                });
                drop(object);
                assert_eq!(entries(&log), ORDER);
            }

            #[test]
            fn before_the_value_and_its_parts() {
                let log = Log::default();
                struct Outer(
                    #[expect(dead_code, reason = "owned")] $Pointer<Noisy>,
                    #[expect(dead_code, reason = "owned")] Noisy,
                );
                let inner = $Pointer::new(Noisy("inner", log.clone()));
                let _inner = $Pointer::downgrade_with(&inner, noting("inner's callback", &log));
                let outer = $Pointer::new(Outer(inner, Noisy("outer", log.clone())));
                let _outer = $Pointer::downgrade_with(&outer, noting("outer's callback", &log));
                drop(outer);
                assert_eq!(
                    entries(&log),
                    ["outer's callback", "inner's callback", "drop inner", "drop outer"]
                );
            }

            #[test]
            fn weak_references_without_callback_share_the_side_header() {
                let object = $Pointer::new(1_u64);
                let (a, b) = ($Pointer::downgrade(&object), $Pointer::downgrade(&object));
                let watch = $Pointer::downgrade_with(&object, |_| {});
                assert!(a.ptr_eq(&b) && a.ptr_eq(&watch));
                assert_eq!(*watch.upgrade().unwrap(), 1);
                assert!(Watch::is_waiting(&watch));
                assert_eq!(format!("{watch:?}"), "Watch { waiting: true, .. }");
                drop(object);
                assert!(!Watch::is_waiting(&watch) && watch.upgrade().is_none());
            }

            #[test]
            fn cancelling_drops_the_callback_and_detaching_does_not() {
                let log = Log::default();
                let object = $Pointer::new(1_u64);
                let noisy = |name| Noisy(name, log.clone());
                let owning = |noisy: Noisy| move |_: &Weak<u64>| note(&noisy.1, format!("call {}", noisy.0));
                let oldest = $Pointer::downgrade_with(&object, owning(noisy("oldest")));
                let middle = $Pointer::downgrade_with(&object, owning(noisy("middle")));
                let detached = $Pointer::downgrade_with(&object, owning(noisy("detached")));
                let youngest = $Pointer::downgrade_with(&object, owning(noisy("youngest")));
                drop(middle);
                assert_eq!(entries(&log), ["drop middle"]);
                drop(oldest);
                assert_eq!(entries(&log), ["drop oldest"]);
                drop(youngest);
                assert_eq!(entries(&log), ["drop youngest"]);
                let weak = Watch::detach(detached);
                drop(weak);
                assert_eq!($Pointer::weak_count(&object), 0);
                assert_eq!(entries(&log), [""; 0]);
                drop(object);
                assert_eq!(entries(&log), ["call detached", "drop detached"]);
            }

            #[test]
            fn a_watch_inside_its_own_object_and_its_own_callback() {
                let log = Log::default();
                struct Node {
                    watch: Mutex<Option<Watch<Node>>>,
                    _noisy: Noisy,
                }
                let node =
                    $Pointer::new(Node { watch: Mutex::new(None), _noisy: Noisy("node", log.clone()) });
                *node.watch.lock().unwrap() = Some($Pointer::downgrade_with(&node, noting("called", &log)));
                drop(node);
                assert_eq!(entries(&log), ["called", "drop node"]);

                let object = $Pointer::new(1_u64);
                let slot: StdArc<Mutex<Option<Watch<u64>>>> = StdArc::default();
                let watch = $Pointer::downgrade_with(&object, {
                    let (slot, log) = (slot.clone(), log.clone());
                    move |_| {
                        drop(slot.lock().unwrap().take());
                        note(&log, "dropped itself");
                    }
                });
                *slot.lock().unwrap() = Some(watch);
                drop(object);
                assert!(slot.lock().unwrap().is_none());
                assert_eq!(entries(&log), ["dropped itself"]);
            }

            #[test]
            fn every_callback_is_called_whatever_panics() {
                let log = Log::default();
                let object = $Pointer::new(Noisy("value", log.clone()));
                let bombs: Vec<_> = (0..4)
                    .map(|number| {
                        let log = log.clone();
                        $Pointer::downgrade_with(&object, move |_| {
                            note(&log, format!("bomb {number}"));
                            panic!("bomb {number}");
                        })
                    })
                    .collect();
                RAISED.take();
                hear_of_panics();
                drop(object);
                assert_eq!(RAISED.take(), ["bomb 3", "bomb 2", "bomb 1", "bomb 0"]);
                assert_eq!(entries(&log), ["bomb 3", "bomb 2", "bomb 1", "bomb 0", "drop value"]);
                assert!(bombs.iter().all(|watch| !Watch::is_waiting(watch)));

                // While the thread unwinds already.
                let object = $Pointer::new(Noisy("value", log.clone()));
                let _watch = $Pointer::downgrade_with(&object, |_| panic!("callback"));
                let panic = catch_unwind(AssertUnwindSafe(move || {
                    let _object = object;
                    panic!("outer");
                }));
                assert_eq!(*panic.unwrap_err().downcast::<&str>().unwrap(), "outer");
                assert_eq!(entries(&log), ["drop value"]);
            }

            #[test]
            fn weak_references_that_are_left_behind() {
                let log = Log::default();
                let mut object = $Pointer::new(1_u64);
                let watch = $Pointer::downgrade_with(&object, noting("make_mut", &log));
                assert!($Pointer::get_mut(&mut object).is_none());
                *$Pointer::make_mut(&mut object) = 2;
                assert_eq!(entries(&log), ["make_mut"]);
                assert!(watch.upgrade().is_none());
                assert_eq!((*object, $Pointer::weak_count(&object)), (2, 0));

                let _watch = $Pointer::downgrade_with(&object, noting("make_mut_borrowed", &log));
                *$Pointer::make_mut_borrowed(&mut object) = 3;
                assert_eq!(entries(&log), ["make_mut_borrowed"]);

                let _watch = $Pointer::downgrade_with(&object, noting("try_unwrap", &log));
                let shared = $Pointer::try_unwrap($Pointer::clone(&object)).unwrap_err();
                assert_eq!(entries(&log), [""; 0]);
                drop(shared);
                assert_eq!($Pointer::try_unwrap(object), Ok(3));
                assert_eq!(entries(&log), ["try_unwrap"]);

                let object = $Pointer::new(Noisy("value", log.clone()));
                let _watch = $Pointer::downgrade_with(&object, |_| panic!("callback"));
                drop($Pointer::into_inner(object).unwrap());
                assert_eq!(entries(&log), ["drop value"], "the value is dropped once");

                let mut object = $Pointer::new(4_u64);
                let _watch = $Pointer::downgrade_with(&object, |_| panic!("callback"));
                *$Pointer::make_mut(&mut object) = 9;
                assert_eq!(($Pointer::strong_count(&object), $Pointer::weak_count(&object)), (1, 0));
                *$Pointer::get_mut(&mut object).unwrap() = 5;
            }

            #[test]
            fn a_detached_callback_does_not_hinder_get_mut() {
                let log = Log::default();
                let mut object = $Pointer::new(1_u64);
                Watch::detach($Pointer::downgrade_with(&object, noting("called", &log)));
                *$Pointer::get_mut(&mut object).unwrap() = 2;
                *$Pointer::get_mut_borrowed(&mut object).unwrap() = 3;
                assert_eq!(entries(&log), [""; 0]);
                drop(object);
                assert_eq!(entries(&log), ["called"]);
            }

            #[test]
            fn unsized_objects() {
                let log = Log::default();
                let object: $Pointer<dyn Any + Send + Sync> = cpymem_refcount::unsize!($Pointer::new(1_u64));
                let _watch = $Pointer::downgrade_with(&object, {
                    let log = log.clone();
                    move |weak| {
                        assert!(weak.upgrade().is_none());
                        note(&log, "any");
                    }
                });
                drop(object);
                let text: $Pointer<str> = $Pointer::from("text");
                let _watch = $Pointer::downgrade_with(&text, {
                    let log = log.clone();
                    move |_| note(&log, "str")
                });
                drop(text);
                assert_eq!(entries(&log), ["any", "str"]);
            }

            /// Objects without drop glue whose callbacks own one another: their destruction is of bounded depth, too.
            #[test]
            fn a_chain_of_callbacks_on_a_small_stack() {
                let chain = || {
                    let mut next: Option<$Pointer<u64>> = None;
                    for number in 0..100_000 {
                        let object = $Pointer::new(number);
                        Watch::detach($Pointer::downgrade_with(&object, {
                            let owned = next.take().map(OnThisThread);
                            move |_| drop({ owned })
                        }));
                        next = Some(object);
                    }
                    let first = $Pointer::downgrade(next.as_ref().unwrap());
                    drop(next);
                    assert!(first.upgrade().is_none());
                    assert_eq!(cpymem_refcount::raw::trashcan::leaked(), 0);
                };
                std::thread::Builder::new().stack_size(512 << 10).spawn(chain).unwrap().join().unwrap();
            }

            /// So that one text serves for both modules: nothing here leaves its thread.
            struct OnThisThread(#[expect(dead_code, reason = "owned")] $Pointer<u64>);
            #[allow(unsafe_code, reason = "see above")]
            // SAFETY: made, called and dropped by one thread.
            unsafe impl Send for OnThisThread {}
        }
    };
}

tests_of!(rc, Rc);
tests_of!(sync, Arc);

#[test]
fn cancelling_against_the_last_drop_on_real_threads() {
    use cpymem_refcount::sync::{Arc, Watch};
    use std::sync::atomic::{AtomicUsize, Ordering};
    for _ in 0..500 {
        let calls = StdArc::new(AtomicUsize::new(0));
        let object = Arc::new(1_u64);
        let watches: Vec<Watch<u64>> = (0..8)
            .map(|_| {
                let calls = calls.clone();
                Arc::downgrade_with(&object, move |_| {
                    calls.fetch_add(1, Ordering::Relaxed);
                })
            })
            .collect();
        let cancelled = std::thread::scope(|scope| {
            let canceller = scope.spawn(move || watches.into_iter().filter(Watch::is_waiting).count());
            scope.spawn(move || drop(object));
            canceller.join().unwrap()
        });
        let called = calls.load(Ordering::Relaxed);
        assert!(
            called <= 8 && called + cancelled >= 8,
            "{called} called, {cancelled} waiting when they were cancelled"
        );
        assert_eq!(StdArc::strong_count(&calls), 1, "every callback is dropped");
    }
}
