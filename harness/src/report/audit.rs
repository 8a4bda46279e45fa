//! Hidden references, as text.

use std::fmt::Write;

use crate::questions::audit::{AuditRecord, Target};
use crate::report::Style;
use crate::units;

/// Holders that are shown.
const HOLDERS: usize = 8;
/// Targets that are shown.
const TARGETS: usize = 8;

pub(super) fn report(record: &AuditRecord, style: &Style) -> String {
    let mut out = String::new();
    let _ = writeln!(out, "{} {}", style.strong("AUDIT"), units::printable(&record.input[0].path));
    let _ = writeln!(
        out,
        "   {} references that no object reports, to {} tracked objects",
        units::count(record.hidden_references),
        units::count(record.objects),
    );
    super::notes(&record.notes, &mut out);
    if record.holders.is_empty() {
        out.push_str("   no type is named: what is hidden can be the interpreter's\n");
    }
    for it in record.holders.iter().take(HOLDERS) {
        let _ = writeln!(
            out,
            "\n   {} {}: {} instances, {} to the collector",
            style.strong("HOLDER"),
            units::printable(&units::shortened(&it.name, 34)),
            units::count(it.instances),
            if it.collected { "known" } else { "unknown" },
        );
        if it.hidden_references > 0 {
            let to = units::shortened(&it.to.join(", "), 50);
            let _ = writeln!(
                out,
                "      {} hidden references to {}",
                units::count(it.hidden_references),
                units::printable(&to)
            );
        }
        if it.hidden_type_references > 0 {
            let n = units::count(it.hidden_type_references);
            let _ = writeln!(out, "      {n} hidden references to its own type");
        }
        for what in &it.evidence {
            let _ = writeln!(out, "      {what}");
        }
    }
    super::and_more(record.holders.len().saturating_sub(HOLDERS) as u64, "holder", &mut out);
    out.push('\n');
    let row = |it: &Target| {
        vec![
            units::shortened(&it.name, 26),
            units::count(it.objects),
            units::count(it.hidden_references),
            units::count(it.charged_references),
            it.usually.unwrap_or_default().to_owned(),
        ]
    };
    let rows = record.targets.iter().take(TARGETS).map(row).collect();
    out.push_str(&style.table(&["references to", "objects", "hidden", "charged", "usually held by "], rows));
    super::and_more(record.targets.len().saturating_sub(TARGETS) as u64, "type", &mut out);
    if !record.suspects.is_empty() {
        let names: Vec<&str> = record.suspects.iter().take(5).map(|it| it.name.as_str()).collect();
        let _ = writeln!(
            out,
            "   instances of these report nothing either:\n      {}",
            units::printable(&units::shortened(&names.join(", "), 72))
        );
    }
    out
}
