//! Tables of measured rows, and what the model says to each row.

mod classes;
mod golden;
mod hierarchy;
mod kinds;
mod lives;
mod operations;
mod sequence;
mod shuffle;
mod sizes;

use std::collections::BTreeMap;
use std::fmt;
use std::io::Read;
use std::path::Path;

use serde_json::Value;

use hierarchy::Cases;

/// How many rows that differ a report shows.
const SHOWN: usize = 5;

/// What the model says to a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The same.
    Same,
    /// Something else.
    Mismatch(String),
    /// Nothing: it does not know the version or the kind.
    Unknown,
}

/// Rows counted; a row of a hierarchy table counts once for each of its versions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Totals {
    /// All rows.
    pub(crate) rows: u64,
    /// Those the model disagrees with.
    pub(crate) mismatches: u64,
    /// Those it has nothing to say to.
    pub(crate) unknown: u64,
}

/// The result of a file.
#[derive(Debug, Default)]
pub(crate) struct Report {
    /// The counts.
    pub(crate) totals: Totals,
    /// The first rows that differ, described.
    pub(crate) shown: Vec<String>,
}

impl std::ops::AddAssign for Totals {
    fn add_assign(&mut self, other: Totals) {
        self.rows += other.rows;
        self.mismatches += other.mismatches;
        self.unknown += other.unknown;
    }
}

impl fmt::Display for Totals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Totals { rows, mismatches, unknown } = self;
        write!(f, "rows {rows} mismatches {mismatches} unknown {unknown}")
    }
}

/// Checks a table. Kinds of rows are told apart by their keys: `c` hierarchies, `seq` sequences, `k` golden
/// rows, `what` sizes, `case` operations, `classes` fresh classes, `ev` lives.
///
/// # Errors
/// If a file cannot be read, has no rows, or a line is none; the message names file and line.
pub(crate) fn check_file(path: &Path, cases: Option<&Path>) -> Result<Report, String> {
    let at = |line: usize, what: String| format!("{}: line {line}: {what}", path.display());
    let text = read(path)?;
    let mut classes = None;
    let mut operations: Vec<(usize, Value)> = Vec::new();
    let mut report = Report::default();
    for (number, line) in (1..).zip(text.lines()) {
        let row: Value = serde_json::from_str(line).map_err(|error| at(number, error.to_string()))?;
        if row.get("case").is_some() {
            operations.push((number, row));
            continue;
        }
        let verdicts = if row.get("c").is_some() {
            if classes.is_none() {
                let beside = path.with_file_name("hier_cases.json");
                classes = Some(Cases::read(cases.unwrap_or(&beside))?);
            }
            classes.as_ref().map_or(Err(String::new()), |cases| hierarchy::check(&row, cases))
        } else {
            check_row(&row)
        };
        for verdict in verdicts.map_err(|what| at(number, what))? {
            report.count(number, verdict);
        }
    }
    check_operations(&operations, &mut report).map_err(|(line, what)| at(line, what))?;
    if report.totals.rows == 0 {
        return Err(format!("{}: no rows", path.display()));
    }
    Ok(report)
}

/// What one operation does to a class stays done for the next, so the rows of a version are checked together.
fn check_operations(rows: &[(usize, Value)], report: &mut Report) -> Result<(), (usize, String)> {
    let mut by_version: BTreeMap<&str, Vec<(usize, &Value)>> = BTreeMap::new();
    for (line, row) in rows {
        let version = self::text(row, "v").map_err(|what| (*line, what))?;
        by_version.entry(version).or_default().push((*line, row));
    }
    for (version, rows) in by_version {
        let only: Vec<&Value> = rows.iter().map(|&(_, row)| row).collect();
        let verdicts = operations::check(version, &only).map_err(|what| (rows[0].0, what))?;
        rows.iter().zip(verdicts).for_each(|(&(line, _), verdict)| report.count(line, verdict));
    }
    Ok(())
}

/// Checks a row of a table whose rows stand for themselves.
pub(crate) fn check_row(row: &Value) -> Result<Vec<Verdict>, String> {
    if row.get("seq").is_some() {
        Ok(vec![sequence::check(row)?])
    } else if row.get("classes").is_some() {
        Ok(vec![classes::check(row)?])
    } else if row.get("ev").is_some() {
        Ok(vec![lives::check(row)?])
    } else if row.get("k").is_some() {
        Ok(vec![golden::check(row)?])
    } else if row.get("what").is_some() {
        Ok(vec![sizes::check(row)?])
    } else {
        Err("no row of a known table: none of the keys c, seq, classes, ev, k, what and case".to_owned())
    }
}

impl Report {
    fn count(&mut self, line: usize, verdict: Verdict) {
        self.totals.rows += 1;
        match verdict {
            Verdict::Same => {}
            Verdict::Unknown => self.totals.unknown += 1,
            Verdict::Mismatch(what) => {
                self.totals.mismatches += 1;
                if self.shown.len() < SHOWN {
                    self.shown.push(format!("line {line}: {what}"));
                }
            }
        }
    }
}

/// The text of a file, unpacked if it is gzip by its first two bytes.
pub(crate) fn read(path: &Path) -> Result<String, String> {
    let in_file = |error: std::io::Error| format!("{}: {error}", path.display());
    let bytes = std::fs::read(path).map_err(in_file)?;
    let mut text = String::new();
    if bytes.starts_with(&[0x1f, 0x8b]) {
        flate2::read::MultiGzDecoder::new(&bytes[..]).read_to_string(&mut text).map_err(in_file)?;
    } else {
        (&bytes[..]).read_to_string(&mut text).map_err(in_file)?;
    }
    Ok(text)
}

/// A text field of a row.
fn text<'r>(row: &'r Value, key: &str) -> Result<&'r str, String> {
    row.get(key).and_then(Value::as_str).ok_or_else(|| format!("key {key}: no text"))
}

/// A number field of a row.
fn number(row: &Value, key: &str) -> Result<u32, String> {
    let number = row.get(key).and_then(Value::as_u64).and_then(|n| n.try_into().ok());
    number.ok_or_else(|| format!("key {key}: no whole number below 2^32"))
}

/// `[getsizeof(obj), getsizeof(obj.__dict__) or null]`.
fn sizes(row: &Value) -> Result<(u64, Option<u64>), String> {
    let pair = row.get("gs").and_then(Value::as_array).map(Vec::as_slice);
    match pair {
        Some([object, dict]) if object.is_u64() && (dict.is_u64() || dict.is_null()) => {
            Ok((object.as_u64().unwrap_or(0), dict.as_u64()))
        }
        _ => Err("key gs: not [bytes, bytes or null]".to_owned()),
    }
}

/// `{"size": count}`
fn counts(row: &Value, key: &str) -> Result<BTreeMap<u64, f64>, String> {
    let table = row.get(key).and_then(Value::as_object).ok_or_else(|| format!("key {key}: no object"))?;
    let entry = |(size, count): (&String, &Value)| Some((size.parse().ok()?, count.as_f64()?));
    let counts: Option<BTreeMap<u64, f64>> = table.iter().map(entry).collect();
    counts.ok_or_else(|| format!("key {key}: not sizes and counts"))
}
