//! Records as text for people. Nothing is measured here.

mod allocators;
mod audit;
mod classes;
mod dups;
mod explain;
mod growth;
mod heap;
mod holders;
mod life_cycle;
mod pins;
mod profiles;
mod replay;
mod savings;
mod style;
mod verdict;
mod why;

use std::fmt::Write;

use crate::questions::audit::AuditRecord;
use crate::questions::dups::DupsRecord;
use crate::questions::growth::GrowthRecord;
use crate::questions::holders::HoldersRecord;
use crate::questions::pins::PinsRecord;
use crate::questions::savings::SavingsRecord;
use crate::questions::why::WhyRecord;
use crate::record::{Check, HeapRecord, MainRecord, ProfilesRecord, ReplayRecord};

use crate::record_classes::ClassesRecord;
use crate::record_explain::ExplainRecord;

use crate::units;

pub use style::Style;

/// A document as text.
pub trait Report {
    /// The document as text, in the given style, ending in a line break.
    fn report(&self, style: &Style) -> String;
}

impl Report for ReplayRecord {
    fn report(&self, style: &Style) -> String {
        replay::report(self, style)
    }
}

impl Report for HeapRecord {
    fn report(&self, style: &Style) -> String {
        heap::report(self, style)
    }
}

impl Report for HoldersRecord {
    fn report(&self, style: &Style) -> String {
        holders::report(self, style)
    }
}

impl Report for GrowthRecord {
    fn report(&self, style: &Style) -> String {
        growth::report(self, style)
    }
}

impl Report for PinsRecord {
    fn report(&self, style: &Style) -> String {
        pins::report(self, style)
    }
}

impl Report for AuditRecord {
    fn report(&self, style: &Style) -> String {
        audit::report(self, style)
    }
}

impl Report for DupsRecord {
    fn report(&self, style: &Style) -> String {
        dups::report(self, style)
    }
}

impl Report for WhyRecord {
    fn report(&self, style: &Style) -> String {
        why::report(self, style)
    }
}

impl Report for SavingsRecord {
    fn report(&self, style: &Style) -> String {
        savings::report(self, style)
    }
}

impl Report for ProfilesRecord {
    fn report(&self, style: &Style) -> String {
        profiles::report(self, style)
    }
}

impl Report for ClassesRecord {
    fn report(&self, style: &Style) -> String {
        classes::report(self, style)
    }
}

impl Report for ExplainRecord {
    fn report(&self, style: &Style) -> String {
        explain::report(self, style)
    }
}

impl Report for MainRecord {
    fn report(&self, style: &Style) -> String {
        let replays = self.replays.iter().map(|record| record as &dyn Report);
        let heaps = self.heaps.iter().map(|record| record as &dyn Report);
        let profiles = self.profiles.iter().map(|record| record as &dyn Report);
        let parts: Vec<String> =
            replays.chain(heaps).chain(profiles).map(|part| part.report(style)).collect();
        let mut out = parts.join("\n");
        if !self.replays.is_empty() {
            out.push('\n');
            out.push_str(&verdict::summary(&self.replays, style));
        }
        out.push('\n');
        out.push_str(&summary(self.checks(), style));
        out
    }
}

/// A line on how many checks hold, and one for each that does not.
pub fn summary<'a>(checks: impl Iterator<Item = &'a Check>, style: &Style) -> String {
    let checks: Vec<&Check> = checks.collect();
    let broken: Vec<&&Check> = checks.iter().filter(|check| !check.holds).collect();
    let mut out = format!("{} of {} checks hold\n", checks.len() - broken.len(), checks.len());
    for check in broken {
        let Check { claim, expected, seen, .. } = check;
        let _ = writeln!(out, "{} {claim}: expected {expected}, saw {seen}", style.strong("BROKEN"));
    }
    out
}

/// The checks of one document, a line each.
fn checks(checks: &[Check], style: &Style) -> String {
    let mut out = String::new();
    for Check { claim, expected, seen, holds } in checks {
        let mark = if *holds { "ok    " } else { &*style.strong("BROKEN") };
        let _ = match holds {
            true => writeln!(out, "  {mark} {claim}: {seen}"),
            false => writeln!(out, "  {mark} {claim}: expected {expected}, saw {seen}"),
        };
    }
    out
}

/// What to know before relying on a document's figures, a line each.
fn notes(notes: &[String], out: &mut String) {
    for note in notes {
        let _ = writeln!(out, "   note: {}", units::printable(note));
    }
}

/// How many rows are not shown.
fn and_more(n: u64, what: &str, out: &mut String) {
    match n {
        0 => {}
        1 => {
            let _ = writeln!(out, "   and 1 {what} more");
        }
        n => {
            let _ = writeln!(out, "   and {} {what}s more", units::count(n));
        }
    }
}
