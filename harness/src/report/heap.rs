//! A collected dump as text.

use std::fmt::Write;

use crate::record::{HeapRecord, TypeRecord};
use crate::report::{Style, checks};
use crate::units;

/// Types that are shown.
const TYPES: usize = 8;

pub(super) fn report(record: &HeapRecord, style: &Style) -> String {
    let mut out = String::new();
    let input = &record.input[0];
    let python = units::printable(input.python.as_deref().unwrap_or("unknown version"));
    let _ = writeln!(
        out,
        "{} {}: {} objects, {} references, {}, from CPython {python}",
        style.strong("COLLECT"),
        units::printable(&input.path),
        units::count(record.objects),
        units::count(record.edges),
        units::bytes(record.own_bytes)
    );
    let garbage = &record.garbage;
    let recorded = garbage.recorded.map_or_else(|| "not recorded".to_owned(), units::count);
    let _ = writeln!(
        out,
        "   {} tracked objects rebuilt in {}, {} references from outside kept as handles",
        units::count(record.tracked),
        units::time(record.rebuild_ns),
        units::count(record.outside_references)
    );
    let _ = writeln!(
        out,
        "   garbage found {} ({}), gc.collect() found {recorded}; {} with their destruction, {} for a pass \
         over the living",
        units::count(garbage.found),
        units::bytes(garbage.own_bytes),
        units::time(record.collect_ns),
        units::time(record.live_pass_ns)
    );
    let most = record.types.first().map_or(0, |class| class.own_bytes);
    let row = |class: &TypeRecord| {
        vec![
            class.name.clone(),
            units::count(class.count),
            units::bytes(class.own_bytes),
            units::count(class.garbage_count),
            style.bar(class.own_bytes as f64, most as f64),
        ]
    };
    let rows = record.types.iter().take(TYPES).map(row).collect();
    out.push_str(&style.table(&["type", "objects", "bytes", "garbage", ""], rows));
    if record.types.len() > TYPES {
        let _ = writeln!(out, "   and {} types more", record.types.len() - TYPES);
    }
    out.push('\n');
    out.push_str(&checks(&record.checks, style));
    out
}
