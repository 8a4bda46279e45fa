//! A decision as files: what was found, a program that shows it in small, and a template of the change.
//!
//! | file | what |
//! | --- | --- |
//! | `finding.md` | state, trigger, impact, change, what was rejected and why, guard rail |
//! | `reproduce.py` | makes the same state in a fresh process with the numbers of the finding, makes the change there, and exits 1 if the effect is absent |
//! | `change.py` | a template of the change |

use std::fmt::{self, Write as _};
use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use crate::record::Layer;
use crate::record_explain::{ExplainRecord, RemedyRecord, Risks};
use crate::units;
use crate::verdict::candidate::name;

/// Why a decision was not written.
#[derive(Debug)]
pub enum DecisionError {
    /// The file is there already, and may be the user's.
    Exists(PathBuf),
    /// The system said no.
    Io(PathBuf, io::Error),
}

impl DecisionError {
    /// Whether the command line is wrong, not the system.
    pub fn is_usage(&self) -> bool {
        matches!(self, DecisionError::Exists(_))
    }
}

impl fmt::Display for DecisionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DecisionError::Exists(path) => {
                write!(f, "{}: is there already; --force replaces it", path.display())
            }
            DecisionError::Io(path, error) => write!(f, "{}: {error}", path.display()),
        }
    }
}

impl std::error::Error for DecisionError {}

/// The programs of a layer: what shows the finding, and what changes it.
struct Programs {
    reproduce: &'static str,
    change: &'static str,
    guard: &'static str,
}

macro_rules! program {
    ($file:literal) => {
        include_str!(concat!("decisions/", $file))
    };
}

fn programs(layer: Layer) -> Programs {
    match layer {
        Layer::Lifetime => Programs {
            reproduce: program!("reproduce_lifetime.py"),
            change: program!("change_lifetime.py"),
            guard: "export the number of entries as a metric and alert on its limit, not on RSS; in a test, handle the \
                    same requests twice and assert that the number is the same after both",
        },
        Layer::Collector => Programs {
            reproduce: program!("reproduce_collector.py"),
            change: program!("change_collector.py"),
            guard: "in a test: gc.collect(), gc.disable(), one request, and assert that gc.collect() finds no more than \
                    today's number",
        },
        Layer::Allocator => Programs {
            reproduce: program!("reproduce_allocator.py"),
            change: program!("change_allocator.py"),
            guard: "watch arenas, not RSS: `# arenas allocated current` of sys._debugmallocstats() after the bulk is \
                    gone",
        },
        Layer::Class => Programs {
            reproduce: program!("reproduce_class.py"),
            change: program!("change_class.py"),
            guard: "a test that sets an attribute that is not declared and expects AttributeError: who adds a dict \
                    again is told",
        },
        Layer::Packaging => Programs {
            reproduce: program!("reproduce_packaging.py"),
            change: program!("change_packaging.py"),
            guard: "a test that starts the program in a fresh interpreter and asserts that the package is not in \
                    sys.modules",
        },
        Layer::Elsewhere => Programs {
            reproduce: program!("reproduce_elsewhere.py"),
            change: program!("change_elsewhere.py"),
            guard: "two dumps a day apart: `cpymem explain` says if something grows",
        },
    }
}

/// Writes the files into `folder`, which is made if it is not there. All of them, or none: a file that is there
/// already is replaced only if `force` says so.
///
/// # Errors
/// If a file is there already, or the system refuses.
pub fn write(record: &ExplainRecord, folder: &Path, force: bool) -> Result<(), DecisionError> {
    let files = files(record);
    if !force {
        for (name, _) in &files {
            let path = folder.join(name);
            // A link that leads nowhere is there, too.
            if path.symlink_metadata().is_ok() {
                return Err(DecisionError::Exists(path));
            }
        }
    }
    std::fs::create_dir_all(folder).map_err(|error| DecisionError::Io(folder.to_owned(), error))?;
    for (name, text) in &files {
        let path = folder.join(name);
        let mut options = OpenOptions::new();
        options.write(true);
        if force {
            options.create(true).truncate(true)
        } else {
            options.create_new(true)
        };
        let written = options.open(&path).and_then(|mut file| file.write_all(text.as_bytes()));
        written.map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => DecisionError::Exists(path),
            _ => DecisionError::Io(path, error),
        })?;
    }
    Ok(())
}

/// Names and texts of the files.
pub fn files(record: &ExplainRecord) -> [(&'static str, String); 3] {
    let chosen = chosen(record);
    let layer = chosen.map_or(record.verdict.layer, |remedy| remedy.layer);
    let programs = programs(layer);
    [
        ("finding.md", finding(record, chosen, &programs)),
        ("reproduce.py", with_numbers(programs.reproduce, record, chosen)),
        ("change.py", with_numbers(programs.change, record, chosen)),
    ]
}

/// The remedy of the verdict's step.
fn chosen(record: &ExplainRecord) -> Option<&RemedyRecord> {
    record.remedies.iter().find(|remedy| remedy.action == record.verdict.step.action)
}

fn finding(record: &ExplainRecord, chosen: Option<&RemedyRecord>, programs: &Programs) -> String {
    let verdict = &record.verdict;
    let mut out = String::new();
    let _ = writeln!(out, "# Finding: {}\n", name(verdict.layer));
    for input in &record.input {
        let python = input.python.as_deref().unwrap_or("unknown");
        let _ = writeln!(
            out,
            "- `{}` ({}, CPython {}), SHA-256 `{}`",
            plain(&input.path),
            plain(&input.form),
            plain(python),
            input.sha256
        );
    }
    let _ = writeln!(out, "\n**State.** {}.\n", sentence(&verdict.state));
    let _ = writeln!(out, "**Trigger.** {}.\n", sentence(&verdict.trigger));
    let _ = writeln!(out, "**Impact.** {}.\n", sentence(&verdict.consequence));
    let expected = verdict.step.expected_bytes.map_or("an unknown number of bytes".to_owned(), units::bytes);
    let _ = writeln!(
        out,
        "**Change.** {}. Expected: {expected}. Confidence {:.2}: {}.\n",
        sentence(&verdict.step.action),
        verdict.confidence,
        plain(&verdict.confidence_reason)
    );
    if let Some(remedy) = chosen {
        let _ = writeln!(out, "What it risks, 0 to 3: {}.\n", risks(remedy.risks));
    }
    let _ = writeln!(out, "**Rejected.**\n");
    let rejected = record.remedies.iter().filter(|remedy| chosen.is_none_or(|it| !std::ptr::eq(*remedy, it)));
    let mut any = false;
    for remedy in rejected.take(6) {
        any = true;
        let brings = remedy.expected_bytes.map_or("bytes unknown".to_owned(), units::bytes);
        let why = why_not(remedy, chosen, record.verdict.layer);
        let _ =
            writeln!(out, "- {} ({brings}): {why}; risks {}.", plain(&remedy.action), risks(remedy.risks));
    }
    if !any {
        let _ = writeln!(out, "- nothing else would bring bytes.");
    }
    let _ = writeln!(out, "\n**Guard rail.** {}.\n", programs.guard);
    let _ = writeln!(out, "| RSS | bytes |\n| --- | ---: |");
    for (term, bytes) in record.rss_bytes.terms() {
        let _ = writeln!(out, "| {term} | {} |", bytes.map_or("unknown".to_owned(), units::count));
    }
    let total = record.rss_bytes.total.map_or("unknown".to_owned(), units::count);
    let _ = writeln!(out, "| total | {total} |\n");
    let _ = writeln!(
        out,
        "`reproduce.py` shows the finding with these numbers in a process of its own and exits 1 if the change has no \
         effect there; `change.py` is a template. After the change, dump again and compare: `cpymem explain BEFORE \
         AFTER`."
    );
    out
}

fn why_not(remedy: &RemedyRecord, chosen: Option<&RemedyRecord>, layer: Layer) -> &'static str {
    let less = |a: Option<u64>, b: Option<u64>| a.unwrap_or(0) < b.unwrap_or(0);
    match chosen {
        Some(chosen) if remedy.layer != layer && chosen.layer == layer => "acts on another layer",
        Some(chosen) if less(remedy.expected_bytes, chosen.expected_bytes) => "brings less",
        Some(_) => "risks more for what it brings",
        None => "no layer is alarming",
    }
}

fn risks(risks: Risks) -> String {
    let Risks { latency, growth, compatibility, confusion } = risks;
    format!("latency {latency}, growth {growth}, compatibility {compatibility}, confusion {confusion}")
}

/// Text that is not markup and stays on its line, whatever a dump contains.
fn plain(text: &str) -> String {
    let text = units::printable(text);
    text.chars().map(|c| if matches!(c, '`' | '<' | '>' | '|' | '[' | ']') { '\'' } else { c }).collect()
}

/// Text that begins with a capital letter.
fn sentence(text: &str) -> String {
    let mut rest = text.chars();
    let first = rest.next().map(|c| c.to_uppercase().to_string()).unwrap_or_default();
    plain(&format!("{first}{}", rest.as_str()))
}

/// A program with the finding's numbers in place of its own: lines `NAME = value  # set` at its beginning.
fn with_numbers(program: &str, record: &ExplainRecord, chosen: Option<&RemedyRecord>) -> String {
    let target = chosen.and_then(|remedy| remedy.target.as_deref());
    let grown = target.and_then(|target| record.growth.iter().find(|owner| owner.path == target));
    let entry = |k: Option<&Option<u64>>| k.copied().flatten();
    let first = grown.and_then(|owner| entry(owner.entries.first())).unwrap_or(0);
    let last = grown.and_then(|owner| entry(owner.entries.last()));
    let fact = |name: &str| {
        let fact = record.verdict.facts.iter().find(|fact| fact.name == name)?;
        fact.value.map(|value| value as u64)
    };
    let number = |key: &str| match key {
        "EXPECTED_BYTES" => record.verdict.step.expected_bytes,
        "FIRST_ENTRIES" => grown.map(|_| first),
        "LAST_ENTRIES" => last.or_else(|| fact("largest_owner_entries")),
        "OBJECTS" => fact("garbage_found"),
        "INSTANCES" => fact("largest_class_instances"),
        "ARENAS" => fact("arenas"),
        _ => None,
    };
    let mut out = String::with_capacity(program.len());
    for line in program.lines() {
        let key = line.split_once(" = ").map(|(key, _)| key).filter(|_| line.ends_with("# set"));
        let value = match key {
            Some("TARGET") => target.map(quoted),
            Some("ATTRIBUTES") => target.and_then(|_| attributes(chosen)),
            Some(key) => number(key).map(|number| number.to_string()),
            None => None,
        };
        match (key, value) {
            (Some(key), Some(value)) => {
                let _ = writeln!(out, "{key} = {value}");
            }
            _ => {
                let _ = writeln!(out, "{}", line.trim_end_matches("# set").trim_end());
            }
        }
    }
    out
}

/// The attributes that a remedy lists, as a tuple.
fn attributes(chosen: Option<&RemedyRecord>) -> Option<String> {
    let attributes = &chosen?.attributes;
    if attributes.is_empty() {
        return None;
    }
    Some(format!("({},)", attributes.iter().map(|name| quoted(name)).collect::<Vec<_>>().join(", ")))
}

/// A text as Python writes it: only letters, digits and a few signs stay, so that nothing of a dump is ever code.
fn quoted(text: &str) -> String {
    let safe: String =
        text.chars().map(|c| if c.is_alphanumeric() || "_.<>[]() -".contains(c) { c } else { '?' }).collect();
    format!("\"{safe}\"")
}
