//! Equal strings, as text.

use std::fmt::Write;

use crate::questions::dups::{DupGroup, DupOwner, DupsRecord};
use crate::report::Style;
use crate::units;

/// Groups that are shown.
const GROUPS: usize = 8;
/// Owners that are shown.
const OWNERS: usize = 8;

pub(super) fn report(record: &DupsRecord, style: &Style) -> String {
    let mut out = String::new();
    let _ = writeln!(out, "{} {}", style.strong("DUPS"), units::printable(&record.input[0].path));
    let _ = writeln!(
        out,
        "   {} strings, {} different; {} copies take {} of {}",
        units::count(record.strings),
        units::count(record.different),
        units::count(record.copies),
        units::bytes(record.saved_bytes),
        units::bytes(record.block_bytes),
    );
    super::notes(&record.notes, &mut out);
    if record.copies == 0 {
        return out;
    }
    let most = record.owners.first().map_or(0, |it| it.saved_bytes);
    let row = |it: &DupOwner| {
        vec![
            units::shortened(&it.path, 36),
            units::count(it.copies),
            units::bytes(it.saved_bytes),
            style.short_bar(it.saved_bytes as f64, most as f64),
        ]
    };
    let rows = record.owners.iter().take(OWNERS).map(row).collect();
    out.push_str(&style.table(&["owner of copies", "copies", "bytes", ""], rows));
    super::and_more(record.owners.len().saturating_sub(OWNERS) as u64, "owner", &mut out);
    out.push('\n');
    let row = |it: &DupGroup| {
        let owners = it.owners.first().map_or(String::new(), |owner| units::shortened(&owner.path, 30));
        vec![
            it.hash.clone(),
            units::count(it.count),
            units::bytes(it.block_bytes),
            units::bytes(it.saved_bytes),
            owners,
        ]
    };
    let rows = record.groups.iter().take(GROUPS).map(row).collect();
    out.push_str(&style.table(&["equal strings", "times", "each", "to save", "most of "], rows));
    let more = record.groups.len().saturating_sub(GROUPS) as u64 + record.groups_left_off;
    super::and_more(more, "group", &mut out);
    out
}
