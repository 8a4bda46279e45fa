//! What slots would save in a heap, as text.

use std::fmt::Write;

use crate::questions::savings::{ClassSaving, SavingsRecord};
use crate::report::Style;
use crate::units;

/// Classes that are shown.
const CLASSES: usize = 12;

pub(super) fn report(record: &SavingsRecord, style: &Style) -> String {
    let mut out = String::new();
    let _ = writeln!(out, "{} {}", style.strong("SLOTS"), units::printable(&record.input[0].path));
    let _ = writeln!(
        out,
        "   __slots__ would save {} on CPython {}, attribute values excluded",
        units::bytes(record.saved_bytes),
        record.python
    );
    super::notes(&record.notes, &mut out);
    let known: Vec<&ClassSaving> = record.classes.iter().filter(|it| it.saved_bytes > Some(0)).collect();
    if known.is_empty() {
        out.push_str("   nothing: no class without slots would become smaller\n");
    } else {
        let most = known[0].saved_bytes.unwrap_or(0);
        let row = |it: &&ClassSaving| {
            let slots = it.slots_bytes.unwrap_or(0);
            let each = |bytes: u64| (bytes as f64 / it.count.max(1) as f64).round().to_string();
            vec![
                units::shortened(&it.name, 28),
                units::count(it.count),
                each(it.now_bytes),
                each(slots),
                units::bytes(it.saved_bytes.unwrap_or(0)),
                style.short_bar(it.saved_bytes.unwrap_or(0) as f64, most as f64),
            ]
        };
        let rows = known.iter().take(CLASSES).map(row).collect();
        out.push_str(&style.table(&["class", "instances", "each", "slots", "saved", ""], rows));
        let more = known.len().saturating_sub(CLASSES) as u64 + record.classes_left_off;
        let _ = if more == 1 {
            writeln!(out, "   and 1 class more")
        } else if more > 1 {
            writeln!(out, "   and {} classes more", units::count(more))
        } else {
            Ok(())
        };
    }
    let unknown: Vec<&str> =
        record.classes.iter().filter(|it| it.unknown.is_some()).map(|it| it.name.as_str()).collect();
    if !unknown.is_empty() {
        let _ = writeln!(
            out,
            "   no figure for {} classes, such as {}",
            units::count(unknown.len() as u64),
            units::printable(&units::shortened(unknown[0], 40))
        );
    }
    out
}
