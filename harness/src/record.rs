//! What was measured: plain values that reports only read. They are the `--json` documents.
//!
//! Units are in the names (`_bytes`, `_ns`); what is unknown is null, never 0.

use serde::{Deserialize, Serialize};

use crate::bench::against::SavedRun;
use crate::bench::machine::{Build, Machine};
use crate::bench::record::WorkloadRecord;
use crate::input::Input;
use crate::units;

/// An input, as every document names it.
#[derive(Clone, Debug, Serialize, PartialEq)]
pub struct InputRecord {
    /// As the user named it.
    pub path: String,
    /// The form that its first line states, such as `PMTRACE 1`.
    pub form: String,
    /// The interpreter that it was recorded from.
    pub python: Option<String>,
    /// SHA-256 of the bytes as they are stored.
    pub sha256: String,
}

impl InputRecord {
    /// The record of an input that was read and found to be of `form`.
    pub fn new(input: &Input, form: &str, python: Option<&str>) -> InputRecord {
        InputRecord {
            path: input.name().to_owned(),
            form: form.to_owned(),
            python: python.map(str::to_owned),
            sha256: input.sha256().unwrap_or_default().to_owned(),
        }
    }
}

/// One thing that must hold; a program that finds it broken exits with 1.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq)]
pub struct Check {
    /// What is claimed.
    pub claim: String,
    /// What was expected.
    pub expected: String,
    /// What was seen.
    pub seen: String,
    /// Whether both agree.
    pub holds: bool,
}

impl Check {
    /// A claim that a number is at most a limit.
    pub fn at_most(claim: impl Into<String>, limit: f64, seen: f64) -> Check {
        Check {
            claim: claim.into(),
            expected: format!("at most {}", units::plain(limit)),
            seen: units::plain(seen),
            holds: seen <= limit,
        }
    }

    /// A claim that a number is at least a limit.
    pub fn at_least(claim: impl Into<String>, limit: f64, seen: f64) -> Check {
        Check {
            claim: claim.into(),
            expected: format!("at least {}", units::plain(limit)),
            seen: units::plain(seen),
            holds: seen >= limit,
        }
    }

    /// A claim that two numbers are equal.
    pub fn equal(claim: impl Into<String>, expected: u64, seen: u64) -> Check {
        Check {
            claim: claim.into(),
            expected: expected.to_string(),
            seen: seen.to_string(),
            holds: expected == seen,
        }
    }
}

/// Document `cpymem.replay/1`: a trace, and what allocators made of it.
#[derive(Clone, Debug, Serialize)]
pub struct ReplayRecord {
    /// `cpymem.replay/1`.
    pub schema: &'static str,
    /// The trace.
    pub input: [InputRecord; 1],
    /// The recorded program.
    pub program: Option<String>,
    /// What it does.
    pub description: Option<String>,
    /// Events of all kinds.
    pub events: u64,
    /// Mallocs and callocs.
    pub allocations: u64,
    /// Reallocs.
    pub reallocs: u64,
    /// Frees.
    pub frees: u64,
    /// Threads that had an event.
    pub threads: u32,
    /// Blocks live at the end.
    pub live_at_end: u64,
    /// Most blocks live at one time.
    pub peak_live_blocks: u64,
    /// Most bytes live at one time, as asked for.
    pub peak_live_bytes: u64,
    /// Share of allocations of at most 512 bytes.
    pub small_share_of_allocations: Option<f64>,
    /// Marks that the program set, with the state of the process there.
    pub phases: Vec<PhaseRecord>,
    /// Deaths in the object domain.
    pub deaths: DeathsRecord,
    /// What the cycle collector did.
    pub collections: CollectionsRecord,
    /// One entry for each allocator.
    pub backends: Vec<BackendRecord>,
    /// What the replay itself costs, on an allocator that does nothing.
    pub null_ns_per_event: Option<f64>,
    /// Replays with every byte of every block written and read back.
    pub checked: Vec<CheckedRecord>,
    /// What must hold.
    pub checks: Vec<Check>,
    /// What the trace says about its program.
    pub verdict: Verdict,
}

/// A phase mark.
#[derive(Clone, Debug, Serialize)]
pub struct PhaseRecord {
    /// Position among the marks, from 0.
    pub index: usize,
    /// The program's name for it.
    pub label: String,
    /// Time since the first mark.
    pub at_ns: u64,
    /// Bytes live, as asked for.
    pub live_bytes: u64,
    /// Anonymous resident bytes of the recorded process.
    pub rss_bytes: Option<u64>,
    /// Pools in use in the pymalloc model.
    pub pools_model: u64,
    /// Pools in use in the recorded process, by its addresses.
    pub pools_recorded: Option<u64>,
    /// Arenas mapped in the pymalloc model.
    pub arenas_model: u64,
    /// Bytes that the pymalloc model holds.
    pub pymalloc_held_bytes: u64,
    /// Bytes that the cpymem heap holds.
    pub cpymem_held_bytes: u64,
    /// Bytes that the C library's malloc holds.
    pub system_held_bytes: Option<u64>,
}

/// Deaths in the object domain: the life cycle of objects, with a number on each edge.
#[derive(Clone, Copy, Debug, Serialize, PartialEq)]
pub struct DeathsRecord {
    /// Blocks of the object domain that were allocated.
    pub created: u64,
    /// Those that were freed.
    pub count: u64,
    /// Those that were freed while no collection ran: by their reference counts.
    pub by_count: u64,
    /// Those that were freed inside a collection.
    pub collector: u64,
    /// The collector's share of the deaths.
    pub collector_share: Option<f64>,
    /// Blocks live at the end.
    pub live_at_end: u64,
}

/// Collections in a trace.
#[derive(Clone, Copy, Debug, Serialize, PartialEq)]
pub struct CollectionsRecord {
    /// Collections by their oldest generation.
    pub by_generation: [u64; 3],
    /// Time in collections.
    pub total_ns: u64,
    /// The longest collection.
    pub longest_ns: u64,
    /// Unreachable objects found.
    pub collected: u64,
    /// Bytes that were freed inside collections.
    pub freed_bytes: u64,
    /// Most bytes that one collection freed: garbage that had waited.
    pub most_freed_bytes: u64,
}

/// What one allocator did with a trace.
#[derive(Clone, Debug, Serialize)]
pub struct BackendRecord {
    /// `cpymem`, `pymalloc` or `system`.
    pub name: &'static str,
    /// Median over the repeats of the time of an allocator call, the harness's part included.
    pub ns_per_event: Option<f64>,
    /// The fastest and the slowest repeat.
    pub ns_per_event_range: Option<[f64; 2]>,
    /// Repeats.
    pub repeats: usize,
    /// Most bytes held, as sampled.
    pub peak_held_bytes: Option<u64>,
    /// Bytes held at the end of the trace.
    pub end_held_bytes: Option<u64>,
    /// Pools in use at the end.
    pub end_pools: Option<u64>,
    /// Arenas mapped at the end.
    pub end_arenas: Option<u64>,
    /// Bytes held over time: at most [`TIMELINE`] samples at equal distances of events.
    pub held_bytes: Vec<Option<u64>>,
    /// Bytes live at the same moments.
    pub live_bytes: Vec<u64>,
}

/// Most samples of a timeline.
pub const TIMELINE: usize = 120;

/// A replay with every byte checked.
#[derive(Clone, Debug, Serialize)]
pub struct CheckedRecord {
    /// The allocator.
    pub name: &'static str,
    /// Allocations made.
    pub allocations: u64,
    /// Frees made.
    pub frees: u64,
    /// Blocks live at the end.
    pub live_at_end: u64,
    /// Bytes written.
    pub written_bytes: u64,
    /// Blocks that were not what had been written.
    pub clobbered: u64,
}

/// Which layer holds the memory, and what to do.
#[derive(Clone, Copy, Debug, Serialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Layer {
    /// Objects that are still referenced.
    Lifetime,
    /// Objects that only cycles keep.
    Collector,
    /// Free memory that the allocator does not give back.
    Allocator,
    /// What instances cost beside their values.
    Class,
    /// What is imported: code, and the libraries behind it.
    Packaging,
    /// None of them: memory management is not the bottleneck.
    Elsewhere,
}

/// A verdict: state, trigger, consequence, and the next step.
#[derive(Clone, Debug, Serialize)]
pub struct Verdict {
    /// The layer with the largest share of what would be alarming.
    pub layer: Layer,
    /// What is.
    pub state: String,
    /// What made it so.
    pub trigger: String,
    /// What follows.
    pub consequence: String,
    /// The smallest next step.
    pub step: Step,
    /// 0 to 1: how far the first layer is ahead of the second, less for what the input does not tell.
    pub confidence: f64,
    /// Why it is that much.
    pub confidence_reason: String,
    /// Every number of the sentences, by name.
    pub facts: Vec<Fact>,
}

/// What to do next.
#[derive(Clone, Debug, Serialize)]
pub struct Step {
    /// In a sentence.
    pub action: String,
    /// Bytes that it should bring, if that can be known.
    pub expected_bytes: Option<u64>,
}

/// A number of a verdict. `unit` says how it is printed.
#[derive(Clone, Debug, Serialize, PartialEq)]
pub struct Fact {
    /// What it is.
    pub name: &'static str,
    /// The number; null if the input cannot tell.
    pub value: Option<f64>,
    /// `bytes`, `share`, `ns` or `count`.
    pub unit: Unit,
}

/// The unit of a [`Fact`].
#[derive(Clone, Copy, Debug, Serialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Unit {
    /// Bytes.
    Bytes,
    /// 0 to 1, printed in percent.
    Share,
    /// Nanoseconds.
    Ns,
    /// A number of things.
    Count,
}

/// Document `cpymem.heap/1`: a dump, and what the collector found in it.
#[derive(Clone, Debug, Serialize)]
pub struct HeapRecord {
    /// `cpymem.heap/1`.
    pub schema: &'static str,
    /// The dump.
    pub input: [InputRecord; 1],
    /// Objects of the dump, the dumper's own left out.
    pub objects: u64,
    /// Those that CPython's collector tracks.
    pub tracked: u64,
    /// References between objects.
    pub edges: u64,
    /// Bytes by `sys.getsizeof`.
    pub own_bytes: u64,
    /// Handles that stand for references from outside the tracked objects.
    pub outside_references: u64,
    /// What the collector found.
    pub garbage: GarbageRecord,
    /// Types, those with most bytes first.
    pub types: Vec<TypeRecord>,
    /// Time to rebuild the graph with real objects.
    pub rebuild_ns: u64,
    /// Time of the collection that found the garbage, destroying it included.
    pub collect_ns: u64,
    /// Time of a collection that finds nothing, with what is left.
    pub live_pass_ns: u64,
    /// What must hold.
    pub checks: Vec<Check>,
}

/// Garbage of a dump.
#[derive(Clone, Copy, Debug, Serialize, PartialEq)]
pub struct GarbageRecord {
    /// Tracked objects that the collector of this program found unreachable.
    pub found: u64,
    /// What `gc.collect()` found in the dumped process right after the dump.
    pub recorded: Option<u64>,
    /// Bytes of those found, by `sys.getsizeof`.
    pub own_bytes: u64,
}

/// A type of a dump.
#[derive(Clone, Debug, Serialize)]
pub struct TypeRecord {
    /// Module and name.
    pub name: String,
    /// Objects.
    pub count: u64,
    /// Their bytes by `sys.getsizeof`.
    pub own_bytes: u64,
    /// Bytes that would go with them: not computed yet.
    pub retained_bytes: Option<u64>,
    /// Objects of the type that are garbage.
    pub garbage_count: u64,
}

/// Document `cpymem.profiles/1`: user profiles in several layouts.
#[derive(Clone, Debug, Serialize)]
pub struct ProfilesRecord {
    /// `cpymem.profiles/1`.
    pub schema: &'static str,
    /// Profiles made of each layout.
    pub count: u64,
    /// One entry for each layout.
    pub layouts: Vec<LayoutRecord>,
    /// What must hold.
    pub checks: Vec<Check>,
}

/// Profiles in one layout.
#[derive(Clone, Debug, Serialize)]
pub struct LayoutRecord {
    /// `dict`, `slots` or `plain`.
    pub name: &'static str,
    /// What it is.
    pub description: &'static str,
    /// Bytes of an object, its strings left out.
    pub object_bytes: f64,
    /// Bytes that the heap held for an object, its strings left out.
    pub held_bytes_each: f64,
    /// What CPython's object of this layout costs, by version.
    pub cpython: Vec<CpythonBytes>,
    /// Time to make one.
    pub create_ns: f64,
    /// Time to read one attribute, all read in order.
    pub read_ns: f64,
    /// Time to delete one.
    pub delete_ns: f64,
    /// Bytes that the heap held with all of them.
    pub held_bytes: u64,
    /// Bytes that the heap held after they were deleted.
    pub held_after_bytes: u64,
}

/// Bytes of an instance in CPython.
#[derive(Clone, Debug, Serialize, PartialEq)]
pub struct CpythonBytes {
    /// Version.
    pub python: String,
    /// Allocator blocks of an instance, attribute values left out.
    pub bytes: u64,
}

/// Document `cpymem.main/1`: a run of workloads, such as the main job.
#[derive(Clone, Debug, Serialize)]
pub struct MainRecord {
    /// `cpymem.main/1`.
    pub schema: &'static str,
    /// Where it was measured.
    pub machine: Machine,
    /// What measured it.
    pub build: Build,
    /// The seed of the comparisons.
    pub seed: u64,
    /// The scale of the comparisons.
    pub scale: f64,
    /// Timed turns of the comparisons.
    pub turns: usize,
    /// Every input of the run.
    pub input: Vec<InputRecord>,
    /// The recorded traces.
    pub replays: Vec<ReplayRecord>,
    /// The dumped heaps.
    pub heaps: Vec<HeapRecord>,
    /// The profiles.
    pub profiles: Option<ProfilesRecord>,
    /// The comparisons.
    pub workloads: Vec<WorkloadRecord>,
    /// Time of the whole run.
    pub wall_ns: u64,
}

impl MainRecord {
    /// Every check of every part.
    pub fn checks(&self) -> impl Iterator<Item = &Check> {
        let replays = self.replays.iter().flat_map(|replay| &replay.checks);
        let heaps = self.heaps.iter().flat_map(|heap| &heap.checks);
        let profiles = self.profiles.iter().flat_map(|profiles| &profiles.checks);
        let workloads = self.workloads.iter().flat_map(|workload| &workload.checks);
        replays.chain(heaps).chain(profiles).chain(workloads)
    }

    /// What can be compared with another run.
    pub fn saved(&self) -> SavedRun {
        SavedRun {
            schema: self.schema.to_owned(),
            machine: self.machine.clone(),
            build: self.build.clone(),
            seed: self.seed,
            scale: self.scale,
            workloads: self.workloads.clone(),
        }
    }
}
