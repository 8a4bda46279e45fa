//! The workloads that the program carries, and the plan that a command line makes of them.

use std::time::Instant;

use crate::bench::machine::{Build, Machine};
use crate::bench::record::WorkloadRecord;
use crate::bench::{self, Page, Setting};
use crate::error::InputError;
use crate::input::Input;
use crate::profiles;
use crate::rebuild;
use crate::record::{InputRecord, MainRecord};
use crate::replay::{self, Plan};

/// What a workload does.
#[derive(Clone, Copy, Debug)]
enum Kind {
    /// Replays a bundled trace.
    Replay(&'static [u8]),
    /// Rebuilds and collects a bundled dump.
    Collect(&'static [u8]),
    /// Makes profiles in every layout.
    Profiles,
}

/// A workload on a recording, or the profiles.
#[derive(Clone, Copy, Debug)]
pub struct Workload {
    /// The name on the command line.
    pub name: &'static str,
    /// What it shows.
    pub about: &'static str,
    kind: Kind,
}

macro_rules! sample {
    ($file:literal) => {
        include_bytes!(concat!("../samples/", $file))
    };
}

/// Those that run first, in this order; then come the comparisons of [`bench::workloads::ALL`].
pub const WORKLOADS: &[Workload] = &[
    Workload {
        name: "replay-profiles",
        about: "60,000 records built, shuffled, half deleted at random, then all: arenas that stay",
        kind: Kind::Replay(sample!("profiles.pmt.gz")),
    },
    Workload {
        name: "replay-leaky",
        about: "a worker that leaks three ways: a cache, tracebacks, listeners",
        kind: Kind::Replay(sample!("leaky.pmt.gz")),
    },
    Workload {
        name: "replay-threads",
        about: "4 workers and a queue, building cyclic trees: what only the collector can free",
        kind: Kind::Replay(sample!("threads.pmt.gz")),
    },
    Workload {
        name: "replay-flask",
        about: "the start of a flask server: where a wrong model of pymalloc counts other pools",
        kind: Kind::Replay(sample!("flask.pmt.gz")),
    },
    Workload {
        name: "collect-threads",
        about: "a dump with cyclic trees not yet collected",
        kind: Kind::Collect(sample!("threads.heap.jsonl.gz")),
    },
    Workload {
        name: "collect-profiles",
        about: "a dump with dict and slots objects, half of them dropped in cycles",
        kind: Kind::Collect(sample!("profiles.heap.jsonl.gz")),
    },
    Workload {
        name: "collect-leaky",
        about: "a dump of the leaking worker: nothing in it is garbage",
        kind: Kind::Collect(sample!("leaky.heap.jsonl.gz")),
    },
    Workload {
        name: "profiles",
        about: "1,000,000 user profiles with key-sharing dicts, with slots, and as Rust structs",
        kind: Kind::Profiles,
    },
];

/// The bundled traces, each under the name of its workload without the verb.
///
/// # Errors
/// If one is empty, which none is.
pub fn traces(max_memory: Option<u64>) -> Result<Vec<Input>, InputError> {
    let traces = WORKLOADS.iter().filter_map(|workload| match workload.kind {
        Kind::Replay(bytes) => Some((workload.name.split_once('-')?.1, bytes)),
        Kind::Collect(_) | Kind::Profiles => None,
    });
    traces.map(|(name, bytes)| Input::from_bytes(name, bytes, max_memory)).collect()
}

/// A page for each workload: the recordings first, then the comparisons.
pub fn pages() -> Vec<Page> {
    let recording = |workload: &Workload| Page {
        name: workload.name,
        shows: workload.about,
        stands_for: match workload.kind {
            Kind::Replay(_) => "a recorded program: every call of its allocator, made again",
            Kind::Collect(_) => "a dumped process: every object that its collector knew, made again",
            Kind::Profiles => "the question whether __slots__ pays",
        },
        costs: match workload.kind {
            Kind::Replay(_) => "about a second and 200 MiB",
            Kind::Collect(_) => "a few milliseconds",
            Kind::Profiles => "two seconds and 250 MiB",
        },
    };
    WORKLOADS
        .iter()
        .map(recording)
        .chain(bench::workloads::ALL.iter().map(|workload| workload.page()))
        .collect()
}

/// What is run.
#[derive(Clone, Debug)]
pub struct Selection<'a> {
    recordings: Vec<Workload>,
    comparisons: Vec<&'a dyn bench::Workload>,
}

impl<'a> Selection<'a> {
    /// All there is.
    pub fn everything() -> Selection<'a> {
        Selection { recordings: WORKLOADS.to_vec(), comparisons: bench::workloads::ALL.to_vec() }
    }

    /// One comparison.
    pub fn of(comparison: &'a dyn bench::Workload) -> Selection<'a> {
        Selection { recordings: Vec::new(), comparisons: vec![comparison] }
    }

    /// The workloads with these names, all of them if there is no name, of which the name contains one of the
    /// texts, if there is one.
    ///
    /// # Errors
    /// The first name that is none.
    pub fn new<'n>(names: &'n [String], texts: &[String]) -> Result<Selection<'a>, &'n String> {
        let known = pages();
        if let Some(unknown) = names.iter().find(|name| !known.iter().any(|page| page.name == name.as_str()))
        {
            return Err(unknown);
        }
        let takes = |name: &str| {
            (names.is_empty() || names.iter().any(|wanted| wanted == name))
                && (texts.is_empty() || texts.iter().any(|text| name.contains(text.as_str())))
        };
        let recordings = WORKLOADS.iter().filter(|workload| takes(workload.name));
        let comparisons = bench::workloads::ALL.iter().filter(|workload| takes(workload.page().name));
        Ok(Selection {
            recordings: recordings.copied().collect(),
            comparisons: comparisons.copied().collect(),
        })
    }

    /// Its comparisons with these names, all of them if there is no name.
    #[must_use]
    pub fn part(&self, names: &[String]) -> Selection<'a> {
        let takes = |name: &str| names.is_empty() || names.iter().any(|wanted| wanted == name);
        let comparisons = self.comparisons.iter().filter(|workload| takes(workload.page().name));
        Selection { recordings: Vec::new(), comparisons: comparisons.copied().collect() }
    }

    /// Whether nothing is run.
    pub fn is_empty(&self) -> bool {
        self.recordings.is_empty() && self.comparisons.is_empty()
    }
}

/// Runs workloads one after the other.
///
/// # Errors
/// If a bundled recording is broken, or a comparison cannot be made.
pub fn run(
    selection: &Selection<'_>,
    plan: Plan,
    setting: &Setting<'_>,
) -> Result<MainRecord, bench::Failure> {
    let start = Instant::now();
    let progress = setting.progress;
    let mut record = MainRecord {
        schema: "cpymem.main/1",
        machine: Machine::here(),
        build: Build::this(),
        seed: setting.seed,
        scale: setting.scale,
        turns: setting.turns,
        input: Vec::new(),
        replays: Vec::new(),
        heaps: Vec::new(),
        profiles: None,
        workloads: Vec::new(),
        wall_ns: 0,
    };
    for workload in &selection.recordings {
        // What a recording is called in reports: the workload without its verb.
        let name = workload.name.split_once('-').map_or(workload.name, |(_, name)| name);
        match workload.kind {
            Kind::Replay(bytes) => {
                let input = Input::from_bytes(name, bytes, None)?;
                record.replays.push(replay::replay(&input, plan, progress)?);
            }
            Kind::Collect(bytes) => {
                let input = Input::from_bytes(name, bytes, None)?;
                record.heaps.push(rebuild::heap(&input, progress)?);
            }
            Kind::Profiles => record.profiles = Some(profiles::profiles(profiles::COUNT, progress)),
        }
    }
    record.workloads = comparisons(&selection.comparisons, setting)?;
    let inputs = |inputs: &[InputRecord; 1]| inputs[0].clone();
    record.input = record.replays.iter().map(|replay| inputs(&replay.input)).collect();
    record.input.extend(record.heaps.iter().map(|heap| inputs(&heap.input)));
    record.wall_ns = start.elapsed().as_nanos() as u64;
    Ok(record)
}

/// Runs every comparison, in two passes if there are turns enough: what disturbs the machine for a while then meets
/// some of a workload's turns and not all, and shows in its intervals.
fn comparisons(
    workloads: &[&dyn bench::Workload],
    setting: &Setting<'_>,
) -> Result<Vec<WorkloadRecord>, bench::Failure> {
    let second = if setting.turns < 4 { 0 } else { setting.turns / 2 };
    let first = Setting { turns: setting.turns - second, ..*setting };
    let mut records =
        workloads.iter().map(|&workload| bench::run(workload, &first)).collect::<Result<Vec<_>, _>>()?;
    if second > 0 {
        let again = Setting { turns: second, ..*setting };
        for (record, &workload) in records.iter_mut().zip(workloads) {
            record.continue_with(bench::run(workload, &again)?, "the second pass");
        }
    }
    Ok(records)
}
