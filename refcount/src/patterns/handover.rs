//! Objects that are made by one thread and dropped by another.

use super::kind::SharedKind;
use super::pointer::Value;
use super::subject::Outcome;
use core::sync::atomic::{AtomicU64, Ordering};
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

/// References go in vectors of so many, of which so many may be under way.
const BATCH: u64 = 256;
const BATCHES: usize = 64;
/// What is counted is counted for at most so many objects.
const COUNTED: u64 = 1_000_000;

/// Counts what there is.
#[derive(Default)]
struct Census {
    destroyed: AtomicU64,
}

/// A value whose death is counted.
struct Counted {
    number: Value,
    census: Arc<Census>,
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.census.destroyed.fetch_add(1, Ordering::Relaxed); // Relaxed: a number that orders nothing.
    }
}

/// Sends `operations` objects to another thread, which drops them. `each` is called after each batch with how many objects were made and how many of
/// the references to them were dropped on both sides.
fn hand_over<K: SharedKind, T: Send + Sync + 'static>(
    operations: u64,
    kept: usize,
    value: impl Fn(Value) -> T,
    number: fn(&T) -> Value,
    mut each: impl FnMut(u64, u64),
) -> (Duration, Value) {
    let (send, receive) = mpsc::sync_channel::<Vec<K::P<T>>>(BATCHES);
    let (give_back, empty) = mpsc::channel();
    let theirs = AtomicU64::new(0);
    thread::scope(|scope| {
        let other = scope.spawn(|| {
            let give_back = give_back;
            let mut sum: Value = 0;
            for mut batch in receive {
                let length = batch.len() as u64;
                for object in batch.drain(..) {
                    sum = sum.wrapping_add(number(&object));
                }
                theirs.fetch_add(length, Ordering::Relaxed); // Relaxed: a number that orders nothing.
                // At the end nobody wants it any more.
                let _unwanted = give_back.send(batch);
            }
            sum
        });
        let mut mine = VecDeque::with_capacity(kept + 1);
        let start = Instant::now();
        let mut made = 0;
        while made < operations {
            let mut batch: Vec<_> = empty.try_recv().unwrap_or_default();
            for _ in 0..BATCH.min(operations - made) {
                let object = <K as SharedKind>::new(value(made));
                made += 1;
                if kept > 0 {
                    mine.push_back(object.clone());
                    if mine.len() > kept {
                        drop(mine.pop_front());
                    }
                }
                batch.push(object);
            }
            send.send(batch).expect("the other thread receives until the end");
            // An object is dead to an exact count when both references are gone; those that this side still has are not.
            each(made, theirs.load(Ordering::Relaxed).min(made - mine.len() as u64));
        }
        drop(send);
        drop(mine);
        let sum = other.join().expect("no panic");
        <K as SharedKind>::tidy();
        (start.elapsed(), sum)
    })
}

fn sum(operations: u64) -> Value {
    (0..operations).sum()
}

pub(super) fn run<K: SharedKind>(operations: u64, kept: usize) -> Outcome {
    let (elapsed, received) =
        hand_over::<K, Value>(operations, kept, |number| number, |number| *number, |_, _| {});
    let mut wrong = u64::from(received != sum(operations));
    // Once more, with values that are counted.
    let counted = operations.min(COUNTED);
    let census = Arc::new(Census::default());
    let (mut peak, mut exact_peak) = (0, 0);
    let value = |number| Counted { number, census: census.clone() };
    let (_, received) = hand_over::<K, Counted>(
        counted,
        kept,
        value,
        |value| value.number,
        |made, dropped| {
            // Relaxed: a number that orders nothing.
            peak = peak.max(made - census.destroyed.load(Ordering::Relaxed).min(made));
            exact_peak = exact_peak.max(made - dropped);
        },
    );
    let destroyed = census.destroyed.load(Ordering::Relaxed); // Relaxed: the thread has been joined.
    wrong += u64::from(received != sum(counted)) + destroyed.abs_diff(counted);
    Outcome {
        operations,
        elapsed,
        wrong,
        made: counted,
        destroyed,
        peak_objects: peak,
        peak_exact: exact_peak,
    }
}
