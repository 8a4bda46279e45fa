//! Why objects are there, as text.

use std::fmt::Write;

use crate::questions::why::{OwnerShare, WhyRecord};
use crate::report::Style;
use crate::units;

/// Characters of a line.
const WIDTH: usize = 78;

pub(super) fn report(record: &WhyRecord, style: &Style) -> String {
    let mut out = String::new();
    let _ = writeln!(
        out,
        "{} {} in {}: {} object{}",
        style.strong("WHY"),
        units::printable(&record.target),
        units::printable(&record.input[0].path),
        units::count(record.matches),
        if record.matches == 1 { "" } else { "s" }
    );
    super::notes(&record.notes, &mut out);
    if record.matches > 1 {
        let row = |it: &OwnerShare| vec![units::shortened(&it.path, 60), units::count(it.count)];
        out.push_str(&style.table(&["owner", "objects"], record.owners.iter().map(row).collect()));
    }
    for object in &record.objects {
        let references = match object.references {
            Some(n) => {
                let s = if n == 1 { "" } else { "s" };
                let unexplained = units::count(object.unreported_references.into());
                format!("{} reference{s}, {unexplained} unexplained", units::count(n.into()))
            }
            None => "immortal".to_owned(),
        };
        let _ = writeln!(
            out,
            "\n   {} {}: {references}, retains {}",
            units::printable(&units::shortened(&object.class, 30)),
            object.id,
            units::bytes(object.retained_bytes)
        );
        for way in &object.ways {
            wrapped(&units::printable(&way.text), &mut out);
        }
        if object.ways.is_empty() {
            out.push_str("     no object refers to it\n");
        }
    }
    out
}

/// A way on as many lines as it needs, broken before its arrows where that is possible.
fn wrapped(text: &str, out: &mut String) {
    let mut line = String::from("     ");
    let mut used = 5;
    for (k, part) in text.split(" -> ").enumerate() {
        let part = if k == 0 { part.to_owned() } else { format!(" -> {part}") };
        let length = part.chars().count();
        if used > 9 && used + length > WIDTH {
            let _ = writeln!(out, "{line}");
            line = String::from("        ");
            used = 8;
        }
        line.push_str(&part);
        used += length;
    }
    let _ = writeln!(out, "{line}");
}
