//! What keeps arenas that are nearly empty, as text.

use std::fmt::Write;

use crate::questions::pins::{Fill, Pin, PinsRecord};
use crate::report::{Style, checks};
use crate::units;

/// Types that are shown.
const TYPES: usize = 10;

pub(super) fn report(record: &PinsRecord, style: &Style) -> String {
    let mut out = String::new();
    let input = &record.input[0];
    let _ = writeln!(out, "{} {}", style.strong("PINS"), units::printable(&input.path));
    if let Some(it) = &record.recorded {
        let share = it.allocated_bytes as f64 / it.arenas_bytes.max(1) as f64;
        let _ = writeln!(
            out,
            "   {} arenas hold {}; {} of it is in use, {}",
            units::count(it.arenas),
            units::bytes(it.arenas_bytes),
            units::bytes(it.allocated_bytes),
            units::share(share),
        );
    }
    let seen = &record.seen;
    let _ = writeln!(
        out,
        "   {} objects show in {} pools of {} arenas;\n   {} arenas are under 10 % full: {} keep {}",
        units::count(seen.objects),
        units::count(seen.pools),
        units::count(seen.arenas),
        units::count(seen.nearly_empty_arenas),
        units::bytes(seen.pinning_bytes),
        units::bytes(seen.nearly_empty_bytes),
    );
    super::notes(&record.notes, &mut out);
    let most = record.fill.iter().map(|it| it.arenas).max().unwrap_or(0);
    let row = |it: &Fill| {
        vec![
            format!("below {} %", it.below_percent),
            units::count(it.arenas),
            units::count(it.pools),
            units::bytes(it.block_bytes),
            style.short_bar(it.arenas as f64, most as f64),
        ]
    };
    let rows = record.fill.iter().map(row).collect();
    out.push_str(&style.table(&["fill", "arenas", "pools", "objects' bytes", ""], rows));
    if !record.pinned_by.is_empty() {
        out.push('\n');
        let row = |it: &Pin| {
            vec![
                units::shortened(&it.name, 24),
                units::count(it.arenas),
                units::count(it.pools),
                units::count(it.objects),
                units::shortened(it.owner.as_deref().unwrap_or_default(), 26),
            ]
        };
        let rows = record.pinned_by.iter().take(TYPES).map(row).collect();
        out.push_str(&style.table(&["in the emptiest", "arenas", "pools", "objects", "most of "], rows));
        super::and_more(record.pinned_by.len().saturating_sub(TYPES) as u64, "type", &mut out);
    }
    out.push('\n');
    out.push_str(&checks(&record.checks, style));
    out
}
