//! The patterns under criterion: this crate, std's `Rc` where it can play, and with the feature `rivals` the peers.
//!
//! ```text
//! cargo bench -p cpymem-cyclegc --features rivals --bench patterns
//! ```
//!
//! Everything is checked. A table at full scale, with pauses and CPython, is `examples/patterns.rs`.

use std::time::Duration;

use cpymem_cyclegc::patterns::{PATTERNS, SUBJECTS, Scale, on_big_stack};
use criterion::{Criterion, Throughput};

const SCALE: f64 = 0.02;
const SEED: u64 = 1;

fn patterns(criterion: &mut Criterion) {
    for pattern in PATTERNS {
        let mut group = criterion.benchmark_group(pattern.name);
        for subject in SUBJECTS {
            let run = || pattern.run(subject, Scale::new(SCALE), SEED);
            let Ok(outcome) = run() else { continue };
            group.throughput(Throughput::Elements(outcome.operations));
            group.bench_function(subject.name, |bencher| {
                bencher.iter_custom(|runs| {
                    let mut elapsed = Duration::ZERO;
                    for _ in 0..runs {
                        let outcome = run().expect("it could play before");
                        assert_eq!(outcome.faults, [""; 0], "{}: {}", pattern.name, subject.name);
                        elapsed += outcome.elapsed;
                    }
                    elapsed
                });
            });
        }
        group.finish();
    }
}

fn main() {
    // Some peers recurse.
    on_big_stack(|| {
        let mut criterion = Criterion::default()
            .sample_size(10)
            .warm_up_time(Duration::from_millis(300))
            .measurement_time(Duration::from_secs(1))
            .configure_from_args();
        patterns(&mut criterion);
        criterion.final_summary();
    });
}
