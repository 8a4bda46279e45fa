//! The patterns as a table: every subject in turn, best of several rounds; then pauses and what was not collected.
//!
//! ```text
//! CPYMEM_PYTHON=python3.13 cargo run --release -p cpymem-cyclegc --features rivals --example patterns -- \
//!     [--scale 1] [--rounds 3] [--seed 1] [--only cyclegc,rust-cc] [PATTERN...]
//! ```
//!
//! With `CPYMEM_PYTHON`, that interpreter does the same. Exits with 1 if anything was wrong.

use std::collections::BTreeMap;
use std::process::{Command, ExitCode};

use cpymem_cyclegc::patterns::{Outcome, PATTERNS, PYTHON, Pattern, SUBJECTS, Scale, on_big_stack};

struct Options {
    scale: f64,
    rounds: usize,
    seed: u64,
    only: Option<String>,
    patterns: Vec<&'static Pattern>,
}

impl Options {
    fn parse() -> Result<Options, String> {
        let mut options =
            Options { scale: 1.0, rounds: 3, seed: 1, only: None, patterns: PATTERNS.iter().collect() };
        let mut named = Vec::new();
        let mut arguments = std::env::args().skip(1);
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().ok_or(format!("{argument} needs a value"));
            let wrong = |value: &str| format!("{argument}: {value} is no number");
            match argument.as_str() {
                "--scale" => options.scale = value().and_then(|v| v.parse().map_err(|_| wrong(&v)))?,
                "--rounds" => options.rounds = value().and_then(|v| v.parse().map_err(|_| wrong(&v)))?,
                "--seed" => options.seed = value().and_then(|v| v.parse().map_err(|_| wrong(&v)))?,
                "--only" => options.only = Some(value()?),
                name => named.push(Pattern::named(name).ok_or(format!("no pattern {name}"))?),
            }
        }
        if !named.is_empty() {
            options.patterns = named;
        }
        Ok(options)
    }

    fn plays(&self, name: &str) -> bool {
        self.only.as_deref().is_none_or(|only| only.split(',').any(|one| one == name))
    }
}

/// What one subject did in one pattern: the best time, the longest of its longest pauses.
#[derive(Clone, Copy, Default)]
struct Cell {
    ns: f64,
    longest_ns: Option<f64>,
    uncollected: Option<f64>,
    /// p50, p99 and p99.9 of requests.
    requests_ns: Option<[f64; 3]>,
}

impl Cell {
    fn of(outcome: &Outcome) -> Cell {
        let ns = |time: std::time::Duration| time.as_nanos() as f64;
        Cell {
            ns: outcome.ns(),
            longest_ns: outcome.longest.map(ns),
            uncollected: outcome.uncollected.map(|objects| objects as f64),
            requests_ns: outcome
                .latencies
                .as_ref()
                .map(|all| [0.5, 0.99, 0.999].map(|at| ns(all.quantile(at)))),
        }
    }

    fn better(self, other: Cell) -> Cell {
        if self.ns <= other.ns { self } else { other }
    }
}

fn cpython(python: &str, pattern: &Pattern, scale: f64) -> Result<Cell, String> {
    let arguments = ["-c", PYTHON, pattern.name, &scale.to_string()];
    let output =
        Command::new(python).args(arguments).output().map_err(|error| format!("{python}: {error}"))?;
    if !output.status.success() {
        let message = String::from_utf8_lossy(&output.stderr);
        return Err(message.lines().last().unwrap_or("it failed").to_owned());
    }
    let line = String::from_utf8_lossy(&output.stdout).into_owned();
    let values: BTreeMap<&str, f64> = line
        .split_whitespace()
        .filter_map(|word| word.split_once('='))
        .filter_map(|(key, value)| Some((key, value.parse().ok()?)))
        .collect();
    let of = |key| values.get(key).copied();
    Ok(Cell {
        ns: of("ns").ok_or("no time")?,
        longest_ns: of("longest_ns"),
        uncollected: of("uncollected"),
        requests_ns: of("p50_ns").zip(of("p99_ns")).zip(of("p999_ns")).map(|((a, b), c)| [a, b, c]),
    })
}

fn run(options: &Options) -> bool {
    let python = std::env::var("CPYMEM_PYTHON").ok();
    let names: Vec<&str> =
        SUBJECTS.iter().map(|subject| subject.name).chain(python.as_deref().map(|_| "CPython")).collect();
    let mut good = true;
    for pattern in &options.patterns {
        let mut cells: Vec<Option<Cell>> = vec![None; names.len()];
        let mut notes = Vec::new();
        for round in 0..options.rounds.max(1) {
            for (subject, cell) in
                SUBJECTS.iter().zip(&mut cells).filter(|(subject, _)| options.plays(subject.name))
            {
                match pattern.run(subject, Scale::new(options.scale), options.seed) {
                    Ok(outcome) => {
                        good &= outcome.faults.is_empty();
                        outcome
                            .faults
                            .iter()
                            .for_each(|fault| notes.push(format!("{}: WRONG: {fault}", subject.name)));
                        let this = Cell::of(&outcome);
                        *cell = Some(cell.map_or(this, |best: Cell| best.better(this)));
                    }
                    Err(skipped) if round == 0 => notes.push(format!("{}: {skipped}", subject.name)),
                    Err(_) => {}
                }
            }
            // It is slow, and needs no more rounds than one for a ratio.
            if let (0, Some(python), true) = (round, &python, options.plays("CPython")) {
                match cpython(python, pattern, options.scale) {
                    Ok(cell) => *cells.last_mut().expect("its place") = Some(cell),
                    Err(error) => notes.push(format!("CPython: {error}")),
                }
            }
        }
        print(pattern, &names, &cells, &notes);
    }
    good
}

fn print(pattern: &Pattern, names: &[&str], cells: &[Option<Cell>], notes: &[String]) {
    println!("\n{}: {}\n", pattern.name, pattern.about);
    let best = cells.iter().flatten().next().map_or(f64::NAN, |cell| cell.ns);
    println!("| | ns a {} | first / this | longest pause | uncollected | p50, p99, p99.9 |", pattern.unit);
    println!("| --- | ---: | ---: | ---: | ---: | ---: |");
    for (name, cell) in names.iter().zip(cells).filter_map(|(name, cell)| Some((name, (*cell)?))) {
        let ms = |ns: Option<f64>| ns.map_or("-".to_owned(), |ns| format!("{:.3} ms", ns / 1e6));
        let objects = cell.uncollected.map_or("-".to_owned(), |objects| format!("{objects}"));
        let us = |[a, b, c]: [f64; 3]| format!("{:.1}, {:.1}, {:.1} us", a / 1e3, b / 1e3, c / 1e3);
        println!(
            "| {name} | {:.1} | {:.2} | {} | {objects} | {} |",
            cell.ns,
            best / cell.ns,
            ms(cell.longest_ns),
            cell.requests_ns.map_or("-".to_owned(), us),
        );
    }
    notes.iter().for_each(|note| println!("- {note}"));
}

fn main() -> ExitCode {
    match Options::parse() {
        Err(error) => {
            eprintln!("patterns: {error}");
            ExitCode::from(2)
        }
        // Some peers recurse.
        Ok(options) => match on_big_stack(|| run(&options)) {
            true => ExitCode::SUCCESS,
            false => ExitCode::FAILURE,
        },
    }
}
