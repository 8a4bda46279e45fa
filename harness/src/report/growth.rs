//! Growth by owner, as text.

use std::fmt::Write;

use crate::questions::growth::{GrowthRecord, OwnerGrowth, TypeGrowth};
use crate::report::Style;
use crate::units;

/// Owners that are shown.
const OWNERS: usize = 12;
/// Types that are shown.
const TYPES: usize = 8;

pub(super) fn report(record: &GrowthRecord, style: &Style) -> String {
    let mut out = String::new();
    let _ = writeln!(out, "{} over {} dumps", style.strong("GROWTH"), record.input.len());
    for ((input, objects), bytes) in record.input.iter().zip(&record.objects).zip(&record.block_bytes) {
        let path = units::printable(&input.path);
        let _ = writeln!(out, "   {path}: {} objects, {}", units::count(*objects), units::bytes(*bytes));
    }
    super::notes(&record.notes, &mut out);
    let growing: Vec<&OwnerGrowth> = record.owners.iter().filter(|it| it.bytes_delta > 0).collect();
    if growing.is_empty() {
        out.push_str("   no owner holds more than at first\n");
        return out;
    }
    let most = growing[0].bytes_delta as f64;
    let row = |it: &&OwnerGrowth| {
        vec![
            units::shortened(&it.path, 32),
            units::change(it.objects_delta),
            units::change_of_bytes(it.bytes_delta),
            units::change_of_bytes(it.slope_per_dump.round() as i64),
            style.short_bar(it.bytes_delta as f64, most),
        ]
    };
    let rows = growing.iter().take(OWNERS).map(row).collect();
    out.push_str(&style.table(&["owner", "entries", "bytes", "a dump", ""], rows));
    super::and_more(growing.len().saturating_sub(OWNERS) as u64 + record.owners_left_off, "owner", &mut out);
    out.push('\n');
    let growing: Vec<&TypeGrowth> = record.types.iter().filter(|it| it.bytes_delta > 0).collect();
    let row = |it: &&TypeGrowth| {
        vec![
            units::shortened(&it.name, 32),
            units::change(it.objects_delta),
            units::change_of_bytes(it.bytes_delta),
            units::change_of_bytes(it.slope_per_dump.round() as i64),
        ]
    };
    let rows = growing.iter().take(TYPES).map(row).collect();
    out.push_str(&style.table(&["type", "objects", "bytes", "a dump"], rows));
    super::and_more(growing.len().saturating_sub(TYPES) as u64, "type", &mut out);
    out
}
