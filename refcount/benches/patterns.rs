//! The patterns under criterion, with every subject: ours, `std`'s, and with the feature `rivals` those of other crates.
//!
//! ```text
//! cargo bench -p cpymem-refcount --features rivals --bench patterns
//! ```

use cpymem_refcount::patterns::{PATTERNS, subjects};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use std::time::Duration;

fn patterns(criterion: &mut Criterion) {
    for pattern in PATTERNS {
        // What counts its objects does so in a second pass, which an iteration must not be too short for.
        let operations = if pattern.name.starts_with("hand-over") { 20_000 } else { 10_000 };
        let mut group = criterion.benchmark_group(pattern.name);
        group.throughput(Throughput::Elements(operations));
        for subject in subjects().iter().filter(|subject| subject.plays(pattern)) {
            group.bench_function(subject.name(), |bencher| {
                bencher.iter_custom(|runs| {
                    let mut elapsed = Duration::ZERO;
                    for _ in 0..runs {
                        let outcome = subject.run(pattern, operations).expect("it plays");
                        assert_eq!(outcome.wrong, 0, "{} {}", subject.name(), pattern.name);
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
    config = Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(100))
        .measurement_time(Duration::from_millis(400));
    targets = patterns
}
criterion_main!(benches);
