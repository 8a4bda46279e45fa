//! The profiles as text.

use std::fmt::Write;

use crate::record::{LayoutRecord, ProfilesRecord};
use crate::report::{Style, checks};
use crate::units;

pub(super) fn report(record: &ProfilesRecord, style: &Style) -> String {
    let mut out = String::new();
    let _ = writeln!(
        out,
        "{} {} user profiles of name, age and api_token",
        style.strong("PROFILES"),
        units::count(record.count)
    );
    let most = record.layouts.iter().map(|layout| layout.object_bytes).fold(0.0, f64::max);
    let row = |layout: &LayoutRecord| {
        let cpython: Vec<String> =
            layout.cpython.iter().map(|known| format!("{} {}", known.python, known.bytes)).collect();
        vec![
            layout.description.to_owned(),
            format!("{:.1}", layout.object_bytes),
            if cpython.is_empty() { "-".to_owned() } else { cpython.join("  ") },
            format!("{:.1}", layout.create_ns),
            format!("{:.2}", layout.read_ns),
            format!("{:.1}", layout.delete_ns),
            units::bytes(layout.held_bytes),
            units::bytes(layout.held_after_bytes),
            style.bar(layout.object_bytes, most),
        ]
    };
    let titles = [
        "layout",
        "bytes each",
        "in CPython ",
        "create ns",
        "read ns",
        "delete ns",
        "held",
        "held after",
        "",
    ];
    out.push_str(&style.table(&titles, record.layouts.iter().map(row).collect()));
    out.push_str("   bytes each: blocks of the object, attribute values left out, as for CPython\n\n");
    out.push_str(&checks(&record.checks, style));
    out
}
