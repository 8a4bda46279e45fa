//! A dump by type and by owner, as text.

use std::fmt::Write;

use crate::questions::holders::{CycleRecord, HoldersRecord, OwnerRecord, TypeHolder};
use crate::report::{Style, checks};
use crate::units;

/// Types and owners that are shown.
const ROWS: usize = 16;
/// Kinds of cycles that are shown.
const CYCLES: usize = 6;
/// Characters of a name.
const NAME: usize = 34;

pub(super) fn report(record: &HoldersRecord, style: &Style) -> String {
    let mut out = String::new();
    let input = &record.input[0];
    let python = units::printable(input.python.as_deref().unwrap_or("unknown version"));
    let _ = writeln!(
        out,
        "{} {}\n   {} objects, {} references, {}, from CPython {python}",
        style.strong("HEAP"),
        units::printable(&input.path),
        units::count(record.objects),
        units::count(record.edges),
        units::bytes(record.block_bytes)
    );
    super::notes(&record.notes, &mut out);
    match &record.owners {
        Some(owners) => by_owner(owners, record.owners_left_off.unwrap_or(0), style, &mut out),
        None => by_type(&record.types, style, &mut out),
    }
    garbage(record, style, &mut out);
    out.push('\n');
    out.push_str(&checks(&record.checks, style));
    out
}

fn by_type(types: &[TypeHolder], style: &Style, out: &mut String) {
    let most = types.first().map_or(0, |class| class.block_bytes);
    let row = |class: &TypeHolder| {
        vec![
            units::shortened(&class.name, NAME),
            units::count(class.count),
            units::bytes(class.block_bytes),
            units::bytes(class.retained_bytes),
            style.short_bar(class.block_bytes as f64, most as f64),
        ]
    };
    let rows = types.iter().take(ROWS).map(row).collect();
    out.push_str(&style.table(&["type", "objects", "bytes", "retained", ""], rows));
    super::and_more(types.len().saturating_sub(ROWS) as u64, "type", out);
}

fn by_owner(owners: &[OwnerRecord], left_off: u64, style: &Style, out: &mut String) {
    let most = owners.first().map_or(0, |owner| owner.block_bytes);
    let row = |owner: &OwnerRecord| {
        vec![
            units::shortened(&owner.path, NAME),
            units::count(owner.objects),
            units::bytes(owner.block_bytes),
            units::bytes(owner.retained_bytes),
            style.short_bar(owner.block_bytes as f64, most as f64),
        ]
    };
    let rows = owners.iter().take(ROWS).map(row).collect();
    out.push_str(&style.table(&["owner", "objects", "bytes", "retained", ""], rows));
    super::and_more(owners.len().saturating_sub(ROWS) as u64 + left_off, "owner", out);
}

fn garbage(record: &HoldersRecord, style: &Style, out: &mut String) {
    let it = &record.garbage;
    let recorded = it.recorded.map_or_else(|| "not recorded".to_owned(), units::count);
    let _ = writeln!(
        out,
        "\n{} {} tracked objects; gc.collect() found {recorded}",
        style.strong("GARBAGE"),
        units::count(it.found)
    );
    if it.objects == 0 {
        return;
    }
    let _ = writeln!(
        out,
        "   {} objects in all, {}, held by {} cycles",
        units::count(it.objects),
        units::bytes(it.block_bytes),
        units::count(it.cycles)
    );
    let row = |cycle: &CycleRecord| {
        vec![
            units::count(cycle.cycles),
            units::count(cycle.held_objects),
            units::bytes(cycle.held_bytes),
            units::shortened(&made_of(cycle), 46),
        ]
    };
    let rows = it.held_by.iter().take(CYCLES).map(row).collect();
    out.push_str(&style.table(&["cycles", "hold", "bytes", "made of "], rows));
    super::and_more(it.held_by.len().saturating_sub(CYCLES) as u64, "kind", out);
}

/// The types of a kind of cycle, the most frequent first.
fn made_of(cycle: &CycleRecord) -> String {
    let part = |it: &crate::questions::holders::TypeCount| {
        let name = it.name.strip_prefix("builtins.").unwrap_or(&it.name);
        format!("{} {name}", units::count(it.count))
    };
    cycle.types.iter().map(part).collect::<Vec<_>>().join(", ")
}
