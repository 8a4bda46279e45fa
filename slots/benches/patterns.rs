//! Every pattern of `cpymem_slots::patterns` under criterion; with `CPYMEM_PYTHON` an interpreter's times are printed first.
//!
//! ```text
//! cargo bench -p cpymem-slots --features patterns --bench patterns
//! ```

use std::time::Duration;

use cpymem_slots::patterns::{PATTERNS, Scale, cpython};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

fn patterns(criterion: &mut Criterion) {
    if let Ok(python) = std::env::var("CPYMEM_PYTHON") {
        match cpython::measure(&python, Scale::ONE) {
            Ok(rows) => {
                rows.iter().for_each(|row| println!("{} {} {:.2} ns", row.pattern, row.subject, row.ns))
            }
            Err(error) => eprintln!("{error}"),
        }
    }
    let scale = Scale::new(0.2);
    for pattern in PATTERNS {
        let mut group = criterion.benchmark_group(pattern.name);
        for subject in pattern.subjects {
            group.throughput(Throughput::Elements(subject.run(scale).operations));
            group.bench_function(subject.name, |bencher| {
                bencher.iter_custom(|runs| {
                    let mut elapsed = Duration::ZERO;
                    for _ in 0..runs {
                        let outcome = subject.run(scale);
                        assert_eq!(outcome.wrong, 0, "{} {}", pattern.name, subject.name);
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
    config = Criterion::default().sample_size(10).measurement_time(Duration::from_secs(1)).warm_up_time(Duration::from_millis(200));
    targets = patterns
}
criterion_main!(benches);
