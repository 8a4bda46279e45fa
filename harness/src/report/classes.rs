//! Classes as text.

use std::fmt::Write;

use crate::record_classes::{ClassRecord, ClassesRecord, VersionRecord};
use crate::report::Style;
use crate::units;

/// Versions, oldest first, and what stands beside all of them.
type Group<'a, T> = (Vec<&'a str>, T);

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
    if record.classes.len() > 1 {
        out.push('\n');
        summary(record, style, &mut out);
    }
    out
}

fn of_class(class: &ClassRecord, count: u64, style: &Style, out: &mut String) {
    let line = class.line.map_or(String::new(), |line| format!(", line {line}"));
    let attributes = class.attributes.len();
    let _ = writeln!(
        out,
        "{} {}{line}: {attributes} attribute{}, {}; bytes an instance, values excluded",
        style.strong("CLASS"),
        units::printable(&class.name),
        if attributes == 1 { "" } else { "s" },
        if class.has_slots { "with slots" } else { "without slots" },
    );
    let all = |kind: &str| format!("{} with {kind}", units::count(count));
    let titles = ["python", "as it is", "with dict", "with slots", "saved", "NamedTuple", "tuple"];
    let (dict, slots) = (all("dict"), all("slots"));
    let titles: Vec<&str> = titles.into_iter().chain([dict.as_str(), slots.as_str()]).collect();
    let rows = grouped(class.versions.iter().map(|it| (it.python.as_str(), cells(it))));
    let rows = rows.into_iter().map(|(versions, cells)| [vec![span(&versions)], cells].concat());
    out.push_str(&style.table(&titles, rows.collect()));
    let errors = class.versions.iter().filter_map(|it| {
        let refusal = |error: &String, what: &str| match error.starts_with("not modelled") {
            true => error.clone(),
            false => format!("{what}: {}", error.replace("\n    ", " ")),
        };
        let said = it.error.as_ref().map(|error| refusal(error, "refuses the class"));
        let slots = || it.slots_error.as_ref().map(|error| refusal(error, "would refuse these slots"));
        Some((it.python.as_str(), said.or_else(slots)?))
    });
    for (versions, error) in gathered(errors) {
        let _ = writeln!(out, "   CPython {} {}", span(&versions), units::printable(&error));
    }
    cliffs(class, out);
    for what in &class.breaks {
        let _ = writeln!(out, "   slots would break: {}", units::printable(what));
    }
    for note in &class.notes {
        let _ = writeln!(out, "   note: {}", units::printable(note));
    }
    if let Some(diff) = &class.diff {
        let _ = writeln!(out, "   safe as far as this file shows:");
        for line in diff.lines() {
            let _ = writeln!(out, "   {}", units::printable(line));
        }
    }
}

/// Each change once, with the bytes it leads to.
fn cliffs(class: &ClassRecord, out: &mut String) {
    let mut changes: Vec<(&str, &str)> = Vec::new();
    let all =
        || class.versions.iter().flat_map(|it| it.cliffs.iter().map(|cliff| (it.python.as_str(), cliff)));
    for (_, cliff) in all() {
        if !changes.contains(&(&cliff.change, &cliff.reason)) {
            changes.push((&cliff.change, &cliff.reason));
        }
    }
    for (change, reason) in changes {
        let here = all().filter(|(_, it)| (it.change.as_str(), it.reason.as_str()) == (change, reason));
        let bytes = gathered(here.map(|(python, cliff)| (python, cliff.bytes)));
        let bytes: Vec<String> =
            bytes.iter().map(|(versions, bytes)| format!("{bytes} bytes on {}", span(versions))).collect();
        let text = format!("{change} - {}: {reason}", bytes.join(", "));
        let _ = writeln!(out, "   cliff: {}", units::printable(&text));
    }
}

/// What slots would save, most first, on the newest version asked for.
fn summary(record: &ClassesRecord, style: &Style, out: &mut String) {
    let Some(python) = newest(record) else { return };
    let mut rows: Vec<(u64, Vec<String>)> = Vec::new();
    for class in &record.classes {
        let Some(it) = class.versions.iter().find(|it| it.python == python) else { continue };
        let (Some(now), Some(slots)) = (it.declared_bytes, it.slots_bytes) else { continue };
        if now <= slots || class.has_slots {
            continue;
        }
        let saved = (now - slots).saturating_mul(record.count);
        let how = if class.diff.is_some() {
            "the diff above"
        } else if class.notes.is_empty() {
            "see what would break"
        } else {
            "see the notes"
        };
        let line = class.line.map_or("-".to_owned(), |line| line.to_string());
        let bytes = [now.to_string(), slots.to_string(), units::bytes(saved)];
        rows.push((saved, [vec![class.name.clone(), line], bytes.to_vec(), vec![how.to_owned()]].concat()));
    }
    rows.sort_by_key(|(saved, _)| std::cmp::Reverse(*saved));
    let _ = writeln!(
        out,
        "{} on CPython {python}, bytes an instance and for {} of each, values excluded",
        style.strong("WHAT SLOTS WOULD SAVE"),
        units::count(record.count),
    );
    if rows.is_empty() {
        out.push_str("   nothing: no class without slots would become smaller\n");
        return;
    }
    let titles = ["class", "line", "as it is", "with slots", "saved", "how "];
    out.push_str(&style.table(&titles, rows.into_iter().map(|(_, row)| row).collect()));
}

/// The newest version, a build with the GIL if there is one.
fn newest(record: &ClassesRecord) -> Option<&str> {
    let versions =
        || record.classes.first().into_iter().flat_map(|it| &it.versions).map(|it| it.python.as_str());
    versions().rfind(|python| !python.ends_with('t')).or_else(|| versions().next_back())
}

/// Neighbours that say the same stand together.
fn grouped<'a, T: PartialEq>(all: impl Iterator<Item = (&'a str, T)>) -> Vec<Group<'a, T>> {
    let mut groups: Vec<Group<'a, T>> = Vec::new();
    for (python, it) in all {
        match groups.last_mut() {
            Some((versions, last)) if *last == it => versions.push(python),
            _ => groups.push((vec![python], it)),
        }
    }
    groups
}

/// All that say the same stand together.
fn gathered<'a, T: PartialEq>(all: impl Iterator<Item = (&'a str, T)>) -> Vec<Group<'a, T>> {
    let mut groups: Vec<Group<'a, T>> = Vec::new();
    for (python, it) in all {
        match groups.iter_mut().find(|(_, known)| *known == it) {
            Some((versions, _)) => versions.push(python),
            None => groups.push((vec![python], it)),
        }
    }
    groups
}

/// `3.8-3.10` for many, the names for few.
fn span(versions: &[&str]) -> String {
    let minor = |python: &str| python.strip_prefix("3.").and_then(|minor| minor.parse::<u32>().ok());
    let mut parts: Vec<(&str, &str)> = Vec::new();
    for &python in versions {
        match parts.last_mut() {
            Some((_, last)) if minor(last).zip(minor(python)).is_some_and(|(a, b)| a + 1 == b) => {
                *last = python
            }
            _ => parts.push((python, python)),
        }
    }
    let text = |(first, last): &(&str, &str)| match first == last {
        true => (*first).to_owned(),
        false => format!("{first}-{last}"),
    };
    parts.iter().map(text).collect::<Vec<_>>().join(" ")
}

/// The columns after the version.
fn cells(version: &VersionRecord) -> Vec<String> {
    let number = |n: Option<u64>| n.map_or("-".to_owned(), |n| n.to_string());
    let bytes = |n: Option<u64>| n.map_or("-".to_owned(), units::bytes);
    let saved = version.dict_bytes.zip(version.slots_bytes).filter(|&(dict, _)| dict > 0);
    vec![
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_in_a_row_are_a_span() {
        assert_eq!(span(&["2.7"]), "2.7");
        assert_eq!(span(&["2.7", "3.6", "3.7", "3.8", "3.10"]), "2.7 3.6-3.8 3.10");
        assert_eq!(span(&["3.13", "3.13t", "3.14", "3.15"]), "3.13 3.13t 3.14-3.15");
    }

    #[test]
    fn groups_are_of_neighbours_or_of_all() {
        let all = [("a", 1), ("b", 1), ("c", 2), ("d", 1)];
        assert_eq!(grouped(all.into_iter()), [(vec!["a", "b"], 1), (vec!["c"], 2), (vec!["d"], 1)]);
        assert_eq!(gathered(all.into_iter()), [(vec!["a", "b", "d"], 1), (vec!["c"], 2)]);
    }
}
