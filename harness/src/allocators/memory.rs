//! `cpymem bench memory`: what allocators keep resident, each in a process of its own.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde::Serialize;

use super::Failure;
use super::calls::{Calls, Part};
use super::child::{Found, MarkFound};
use super::entrants::{Role, Roster};
use super::model::OnPymalloc;
use crate::input::Input;
use crate::progress::Progress;
use crate::pymalloc::ARENA_SIZE;
use crate::record::{Check, InputRecord};

/// Document `cpymem.bench-memory/1`.
#[derive(Clone, Debug, Serialize)]
pub struct MemoryRecord {
    /// `cpymem.bench-memory/1`.
    pub schema: &'static str,
    /// The traces.
    pub input: Vec<InputRecord>,
    /// Replays of whole traces.
    pub replays: Vec<ReplayMemory>,
    /// Replays of what pymalloc serves from its arenas, at the traces' marks.
    pub marks: Vec<MarksMemory>,
    /// Live blocks of 16 to 256 bytes, every size as often as any other.
    pub uniform: Vec<Held>,
}

/// A trace on every allocator.
#[derive(Clone, Debug, Serialize)]
pub struct ReplayMemory {
    /// The trace.
    pub trace: String,
    /// Every allocator.
    pub held: Vec<Held>,
}

/// One allocator.
#[derive(Clone, Debug, Serialize)]
pub struct Held {
    /// Its name.
    pub allocator: &'static str,
    /// What it held.
    #[serde(flatten)]
    pub found: Found,
}

/// A trace's marks.
#[derive(Clone, Debug, Serialize)]
pub struct MarksMemory {
    /// The trace.
    pub trace: String,
    /// Bytes of the arenas that pymalloc had mapped at each mark.
    pub pymalloc_arena_bytes: Vec<u64>,
    /// Every allocator's marks.
    pub held: Vec<Held>,
}

impl MemoryRecord {
    /// What must hold whatever the machine: no block lost its content.
    pub fn checks(&self) -> Vec<Check> {
        let replays = self.replays.iter().flat_map(|replay| &replay.held);
        let marks = self.marks.iter().flat_map(|marks| &marks.held);
        let all = replays.chain(marks).chain(&self.uniform);
        vec![Check::equal("blocks that lost their content", 0, all.map(|held| held.found.clobbered).sum())]
    }
}

/// What is measured.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The traces as the user named them.
    pub traces: Vec<OsString>,
    /// Only these allocators; all of them if there is none.
    pub only: Vec<String>,
    /// The Python library whose pymalloc takes part.
    pub libpython: Option<PathBuf>,
    /// Live blocks of uniform sizes.
    pub blocks: usize,
    /// The limit of the command line.
    pub max_memory: Option<u64>,
}

/// Runs every case on every allocator.
///
/// # Errors
/// If a trace or the Python library cannot be used, or the program cannot be started again.
pub fn memory(plan: &Plan, progress: &Progress) -> Result<MemoryRecord, Failure> {
    let roster = Roster::new(plan.libpython.as_deref()).map_err(Failure::Plan)?;
    let entrants = super::selected(&roster, &plan.only)?;
    let names: Vec<&'static str> = entrants
        .iter()
        .filter(|entrant| entrant.role != Role::Baseline)
        .map(|entrant| entrant.name)
        .collect();
    let run = |case: &[&OsStr]| -> Result<Vec<Held>, Failure> {
        names
            .iter()
            .map(|&allocator| {
                Ok(Held { allocator, found: child(allocator, plan.libpython.as_deref(), case)? })
            })
            .collect()
    };
    let mut record = MemoryRecord {
        schema: "cpymem.bench-memory/1",
        input: Vec::new(),
        replays: Vec::new(),
        marks: Vec::new(),
        uniform: Vec::new(),
    };
    for trace in &plan.traces {
        let input = Input::from_arg(trace, plan.max_memory)?;
        let name = super::short(input.name()).to_owned();
        progress.pass(&name);
        let header = crate::trace::Reader::open(&input)?.header().clone();
        record.input.push(InputRecord::new(&input, &header.form, header.python.as_deref()));
        let held = run(&[OsStr::new("--replay"), trace])?;
        record.replays.push(ReplayMemory { trace: name.clone(), held });
        let calls = Calls::read(&input, Part::Arenas)?;
        if !calls.marks.is_empty() {
            let held = run(&[OsStr::new("--arenas-only"), OsStr::new("--replay"), trace])?;
            let pymalloc_arena_bytes = arena_bytes(&calls);
            record.marks.push(MarksMemory { trace: name, pymalloc_arena_bytes, held });
        }
    }
    progress.pass("uniform sizes");
    let blocks = plan.blocks.to_string();
    record.uniform = run(&[OsStr::new("--uniform"), OsStr::new(&blocks)])?;
    Ok(record)
}

/// The program again, with one allocator.
fn child(allocator: &str, libpython: Option<&Path>, case: &[&OsStr]) -> Result<Found, Failure> {
    let fail = |what: String| Failure::Plan(format!("{allocator} in a process of its own: {what}"));
    let program = std::env::current_exe().map_err(|error| fail(error.to_string()))?;
    let mut command = Command::new(program);
    command.args(["bench", "one-allocator", allocator]).args(case);
    if let Some(library) = libpython.filter(|_| allocator == "pymalloc") {
        command.arg("--libpython").arg(library);
    }
    let output = command.output().map_err(|error| fail(error.to_string()))?;
    if !output.status.success() {
        let text = String::from_utf8_lossy(&output.stderr);
        return Err(fail(text.lines().next().unwrap_or("it failed").to_owned()));
    }
    serde_json::from_slice(&output.stdout).map_err(|error| fail(error.to_string()))
}

/// What CPython's pymalloc has mapped at each mark.
fn arena_bytes(calls: &Calls) -> Vec<u64> {
    let model = OnPymalloc::new();
    let subject = cpymem_allocator::patterns::Subject::local(&model);
    let mut table = calls.table();
    let mut at = 0;
    let mut bytes = Vec::new();
    for mark in &calls.marks {
        calls.execute(&subject, &mut table, at..mark.calls);
        at = mark.calls;
        bytes.push((model.arenas() * ARENA_SIZE) as u64);
    }
    calls.execute(&subject, &mut table, at..calls.len());
    table.clear(&subject);
    bytes
}

impl MarksMemory {
    /// One allocator's resident bytes over pymalloc's arenas, mark by mark.
    pub fn over_arenas(&self, allocator: &str) -> Vec<(&MarkFound, f64)> {
        let found = self.held.iter().find(|held| held.allocator == allocator);
        found.map_or(Vec::new(), |held| {
            let marks = held.found.marks.iter().zip(&self.pymalloc_arena_bytes);
            marks.map(|(mark, &arenas)| (mark, mark.resident_bytes as f64 / arenas.max(1) as f64)).collect()
        })
    }
}
