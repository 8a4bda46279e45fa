//! Compares the model with tables of measured interpreters.
//!
//! ```text
//! cargo run -p cpymem-slots --example check -- [--cases CASES.json] FILE...
//! ```
//!
//! A table has a JSON object a line, plain or gzip; `tests/data/README.md` tells the forms, which are told apart
//! by their keys. Class
//! hierarchies are looked up in `hier_cases.json` beside their table unless `--cases` names a file.
//!
//! Standard output has a line a file; standard error shows the first rows that differ. Exit code: 0 if every
//! row agrees, 1 if a row differs or is of an unknown kind or version, 2 on usage or unreadable input.

mod tables;

use std::path::PathBuf;
use std::process::ExitCode;

use tables::Totals;

const USAGE: &str = "usage: check [--cases CASES.json] FILE...";

fn main() -> ExitCode {
    match run() {
        Ok(totals) if totals.mismatches == 0 && totals.unknown == 0 => ExitCode::SUCCESS,
        Ok(_) => ExitCode::from(1),
        Err(message) => {
            eprintln!("check: {message}");
            ExitCode::from(2)
        }
    }
}

/// Checks all files; the totals of all together.
fn run() -> Result<Totals, String> {
    let mut cases = None;
    let mut files = Vec::new();
    let mut arguments = std::env::args_os().skip(1);
    while let Some(argument) = arguments.next() {
        if argument == "--cases" {
            let file = arguments.next().ok_or_else(|| format!("--cases: no file named; {USAGE}"))?;
            cases = Some(PathBuf::from(file));
        } else if argument.as_encoded_bytes().starts_with(b"--") {
            return Err(format!("{}: no such option; {USAGE}", argument.display()));
        } else {
            files.push(PathBuf::from(argument));
        }
    }
    if files.is_empty() {
        return Err(USAGE.to_owned());
    }
    let mut sum = Totals::default();
    for file in &files {
        let report = tables::check_file(file, cases.as_deref())?;
        for line in &report.shown {
            eprintln!("{}: {line}", file.display());
        }
        println!("{} {}", file.display(), report.totals);
        sum += report.totals;
    }
    Ok(sum)
}
