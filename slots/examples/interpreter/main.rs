//! A small bytecode interpreter of a part of Python, out of the four crates: values and instances are laid out by
//! `cpymem-slots`, objects live on the heap of `cpymem-cyclegc`, strings are counted by `cpymem-refcount`, and
//! everything is allocated by `cpymem-allocator`.
//!
//! ```text
//! cargo run --release -p cpymem-slots --features cyclegc --example interpreter [--bench] [PROGRAM.py ..]
//!
//!   text -> syntax (tree) -> compiler (registers) -> machine
//! ```
//!
//! Without a program it runs those of `programs/`, each of which also runs on CPython, and compares what they print with what
//! they should. With `--bench` it measures them, and with `CPYMEM_PYTHON` that interpreter beside it, alternating; exit code 1
//! if an output is not the same.
//!
//! What it knows: `def`, `class` with one base and `__slots__`, closures with `nonlocal`, `if`, `while`, `for` over `range` and
//! lists, integers of 62 bits, strings, lists, `None`, `True`, `False`; `print`, `len`, `str`, `range`, `collect`.

mod builtins;
mod code;
mod compiler;
mod lexer;
mod machine;
mod object;
mod parser;
mod syntax;
mod value;

use std::process::{Command, ExitCode};
use std::time::Instant;

use machine::Machine;

#[global_allocator]
static GLOBAL: cpymem_allocator::Global = cpymem_allocator::Global;

/// The programs that come with it, and what they print.
const PROGRAMS: [(&str, &str, &str); 5] = [
    (
        "binary_trees",
        include_str!("programs/binary_trees.py"),
        "131072 trees of depth 4: 4063232\n8192 trees of depth 8: 4186112\n512 trees of depth 12: 4193792\nlong lived tree of depth 14: 32767\n",
    ),
    ("profiles", include_str!("programs/profiles.py"), "49500000\n19748575\n"),
    ("richards", include_str!("programs/richards.py"), "True\n"),
    ("closures", include_str!("programs/closures.py"), "3\n10\n55\n1500000\n"),
    ("cycles", include_str!("programs/cycles.py"), "20000\n"),
];

/// Runs a program; what it printed.
fn run(text: &str) -> Result<String, String> {
    let tree = parser::parse(text)?;
    let module = compiler::compile(&tree)?;
    let mut machine = Machine::new(module.globals.len());
    machine.run(&module)?;
    Ok(machine.into_output())
}

fn main() -> ExitCode {
    let mut arguments: Vec<String> = std::env::args().skip(1).collect();
    let bench = arguments.first().is_some_and(|first| first == "--bench");
    if bench {
        arguments.remove(0);
    }
    let chosen = |name: &str| {
        arguments.is_empty() || arguments.iter().any(|argument| name.contains(argument.as_str()))
    };
    let mut good = true;
    for path in arguments.iter().filter(|argument| argument.ends_with(".py")) {
        match std::fs::read_to_string(path).map_err(|error| error.to_string()).and_then(|text| run(&text)) {
            Ok(output) => print!("{output}"),
            Err(error) => {
                eprintln!("{path}: {error}");
                good = false;
            }
        }
    }
    for (name, text, expected) in PROGRAMS.into_iter().filter(|(name, _, _)| chosen(name)) {
        if bench {
            good &= compare(name, text, expected);
            continue;
        }
        match run(text) {
            Ok(output) if output == expected => println!("{name}: as expected"),
            Ok(output) => {
                println!("{name}: printed\n{output}instead of\n{expected}");
                good = false;
            }
            Err(error) => {
                eprintln!("{name}: {error}");
                good = false;
            }
        }
    }
    if good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Measures a program here and on CPython, three times in turn; whether all outputs were as expected.
fn compare(name: &str, text: &str, expected: &str) -> bool {
    let (mut own, mut theirs, mut good) = (f64::INFINITY, f64::INFINITY, true);
    let python = std::env::var("CPYMEM_PYTHON").ok();
    for _ in 0..3 {
        let start = Instant::now();
        good &= run(text).as_deref() == Ok(expected);
        own = own.min(start.elapsed().as_secs_f64());
        if let Some(python) = &python {
            let timed = format!(
                "import time, sys, gc\ncollect = gc.collect\nstart = time.perf_counter()\nexec(compile({text:?}, 'program', 'exec'), {{'collect': collect, '__name__': '__main__'}})\nsys.stderr.write(str(time.perf_counter() - start))"
            );
            match Command::new(python).args(["-c", &timed]).output() {
                Ok(output) => {
                    good &= String::from_utf8_lossy(&output.stdout) == expected;
                    let seconds = String::from_utf8_lossy(&output.stderr).parse().unwrap_or(f64::INFINITY);
                    theirs = theirs.min(seconds);
                }
                Err(_) => good = false,
            }
        }
    }
    let verdict = if good { "" } else { "  WRONG OUTPUT" };
    match python {
        Some(_) => println!("{name:14} {own:7.3} s   CPython {theirs:7.3} s   x{:.2}{verdict}", own / theirs),
        None => println!("{name:14} {own:7.3} s{verdict}"),
    }
    good
}
