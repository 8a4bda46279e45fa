//! What holds the memory of a process, as text.

use std::fmt::Write;

use super::verdict::wrap;
use crate::record_explain::{ExplainRecord, GrowthRecord};
use crate::report::Style;
use crate::units;
use crate::verdict::candidate::name;

/// Remedies that are shown.
const MOST_REMEDIES: usize = 6;

/// What each term is, in a few words.
const TERMS: [(&str, &str); 9] = [
    ("live_seen", "objects, alive"),
    ("live_unseen", "blocks in use that no object shows"),
    ("garbage", "objects that only cycles keep"),
    ("pool_free", "free blocks of pools in use"),
    ("overhead", "unused pools, headers, ends"),
    ("libc", "malloc's, beyond the objects"),
    ("files", "programs and libraries"),
    ("stack", "the main thread's stack"),
    ("rest", "other mappings"),
];

pub(super) fn report(record: &ExplainRecord, style: &Style) -> String {
    let mut out = String::new();
    let paths: Vec<String> = record.input.iter().map(|input| units::printable(&input.path)).collect();
    let last = record.dumps.last();
    let python = record.input.last().and_then(|input| input.python.as_deref()).unwrap_or("?");
    let objects = units::count(last.map_or(0, |dump| dump.objects));
    let _ = writeln!(out, "{} {}", style.strong("EXPLAIN"), paths.join(" "));
    let _ = writeln!(out, "  {objects} objects from CPython {}", units::printable(python));
    out.push_str(&super::verdict::report(&record.verdict, style));
    let brings = record.verdict.step.expected_bytes.map_or("unknown".to_owned(), units::bytes);
    wrap(&mut out, "brings", &brings);
    wrap(&mut out, "because", &units::printable(&record.verdict.confidence_reason));
    terms(record, style, &mut out);
    growth(&record.growth, style, &mut out);
    remedies(record, style, &mut out);
    for note in &record.notes {
        wrap(&mut out, "note", &units::printable(note));
    }
    out.push_str(&super::checks(&record.checks, style));
    out
}

fn terms(record: &ExplainRecord, style: &Style, out: &mut String) {
    let total = record.rss_bytes.total;
    let title = total.map_or("unknown".to_owned(), units::bytes);
    let _ = writeln!(out, "  {} {title}", style.strong("RSS"));
    let most = record.rss_bytes.terms().iter().filter_map(|(_, bytes)| *bytes).max().unwrap_or(0);
    let rows = record.rss_bytes.terms().into_iter().zip(TERMS).map(|((name, bytes), (_, what))| {
        let share = bytes.zip(total).filter(|&(_, total)| total > 0);
        vec![
            name.to_owned(),
            bytes.map_or("unknown".to_owned(), units::bytes),
            share.map_or("-".to_owned(), |(bytes, total)| units::share(bytes as f64 / total as f64)),
            what.to_owned(),
            style.bar(bytes.unwrap_or(0) as f64 / 2.0, most as f64),
        ]
    });
    out.push_str(&style.table(&["term", "bytes", "share", "what ", ""], rows.collect()));
    let layers: Vec<String> = record
        .layers
        .iter()
        .map(|part| match part.share {
            Some(share) => format!("{} {}", name(part.layer), units::share(share)),
            None => format!("{} {}", name(part.layer), units::bytes(part.bytes)),
        })
        .collect();
    wrap(out, "layers", &layers.join(", "));
}

fn growth(owners: &[GrowthRecord], style: &Style, out: &mut String) {
    if owners.is_empty() {
        return;
    }
    let _ = writeln!(out, "  {}", style.strong("WHAT GROWS"));
    let entries = |owner: &GrowthRecord| {
        let shown = owner.entries.iter().map(|n| n.map_or("-".to_owned(), units::count));
        shown.collect::<Vec<_>>().join(" > ")
    };
    let rows = owners
        .iter()
        .take(MOST_REMEDIES)
        .map(|owner| vec![shortened(&owner.path, 36), entries(owner), units::bytes(owner.bytes_delta)]);
    out.push_str(&style.table(&["owner", "entries", "grew by"], rows.collect()));
}

fn remedies(record: &ExplainRecord, style: &Style, out: &mut String) {
    if record.remedies.is_empty() {
        return;
    }
    let order = match record.cost {
        Some(cost) => format!(", those that risk {} least first", cost_name(cost)),
        None => ", those of the layer first, by bytes".to_owned(),
    };
    let _ = writeln!(out, "  {}{order}", style.strong("REMEDIES"));
    for remedy in record.remedies.iter().take(MOST_REMEDIES) {
        let brings = remedy.expected_bytes.map_or("unknown".to_owned(), units::bytes);
        let text = format!("[{}] {}", name(remedy.layer), units::printable(&remedy.action));
        wrap(out, &brings, &text);
    }
}

fn cost_name(cost: crate::record_explain::Cost) -> &'static str {
    use crate::record_explain::Cost;
    match cost {
        Cost::Latency => "latency",
        Cost::Growth => "growth",
        Cost::Compatibility => "compatibility",
        Cost::Confusion => "confusion",
    }
}

/// The end of a long text: of a path of names that is what tells most.
fn shortened(text: &str, most: usize) -> String {
    let length = text.chars().count();
    if length <= most {
        return text.to_owned();
    }
    let end: String = text.chars().skip(length + 3 - most).collect();
    format!("...{end}")
}
