//! Classes as text.

use std::fmt::Write;

use crate::record_classes::{ClassRecord, ClassesRecord, VersionRecord};
use crate::report::Style;
use crate::units;

pub(super) fn report(record: &ClassesRecord, style: &Style) -> String {
    let mut out = String::new();
    for (i, class) in record.classes.iter().enumerate() {
        if i > 0 {
            out.push('\n');
        }
        of_class(class, record.count, style, &mut out);
    }
    if record.classes.is_empty() {
        out.push_str("no classes\n");
    }
    out
}

fn of_class(class: &ClassRecord, count: u64, style: &Style, out: &mut String) {
    let line = class.line.map_or(String::new(), |line| format!(", line {line}"));
    let _ = writeln!(
        out,
        "{} {}{line}: {} attributes, {}; {} instances",
        style.strong("CLASS"),
        units::printable(&class.name),
        class.attributes.len(),
        if class.has_slots { "with slots" } else { "without slots" },
        units::count(count),
    );
    let titles = [
        "python",
        "as it is",
        "dict",
        "slots",
        "saved",
        "NamedTuple",
        "tuple",
        "all with dict",
        "all with slots",
    ];
    out.push_str(&style.table(&titles, class.versions.iter().map(row).collect()));
    let mut errors: Vec<(&str, Vec<&str>)> = Vec::new();
    for version in &class.versions {
        if let Some(error) = version.error.as_ref().or(version.slots_error.as_ref()) {
            gather(&mut errors, error, &version.python);
        }
    }
    for (error, versions) in errors {
        let _ = writeln!(out, "   CPython {}: {}", versions.join(" "), units::printable(error));
    }
    let mut cliffs: Vec<(String, Vec<&str>)> = Vec::new();
    for version in &class.versions {
        for cliff in &version.cliffs {
            let text = format!("{} bytes with {}: {}", cliff.bytes, cliff.change, cliff.reason);
            match cliffs.iter_mut().find(|(known, _)| *known == text) {
                Some((_, versions)) => versions.push(&version.python),
                None => cliffs.push((text, vec![&version.python])),
            }
        }
    }
    for (text, versions) in cliffs {
        let _ = writeln!(out, "   cliff on {}: {}", versions.join(" "), units::printable(&text));
    }
    for what in &class.breaks {
        let _ = writeln!(out, "   slots would break: {}", units::printable(what));
    }
    for note in &class.notes {
        let _ = writeln!(out, "   note: {}", units::printable(note));
    }
    if let Some(diff) = &class.diff {
        for line in diff.lines() {
            let _ = writeln!(out, "   {}", units::printable(line));
        }
    }
}

fn gather<'a>(errors: &mut Vec<(&'a str, Vec<&'a str>)>, error: &'a str, python: &'a str) {
    match errors.iter_mut().find(|(known, _)| *known == error) {
        Some((_, versions)) => versions.push(python),
        None => errors.push((error, vec![python])),
    }
}

fn row(version: &VersionRecord) -> Vec<String> {
    let number = |n: Option<u64>| n.map_or("-".to_owned(), |n| n.to_string());
    let bytes = |n: Option<u64>| n.map_or("-".to_owned(), units::bytes);
    let saved = version.dict_bytes.zip(version.slots_bytes).filter(|&(dict, _)| dict > 0);
    vec![
        version.python.clone(),
        number(version.declared_bytes),
        number(version.dict_bytes),
        number(version.slots_bytes),
        saved.map_or("-".to_owned(), |(dict, slots)| {
            format!("{:.0} %", 100.0 * (dict as f64 - slots as f64) / dict as f64)
        }),
        number(version.named_tuple_bytes),
        number(version.tuple_bytes),
        bytes(version.dict_total_bytes),
        bytes(version.slots_total_bytes),
    ]
}
