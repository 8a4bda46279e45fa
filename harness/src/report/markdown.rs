//! Runs as Markdown.

use std::fmt::Write;

use super::workload::{interval, lines, ratios};
use crate::bench::against::AgainstRecord;
use crate::bench::record::WorkloadRecord;
use crate::record::{Check, MainRecord};
use crate::statistics::geometric_mean;
use crate::units;

/// A run of comparisons.
pub fn run(record: &MainRecord) -> String {
    let mut out = String::new();
    for workload in &record.workloads {
        out.push_str(&comparison(workload));
    }
    let ratios = ratios(&record.workloads);
    if !ratios.is_empty() {
        out.push_str(
            "Geometric means of our time over theirs:\n\n| beside | times | mean |\n| --- | ---: | ---: |\n",
        );
        for (name, ratios) in &ratios {
            if let Some(mean) = geometric_mean(ratios.iter().copied()) {
                let _ = writeln!(out, "| {} | {} | {mean:.2} |", cell(name), ratios.len());
            }
        }
        out.push('\n');
    }
    let checks: Vec<&Check> = record.checks().collect();
    let holding = checks.iter().filter(|check| check.holds).count();
    let _ = writeln!(out, "{holding} of {} checks hold.\n", checks.len());
    out.push_str(&foot(record));
    out
}

/// Where and how the run was made.
pub(super) fn foot(record: &MainRecord) -> String {
    let processor = record.machine.processor.as_deref().unwrap_or("an unnamed processor");
    format!(
        "cpymem {}, {}, {} threads of {processor}; seed {}, scale {}, {} turns.\n",
        record.build.version,
        if record.build.release { "release build" } else { "build with debug assertions" },
        record.machine.threads,
        record.seed,
        record.scale,
        record.turns
    )
}

/// A comparison: what it shows, a table, its claims.
fn comparison(workload: &WorkloadRecord) -> String {
    let mut out =
        format!("## {}\n\n{}.\n{}.\n\n", workload.name, cell(&workload.shows), cell(&workload.amount));
    let _ = write!(out, "| |");
    for subject in &workload.subjects {
        let _ = write!(out, " {} |", cell(&subject.name));
    }
    let _ = writeln!(out, " ours / best |");
    let _ = writeln!(out, "| --- |{} --- |", " ---: |".repeat(workload.subjects.len()));
    for line in lines(workload) {
        let ratio = line.ratio.map_or(String::new(), |(peer, ratio)| format!("{} {peer}", interval(&ratio)));
        let _ = writeln!(out, "| {} | {} | {ratio} |", cell(&line.title), line.cells.join(" | "));
    }
    out.push('\n');
    for check in &workload.checks {
        let mark = if check.holds { "holds" } else { "**broken**" };
        let _ = writeln!(
            out,
            "- {mark}: {}: expected {}, saw {}",
            cell(&check.claim),
            check.expected,
            check.seen
        );
    }
    out.push('\n');
    out
}

/// Two runs, compared.
pub fn against(record: &AgainstRecord) -> String {
    let mut out =
        String::from("| what | kind | before | now | ratio |\n| --- | --- | ---: | ---: | ---: |\n");
    for difference in &record.differences {
        let (what, kind) = (cell(&difference.what), difference.kind);
        let number = |value: f64| units::plain((value * 100.0).round() / 100.0);
        let (before, now) = (number(difference.before.median), number(difference.now.median));
        let ratio = difference.ratio.map_or("-".to_owned(), |ratio| format!("{ratio:.2}"));
        let _ = writeln!(out, "| {what} | {kind} | {before} | {now} | {ratio} |");
    }
    let _ = writeln!(out, "\n{} numbers compared, {} differ.", record.compared, record.differences.len());
    out
}

/// Text for a cell of a table.
fn cell(text: &str) -> String {
    units::printable(text).replace('|', "\\|")
}
