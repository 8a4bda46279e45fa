//! The workloads that the program carries, and the plan that a command line makes of them.

use crate::error::InputError;
use crate::input::Input;
use crate::profiles;
use crate::progress::Progress;
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

/// A workload.
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

/// Every workload, in the order in which they run.
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

/// The workloads with these names, all of them if there is no name; or the first name that is none.
pub fn select(names: &[String]) -> Result<Vec<Workload>, &String> {
    if names.is_empty() {
        return Ok(WORKLOADS.to_vec());
    }
    let find =
        |name| WORKLOADS.iter().find(|workload| workload.name == String::as_str(name)).copied().ok_or(name);
    names.iter().map(find).collect()
}

/// Runs workloads one after the other.
///
/// # Errors
/// If a bundled recording is broken.
pub fn run(workloads: &[Workload], plan: Plan, progress: &Progress) -> Result<MainRecord, InputError> {
    let mut record = MainRecord {
        schema: "cpymem.main/1",
        input: Vec::new(),
        replays: Vec::new(),
        heaps: Vec::new(),
        profiles: None,
    };
    for workload in workloads {
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
    let inputs = |inputs: &[InputRecord; 1]| inputs[0].clone();
    record.input = record.replays.iter().map(|replay| inputs(&replay.input)).collect();
    record.input.extend(record.heaps.iter().map(|heap| inputs(&heap.input)));
    Ok(record)
}
