//! `cpymem bench` and the main job.

use std::ffi::OsStr;
use std::fmt::Write as _;
use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read, Write as _};
use std::path::Path;

use serde::Serialize;

use super::{Failure, Outcome, json, outcome, processes};
use crate::allocators::child::Case;
use crate::allocators::{self, Plan as AllocatorPlan};
use crate::args::{Allocator, Bench, How, Options, Run, Suite};
use crate::bench::against::{SavedRun, against};
use crate::bench::python::Interpreter;
use crate::bench::suites::{self, CyclegcSuite, RefcountSuite, SlotsSuite};
use crate::bench::{self, Page, Workload};
use crate::error::{self, InputError, Place};
use crate::input::Input;
use crate::progress::Progress;
use crate::record::{Check, MainRecord};
use crate::report::{Report, Style, hanging, html, markdown};
use crate::workloads::{self, Selection};

/// Timed turns of a comparison: enough for an interval of 95 %, in two passes.
const TURNS: usize = 10;
/// How much the main job does of each comparison, so that all of it takes less than a minute.
const MAIN_JOB_SCALE: f64 = 0.1;
/// Turns of a comparison in the main job.
const MAIN_JOB_TURNS: usize = 3;
/// The longest saved run that is read.
const LONGEST_RUN: u64 = 64 << 20;

impl From<error::Failure> for Failure {
    fn from(failure: error::Failure) -> Failure {
        match failure {
            error::Failure::Input(error) => Failure::Input(error),
            error::Failure::Plan(what) => Failure::Plan(what),
        }
    }
}

/// Every workload at a scale that keeps the whole under a minute.
pub(super) fn main_job(options: Options, progress: &Progress) -> Result<Outcome, Failure> {
    let how = How { scale: MAIN_JOB_SCALE, seed: 1, ..How::default() };
    let turns = options.repeat.map_or(MAIN_JOB_TURNS, usize::from);
    finished(&measure(&Selection::everything(), &how, options, turns, progress)?, options)
}

/// `cpymem bench` without a subcommand.
pub(super) fn run(run: &Run, options: Options, progress: &Progress) -> Result<Outcome, Failure> {
    if run.list {
        return Ok(Outcome { text: pages(&workloads::pages(), options), holds: true });
    }
    let selection =
        Selection::new(&run.workloads, &run.filter).map_err(|name| Failure::Workload(name.clone()))?;
    if selection.is_empty() {
        return Err(Failure::Plan(format!("no workload has a name with {}", run.filter.join(" or "))));
    }
    report(&selection, &run.how, options, TURNS, progress)
}

/// The suite of a crate's patterns.
fn patterns<S: Workload>(
    wish: &Suite,
    names: &[(&'static str, &'static str)],
    suite: fn(Vec<&'static str>, Vec<String>) -> S,
    options: Options,
    progress: &Progress,
) -> Result<Outcome, Failure> {
    if wish.list {
        return Ok(Outcome { text: list(names, options), holds: true });
    }
    let known = |name: &String| names.iter().any(|(known, _)| known == name);
    if let Some(unknown) = wish.patterns.iter().find(|name| !known(name)) {
        return Err(Failure::Plan(format!("there is no pattern '{unknown}'; --list names them")));
    }
    let takes = |name: &str| {
        (wish.patterns.is_empty() || wish.patterns.iter().any(|wanted| wanted == name))
            && (wish.filter.is_empty() || wish.filter.iter().any(|text| name.contains(text.as_str())))
    };
    let chosen: Vec<&'static str> = names.iter().map(|(name, _)| *name).filter(|name| takes(name)).collect();
    if chosen.is_empty() {
        return Err(Failure::Plan(format!("no pattern has a name with {}", wish.filter.join(" or "))));
    }
    let suite = suite(chosen, wish.only.clone());
    report(&Selection::of(&suite), &wish.how, options, TURNS, progress)
}

/// Measures, and brings the result to where it was asked for.
fn report(
    selection: &Selection<'_>,
    how: &How,
    options: Options,
    turns: usize,
    progress: &Progress,
) -> Result<Outcome, Failure> {
    if let Some(turns) = how.part {
        let record = measure(&selection.part(&how.part_of), how, options, turns, progress)?;
        return Ok(Outcome { text: json(&record.saved()), holds: true });
    }
    // What cannot be written or read is told before minutes of work.
    let save = how.save.as_deref().map(|path| create(path, how.force)).transpose()?;
    let page = how.html.as_deref().map(|path| create(path, how.force)).transpose()?;
    let before = how.against.as_deref().map(saved).transpose()?;
    let turns = options.repeat.map_or(turns, usize::from);
    let record = match save.is_some() || before.is_some() {
        true => {
            let own = turns.div_ceil(processes::PROCESSES);
            let mut record = measure(selection, how, options, own, progress)?;
            processes::extend(&mut record, own, progress)?;
            record
        }
        false => measure(selection, how, options, turns, progress)?,
    };
    let holds = record.checks().all(|check| check.holds);
    if let Some((mut file, path)) = save.zip(how.save.as_deref()) {
        write(&mut file, path, &json(&record))?;
    }
    if let Some((mut file, path)) = page.zip(how.html.as_deref()) {
        write(&mut file, path, &html::page(&record))?;
    }
    if let Some(before) = before {
        let mut compared = against(&before, &record.saved());
        processes::confirm(&mut compared, &before, record.turns, progress)?;
        let text = match (options.json, how.markdown) {
            (true, _) => json(&compared),
            (_, true) => markdown::against(&compared),
            _ => compared.report(&Style::of_stdout()),
        };
        return Ok(Outcome { text, holds });
    }
    if how.markdown {
        return Ok(Outcome { text: markdown::run(&record), holds });
    }
    finished(&record, options)
}

fn finished(record: &MainRecord, options: Options) -> Result<Outcome, Failure> {
    let checks: Vec<Check> = record.checks().cloned().collect();
    Ok(outcome(record, &checks, options))
}

fn measure(
    selection: &Selection<'_>,
    how: &How,
    options: Options,
    turns: usize,
    progress: &Progress,
) -> Result<MainRecord, Failure> {
    let pythons: Vec<Interpreter> = how
        .python
        .iter()
        .map(|path| Interpreter::ask(path))
        .collect::<Result<_, _>>()
        .map_err(Failure::Plan)?;
    let setting = bench::Setting { seed: how.seed, scale: how.scale, turns, pythons: &pythons, progress };
    let plan = crate::replay::Plan { repeats: options.repeat.map(usize::from) };
    Ok(workloads::run(selection, plan, &setting)?)
}

/// A saved run.
fn saved(path: &OsStr) -> Result<SavedRun, Failure> {
    let name = path.to_string_lossy();
    let fail = |what: String| Failure::Input(InputError::new(&*name, Place::Offset(0), what));
    let mut text = String::new();
    let file = File::open(path).map_err(|error| fail(error.to_string()))?;
    file.take(LONGEST_RUN + 1).read_to_string(&mut text).map_err(|error| fail(error.to_string()))?;
    if text.len() as u64 > LONGEST_RUN {
        return Err(fail(format!("longer than {LONGEST_RUN} bytes: no run of this program")));
    }
    let run: SavedRun = serde_json::from_str(&text).map_err(|error| {
        let place = Place::Line(error.line() as u64);
        Failure::Input(InputError::new(&*name, place, format!("not a saved run: {error}")))
    })?;
    if run.schema != "cpymem.main/1" {
        return Err(fail(format!("a document {}, not cpymem.main/1", run.schema)));
    }
    Ok(run)
}

/// A file that does not exist yet, unless that was asked for.
fn create(path: &Path, force: bool) -> Result<File, Failure> {
    let mut options = OpenOptions::new();
    options.write(true);
    if force {
        options.create(true).truncate(true);
    } else {
        options.create_new(true);
    }
    options.open(path).map_err(|error| {
        let what = match error.kind() {
            ErrorKind::AlreadyExists => "is there already; --force replaces it".to_owned(),
            _ => error.to_string(),
        };
        Failure::Output(format!("{}: {what}", path.display()))
    })
}

fn write(file: &mut File, path: &Path, text: &str) -> Result<(), Failure> {
    file.write_all(text.as_bytes()).map_err(|error| Failure::Output(format!("{}: {error}", path.display())))
}

/// The suites of single crates.
pub(super) fn suite(what: &Bench, options: Options, progress: &Progress) -> Result<Outcome, Failure> {
    match what {
        Bench::Allocator(wish) => allocator(wish, options, progress),
        Bench::Refcount(wish) => {
            patterns(wish, &suites::refcount_patterns(), RefcountSuite::long, options, progress)
        }
        Bench::Slots(wish) => patterns(wish, &suites::slots_patterns(), SlotsSuite::long, options, progress),
        Bench::Cyclegc(wish) => {
            patterns(wish, &suites::cyclegc_patterns(), CyclegcSuite::long, options, progress)
        }
        Bench::Memory(wish) => {
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
        Bench::Growth(wish) => {
            let plan = allocators::growth::Plan {
                only: wish.only.clone(),
                most: wish.most,
                libpython: wish.libpython.clone(),
            };
            Ok(outcome(&allocators::growth::growth(&plan, progress)?, &[], options))
        }
        Bench::OneAllocator(wish) => {
            let case = match (&wish.replay, wish.uniform) {
                (Some(trace), _) => Case::Replay { trace: trace.clone(), arenas_only: wish.arenas_only },
                (None, Some(blocks)) => Case::Uniform { blocks },
                (None, None) => Case::Growth { live: wish.live as usize, turns: wish.turns },
            };
            let found =
                allocators::one(&wish.allocator, &case, wish.libpython.as_deref(), options.max_memory)?;
            Ok(Outcome { text: json(&found), holds: true })
        }
    }
}

fn allocator(wish: &Allocator, options: Options, progress: &Progress) -> Result<Outcome, Failure> {
    if wish.list {
        return Ok(Outcome { text: list(&allocators::names(), options), holds: true });
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

/// Names and what they stand for.
fn list(entries: &[(&str, &str)], options: Options) -> String {
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

/// A page for each workload.
fn pages(pages: &[Page], options: Options) -> String {
    if options.json {
        return json(&pages);
    }
    let style = Style::of_stdout();
    let mut text = String::new();
    for page in pages {
        let _ = writeln!(text, "{}", style.strong(page.name));
        for (title, words) in [("shows", page.shows), ("stands for", page.stands_for), ("costs", page.costs)]
        {
            text.push_str(&hanging(&format!("  {title:10}  "), words));
        }
        text.push('\n');
    }
    text
}
