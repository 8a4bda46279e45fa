//! From the command line to what is printed.

mod bench;
mod processes;

use std::io::{self, Write};
use std::process::ExitCode;

use cpymem_slots::model::{ClassLayout, Target, TargetError};
use serde::Serialize;

use crate::args::{Args, By, Command, Options};
use crate::classes::{self, Wish};
use crate::dumper::{self, DumperRecord};
use crate::error::InputError;
use crate::explain;
use crate::explain::decision::{self, DecisionError};
use crate::input::Input;
use crate::progress::Progress;
use crate::questions::why::Extent;
use crate::questions::{audit, dups, growth, holders, pins, savings, why};
use crate::rebuild;
use crate::record::Check;
use crate::replay::{self, Plan};
use crate::report::{Report, Style};

/// An input or a claim is broken.
const BROKEN: u8 = 1;
/// The command line is wrong.
const USAGE: u8 = 2;

/// What a command leaves: text to print, and whether every claim holds.
struct Outcome {
    text: String,
    holds: bool,
}

impl Outcome {
    /// The exit code: good, or a broken claim.
    fn code(&self) -> u8 {
        if self.holds { 0 } else { BROKEN }
    }
}

/// Runs a command and prints what comes of it. On an error standard output stays empty and standard error gets
/// one line.
pub fn run(args: Args) -> ExitCode {
    let progress = if args.options.json { Progress::silent() } else { Progress::to_stderr() };
    let done = execute(&args, &progress);
    drop(progress);
    let (message, code) = match done {
        Ok(outcome) => match print(&outcome.text) {
            Ok(()) => return ExitCode::from(outcome.code()),
            // Whoever reads has had enough.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return ExitCode::SUCCESS,
            Err(error) => (format!("cpymem: standard output: {error}"), BROKEN),
        },
        Err(Failure::Input(error)) => (error.to_string(), BROKEN),
        Err(Failure::Plan(what)) => (format!("cpymem: {what}"), USAGE),
        Err(Failure::Python(error)) => (format!("cpymem: {error}"), USAGE),
        Err(Failure::Decision(error)) => {
            (format!("cpymem: {error}"), if error.is_usage() { USAGE } else { BROKEN })
        }
        Err(Failure::Workload(name)) => {
            (format!("cpymem: there is no workload '{name}'; cpymem bench --list names them"), USAGE)
        }
        Err(Failure::Output(what)) => (format!("cpymem: {what}"), BROKEN),
    };
    // Nobody is left to tell if standard error is gone too.
    let _ = writeln!(io::stderr(), "{message}");
    ExitCode::from(code)
}

enum Failure {
    Input(InputError),
    Python(TargetError),
    Workload(String),
    Plan(String),
    /// A file could not be written.
    Output(String),
    Decision(DecisionError),
}

impl From<InputError> for Failure {
    fn from(error: InputError) -> Failure {
        Failure::Input(error)
    }
}

fn execute(args: &Args, progress: &Progress) -> Result<Outcome, Failure> {
    let options = args.options;
    let plan = Plan { repeats: options.repeat.map(usize::from) };
    match &args.command {
        Some(Command::Replay { file }) => {
            let input = Input::from_arg(file, options.max_memory)?;
            let record = replay::replay(&input, plan, progress)?;
            Ok(outcome(&record, &record.checks, options))
        }
        Some(Command::Heap { file, rebuild: true, .. }) => {
            let input = Input::from_arg(file, options.max_memory)?;
            let record = rebuild::heap(&input, progress)?;
            Ok(outcome(&record, &record.checks, options))
        }
        Some(Command::Explain { files, cost, decision, force }) => {
            let inputs: Vec<Input> = files
                .iter()
                .map(|file| Input::from_arg(file, options.max_memory))
                .collect::<Result<_, _>>()?;
            let record = explain::explain(&inputs, *cost, progress)?;
            if let Some(folder) = decision {
                decision::write(&record, folder, *force).map_err(Failure::Decision)?;
            }
            Ok(outcome(&record, &record.checks, options))
        }
        Some(Command::Dump { helper: _ }) => Ok(Outcome { text: dump(options), holds: true }),
        Some(Command::Heap { file, by, .. }) => {
            let input = Input::from_arg(file, options.max_memory)?;
            let record = holders::holders(&input, *by == By::Owner, progress)?;
            Ok(outcome(&record, &record.checks, options))
        }
        Some(Command::Why { file, target, objects, ways }) => {
            let input = Input::from_arg(file, options.max_memory)?;
            let extent = Extent { objects: usize::from(*objects), ways: usize::from(*ways) };
            match why::why(&input, target, extent, progress)? {
                Some(record) => Ok(outcome(&record, &[], options)),
                None => Err(Failure::Plan(format!("{} has no object that '{target}' names", input.name()))),
            }
        }
        Some(Command::Pins { file, pools }) => {
            let record = pins::pins(&Input::from_arg(file, options.max_memory)?, *pools, progress)?;
            Ok(outcome(&record, &record.checks, options))
        }
        Some(Command::Audit { file }) => {
            let input = Input::from_arg(file, options.max_memory)?;
            Ok(outcome(&audit::audit(&input, progress)?, &[], options))
        }
        Some(Command::Dups { file }) => {
            let input = Input::from_arg(file, options.max_memory)?;
            Ok(outcome(&dups::dups(&input, progress)?, &[], options))
        }
        Some(Command::Slots { heap: Some(file), .. }) => {
            let input = Input::from_arg(file, options.max_memory)?;
            Ok(outcome(&savings::savings(&input, progress)?, &[], options))
        }
        Some(Command::Diff { files }) => {
            let inputs = files.iter().map(|file| Input::from_arg(file, options.max_memory));
            let inputs: Vec<Input> = inputs.collect::<Result<_, _>>()?;
            Ok(outcome(&growth::growth(&inputs, progress)?, &[], options))
        }
        Some(Command::Slots { file, attrs, name, slots, count, python, heap: None }) => {
            let targets = python.iter().map(|label| known(label)).collect::<Result<_, _>>()?;
            let wish = Wish { count: *count, targets };
            let record = match file {
                Some(file) => classes::of_file(&Input::from_arg(file, options.max_memory)?, &wish)?,
                None => classes::of_attributes(name, attrs, *slots, &wish),
            };
            Ok(outcome(&record, &[], options))
        }
        Some(Command::Bench { what: Some(what), .. }) => bench::suite(what, options, progress),
        Some(Command::Bench { what: None, run }) => bench::run(run, options, progress),
        None => bench::main_job(options, progress),
    }
}

/// A version that the model knows.
fn known(label: &str) -> Result<Target, Failure> {
    let target: Target = label.parse().map_err(Failure::Python)?;
    ClassLayout::object(target).map_err(Failure::Python)?;
    Ok(target)
}

fn outcome<R: Report + Serialize>(record: &R, checks: &[Check], options: Options) -> Outcome {
    let text = if options.json { json(record) } else { record.report(&Style::of_stdout()) };
    Outcome { text, holds: checks.iter().all(|check| check.holds) }
}

/// A document in JSON. Records hold no maps with other keys than text, so this cannot fail.
fn json(record: &impl Serialize) -> String {
    let mut text = serde_json::to_string_pretty(record).unwrap_or_default();
    text.push('\n');
    text
}

/// The program that makes dumps.
fn dump(options: Options) -> String {
    if options.json {
        return json(&DumperRecord::new());
    }
    dumper::HELPER.to_owned()
}

fn print(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::ProfilesRecord;

    #[test]
    fn one_broken_claim_is_exit_code_1() {
        let options = Options { json: true, max_memory: None, repeat: None };
        let code = |claims: &[u64]| {
            let checks = claims.iter().map(|&seen| Check::equal("a claim", 1, seen)).collect();
            let record =
                ProfilesRecord { schema: "cpymem.profiles/1", count: 0, layouts: Vec::new(), checks };
            outcome(&record, &record.checks, options).code()
        };
        assert_eq!([code(&[1, 1]), code(&[1, 2]), code(&[])], [0, 1, 0]);
    }
}
