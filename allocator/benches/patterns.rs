//! The patterns of one thread under criterion: `Global`, the system allocator and, where everything goes at once,
//! bumpalo. Two threads, recorded programs and the allocators in C are `cpymem bench allocator`'s.
//!
//! ```text
//! cargo bench -p cpymem-allocator --features patterns --bench patterns
//! ```
#![allow(unsafe_code, reason = "a bump arena as an allocator is an unsafe impl")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::UnsafeCell;
use std::time::Duration;

use bumpalo::Bump;
use cpymem_allocator::Global;
use cpymem_allocator::patterns::{PATTERNS, Players, Scale, Subject};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

/// A bump arena: single frees do nothing.
struct OnBump(UnsafeCell<Bump>);

// SAFETY: blocks are distinct and live until the arena is reset.
unsafe impl GlobalAlloc for OnBump {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the arena is only changed in `reset`, during which nobody calls this.
        let bump = unsafe { &*self.0.get() };
        bump.try_alloc_layout(layout).map_or(std::ptr::null_mut(), |block| block.as_ptr())
    }

    unsafe fn dealloc(&self, _: *mut u8, _: Layout) {}
}

/// # Safety
/// `this` points to an `OnBump` of this thread, none of whose blocks is used any more.
unsafe fn reset(this: *const ()) {
    // SAFETY: the caller's promise.
    let this = unsafe { &*this.cast::<OnBump>() };
    // SAFETY: no reference to the arena outlives a call, and this thread makes no other now.
    unsafe { &mut *this.0.get() }.reset();
}

fn patterns(criterion: &mut Criterion) {
    let bump = OnBump(UnsafeCell::new(Bump::new()));
    // SAFETY: `reset` leaves an empty arena; a pattern promises that no block is used any more.
    let bump = unsafe { Subject::local(&bump).releasing(reset, false) };
    let subjects =
        [("cpymem", Subject::shared(&Global)), ("system", Subject::shared(&System)), ("bumpalo", bump)];
    for pattern in
        PATTERNS.iter().filter(|pattern| pattern.threads() == 1 && pattern.players != Players::Releasing)
    {
        let mut group = criterion.benchmark_group(pattern.name);
        for (name, subject) in subjects.iter().filter(|(_, subject)| pattern.plays(subject)) {
            let scale = Scale::new(0.05);
            let operations = pattern.run(subject, scale).operations;
            group.throughput(Throughput::Elements(operations));
            group.bench_function(*name, |bencher| {
                bencher.iter_custom(|runs| {
                    let mut elapsed = Duration::ZERO;
                    for _ in 0..runs {
                        let outcome = pattern.run(subject, scale);
                        assert_eq!(outcome.clobbered, 0, "{}", pattern.name);
                        elapsed += outcome.elapsed;
                    }
                    elapsed
                });
            });
        }
        group.finish();
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(21).measurement_time(Duration::from_secs(2));
    targets = patterns
}
criterion_main!(benches);
