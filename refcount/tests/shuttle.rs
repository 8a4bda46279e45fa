//! The models' scenarios with more threads than loom can follow, in random schedules, on the code that ships.
//!
//! ```text
//! RUSTFLAGS="--cfg loom --cfg shuttle" cargo test --release -p cpymem-refcount --test shuttle
//! ```
//!
//! Shuttle's atomics are sequentially consistent: orderings are for the models of loom to check, this looks for wrong protocols.
#![cfg(shuttle)]

use cpymem_refcount::biased::{BiasedRc, Weak, poll};
use cpymem_refcount::intern::{SyncInterner, Weakly};
use cpymem_refcount::raw::biased::{depart, merge_all, set_owner_limit};
use cpymem_refcount::sync::Arc;
use shuttle::rand::{Rng, thread_rng};
use shuttle::sync::atomic::{AtomicUsize, Ordering};
use shuttle::sync::{Barrier, Mutex};
use shuttle::thread;
use std::sync::Arc as Outside;

/// Schedules of each scenario, half of them purely random, half with few changes of thread at random places (PCT).
const SCHEDULES: usize = 10_000;
const THREADS: usize = 5;

fn explore(scenario: fn()) {
    shuttle::check_random(scenario, SCHEDULES / 2);
    shuttle::check_pct(scenario, SCHEDULES / 2, 4);
}

const ALIVE: usize = 0x5AFE;

/// A value that knows whether it is alive.
struct Value {
    state: AtomicUsize,
    deaths: Outside<AtomicUsize>,
}

impl Value {
    fn use_it(&self) {
        assert_eq!(self.state.load(Ordering::SeqCst), ALIVE);
    }
}

impl Drop for Value {
    fn drop(&mut self) {
        assert_eq!(self.state.swap(0, Ordering::SeqCst), ALIVE);
        self.deaths.fetch_add(1, Ordering::SeqCst);
    }
}

#[derive(Clone)]
struct World {
    births: Outside<AtomicUsize>,
    deaths: Outside<AtomicUsize>,
}

impl World {
    fn new() -> World {
        World { births: Outside::new(AtomicUsize::new(0)), deaths: Outside::new(AtomicUsize::new(0)) }
    }

    fn object(&self) -> BiasedRc<Value> {
        self.births.fetch_add(1, Ordering::SeqCst);
        BiasedRc::new(Value { state: AtomicUsize::new(ALIVE), deaths: self.deaths.clone() })
    }

    /// Afterwards all have died that were born.
    fn end(&self) {
        poll();
        assert_eq!(self.births.load(Ordering::SeqCst), self.deaths.load(Ordering::SeqCst));
    }
}

/// Runs `work` on several threads; each of them departs as it ends, since a shuttle thread can be joined before its thread-locals are gone.
fn on_threads(mut work: impl FnMut(usize) -> Box<dyn FnOnce() + Send>, mine: impl FnOnce()) {
    let threads: Vec<_> = (0..THREADS)
        .map(|number| {
            let work = work(number);
            thread::spawn(move || {
                work();
                depart();
            })
        })
        .collect();
    mine();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
}

fn clone_and_drop(object: BiasedRc<Value>) {
    let clone = object.clone();
    object.use_it();
    drop(object);
    clone.use_it();
}

#[test]
fn last_drops() {
    explore(|| {
        let world = World::new();
        let object = world.object();
        on_threads(
            |_| {
                let object = object.clone();
                Box::new(|| clone_and_drop(object))
            },
            || {
                poll();
                drop(object.clone());
                drop(world.object());
            },
        );
        drop(object);
        world.end();
    });
}

#[test]
fn last_drops_and_upgrades() {
    explore(|| {
        let world = World::new();
        let object = world.object();
        let weak = BiasedRc::downgrade(&object);
        let object = std::cell::RefCell::new(Some(object));
        on_threads(
            |number| match object.borrow().as_ref().filter(|_| number % 2 == 0).cloned() {
                Some(object) => Box::new(|| clone_and_drop(object)),
                None => {
                    let weak = weak.clone();
                    Box::new(move || drop(weak.upgrade().inspect(|object| object.use_it())))
                }
            },
            || drop(object.take()),
        );
        world.end();
        assert!(weak.upgrade().is_none());
    });
}

#[test]
fn exclusive_access() {
    explore(|| {
        let world = World::new();
        let object = world.object();
        on_threads(
            |number| {
                let mut object = object.clone();
                Box::new(move || match number % 5 {
                    0 => {
                        if let Some(value) = BiasedRc::get_mut(&mut object) {
                            assert_eq!(*value.state.get_mut(), ALIVE);
                        }
                    }
                    1 => drop(BiasedRc::try_unwrap(object)),
                    2 => drop(BiasedRc::into_inner(object)),
                    3 => {
                        BiasedRc::adopt(&mut object);
                        clone_and_drop(object);
                    }
                    _ => drop(BiasedRc::downgrade(&object)),
                })
            },
            || BiasedRc::disown(&object.clone()),
        );
        drop(object);
        world.end();
    });
}

#[test]
fn owners_end_while_others_drop() {
    explore(|| {
        let world = World::new();
        let places: Outside<[Mutex<Vec<BiasedRc<Value>>>; 2]> = Outside::default();
        on_threads(
            |number| {
                let (world, places) = (world.clone(), places.clone());
                Box::new(move || {
                    let object = world.object();
                    places[number % 2].lock().unwrap().extend([object.clone(), object.clone()]);
                    let others = std::mem::take(&mut *places[(number + 1) % 2].lock().unwrap());
                    drop(object);
                    others.into_iter().for_each(clone_and_drop);
                })
            },
            || {},
        );
        places.iter().for_each(|place| drop(std::mem::take(&mut *place.lock().unwrap())));
        world.end();
    });
}

#[test]
fn some_threads_without_a_slot() {
    explore(|| {
        set_owner_limit(1);
        let world = World::new();
        let object = world.object();
        on_threads(
            |_| {
                let (world, object) = (world.clone(), object.clone());
                Box::new(move || {
                    let own = world.object();
                    drop(own.clone());
                    clone_and_drop(object);
                })
            },
            || drop(object.clone()),
        );
        drop(object);
        world.end();
    });
}

#[test]
fn a_collector_merges_while_all_wait() {
    explore(|| {
        let world = World::new();
        let stopped = Outside::new(Barrier::new(THREADS + 1));
        let place: Outside<Mutex<Vec<BiasedRc<Value>>>> = Outside::default();
        on_threads(
            |_| {
                let (world, stopped, place) = (world.clone(), stopped.clone(), place.clone());
                Box::new(move || {
                    let object = world.object();
                    let before = {
                        let mut place = place.lock().unwrap();
                        let before = std::mem::take(&mut *place);
                        place.extend([object.clone(), object.clone()]);
                        before
                    };
                    drop(before);
                    stopped.wait();
                    stopped.wait();
                    clone_and_drop(object);
                })
            },
            || {
                stopped.wait();
                #[allow(unsafe_code, reason = "the collector's hook")]
                // SAFETY: all other threads wait at the barrier.
                let merged = unsafe { merge_all() };
                stopped.wait();
                drop(merged);
            },
        );
        drop(std::mem::take(&mut *place.lock().unwrap()));
        world.end();
    });
}

/// Anything, in any order.
#[test]
fn random_turns() {
    explore(|| {
        let world = World::new();
        let strong: Outside<[Mutex<Option<BiasedRc<Value>>>; 2]> = Outside::default();
        let weak: Outside<Mutex<Weak<Value>>> = Outside::default();
        on_threads(
            |_| {
                let (world, strong, weak) = (world.clone(), strong.clone(), weak.clone());
                Box::new(move || {
                    let mut mine: Vec<BiasedRc<Value>> = Vec::new();
                    for _ in 0..8 {
                        let last = mine.pop();
                        match (thread_rng().gen_range(0..8), last) {
                            (0, last) => mine.extend(last.into_iter().chain([world.object()])),
                            (1, Some(object)) => mine.extend([object.clone(), object]),
                            (2, Some(object)) => drop(object),
                            (3 | 4, last) => {
                                let there = &strong[thread_rng().gen_range(0..2)];
                                let taken = std::mem::replace(&mut *there.lock().unwrap(), last);
                                mine.extend(taken);
                            }
                            (5, Some(object)) => {
                                let before = std::mem::replace(
                                    &mut *weak.lock().unwrap(),
                                    BiasedRc::downgrade(&object),
                                );
                                drop(before);
                                mine.push(object);
                            }
                            (6, last) => {
                                let object = weak.lock().unwrap().upgrade();
                                mine.extend(last.into_iter().chain(object));
                            }
                            (_, last) => {
                                poll();
                                mine.extend(last);
                            }
                        }
                        mine.iter().for_each(|object| object.use_it());
                    }
                })
            },
            || {},
        );
        strong.iter().for_each(|place| drop(place.lock().unwrap().take()));
        world.end();
        assert!(weak.lock().unwrap().upgrade().is_none());
    });
}

#[test]
fn interned_values_come_and_go() {
    explore(|| {
        let interner: Outside<SyncInterner<Arc<str>, Weakly>> =
            Outside::new(SyncInterner::with_shards_and_hasher(1, Default::default()));
        on_threads(
            |number| {
                let interner = interner.clone();
                Box::new(move || {
                    let name = ["spam", "eggs"][number % 2];
                    let object = interner.intern(name);
                    assert!(*object == *name && Arc::ptr_eq(&object, &interner.intern(name)));
                })
            },
            || {},
        );
        assert!(interner.get("spam").is_none());
        interner.sweep();
        assert!(interner.is_empty());
    });
}
