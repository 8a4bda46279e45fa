//! Replaying a recorded trace on several allocators.

pub(crate) mod resident;
mod run;
mod steps;
pub(crate) mod subject;

use crate::error::{InputError, Place};
use crate::input::Input;
use crate::progress::Progress;
use crate::pymalloc::Pymalloc;
use crate::record::{
    BackendRecord, Check, CheckedRecord, CollectionsRecord, DeathsRecord, InputRecord, PhaseRecord,
    ReplayRecord, TIMELINE,
};
use crate::trace::{Scan, scan};
use crate::units;
use crate::verdict::{Evidence, verdict};

use run::{Checked, Run, checked, timed};
use subject::{Cpymem, Distinct, Null, System};

/// How a trace is replayed.
#[derive(Clone, Copy, Debug, Default)]
pub struct Plan {
    /// Timed repeats of each allocator, in turn; by default three, and one for a trace of more than
    /// [`MANY_EVENTS`].
    pub repeats: Option<usize>,
}

/// Above so many events a trace is replayed once on each allocator, unless the plan says otherwise.
pub const MANY_EVENTS: u64 = 8_000_000;

/// Work in bytes ([`Scan::work_bytes`]) that a trace may be, whatever its length.
const FREE_WORK: u128 = 4 << 30;
/// And for each byte of the input.
const WORK_PER_BYTE: u128 = 4096;
/// Bytes that a checked replay writes at most, unless the input is larger than they are.
const FREE_CHECK: u128 = 1 << 30;

/// Scans a trace, replays it on every allocator, checks what must hold, and says what it means.
///
/// # Errors
/// If the trace is malformed or needs more than the input's limits allow, or an allocator has no memory.
pub fn replay(input: &Input, plan: Plan, progress: &Progress) -> Result<ReplayRecord, InputError> {
    let name = input.name();
    progress.pass(&format!("{name}: scan"));
    let scan = scan(input)?;
    refuse_excess(input, &scan)?;

    let mut cpymem = Vec::new();
    let mut pymalloc = Vec::new();
    let mut system = Vec::new();
    let mut null = Vec::new();
    let few = scan.events <= MANY_EVENTS;
    let repeats = plan.repeats.unwrap_or(if few { 3 } else { 1 }).max(1);
    for repeat in 1..=repeats {
        progress.pass(&format!("{name}: replay {repeat}/{repeats}"));
        cpymem.push(timed::<Cpymem>(input, &scan)?);
        pymalloc.push(timed::<Pymalloc>(input, &scan)?);
        system.push(timed::<System>(input, &scan)?);
        if few {
            null.push(timed::<Null>(input, &scan)?);
        }
    }

    let mut checked = Vec::new();
    if scan.allocated_bytes + scan.work_bytes <= FREE_CHECK.max(u128::from(input.bytes()) * WORK_PER_BYTE) {
        progress.pass(&format!("{name}: every byte checked"));
        checked.push(check_on::<Cpymem>(input, &scan)?);
        if few {
            checked.push(check_on::<Pymalloc>(input, &scan)?);
        }
    }

    let phases = phases(&scan, &cpymem[0], &pymalloc[0], &system[0]);
    let deaths = deaths(&scan);
    let collections = collections(&scan);
    let verdict = verdict(&Evidence { phases: &phases, deaths, collections });
    let checks = checks(&scan, &phases, &checked);
    Ok(ReplayRecord {
        schema: "cpymem.replay/1",
        input: [InputRecord::new(input, &scan.header.form, scan.header.python.as_deref())],
        program: scan.header.program.clone(),
        description: scan.header.description.clone(),
        events: scan.events,
        allocations: scan.allocations,
        reallocs: scan.reallocs,
        frees: scan.frees,
        threads: scan.threads,
        live_at_end: scan.live_at_end,
        peak_live_blocks: scan.peak_live_blocks,
        peak_live_bytes: scan.peak_live_bytes,
        small_share_of_allocations: scan.small_share_of_allocations(),
        phases,
        deaths,
        collections,
        backends: vec![backend(&cpymem), backend(&pymalloc), backend(&system)],
        null_ns_per_event: median(&null),
        checked,
        checks,
        verdict,
    })
}

/// Refuses a trace that asks for more memory or work than its length can justify.
fn refuse_excess(input: &Input, scan: &Scan) -> Result<(), InputError> {
    // A block costs at least a size class of 16 and its entries in the tables.
    let needed = scan.peak_live_bytes.saturating_add(scan.peak_live_blocks.saturating_mul(64));
    let limit = input.limits().memory_bytes;
    let end = Place::Event(scan.events);
    if needed > limit {
        let (needed, limit) = (units::bytes(needed), units::bytes(limit));
        let what = format!("a replay would hold {needed}, the limit is {limit} (--max-memory allows more)");
        return Err(InputError::new(input.name(), end, what));
    }
    let work = FREE_WORK.max(u128::from(limit) * 32).max(u128::from(input.bytes()) * WORK_PER_BYTE);
    if scan.work_bytes > work {
        let bytes = units::bytes(u64::try_from(scan.work_bytes).unwrap_or(u64::MAX));
        let what = format!("a replay would be as much work as writing {bytes} (--max-memory allows more)");
        return Err(InputError::new(input.name(), end, what));
    }
    Ok(())
}

fn check_on<S: Distinct>(input: &Input, scan: &Scan) -> Result<CheckedRecord, InputError> {
    let Checked { allocations, frees, live_at_end, bytes, clobbered } = checked::<S>(input, scan)?;
    let written_bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
    Ok(CheckedRecord { name: S::NAME, allocations, frees, live_at_end, written_bytes, clobbered })
}

fn phases(scan: &Scan, cpymem: &Run, pymalloc: &Run, system: &Run) -> Vec<PhaseRecord> {
    let marks = scan.phases.iter().zip(&cpymem.phases).zip(&pymalloc.phases).zip(&system.phases);
    marks
        .enumerate()
        .map(|(index, (((phase, cpymem), pymalloc), system))| {
            let (pools_model, arenas_model) = pymalloc.pools_and_arenas.unwrap_or_default();
            PhaseRecord {
                index,
                label: scan.label(phase).to_owned(),
                at_ns: phase.at_ns,
                live_bytes: phase.live_bytes,
                rss_bytes: phase.rss_kib.map(|kib| kib.saturating_mul(1024)),
                pools_model,
                pools_recorded: phase.pools_recorded,
                arenas_model,
                pymalloc_held_bytes: pymalloc.held_bytes.unwrap_or_default(),
                cpymem_held_bytes: cpymem.held_bytes.unwrap_or_default(),
                system_held_bytes: system.held_bytes,
            }
        })
        .collect()
}

fn deaths(scan: &Scan) -> DeathsRecord {
    DeathsRecord {
        created: scan.object_allocations,
        count: scan.deaths.count,
        by_count: scan.deaths.count - scan.deaths.collector,
        collector: scan.deaths.collector,
        collector_share: scan.deaths.collector_share(),
        live_at_end: scan.objects_live_at_end,
    }
}

fn collections(scan: &Scan) -> CollectionsRecord {
    let done = &scan.collections;
    CollectionsRecord {
        by_generation: done.by_generation,
        total_ns: done.total_ns,
        longest_ns: done.longest_ns,
        collected: done.collected,
        freed_bytes: done.freed_bytes,
        most_freed_bytes: done.most_freed_bytes,
    }
}

/// Nanoseconds of an allocator call in one run.
fn ns_per_event(run: &Run) -> Option<f64> {
    (run.events > 0).then(|| run.elapsed.as_nanos() as f64 / run.events as f64)
}

fn sorted(runs: &[Run]) -> Vec<f64> {
    let mut times: Vec<f64> = runs.iter().filter_map(ns_per_event).collect();
    times.sort_by(f64::total_cmp);
    times
}

fn median(runs: &[Run]) -> Option<f64> {
    let times = sorted(runs);
    times.get(times.len() / 2).copied()
}

fn backend(runs: &[Run]) -> BackendRecord {
    let times = sorted(runs);
    let run = &runs[0];
    let distance = run.timeline.len().div_ceil(TIMELINE).max(1);
    let samples = || run.timeline.iter().step_by(distance);
    BackendRecord {
        name: run.name,
        ns_per_event: median(runs),
        ns_per_event_range: times.first().zip(times.last()).map(|(&least, &most)| [least, most]),
        repeats: runs.len(),
        peak_held_bytes: run.timeline.iter().filter_map(|moment| moment.held_bytes).max(),
        end_held_bytes: run.end.held_bytes,
        end_pools: run.end.pools_and_arenas.map(|(pools, _)| pools),
        end_arenas: run.end.pools_and_arenas.map(|(_, arenas)| arenas),
        held_bytes: samples().map(|moment| moment.held_bytes).collect(),
        live_bytes: samples().map(|moment| moment.live_bytes).collect(),
    }
}

/// What must hold for every trace.
fn checks(scan: &Scan, phases: &[PhaseRecord], checked: &[CheckedRecord]) -> Vec<Check> {
    let mut checks = vec![Check::equal(
        "allocations = frees + blocks live at the end",
        scan.allocations,
        scan.frees + scan.live_at_end,
    )];
    let known = phases.iter().filter(|phase| phase.pools_recorded.is_some()).count() as u64;
    if known > 0 {
        let agree = phases.iter().filter(|phase| phase.pools_recorded == Some(phase.pools_model)).count();
        checks.push(Check::equal("marks where model and process use as many pools", known, agree as u64));
    }
    for run in checked {
        let claim = format!("blocks clobbered on {}, every byte written and read back", run.name);
        checks.push(Check::equal(claim, 0, run.clobbered));
        let claim = format!("blocks live at the end on {}", run.name);
        checks.push(Check::equal(claim, scan.live_at_end, run.live_at_end));
    }
    checks
}
