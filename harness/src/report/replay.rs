//! A replayed trace as text.

use std::fmt::Write;

use crate::record::{BackendRecord, PhaseRecord, ReplayRecord};
use crate::report::{Style, checks, life_cycle, verdict};
use crate::units;

/// Marks that are shown; of more, the ones between are left out.
const MARKS: usize = 16;

pub(super) fn report(record: &ReplayRecord, style: &Style) -> String {
    let mut out = String::new();
    let input = &record.input[0];
    let program = units::printable(record.program.as_deref().unwrap_or("a program"));
    let python = units::printable(input.python.as_deref().unwrap_or("unknown version"));
    let threads = if record.threads == 1 { "1 thread".into() } else { format!("{} threads", record.threads) };
    let _ = writeln!(
        out,
        "{} {}: {} events of {program} under CPython {python}, {threads}",
        style.strong("REPLAY"),
        units::printable(&input.path),
        units::count(record.events)
    );
    if let Some(description) = record.description.as_deref().filter(|text| !text.is_empty()) {
        let _ = writeln!(out, "   {}", units::printable(description));
    }
    out.push_str(&backends(record, style));
    if !record.phases.is_empty() {
        out.push('\n');
        out.push_str(&marks(record, style));
    }
    out.push('\n');
    out.push_str(&life_cycle::picture(&record.deaths, style));
    out.push('\n');
    out.push_str(&checks(&record.checks, style));
    out.push('\n');
    out.push_str(&verdict::report(&record.verdict, style));
    out
}

fn or_dash(value: Option<String>) -> String {
    value.unwrap_or_else(|| "-".to_owned())
}

fn backends(record: &ReplayRecord, style: &Style) -> String {
    let slowest = record.backends.iter().filter_map(|backend| backend.ns_per_event).fold(0.0, f64::max);
    let row = |backend: &BackendRecord| {
        let range = backend.ns_per_event_range.map(|[least, most]| format!("{least:.1}-{most:.1}"));
        vec![
            backend.name.to_owned(),
            or_dash(backend.ns_per_event.map(|ns| format!("{ns:.1}"))),
            or_dash(range),
            or_dash(backend.peak_held_bytes.map(units::bytes)),
            or_dash(backend.end_held_bytes.map(units::bytes)),
            or_dash(backend.end_pools.map(units::count)),
            or_dash(backend.end_arenas.map(units::count)),
            style.bar(backend.ns_per_event.unwrap_or_default(), slowest),
        ]
    };
    let titles = ["allocator", "ns/call", "range", "peak held", "end held", "pools", "arenas", ""];
    let mut out = style.table(&titles, record.backends.iter().map(row).collect());
    if let Some(null) = record.null_ns_per_event {
        let repeats = record.backends.iter().map(|backend| backend.repeats).max().unwrap_or_default();
        let _ = writeln!(
            out,
            "   median of {repeats}, of which {null:.1} ns are the replay's own; at most {} live at once",
            units::bytes(record.peak_live_bytes)
        );
    }
    out
}

fn marks(record: &ReplayRecord, style: &Style) -> String {
    let phases = &record.phases;
    let most = phases.iter().map(|phase| phase.pymalloc_held_bytes).max().unwrap_or_default();
    let row = |phase: &PhaseRecord| {
        let pools = match phase.pools_recorded {
            Some(recorded) if recorded == phase.pools_model => format!("{recorded} = {recorded}"),
            Some(recorded) => format!("{} / {recorded}", phase.pools_model),
            None => units::count(phase.pools_model),
        };
        vec![
            phase.label.clone(),
            units::bytes(phase.live_bytes),
            or_dash(phase.rss_bytes.map(units::bytes)),
            pools,
            units::count(phase.arenas_model),
            units::bytes(phase.pymalloc_held_bytes),
            units::bytes(phase.cpymem_held_bytes),
            or_dash(phase.system_held_bytes.map(units::bytes)),
            style.bar(phase.pymalloc_held_bytes as f64, most as f64),
        ]
    };
    let mut rows: Vec<Vec<String>> = phases.iter().map(row).collect();
    if rows.len() > MARKS {
        let left_out = rows.len() - MARKS + 1;
        let dots = vec![format!("... {left_out} more")];
        rows.splice(MARKS / 2..MARKS / 2 + left_out, [dots]);
    }
    let recorded = phases.iter().any(|phase| phase.pools_recorded.is_some());
    let pools = if recorded { "pools model = real" } else { "pools model" };
    let titles =
        ["mark", "live", "its RSS", pools, "arenas", "pymalloc holds", "cpymem holds", "system holds", ""];
    style.table(&titles, rows)
}
