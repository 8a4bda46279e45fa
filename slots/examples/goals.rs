//! Every pattern, all subjects in turn, the best of several rounds; then the goals. With `CPYMEM_PYTHON`
//! beside that interpreter.
//!
//! ```text
//! cargo run --release -p cpymem-slots --features patterns --example goals [ROUNDS [SCALE [PATTERN..]]]
//! ```
//!
//! Exit code 1 if an answer was wrong; goals are reported, not enforced.

use std::process::ExitCode;

use cpymem_slots::patterns::cpython::{self, Measured};
use cpymem_slots::patterns::{Goal, Outcome, PATTERNS, Pattern, Scale};

/// The global allocator of the workspace: what the objects are made for.
#[global_allocator]
static GLOBAL: cpymem_allocator::Global = cpymem_allocator::Global;

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let rounds = arguments.next().and_then(|text| text.parse().ok()).unwrap_or(3usize);
    let scale = Scale::new(arguments.next().and_then(|text| text.parse().ok()).unwrap_or(1.0));
    let chosen: Vec<String> = arguments.collect();
    let is_chosen = |name: &str| chosen.is_empty() || chosen.iter().any(|part| name.contains(part.as_str()));
    let python = std::env::var("CPYMEM_PYTHON").ok().map(|python| cpython::measure(&python, scale));
    let python = match python {
        None => Vec::new(),
        Some(Ok(rows)) => rows,
        Some(Err(error)) => {
            eprintln!("goals: {error}");
            return ExitCode::FAILURE;
        }
    };
    let mut wrong = 0;
    for pattern in PATTERNS.iter().filter(|pattern| is_chosen(pattern.name)) {
        let mut best = vec![None::<Outcome>; pattern.subjects.len()];
        for _ in 0..rounds {
            for (subject, best) in pattern.subjects.iter().zip(&mut best) {
                let outcome = subject.run(scale);
                wrong += outcome.wrong;
                if best.is_none_or(|best| outcome.ns() < best.ns()) {
                    *best = Some(outcome);
                }
            }
        }
        report(pattern, &best, &python);
    }
    if wrong == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn report(pattern: &Pattern, best: &[Option<Outcome>], python: &[Measured]) {
    println!("{}: {}", pattern.name, pattern.about);
    let rows = pattern.subjects.iter().zip(best).filter_map(|(subject, best)| Some((subject.name, (*best)?)));
    for (name, outcome) in rows.clone() {
        let bytes = if outcome.bytes > 0.0 { format!("{:8.1} bytes", outcome.bytes) } else { String::new() };
        println!("    {name:26} {:8.2} ns {bytes}", outcome.ns());
    }
    let interpreter = python.iter().filter(|row| row.pattern == pattern.name);
    for row in interpreter.clone() {
        let bytes = if row.bytes > 0.0 { format!("{:8.1} bytes", row.bytes) } else { String::new() };
        println!("    CPython, {:17} {:8.2} ns {bytes}", row.subject, row.ns);
    }
    let find = |name: &str| rows.clone().find(|(known, _)| *known == name).map(|(_, outcome)| outcome);
    for goal in pattern.goals {
        let (what, measured, at_most) = match *goal {
            Goal::Time { subject, over, at_most } => {
                let reference = match over {
                    "CPython" => interpreter.clone().next().map(|row| row.ns),
                    _ => find(over).map(|outcome| outcome.ns()),
                };
                let Some((reference, own)) = reference.zip(find(subject)) else { continue };
                (format!("{subject} over {over}"), own.ns() / reference, at_most)
            }
            Goal::Bytes { subject, at_most } => {
                let Some(own) = find(subject) else { continue };
                (format!("bytes of {subject}"), own.bytes, at_most)
            }
        };
        let verdict = if measured <= at_most { "held  " } else { "MISSED" };
        println!("  {verdict} {what}: {measured:.2}, at most {at_most}");
    }
}
