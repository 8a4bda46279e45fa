//! Every pattern with every subject, in turns: medians of the nanoseconds for one operation, and the ratios to a subject.
//!
//! ```text
//! cargo run --release -p cpymem-refcount --features rivals --example patterns [PART OF A NAME...]
//! ```

use cpymem_refcount::patterns::{Outcome, PATTERNS, Pattern, Subject, subjects};

const ROUNDS: usize = 11;

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// How many operations a round of a few milliseconds has.
fn operations(pattern: &Pattern) -> u64 {
    match pattern.name {
        name if name.starts_with("hand-over") => 400_000,
        name if name.starts_with("clone") => 2_000_000,
        _ => 200_000,
    }
}

fn report(pattern: &Pattern, subjects: &[Subject]) {
    println!("\n{}: {}", pattern.name, pattern.about);
    let mut rounds: Vec<Vec<Outcome>> = vec![Vec::new(); subjects.len()];
    // The first round warms up.
    for round in 0..=ROUNDS {
        for (subject, outcomes) in subjects.iter().zip(&mut rounds) {
            let outcome = subject.run(pattern, operations(pattern)).expect("it plays");
            assert_eq!(outcome.wrong, 0, "{} {}", subject.name(), pattern.name);
            if round > 0 {
                outcomes.push(outcome);
            }
        }
    }
    let base = &rounds[0];
    for (subject, outcomes) in subjects.iter().zip(&rounds) {
        let ns = median(outcomes.iter().map(Outcome::ns_per_operation).collect());
        let ratio = |(one, base): (&Outcome, &Outcome)| one.ns_per_operation() / base.ns_per_operation();
        let ratio = median(outcomes.iter().zip(base).map(ratio).collect());
        print!("  {:<20} {ns:>8.2} ns  {ratio:>6.3}x", subject.name());
        let peak = |outcome: &Outcome| outcome.peak_objects as f64 / outcome.peak_exact as f64;
        if outcomes[0].made > 0 {
            print!(
                "  {:>8} objects at most, {:.3}x",
                outcomes[0].peak_objects,
                median(outcomes.iter().map(peak).collect())
            );
        }
        println!();
    }
}

fn main() {
    let parts: Vec<String> = std::env::args().skip(1).collect();
    let wanted = |pattern: &&Pattern| {
        parts.is_empty() || parts.iter().any(|part| pattern.name.starts_with(part.as_str()))
    };
    println!("medians of {ROUNDS} rounds in turns; ratios to the first of each list");
    for pattern in PATTERNS.iter().filter(wanted) {
        let players: Vec<Subject> = subjects().into_iter().filter(|subject| subject.plays(pattern)).collect();
        report(pattern, &players);
    }
}
