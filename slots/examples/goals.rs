//! Every pattern, all subjects in turn, the best of several rounds; then the goals. With `CPYMEM_PYTHON`
//! beside that interpreter. Each run has a process of its own, as memory that another has used and given back comes in
//! smaller pages.
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
    let mut arguments = std::env::args().skip(1).peekable();
    if arguments.next_if_eq("--one").is_some() {
        return one(arguments);
    }
    let rounds = arguments.next().and_then(|text| text.parse().ok()).unwrap_or(3usize);
    let scale_text = arguments.next().unwrap_or("1".into());
    let scale = Scale::new(scale_text.parse().unwrap_or(1.0));
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
                let Some(outcome) = apart(pattern.name, subject.name, &scale_text) else {
                    eprintln!("goals: {} of {} cannot be run", subject.name, pattern.name);
                    return ExitCode::FAILURE;
                };
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

/// Runs a subject here and prints what came of it.
fn one(mut arguments: impl Iterator<Item = String>) -> ExitCode {
    let (Some(pattern), Some(subject), Some(scale)) = (arguments.next(), arguments.next(), arguments.next())
    else {
        return ExitCode::FAILURE;
    };
    let pattern = PATTERNS.iter().find(|known| known.name == pattern);
    let subject = pattern.and_then(|pattern| pattern.subjects.iter().find(|known| known.name == subject));
    let (Some(subject), Ok(scale)) = (subject, scale.parse()) else { return ExitCode::FAILURE };
    let Outcome { operations, elapsed, wrong, bytes } = subject.run(Scale::new(scale));
    println!("{operations} {} {wrong} {bytes}", elapsed.as_nanos());
    ExitCode::SUCCESS
}

/// Runs a subject in a process of its own.
fn apart(pattern: &str, subject: &str, scale: &str) -> Option<Outcome> {
    let program = std::env::current_exe().ok()?;
    let output =
        std::process::Command::new(program).args(["--one", pattern, subject, scale]).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let mut words = text.split_whitespace();
    let operations = words.next()?.parse().ok()?;
    let elapsed = std::time::Duration::from_nanos(words.next()?.parse().ok()?);
    Some(Outcome {
        operations,
        elapsed,
        wrong: words.next()?.parse().ok()?,
        bytes: words.next()?.parse().ok()?,
    })
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
