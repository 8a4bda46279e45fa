//! `cpymem bench allocator`: allocators on the same patterns and traces, in one process, in turn.
//!
//! Each turn runs every allocator once, beginning with another one each time, so that what the machine does
//! meanwhile meets all of them. Ratios are taken within a turn, and their median is the result.

mod calls;
pub mod child;
mod entrants;
mod goals;
pub mod growth;
pub mod memory;
mod model;
#[cfg(feature = "rivals")]
mod python;
pub mod record;
#[cfg(feature = "rivals")]
mod rivals;

use std::path::{Path, PathBuf};

use cpymem_allocator::patterns::{PATTERNS, Pattern, Players, Scale, Subject};

use crate::error::InputError;
use crate::input::Input;
use crate::progress::Progress;
use crate::record::InputRecord;

pub use crate::error::Failure;

use crate::statistics::Estimate;
use calls::{Calls, Null, Part};
pub(crate) use entrants::{Entrant, Role, Roster};
use record::{AllocatorsRecord, Row, Time};

/// What is compared, and how often.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Only patterns and traces whose names contain one of these; all of them if there is none.
    pub filter: Vec<String>,
    /// Only these allocators; all of them if there is none.
    pub only: Vec<String>,
    /// Turns; 21 or more for intervals that mean something.
    pub alternations: usize,
    /// How much of each pattern is done; 1 is the whole.
    pub scale: f64,
    /// The Python library whose pymalloc takes part.
    pub libpython: Option<PathBuf>,
}

impl Plan {
    fn takes(&self, name: &str) -> bool {
        self.filter.is_empty() || self.filter.iter().any(|part| matches(name, part))
    }
}

/// Whether a name contains a text, or is it if the text begins with `=`.
fn matches(name: &str, text: &str) -> bool {
    text.strip_prefix('=').map_or_else(|| name.contains(text), |whole| whole == name)
}

/// Runs the patterns, then replays the traces.
///
/// # Errors
/// If a trace or the Python library cannot be used, or the filter leaves nothing.
pub fn bench(plan: &Plan, traces: &[Input], progress: &Progress) -> Result<AllocatorsRecord, Failure> {
    let roster = Roster::new(plan.libpython.as_deref()).map_err(Failure::Plan)?;
    let entrants = selected(&roster, &plan.only)?;
    let scale = Scale::new(plan.scale);
    let mut rows = Vec::new();
    for pattern in PATTERNS.iter().filter(|pattern| plan.takes(pattern.name)) {
        progress.pass(pattern.name);
        rows.push(time_pattern(pattern, &entrants, scale, plan.alternations));
    }
    let mut input = Vec::new();
    for trace in traces {
        let name = format!("replay-{}", short(trace.name()));
        if plan.takes(&name) {
            progress.pass(&name);
            rows.push(time_trace(&name, trace, &entrants, plan.alternations)?);
            let form = crate::trace::Reader::open(trace)?.header().clone();
            input.push(InputRecord::new(trace, &form.form, form.python.as_deref()));
        }
    }
    if rows.is_empty() {
        return Err(Failure::Plan("no pattern and no trace has a name with that".to_owned()));
    }
    let allocators = entrants.iter().map(|entrant| entrant.name).collect();
    let means = goals::means(&rows, &entrants);
    let goals = goals::goals(&rows, &means);
    Ok(AllocatorsRecord {
        schema: "cpymem.bench-allocator/1",
        input,
        alternations: plan.alternations,
        scale: plan.scale,
        allocators,
        rows,
        means,
        goals,
    })
}

/// The allocators that `only` names, all of them if it names none.
fn selected<'a>(roster: &'a Roster, only: &[String]) -> Result<Vec<Entrant<'a>>, Failure> {
    let mut entrants = roster.entrants();
    if let Some(unknown) = only.iter().find(|name| !entrants.iter().any(|entrant| entrant.name == **name)) {
        let names: Vec<&str> = entrants.iter().map(|entrant| entrant.name).collect();
        return Err(Failure::Plan(format!(
            "there is no allocator '{unknown}' here, only {}",
            names.join(", ")
        )));
    }
    entrants.retain(|entrant| only.is_empty() || only.iter().any(|name| name == entrant.name));
    Ok(entrants)
}

/// Runs one case on one allocator, in this process.
///
/// # Errors
/// If there is no such allocator, or the trace or the Python library cannot be used.
pub fn one(
    allocator: &str,
    case: &child::Case,
    libpython: Option<&Path>,
    max_memory: Option<u64>,
) -> Result<child::Found, Failure> {
    let roster = Roster::new(libpython).map_err(Failure::Plan)?;
    let entrants = selected(&roster, &[allocator.to_owned()])?;
    child::run(&entrants[0], case, max_memory)
}

/// Every pattern with what it does.
pub fn names() -> Vec<(&'static str, &'static str)> {
    PATTERNS.iter().map(|pattern| (pattern.name, pattern.about)).collect()
}

/// A trace's name without folders and endings.
fn short(path: &str) -> &str {
    let file = path.rsplit(['/', '\\']).next().unwrap_or(path);
    file.split('.').next().filter(|name| !name.is_empty()).unwrap_or(file)
}

/// Samples of one entrant, a turn each.
struct Lane<'a> {
    entrant: &'a Entrant<'a>,
    subject: Subject<'a>,
    /// Nanoseconds of an operation.
    raw: Vec<f64>,
    clobbered: u64,
}

impl<'a> Lane<'a> {
    fn new(entrant: &'a Entrant<'a>, subject: Subject<'a>) -> Lane<'a> {
        Lane { entrant, subject, raw: Vec::new(), clobbered: 0 }
    }
}

/// The order of `lanes` in one turn: each begins as often as the others.
fn turn_order(lanes: usize, turn: usize) -> impl Iterator<Item = usize> {
    (0..lanes).map(move |index| (index + turn) % lanes)
}

fn time_pattern(pattern: &Pattern, entrants: &[Entrant<'_>], scale: Scale, alternations: usize) -> Row {
    let subject_of = |entrant: &'_ Entrant<'_>| entrant.subject_for(pattern).is_some();
    let mut lanes: Vec<Lane<'_>> = entrants
        .iter()
        .filter(|entrant| subject_of(entrant))
        .filter_map(|entrant| entrant.subject_for(pattern).map(|subject| Lane::new(entrant, subject)))
        .collect();
    let mut operations = 0;
    // The first turn warms up: arenas are mapped, code is loaded.
    for turn in 0..=alternations {
        for index in turn_order(lanes.len(), turn) {
            let lane = &mut lanes[index];
            if pattern.fills && turn > 0 {
                // What a lane gave back while the others ran is not what the pattern is about.
                pattern.run(&lane.subject, scale);
            }
            let outcome = pattern.run(&lane.subject, scale);
            lane.clobbered += outcome.clobbered;
            operations = outcome.operations;
            if turn > 0 {
                lane.raw.push(outcome.ns());
            }
        }
    }
    let group = match (pattern.players, pattern.threads()) {
        (Players::Releasing, _) => record::Group::Release,
        (_, 1) => record::Group::OneThread,
        _ => record::Group::TwoThreads,
    };
    row(pattern.name, pattern.about, group, operations, lanes, None)
}

fn time_trace(
    name: &str,
    trace: &Input,
    entrants: &[Entrant<'_>],
    alternations: usize,
) -> Result<Row, InputError> {
    let calls = Calls::read(trace, Part::Whole)?;
    let mut table = calls.table();
    let null = Null::new();
    let null = Subject::local(&null);
    let mut lanes: Vec<Lane<'_>> = entrants
        .iter()
        .filter_map(|entrant| entrant.replays().map(|subject| Lane::new(entrant, subject)))
        .collect();
    let mut nothing = Vec::new();
    for turn in 0..=alternations {
        for index in turn_order(lanes.len(), turn) {
            let lane = &mut lanes[index];
            let outcome = calls.replay(&lane.subject, &mut table);
            lane.clobbered += outcome.clobbered;
            if turn > 0 {
                lane.raw.push(outcome.ns());
            }
        }
        // All its blocks are one; what it reads back says nothing.
        let outcome = calls.replay(&null, &mut table);
        if turn > 0 {
            nothing.push(outcome.ns());
        }
    }
    let about = "every call of a recorded program";
    Ok(row(name, about, record::Group::Replay, calls.len() as u64, lanes, Some(&nothing)))
}

/// What the samples say; with `null`, ratios are of what is left without it.
fn row(
    name: &str,
    about: &str,
    group: record::Group,
    operations: u64,
    lanes: Vec<Lane<'_>>,
    null: Option<&[f64]>,
) -> Row {
    let net = |lane: &Lane<'_>| -> Vec<f64> {
        match null {
            // A replay that costs no more than none is one that costs next to nothing.
            Some(null) => lane.raw.iter().zip(null).map(|(raw, null)| (raw - null).max(0.01)).collect(),
            None => lane.raw.clone(),
        }
    };
    let nets: Vec<Vec<f64>> = lanes.iter().map(net).collect();
    let of_turn = |over: usize, under: usize| {
        Estimate::of(nets[over].iter().zip(&nets[under]).map(|(over, under)| over / under))
    };
    let median =
        |index: usize| Estimate::of(nets[index].iter().copied()).map_or(f64::INFINITY, |net| net.median);
    let position = |role: Role| lanes.iter().position(|lane| lane.entrant.role == role);
    let ours = position(Role::Ours).or_else(|| position(Role::Beside));
    let best = (0..lanes.len())
        .filter(|&index| lanes[index].entrant.role == Role::Rival)
        .min_by(|&one, &other| median(one).total_cmp(&median(other)));
    let beside = position(Role::Beside);
    let times = lanes
        .iter()
        .enumerate()
        .map(|(index, lane)| Time {
            allocator: lane.entrant.name,
            ns: Estimate::of(lane.raw.iter().copied()),
            net_ns: null.and_then(|_| Estimate::of(nets[index].iter().copied())),
            ours_over_it: ours.filter(|&ours| ours != index).and_then(|ours| of_turn(ours, index)),
            clobbered: lane.clobbered,
        })
        .collect();
    Row {
        name: name.to_owned(),
        about: about.to_owned(),
        group,
        operations,
        null_ns: null.and_then(|null| Estimate::of(null.iter().copied())),
        times,
        best_rival: best.map(|best| lanes[best].entrant.name),
        ours_over_best: ours.zip(best).and_then(|(ours, best)| of_turn(ours, best)),
        heap_over_best: beside.zip(best).and_then(|(beside, best)| of_turn(beside, best)),
    }
}
