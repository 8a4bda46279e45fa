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
    let rows = types.iter().map(|it| (it.name.as_str(), it.count, it.block_bytes, it.retained_bytes));
    table("type", rows, 0, style, out);
}

fn by_owner(owners: &[OwnerRecord], left_off: u64, style: &Style, out: &mut String) {
    let rows = owners.iter().map(|it| (it.path.as_str(), it.objects, it.block_bytes, it.retained_bytes));
    table("owner", rows, left_off, style, out);
}

/// The first holders: name, objects, bytes, retained bytes; those with most bytes come first.
fn table<'a>(
    what: &str,
    holders: impl ExactSizeIterator<Item = (&'a str, u64, u64, u64)>,
    left_off: u64,
    style: &Style,
    out: &mut String,
) {
    let rest = holders.len().saturating_sub(ROWS) as u64 + left_off;
    let mut most = None;
    let rows = holders.take(ROWS).map(|(name, objects, bytes, retained)| {
        let most = *most.get_or_insert(bytes);
        vec![
            units::shortened(name, NAME),
            units::count(objects),
            units::bytes(bytes),
            units::bytes(retained),
            style.short_bar(bytes as f64, most as f64),
        ]
    });
    out.push_str(&style.table(&[what, "objects", "bytes", "retained", ""], rows.collect()));
    super::and_more(rest, what, out);
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
