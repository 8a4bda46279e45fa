//! A verdict as text.

use std::fmt::Write;

use crate::record::{ReplayRecord, Verdict};
use crate::report::{Style, style};
use crate::units;
use crate::verdict::candidate::name;

/// State, trigger, consequence, next step.
pub(super) fn report(verdict: &Verdict, style: &Style) -> String {
    let mut out = String::new();
    let Verdict { layer, state, trigger, consequence, step, confidence, .. } = verdict;
    let _ = writeln!(out, "  verdict      {} (confidence {confidence:.2})", style.strong(name(*layer)));
    let lines =
        [("state", state), ("trigger", trigger), ("consequence", consequence), ("next", &step.action)];
    for (title, text) in lines {
        wrap(&mut out, title, text);
    }
    out
}

/// One line for each trace: its layer and what to do.
pub(super) fn summary(replays: &[ReplayRecord], style: &Style) -> String {
    let mut out = format!("{}\n", style.strong("VERDICTS"));
    let rows = replays.iter().map(|replay| {
        let verdict = &replay.verdict;
        let expected = verdict.step.expected_bytes.map_or_else(|| "-".to_owned(), units::bytes);
        let program = replay.program.clone().unwrap_or_else(|| "-".to_owned());
        vec![replay.input[0].path.clone(), program, name(verdict.layer).to_owned(), expected]
    });
    out.push_str(&style.table(&["recording", "program ", "layer ", "the step brings"], rows.collect()));
    out
}

/// Writes `text` under its title, in lines of bounded width and without what a terminal would obey.
pub(super) fn wrap(out: &mut String, title: &str, text: &str) {
    out.push_str(&style::hanging(&format!("    {title:<11} "), &units::printable(text)));
}
