//! From the command line to what is printed.

use std::fmt::Write as _;
use std::io::{self, Write};
use std::process::ExitCode;

use cpymem_slots::model::{ClassLayout, Target, TargetError};
use serde::Serialize;

use crate::allocators::child::Case;
use crate::allocators::{self, Plan as AllocatorPlan};
use crate::args::{Allocator, Args, Bench, By, Command, Options};
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
use crate::workloads::{self, WORKLOADS};

/// An input or a claim is broken.
const BROKEN: u8 = 1;
/// The command line is wrong.
const USAGE: u8 = 2;

/// What a command leaves: text to print, and whether every claim holds.
struct Outcome {
    text: String,
    holds: bool,
}

/// Runs a command and prints what comes of it. On an error standard output stays empty and standard error gets
/// one line.
pub fn run(args: Args) -> ExitCode {
    let progress = if args.options.json { Progress::silent() } else { Progress::to_stderr() };
    let done = execute(&args, &progress);
    drop(progress);
    let (message, code) = match done {
        Ok(Outcome { text, holds }) => match print(&text) {
            Ok(()) => return if holds { ExitCode::SUCCESS } else { ExitCode::from(BROKEN) },
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
    Decision(DecisionError),
}

impl From<allocators::Failure> for Failure {
    fn from(failure: allocators::Failure) -> Failure {
        match failure {
            allocators::Failure::Input(error) => Failure::Input(error),
            allocators::Failure::Plan(what) => Failure::Plan(what),
        }
    }
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
        Some(Command::Bench { what: Some(Bench::Allocator(wish)), .. }) => {
            bench_allocator(wish, options, progress)
        }
        Some(Command::Bench { what: Some(Bench::Memory(wish)), .. }) => {
            let plan = allocators::memory::Plan {
                traces: wish.traces.clone(),
                only: wish.only.clone(),
                libpython: wish.libpython.clone(),
                blocks: wish.blocks,
                max_memory: options.max_memory,
            };
            let record = allocators::memory::memory(&plan, progress)?;
            Ok(outcome(&record, &record.checks(), options))
        }
        Some(Command::Bench { what: Some(Bench::Growth(wish)), .. }) => {
            let plan = allocators::growth::Plan {
                only: wish.only.clone(),
                most: wish.most,
                libpython: wish.libpython.clone(),
            };
            Ok(outcome(&allocators::growth::growth(&plan, progress)?, &[], options))
        }
        Some(Command::Bench { what: Some(Bench::OneAllocator(wish)), .. }) => {
            let case = match (&wish.replay, wish.uniform) {
                (Some(trace), _) => Case::Replay { trace: trace.clone(), arenas_only: wish.arenas_only },
                (None, Some(blocks)) => Case::Uniform { blocks },
                (None, None) => Case::Growth { live: wish.live as usize, turns: wish.turns },
            };
            let found =
                allocators::one(&wish.allocator, &case, wish.libpython.as_deref(), options.max_memory)?;
            Ok(Outcome { text: json(&found), holds: true })
        }
        Some(Command::Bench { list: true, .. }) => Ok(Outcome { text: list(options), holds: true }),
        Some(Command::Bench { workloads, .. }) => bench(workloads, plan, options, progress),
        None => bench(&[], plan, options, progress),
    }
}

fn bench_allocator(wish: &Allocator, options: Options, progress: &Progress) -> Result<Outcome, Failure> {
    if wish.list {
        return Ok(Outcome { text: list_of(&allocators::names(), options), holds: true });
    }
    let inputs = match &wish.traces[..] {
        [] => workloads::traces(options.max_memory)?,
        files => {
            files.iter().map(|file| Input::from_arg(file, options.max_memory)).collect::<Result<_, _>>()?
        }
    };
    let plan = AllocatorPlan {
        filter: wish.filter.clone(),
        only: wish.only.clone(),
        alternations: usize::from(wish.alternations),
        scale: wish.scale,
        libpython: wish.libpython.clone(),
    };
    let record = allocators::bench(&plan, &inputs, progress)?;
    Ok(outcome(&record, &record.checks(), options))
}

/// A version that the model knows.
fn known(label: &str) -> Result<Target, Failure> {
    let target: Target = label.parse().map_err(Failure::Python)?;
    ClassLayout::object(target).map_err(Failure::Python)?;
    Ok(target)
}

fn bench(names: &[String], plan: Plan, options: Options, progress: &Progress) -> Result<Outcome, Failure> {
    let selected = workloads::select(names).map_err(|name| Failure::Workload(name.clone()))?;
    let record = workloads::run(&selected, plan, progress)?;
    let checks: Vec<Check> = record.checks().cloned().collect();
    Ok(outcome(&record, &checks, options))
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

fn list(options: Options) -> String {
    let entries: Vec<(&str, &str)> =
        WORKLOADS.iter().map(|workload| (workload.name, workload.about)).collect();
    list_of(&entries, options)
}

/// The program that makes dumps.
fn dump(options: Options) -> String {
    if options.json {
        return json(&DumperRecord::new());
    }
    dumper::HELPER.to_owned()
}

/// Names and what they stand for.
fn list_of(entries: &[(&str, &str)], options: Options) -> String {
    if options.json {
        #[derive(Serialize)]
        struct Entry<'a> {
            name: &'a str,
            about: &'a str,
        }
        let entries: Vec<Entry<'_>> = entries.iter().map(|&(name, about)| Entry { name, about }).collect();
        return json(&entries);
    }
    let width = entries.iter().map(|(name, _)| name.len()).max().unwrap_or_default();
    let mut text = String::new();
    for (name, about) in entries {
        let _ = writeln!(text, "{name:width$}  {about}");
    }
    text
}

fn print(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}
