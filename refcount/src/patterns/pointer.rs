//! Cloning, dropping and making.

use super::kind::{Kind, SharedKind};
use super::subject::Outcome;
use core::hint::black_box;
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::Barrier;
use std::thread;
use std::time::Instant;

const OBJECTS: usize = 1024;

/// What each object holds: its number.
pub(super) type Value = u64;

fn timed(operations: u64, mut each: impl FnMut(u64)) -> Outcome {
    let start = Instant::now();
    for i in 0..operations {
        each(i);
    }
    Outcome { operations, elapsed: start.elapsed(), ..Outcome::default() }
}

#[inline]
fn clone_and_drop<P: Clone>(object: &P) {
    drop(black_box(black_box(object).clone()));
}

/// 1 if the object is not what it was.
fn wrong(object: &Value, number: Value) -> u64 {
    u64::from(*object != number)
}

pub(super) fn same<K: Kind>(operations: u64) -> Outcome {
    let object = K::new::<Value>(7);
    let outcome = timed(operations, |_| clone_and_drop(&object));
    Outcome { wrong: wrong(&object, 7), ..outcome }
}

pub(super) fn many<K: Kind>(operations: u64) -> Outcome {
    let all: Vec<_> = (0..OBJECTS as Value).map(K::new).collect();
    let mut at = 0_usize;
    let outcome = timed(operations, |_| {
        at = (at + 617) % OBJECTS;
        clone_and_drop(&all[at]);
    });
    Outcome { wrong: all.iter().zip(0..).map(|(object, number)| wrong(object, number)).sum(), ..outcome }
}

pub(super) fn new<K: Kind>(operations: u64) -> Outcome {
    let mut wrong = 0;
    let outcome = timed(operations, |i| {
        let object = black_box(K::new::<Value>(black_box(i)));
        wrong += u64::from(*object != i);
    });
    Outcome { wrong, ..outcome }
}

/// The time is that of the thread that has made the object.
pub(super) fn beside<K: SharedKind>(operations: u64) -> Outcome {
    let object = <K as SharedKind>::new::<Value>(7);
    let (stop, turns) = (AtomicBool::new(false), AtomicU64::new(0));
    let outcome = thread::scope(|scope| {
        let theirs = object.clone();
        scope.spawn(|| {
            let theirs = theirs;
            let mut own = 0;
            // Relaxed, all: a signal and a number, which order nothing.
            while !stop.load(Ordering::Relaxed) {
                clone_and_drop(&theirs);
                own += 1;
                turns.store(own, Ordering::Relaxed);
            }
        });
        while turns.load(Ordering::Relaxed) == 0 {
            core::hint::spin_loop();
        }
        let before = turns.load(Ordering::Relaxed);
        let mut outcome = timed(operations, |_| clone_and_drop(&object));
        // A run in which the other thread did nothing has not measured what it says. Short ones may be over before its next turn.
        while turns.load(Ordering::Relaxed) == before {
            outcome.elapsed += timed(1, |_| clone_and_drop(&object)).elapsed;
            outcome.operations += 1;
        }
        stop.store(true, Ordering::Relaxed);
        outcome
    });
    <K as SharedKind>::tidy();
    Outcome { wrong: wrong(&object, 7), ..outcome }
}

/// The time is the mean of both threads; the operations are one thread's.
pub(super) fn foreign<K: SharedKind>(operations: u64) -> Outcome {
    let object = <K as SharedKind>::new::<Value>(7);
    let barrier = Barrier::new(2);
    let run = |object: K::P<Value>| {
        barrier.wait();
        timed(operations, |_| clone_and_drop(&object)).elapsed
    };
    let elapsed = thread::scope(|scope| {
        let threads = [object.clone(), object.clone()].map(|object| scope.spawn(|| run(object)));
        threads.map(|thread| thread.join().expect("no panic")).into_iter().sum::<std::time::Duration>()
    });
    <K as SharedKind>::tidy();
    Outcome { operations, elapsed: elapsed / 2, wrong: wrong(&object, 7), ..Outcome::default() }
}
