//! `sync` beside `std::sync`.

use crate::measure::Table;
use std::hint::black_box;
use std::sync::Barrier;
use std::time::Instant;

const REPEATS: usize = 400_000;
const OBJECTS: usize = 1024;

macro_rules! workloads {
    ($name:ident, $new:expr, $arc:path) => {
        mod $name {
            use super::*;
            use $arc as Arc;

            pub(super) fn same() -> f64 {
                let arc = ($new)(1_u64);
                let start = Instant::now();
                for _ in 0..REPEATS {
                    drop(black_box(black_box(&arc).clone()));
                }
                let ns = start.elapsed().as_nanos() as f64 / REPEATS as f64;
                assert_eq!(Arc::strong_count(&arc), 1);
                ns
            }

            pub(super) fn many() -> f64 {
                let all: Vec<_> = (0..OBJECTS as u64).map($new).collect();
                let start = Instant::now();
                for i in 0..REPEATS {
                    drop(black_box(all[i.wrapping_mul(617) % OBJECTS].clone()));
                }
                let ns = start.elapsed().as_nanos() as f64 / REPEATS as f64;
                assert!(all.iter().all(|arc| Arc::strong_count(arc) == 1));
                ns
            }

            pub(super) fn new_and_drop() -> f64 {
                let start = Instant::now();
                for i in 0..REPEATS as u64 {
                    drop(black_box(($new)(i)));
                }
                start.elapsed().as_nanos() as f64 / REPEATS as f64
            }

            pub(super) fn upgrade() -> f64 {
                let arc = ($new)(1_u64);
                let weak = Arc::downgrade(&arc);
                let start = Instant::now();
                for _ in 0..REPEATS {
                    drop(black_box(black_box(&weak).upgrade()));
                }
                let ns = start.elapsed().as_nanos() as f64 / REPEATS as f64;
                assert_eq!((Arc::strong_count(&arc), Arc::weak_count(&arc)), (1, 1));
                ns
            }

            pub(super) fn two_threads() -> f64 {
                let arc = ($new)(1_u64);
                let ns = on_two_threads(|| drop(black_box(black_box(&arc).clone())));
                assert_eq!(Arc::strong_count(&arc), 1);
                ns
            }
        }
    };
}

/// Both threads' mean, from a common start.
fn on_two_threads(work: impl Fn() + Sync) -> f64 {
    let start = Barrier::new(2);
    let run = || {
        start.wait();
        let began = Instant::now();
        for _ in 0..REPEATS {
            work();
        }
        began.elapsed().as_nanos() as f64 / REPEATS as f64
    };
    std::thread::scope(|scope| {
        let other = scope.spawn(run);
        let mine = run();
        (mine + other.join().expect("no panic")) / 2.0
    })
}

fn counting_first<T: 'static>(
    value: T,
) -> cpymem_refcount::sync::Arc<T, allocator_api2::alloc::Global, cpymem_refcount::sync::CountFirst> {
    cpymem_refcount::sync::Arc::with_policy(cpymem_refcount::sync::Arc::new(value))
}

workloads!(theirs, std::sync::Arc::new, std::sync::Arc);
workloads!(check_first, cpymem_refcount::sync::Arc::new, cpymem_refcount::sync::Arc);
workloads!(count_first, counting_first, cpymem_refcount::sync::Arc);

fn immortal_on_two_threads() -> f64 {
    use cpymem_refcount::sync::{Arc, Immortal};
    static ONE: Immortal<u64> = Immortal::new(1);
    let arc: Arc<u64> = ONE.to_arc();
    let ns = on_two_threads(|| drop(black_box(black_box(&arc).clone())));
    assert!(Arc::is_immortal(&arc));
    ns
}

pub(crate) fn run() {
    let table = Table::new("sync: ns per operation, median of rounds");
    table.compare("clone + drop, one object", theirs::same, check_first::same);
    table.compare("clone + drop, one object, CountFirst", theirs::same, count_first::same);
    table.compare("clone + drop, 1024 objects", theirs::many, check_first::many);
    table.compare("clone + drop, 1024 objects, CountFirst", theirs::many, count_first::many);
    table.compare("two threads, one object", theirs::two_threads, check_first::two_threads);
    table.compare("two threads, one object, CountFirst", theirs::two_threads, count_first::two_threads);
    table.compare("two threads, immortal (std: mortal)", theirs::two_threads, immortal_on_two_threads);
    table.compare("new + drop, u64", theirs::new_and_drop, check_first::new_and_drop);
    table.compare("new + drop, u64, CountFirst", theirs::new_and_drop, count_first::new_and_drop);
    table.compare("upgrade + drop", theirs::upgrade, check_first::upgrade);
    table.compare("upgrade + drop, CountFirst", theirs::upgrade, count_first::upgrade);
}
