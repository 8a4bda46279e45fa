//! The header of a trace: one line of JSON behind the magic line.

use serde::Deserialize;

use super::event::Domain;
use crate::budget::Budget;
use crate::error::{InputError, Place};
use crate::lines::{Lines, json_fault};
use crate::text::Text;

const FORM: &str = "PMTRACE 1";
const MAGIC: &[u8; 10] = b"PMTRACE 1\n";

/// Parsed JSON may take several times its text: an empty string is 3 bytes there and 24 here.
const JSON_BLOW_UP: u64 = 8;

/// What a trace says about itself. Keys that are not here are ignored.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Header {
    /// `PMTRACE 1`.
    pub form: String,
    /// The program that was recorded.
    #[serde(default)]
    pub program: Option<String>,
    /// What the program does.
    #[serde(default)]
    pub description: Option<String>,
    /// Python's version.
    #[serde(default)]
    pub python: Option<String>,
    /// Python's implementation.
    #[serde(default)]
    pub implementation: Option<String>,
    /// The machine's architecture.
    #[serde(default)]
    pub machine: Option<String>,
    /// The C library and its version.
    #[serde(default)]
    pub libc: Option<String>,
    /// What recorded the trace.
    #[serde(default)]
    pub source: Option<String>,
    /// Events in the trace.
    pub events: u64,
    /// Mallocs and callocs in the trace.
    pub allocations: u64,
    /// Whether events carry addresses.
    pub addresses: bool,
    /// Labels of the phases.
    #[serde(default)]
    pub labels: Vec<String>,
    /// Names of the domains, in the order of their numbers.
    #[serde(default)]
    pub domains: Option<Vec<String>>,
    /// Whether recording began before the interpreter did.
    #[serde(default)]
    pub from_process_start: Option<bool>,
    /// Whether recording stopped early for lack of room.
    #[serde(default)]
    pub truncated: Option<bool>,
    /// The collector's thresholds at the end.
    #[serde(default)]
    pub gc_threshold: Option<Vec<u64>>,
}

impl Header {
    /// Reads the magic line and the header line, and returns the text behind them. What the parsed
    /// header may take stays charged to `budget`.
    pub(super) fn read<'a>(mut text: Text<'a>, budget: &mut Budget) -> Result<(Self, Text<'a>), InputError> {
        let mut magic = [0; MAGIC.len()];
        let read = text.read_up_to(&mut magic)?;
        if magic != *MAGIC {
            return Err(not_a_trace(&text, &magic[..read]));
        }
        let start = Place::Offset(text.offset());
        let mut lines = Lines::after(text, 1);
        if !lines.advance(budget)? {
            return Err(lines.error_at(start, "the trace ends before its header"));
        }
        let cost = lines.line().len() as u64 * JSON_BLOW_UP;
        budget.charge(cost).map_err(|over| lines.error_at(start, over))?;
        let header: Self = serde_json::from_slice(lines.line())
            .map_err(|e| lines.error_at(start, format_args!("bad header: {}", json_fault(&e))))?;
        header.check().map_err(|what| lines.error_at(start, what))?;
        Ok((header, lines.into_text()))
    }

    fn check(&self) -> Result<(), String> {
        if self.form != FORM {
            return Err(format!("the header's form is {:?}, not \"PMTRACE 1\"", clip(&self.form)));
        }
        if let Some(domains) = &self.domains
            && !domains.iter().map(String::as_str).eq(Domain::ALL.map(Domain::name))
        {
            return Err("the header's domains are not raw, mem, object, native".to_owned());
        }
        Ok(())
    }
}

#[cold]
fn not_a_trace(text: &Text<'_>, start: &[u8]) -> InputError {
    let start = String::from_utf8_lossy(start);
    let what = match start.strip_prefix("PMTRACE ") {
        Some(version) => format!("a trace of version {:?}; this program reads 1", version.trim_end()),
        None => "not a trace: it does not begin with \"PMTRACE 1\"".to_owned(),
    };
    text.error(Place::Offset(0), what)
}

/// The beginning of a text that came from an input, for a message.
fn clip(text: &str) -> String {
    text.chars().take(40).collect()
}
