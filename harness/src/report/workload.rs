//! A comparison as text.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::{Report, Style, checks};
use crate::bench::record::{Role, Series, SubjectRecord, WorkloadRecord};
use crate::statistics::{Estimate, geometric_mean};
use crate::units;

impl Report for WorkloadRecord {
    fn report(&self, style: &Style) -> String {
        let mut out = super::hanging(&format!("{} ", style.strong(&self.name.to_uppercase())), &self.shows);
        let _ = writeln!(out, "   {}\n", self.amount);
        out.push_str(&table(self, style));
        let outliers: usize =
            self.subjects.iter().flat_map(|subject| &subject.times).map(|time| time.outliers).sum();
        if outliers > 0 {
            let turns: usize =
                self.subjects.iter().flat_map(|subject| &subject.times).map(|time| time.samples.len()).sum();
            let _ = writeln!(out, "   {outliers} of {turns} timed turns lie far from the others");
        }
        for note in &self.notes {
            out.push_str(&super::hanging("   note: ", note));
        }
        out.push_str(&checks(&self.checks, style));
        out
    }
}

/// Subjects that fit beside each other.
const ABREAST: usize = 5;

/// A line for each thing that was measured, a column for each subject; in several tables if they are many.
fn table(record: &WorkloadRecord, style: &Style) -> String {
    let lines = lines(record);
    let mut out = String::new();
    for (part, subjects) in record.subjects.chunks(ABREAST).enumerate() {
        let first = part == 0;
        let mut titles: Vec<&str> = vec![""];
        titles.extend(subjects.iter().map(|subject| subject.name.as_str()));
        if first {
            titles.extend(["ours / best ", ""]);
        }
        let columns = part * ABREAST..part * ABREAST + subjects.len();
        let shown =
            lines.iter().filter(|line| line.cells[columns.clone()].iter().any(|cell| !cell.is_empty()));
        let row = |line: &Line<'_>| {
            let mut row = vec![line.title.clone()];
            row.extend_from_slice(&line.cells[columns.clone()]);
            if first {
                let ratio = line.ratio.as_ref();
                row.push(ratio.map_or(String::new(), |(peer, ratio)| format!("{} {peer}", interval(ratio))));
                row.push(ratio.map_or(String::new(), |(_, ratio)| style.bar(ratio.median, 2.0)));
            }
            row
        };
        out.push_str(&style.table(&titles, shown.map(row).collect()));
        out.push('\n');
    }
    out
}

/// Something that was measured, with a cell for each subject.
pub(super) struct Line<'a> {
    pub(super) title: String,
    pub(super) cells: Vec<String>,
    /// For a time: the fastest peer, and ours over it.
    pub(super) ratio: Option<(&'a str, Estimate)>,
}

/// Times, then gauges, then counts, each thing once.
pub(super) fn lines(record: &WorkloadRecord) -> Vec<Line<'_>> {
    let subjects = &record.subjects;
    let mut lines: Vec<Line<'_>> = Vec::new();
    let mut line = |title: String, cells: Vec<String>, ratio| {
        if !lines.iter().any(|known| known.title == title) {
            lines.push(Line { title, cells, ratio });
        }
    };
    let series = |name: &str, cell: fn(&Series) -> String| {
        subjects.iter().map(|subject| subject.series(name).map_or(String::new(), cell)).collect()
    };
    for time in subjects.iter().flat_map(|subject| &subject.times) {
        let cells = series(&time.name, |series| nanoseconds(series.estimate.median));
        line(format!("{}, ns", time.name), cells, ours_over_best(record, &time.name));
    }
    for gauged in subjects.iter().flat_map(|subject| &subject.gauges) {
        line(gauged.name.clone(), series(&gauged.name, gauge), None);
    }
    for count in subjects.iter().flat_map(|subject| &subject.counts) {
        let in_bytes = count.name.ends_with(", bytes");
        let cell = |value: u64| if in_bytes { units::bytes(value) } else { units::count(value) };
        let cells = subjects.iter().map(|subject| subject.count(&count.name).map_or(String::new(), cell));
        line(count.name.clone(), cells.collect(), None);
    }
    lines
}

/// The first of ours over the fastest that is neither ours nor a CPython, within a turn.
fn ours_over_best<'a>(record: &'a WorkloadRecord, time: &str) -> Option<(&'a str, Estimate)> {
    let measured = |role: Role| {
        record.subjects.iter().filter(move |subject| subject.role == role && subject.series(time).is_some())
    };
    let median =
        |subject: &SubjectRecord| subject.series(time).map_or(f64::INFINITY, |series| series.estimate.median);
    let ours = measured(Role::Ours).next()?;
    let best = measured(Role::Peer).min_by(|one, other| median(one).total_cmp(&median(other)))?;
    Some((&best.name, record.ratio(&ours.name, &best.name, time)?))
}

pub(super) fn interval(ratio: &Estimate) -> String {
    format!("{:.2} [{:.2} {:.2}]", ratio.median, ratio.low, ratio.high)
}

/// Nanoseconds of an operation, with three digits that tell; long ones in a larger unit.
fn nanoseconds(ns: f64) -> String {
    if ns >= 10_000.0 { units::time(ns as u64) } else { units::plain((ns * 100.0).round() / 100.0) }
}

fn gauge(series: &Series) -> String {
    let median = series.estimate.median;
    match series.unit.as_str() {
        "bytes" => units::bytes(median as u64),
        "ns" => units::time(median as u64),
        _ => units::plain(median),
    }
}

/// Geometric means over all times of all workloads: the first of ours over each that took part beside it.
pub(super) fn ratios(workloads: &[WorkloadRecord]) -> BTreeMap<&str, Vec<f64>> {
    let mut ratios: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
    for workload in workloads {
        let Some(ours) = workload.subjects.iter().find(|subject| subject.role == Role::Ours) else {
            continue;
        };
        for other in workload.subjects.iter().filter(|subject| subject.role != Role::Ours) {
            for time in &ours.times {
                if let Some(ratio) = workload.ratio(&ours.name, &other.name, &time.name) {
                    ratios.entry(&other.name).or_default().push(ratio.median);
                }
            }
        }
    }
    ratios
}

pub(super) fn means(workloads: &[WorkloadRecord], style: &Style) -> String {
    let ratios = ratios(workloads);
    if ratios.is_empty() {
        return String::new();
    }
    let mut out =
        format!("{}\n", style.strong("GEOMETRIC MEANS of our time over theirs, below 1 we are faster"));
    let rows = ratios.iter().filter_map(|(name, ratios)| {
        let mean = geometric_mean(ratios.iter().copied())?;
        Some(vec![(*name).to_owned(), ratios.len().to_string(), format!("{mean:.2}"), style.bar(mean, 1.0)])
    });
    out.push_str(&style.table(&["beside", "times", "mean", ""], rows.collect()));
    out
}
