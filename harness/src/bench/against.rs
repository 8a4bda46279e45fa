//! Two saved runs: which differences are real.
//!
//! A count that changed is a difference, whatever its size: counts follow from seed and scale. A time or a number of
//! bytes differs if all of this holds:
//!
//! 1. both runs have at least [`FEWEST`] turns of it;
//! 2. the 95 % intervals of the two medians are apart by a factor of [`GAP`];
//! 3. the medians differ by more than [`LEAST`], after the drift of the machine is taken out: the median, over
//!    all workloads, of how far the subjects that are not ours moved, if they have [`FEWEST_PEERS`] times.
//!
//! Times of a workload are not compared if one of the runs waited for a processor in it for more than [`BUSY`] of its
//! time: a machine that does other things beside measures those.
//!
//! The second alone is not enough: where a process happens to lie in memory stays the same for all its turns and
//! differs from run to run, by a factor of 2.6 for one number of 476 in 20 runs. A run makes its turns in several processes
//! and in two passes over all workloads in each, so that where they lie, and what disturbs the machine for seconds, widens
//! intervals instead of moving them; and what seems to differ is measured once more, in a fresh process, before it is
//! told ([`AgainstRecord::confirm`]).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::machine::{Build, Machine};
use super::record::{Role, Series, WorkloadRecord};
use crate::statistics::Estimate;

/// The fewest turns that tell a difference.
pub const FEWEST: usize = 6;
/// The smallest difference of medians that is told, as a ratio.
pub const LEAST: f64 = 1.5;

/// How far the intervals must be apart, as a ratio. Of hundreds of numbers some intervals of 95 % part by chance.
pub const GAP: f64 = 1.1;

/// The fewest times of peers from which a drift of the machine is concluded.
pub const FEWEST_PEERS: usize = 5;

/// Share of a workload's time spent waiting for a processor from which on its times say nothing.
pub const BUSY: f64 = 0.02;

/// What of a saved run is compared. Other keys of the document are passed over.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SavedRun {
    /// `cpymem.main/1`.
    pub schema: String,
    /// Where it was measured.
    pub machine: Machine,
    /// What measured it.
    pub build: Build,
    /// The seed.
    pub seed: u64,
    /// The scale.
    pub scale: f64,
    /// The workloads.
    pub workloads: Vec<WorkloadRecord>,
}

/// Document `cpymem.against/1`: a run and an earlier one.
#[derive(Clone, Debug, Serialize)]
pub struct AgainstRecord {
    /// `cpymem.against/1`.
    pub schema: &'static str,
    /// What the runs do not have in common, as sentences: differences may come from there.
    pub unlike: Vec<String>,
    /// How far peers moved in the median: times of this run over times of the earlier one; 1 without peers.
    pub drift: f64,
    /// Times, numbers and counts that were compared.
    pub compared: usize,
    /// The differences that are real, the largest first.
    pub differences: Vec<Difference>,
    /// What is in one run alone.
    pub only_in_one: Vec<String>,
    /// Workloads whose times were not compared, because the machine was busy in one of the runs.
    pub busy: Vec<String>,
}

/// One real difference.
#[derive(Clone, Debug, Serialize)]
pub struct Difference {
    /// `workload / subject / what`.
    pub what: String,
    /// `count`, `time` or `gauge`.
    pub kind: &'static str,
    /// In the earlier run.
    pub before: Estimate,
    /// In this run.
    pub now: Estimate,
    /// Now over before, without the drift; null if it was nothing before.
    pub ratio: Option<f64>,
}

impl AgainstRecord {
    /// Keeps the differences that `again`, a comparison with the same earlier run, shows in the same direction, and all
    /// of counts.
    pub fn confirm(&mut self, again: &AgainstRecord) {
        let sign = |difference: &Difference| difference.ratio.is_none_or(|ratio| ratio > 1.0);
        self.differences.retain(|difference| {
            let same = |other: &Difference| other.what == difference.what && sign(other) == sign(difference);
            difference.kind == "count" || again.differences.iter().any(same)
        });
    }
}

/// A named number of a run.
enum Number<'a> {
    Count(u64),
    Series(&'a Series, &'static str, Role),
}

fn numbers(run: &SavedRun) -> BTreeMap<String, Number<'_>> {
    let mut all = BTreeMap::new();
    for workload in &run.workloads {
        for subject in &workload.subjects {
            let key = |what: &str| format!("{} / {} / {what}", workload.name, subject.name);
            for count in &subject.counts {
                all.insert(key(&count.name), Number::Count(count.value));
            }
            for series in &subject.times {
                all.insert(key(&series.name), Number::Series(series, "time", subject.role));
            }
            for series in &subject.gauges {
                all.insert(key(&series.name), Number::Series(series, "gauge", subject.role));
            }
        }
    }
    all
}

/// Compares a run with an earlier one.
pub fn against(before: &SavedRun, now: &SavedRun) -> AgainstRecord {
    let (old, new) = (numbers(before), numbers(now));
    let same_amount = before.seed == now.seed && before.scale == now.scale;
    let pairs = || old.iter().filter_map(|(key, old)| Some((key, old, new.get(key)?)));
    let drift = drift(pairs().filter_map(|(_, old, new)| match (old, new) {
        (Number::Series(old, "time", role), Number::Series(new, ..)) if *role != Role::Ours => {
            Some(new.estimate.median / old.estimate.median)
        }
        _ => None,
    }));
    let record_busy = busy(before, now);
    let mut record = AgainstRecord {
        schema: "cpymem.against/1",
        unlike: unlike(before, now),
        drift,
        compared: 0,
        differences: Vec::new(),
        only_in_one: Vec::new(),
        busy: record_busy.clone(),
    };
    let is_busy = |key: &str| record_busy.iter().any(|name| key.split(" / ").next() == Some(name));
    for (key, old, new) in pairs() {
        match (old, new) {
            // Counts of another amount say nothing.
            (Number::Count(_), Number::Count(_)) if !same_amount => {}
            (&Number::Count(old), &Number::Count(new)) => {
                record.compared += 1;
                if old != new {
                    let exactly = |value: u64| {
                        let value = value as f64;
                        Estimate { median: value, low: value, high: value }
                    };
                    let (before, now) = (exactly(old), exactly(new));
                    let ratio = finite(now.median / before.median);
                    record.differences.push(Difference {
                        what: key.clone(),
                        kind: "count",
                        before,
                        now,
                        ratio,
                    });
                }
            }
            // Bytes do not wait.
            (Number::Series(old, ..), _) if old.unit != "bytes" && is_busy(key) => {}
            (Number::Series(old, kind, _), Number::Series(new, ..)) => {
                record.compared += 1;
                let drift = if old.unit == "ns" { drift } else { 1.0 };
                if let Some(ratio) = real(old, new, drift) {
                    let (before, now, ratio) = (old.estimate, new.estimate, finite(ratio));
                    record.differences.push(Difference { what: key.clone(), kind, before, now, ratio });
                }
            }
            _ => record.only_in_one.push(format!("{key}: another kind of number")),
        }
    }
    record
        .only_in_one
        .extend(old.keys().filter(|key| !new.contains_key(*key)).map(|key| format!("before: {key}")));
    record
        .only_in_one
        .extend(new.keys().filter(|key| !old.contains_key(*key)).map(|key| format!("now: {key}")));
    let size = |difference: &Difference| difference.ratio.map_or(f64::INFINITY, |ratio| ratio.ln().abs());
    record.differences.sort_by(|one, other| size(other).total_cmp(&size(one)));
    record
}

/// The workloads of both runs in one of which the machine was busy.
fn busy(before: &SavedRun, now: &SavedRun) -> Vec<String> {
    let waited = |run: &SavedRun, name: &str| {
        let workload = run.workloads.iter().find(|workload| workload.name == name);
        workload.and_then(|workload| workload.waited_share).unwrap_or(0.0)
    };
    let names = now.workloads.iter().map(|workload| &workload.name);
    names.filter(|name| waited(before, name).max(waited(now, name)) > BUSY).cloned().collect()
}

fn finite(ratio: f64) -> Option<f64> {
    Some(ratio).filter(|ratio| ratio.is_finite())
}

/// The ratio of two series if their difference is real.
fn real(old: &Series, new: &Series, drift: f64) -> Option<f64> {
    let enough = old.samples.len() >= FEWEST && new.samples.len() >= FEWEST;
    let (before, now) = (old.estimate, new.estimate);
    let apart = now.low / drift > before.high * GAP || now.high / drift * GAP < before.low;
    let ratio = now.median / drift / before.median;
    // From nothing to something is a difference too, if the intervals say so; its ratio is infinite.
    let far = !(LEAST.recip()..=LEAST).contains(&ratio);
    (enough && apart && far && !ratio.is_nan()).then_some(ratio)
}

/// The median, if there are enough to tell the machine from one noisy peer.
fn drift(ratios: impl Iterator<Item = f64>) -> f64 {
    let sound: Vec<f64> = ratios.filter(|ratio| ratio.is_finite() && *ratio > 0.0).collect();
    let enough = sound.len() >= FEWEST_PEERS;
    Estimate::of(sound).filter(|_| enough).map_or(1.0, |estimate| estimate.median)
}

/// What two runs do not have in common.
fn unlike(before: &SavedRun, now: &SavedRun) -> Vec<String> {
    let mut unlike = Vec::new();
    let mut tell = |what: &str, before: String, now: String| {
        if before != now {
            unlike.push(format!("{what}: {before} before, {now} now"));
        }
    };
    tell("seed", before.seed.to_string(), now.seed.to_string());
    tell("scale", before.scale.to_string(), now.scale.to_string());
    let processor = |run: &SavedRun| {
        let name = run.machine.processor.clone().unwrap_or_else(|| "unknown".to_owned());
        format!("{name}, {} threads", run.machine.threads)
    };
    tell("processor", processor(before), processor(now));
    let system = |run: &SavedRun| {
        format!("{} {}", run.machine.system, run.machine.kernel.as_deref().unwrap_or("unknown"))
    };
    tell("system", system(before), system(now));
    let build = |run: &SavedRun| {
        let kind = if run.build.release { "release" } else { "with debug assertions" };
        format!("{} {kind}", run.build.version)
    };
    tell("build", build(before), build(now));
    unlike
}

#[cfg(test)]
mod tests {
    use super::super::record::{Count, SubjectRecord};
    use super::*;

    fn run(ours: &[f64], peer: &[f64], count: u64) -> SavedRun {
        let subject = |name: &str, role, samples: &[f64]| SubjectRecord {
            name: name.to_owned(),
            role,
            times: Series::new("step", "ns", samples.to_vec()).into_iter().collect(),
            counts: vec![Count { name: "pools".to_owned(), value: count }],
            gauges: Vec::new(),
            held: Vec::new(),
        };
        let workload = WorkloadRecord {
            name: "w".to_owned(),
            shows: String::new(),
            amount: String::new(),
            subjects: vec![
                subject("cpymem", Role::Ours, ours),
                subject("std", Role::Peer, peer),
                subject("a", Role::Peer, peer),
                subject("b", Role::Peer, peer),
                subject("c", Role::Peer, peer),
                subject("d", Role::Peer, peer),
            ],
            checks: Vec::new(),
            notes: Vec::new(),
            wall_ns: 0,
            waited_share: Some(0.0),
        };
        SavedRun {
            schema: "cpymem.main/1".to_owned(),
            machine: Machine::here(),
            build: Build::this(),
            seed: 1,
            scale: 1.0,
            workloads: vec![workload],
        }
    }

    const STEADY: [f64; 7] = [10.0, 10.1, 9.9, 10.0, 10.2, 9.8, 10.0];

    fn times(factor: f64) -> Vec<f64> {
        STEADY.iter().map(|ns| ns * factor).collect()
    }

    #[test]
    fn a_slower_build_is_told_from_a_slower_machine() {
        let before = run(&STEADY, &STEADY, 3);
        let slower_build = against(&before, &run(&times(2.0), &STEADY, 3));
        assert_eq!(slower_build.differences.len(), 1);
        assert_eq!(slower_build.differences[0].what, "w / cpymem / step");
        assert!((slower_build.differences[0].ratio.unwrap() - 2.0).abs() < 0.01);
        let slower_machine = against(&before, &run(&times(2.0), &times(2.0), 3));
        assert!(slower_machine.differences.is_empty(), "{:?}", slower_machine.differences);
        assert!((slower_machine.drift - 2.0).abs() < 0.01);
    }

    #[test]
    fn a_count_that_changed_by_one_is_real_and_a_small_step_in_time_is_not() {
        let before = run(&STEADY, &STEADY, 3);
        assert!(against(&before, &run(&times(1.1), &STEADY, 3)).differences.is_empty());
        let counted = against(&before, &run(&STEADY, &STEADY, 4));
        assert_eq!(counted.differences.len(), 6);
        assert!(counted.differences.iter().all(|difference| difference.kind == "count"));
        let few = against(&run(&STEADY[..3], &STEADY, 3), &run(&times(2.0)[..3], &STEADY, 3));
        assert!(few.differences.is_empty(), "three turns tell nothing");
    }

    #[test]
    fn what_a_second_look_does_not_show_is_no_difference() {
        let before = run(&STEADY, &STEADY, 3);
        let compared = |factor: f64, count| against(&before, &run(&times(factor), &STEADY, count));
        for (again, confirmed) in [(2.5, true), (1.0, false), (0.5, false)] {
            let mut record = compared(2.0, 4);
            record.confirm(&compared(again, 3));
            let told = |kind: &str| record.differences.iter().filter(|it| it.kind == kind).count();
            assert_eq!((told("time"), told("count")), (usize::from(confirmed), 6), "{again}");
        }
    }

    #[test]
    fn times_of_a_busy_machine_are_not_compared() {
        let before = run(&STEADY, &STEADY, 3);
        let mut now = run(&times(2.0), &STEADY, 4);
        now.workloads[0].waited_share = Some(0.3);
        let record = against(&before, &now);
        assert_eq!(record.busy, ["w"]);
        assert!(record.differences.iter().all(|difference| difference.kind == "count"), "{record:?}");
        assert_eq!(record.differences.len(), 6, "counts do not wait");
    }

    #[test]
    fn runs_with_another_seed_or_machine_say_so() {
        let before = run(&STEADY, &STEADY, 3);
        let mut now = run(&STEADY, &STEADY, 4);
        (now.seed, now.machine.threads) = (2, 128);
        let record = against(&before, &now);
        assert_eq!(record.unlike.len(), 2, "{:?}", record.unlike);
        assert!(record.differences.is_empty(), "counts of another seed are not compared");
        now.workloads[0].name = "other".to_owned();
        assert_eq!(against(&before, &now).only_in_one.len(), 24);
    }
}
