//! What the patterns leave out: this crate's pointers on other allocators, the policies of `Arc`, immortal objects, weak references. Every workload
//! checks its own result. The pointers beside those of other crates are in `benches/patterns.rs`.
//!
//! ```text
//! cargo bench -p cpymem-refcount --bench pointers
//! ```

use cpymem_refcount::freelist::PerThread;
use cpymem_refcount::{rc, sync};
use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, criterion_group, criterion_main};
use std::cell::Cell;
use std::hint::black_box;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

const OBJECTS: usize = 1024;

/// One object, and 1024 of them in an order that is not that of memory.
fn clone_and_drop<R: Clone>(
    group: &mut BenchmarkGroup<'_, WallTime>,
    name: &str,
    new: fn(u64) -> R,
    count: fn(&R) -> usize,
) {
    let one = new(1);
    group.bench_function(format!("{name}/one object"), |b| {
        b.iter(|| drop(black_box(black_box(&one).clone())));
    });
    assert_eq!(count(&one), 1);
    let all: Vec<R> = (0..OBJECTS as u64).map(new).collect();
    let mut at = 0_usize;
    group.bench_function(format!("{name}/1024 objects"), |b| {
        b.iter(|| {
            at = (at + 617) % OBJECTS;
            drop(black_box(all[at].clone()));
        });
    });
    assert!(all.iter().all(|object| count(object) == 1));
    group.bench_function(format!("{name}/new"), |b| b.iter(|| drop(black_box(new(black_box(1))))));
}

/// The same, while another thread does it too.
fn beside_another_thread<R: Clone + Send + Sync>(
    group: &mut BenchmarkGroup<'_, WallTime>,
    name: &str,
    shared: &R,
    count: fn(&R) -> usize,
) {
    let before = count(shared);
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                drop(black_box(shared.clone()));
            }
        });
        group.bench_function(format!("{name}/two threads"), |b| b.iter(|| drop(black_box(shared.clone()))));
        stop.store(true, Ordering::Relaxed);
    });
    assert_eq!(count(shared), before);
}

fn local(criterion: &mut Criterion) {
    let group = &mut criterion.benchmark_group("local");
    clone_and_drop(group, "std", std::rc::Rc::new, std::rc::Rc::strong_count);
    clone_and_drop(group, "cpymem", rc::Rc::new, rc::Rc::strong_count);
    let per_thread = |value| rc::Rc::new_in(value, PerThread);
    clone_and_drop(group, "cpymem PerThread", per_thread, rc::Rc::strong_count);
    let on_heap = |value| rc::Rc::new_in(value, cpymem_allocator::Global);
    clone_and_drop(group, "cpymem on its heap", on_heap, rc::Rc::strong_count);
}

/// The first weak reference, with and without a callback, to the death of the object.
fn weak(criterion: &mut Criterion) {
    let group = &mut criterion.benchmark_group("weak");
    group.bench_function("std/new, downgrade, drop, upgrade", |b| {
        b.iter(|| {
            let weak = std::rc::Rc::downgrade(&black_box(std::rc::Rc::new(1_u64)));
            assert!(black_box(weak).upgrade().is_none());
        });
    });
    group.bench_function("cpymem/new, downgrade, drop, upgrade", |b| {
        b.iter(|| {
            let weak = rc::Rc::downgrade(&black_box(rc::Rc::new(1_u64)));
            assert!(black_box(weak).upgrade().is_none());
        });
    });
    let calls = Cell::new(0_u64);
    // A callback is `'static`, so that it counts in a cell that lives for ever.
    let counter: &'static Cell<u64> = Box::leak(Box::new(calls));
    let mut rounds = 0;
    group.bench_function("cpymem/new, downgrade_with, drop", |b| {
        b.iter(|| {
            rounds += 1;
            let object = rc::Rc::new(1_u64);
            let watch = rc::Rc::downgrade_with(&object, |_| counter.set(counter.get() + 1));
            drop(black_box(object));
            drop(watch);
        });
    });
    assert_eq!(counter.get(), rounds);
}

fn atomic(criterion: &mut Criterion) {
    let group = &mut criterion.benchmark_group("atomic");
    let count_first = |value| sync::Arc::with_policy::<sync::CountFirst>(sync::Arc::new(value));
    clone_and_drop(group, "std", std::sync::Arc::new, std::sync::Arc::strong_count);
    clone_and_drop(group, "cpymem", sync::Arc::new, sync::Arc::strong_count);
    clone_and_drop(group, "cpymem count first", count_first, sync::Arc::strong_count);

    beside_another_thread(group, "std", &std::sync::Arc::new(1), std::sync::Arc::strong_count);
    beside_another_thread(group, "cpymem", &sync::Arc::new(1), sync::Arc::strong_count);
    beside_another_thread(group, "cpymem count first", &count_first(1_u64), sync::Arc::strong_count);
    let immortal = sync::Arc::new(1);
    sync::Arc::immortalize(&immortal);
    beside_another_thread(group, "cpymem immortal", &immortal, sync::Arc::strong_count);
}

criterion_group! {
    name = pointers;
    config = Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(100))
        .measurement_time(Duration::from_millis(400));
    targets = local, atomic, weak
}
criterion_main!(pointers);
