//! A verdict as text.

use std::fmt::Write;

use crate::record::{ReplayRecord, Verdict};
use crate::report::Style;
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

/// Columns of a line of prose.
const WIDTH: usize = 80;

/// Writes `text` in lines of bounded width, indented under its title, and without what a terminal would obey.
pub(super) fn wrap(out: &mut String, title: &str, text: &str) {
    let mut line = format!("    {title:<11}");
    let indent = line.len();
    for word in units::printable(text).split_whitespace() {
        if line.chars().count() + 1 + word.chars().count() > WIDTH && line.trim_end().len() > indent {
            out.push_str(line.trim_end());
            out.push('\n');
            line = " ".repeat(indent);
        }
        line.push(' ');
        line.push_str(word);
    }
    out.push_str(line.trim_end());
    out.push('\n');
}
