//! A run as one page that needs nothing else: tables, bars, and what was held over time.

use std::fmt::Write;

use super::markdown::foot;
use super::workload::{interval, lines};
use crate::bench::record::{HeldPoint, Role, SubjectRecord, WorkloadRecord};
use crate::record::{Check, MainRecord};
use crate::units;

const STYLE: &str = include_str!("page.css");
/// Pixels of a picture.
const WIDTH: f64 = 640.0;
/// Pixels of the picture of what was held.
const HEIGHT: f64 = 180.0;

/// The page.
pub fn page(record: &MainRecord) -> String {
    let mut out = String::from("<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n");
    out.push_str("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n");
    let _ =
        write!(out, "<title>cpymem bench</title>\n<style>\n{STYLE}</style>\n<main>\n<h1>cpymem bench</h1>\n");
    let checks: Vec<&Check> = record.checks().collect();
    let holding = checks.iter().filter(|check| check.holds).count();
    let class = if holding == checks.len() { "holds" } else { "broken" };
    let _ = writeln!(out, "<p class=\"{class}\">{holding} of {} checks hold.</p>", checks.len());
    out.push_str("<nav><ul>\n");
    for workload in &record.workloads {
        let name = escaped(&workload.name);
        let mark = if workload.holds() { "" } else { " <b class=\"broken\">broken</b>" };
        let _ = writeln!(out, "<li><a href=\"#{name}\">{name}</a>{mark}</li>");
    }
    out.push_str("</ul></nav>\n");
    for workload in &record.workloads {
        section(&mut out, workload);
    }
    let _ = writeln!(out, "<footer>{}</footer>\n</main>\n</html>", escaped(&foot(record)));
    out
}

fn section(out: &mut String, workload: &WorkloadRecord) {
    let name = escaped(&workload.name);
    let _ = writeln!(out, "<section id=\"{name}\">\n<h2>{name}</h2>");
    let _ = writeln!(
        out,
        "<p>{}.</p>\n<p class=\"amount\">{}</p>",
        escaped(&workload.shows),
        escaped(&workload.amount)
    );
    bars(out, workload);
    held(out, workload);
    table(out, workload);
    if !workload.checks.is_empty() {
        out.push_str("<ul class=\"checks\">\n");
        for Check { claim, expected, seen, holds } in &workload.checks {
            let class = if *holds { "holds" } else { "broken" };
            let (claim, expected, seen) = (escaped(claim), escaped(expected), escaped(seen));
            let _ = writeln!(out, "<li class=\"{class}\">{claim}: expected {expected}, saw {seen}</li>");
        }
        out.push_str("</ul>\n");
    }
    for note in &workload.notes {
        let _ = writeln!(out, "<p class=\"amount\">{}</p>", escaped(note));
    }
    out.push_str("</section>\n");
}

/// The class of a subject's marks: its colour.
fn colour(index: usize, subject: &SubjectRecord) -> String {
    if subject.role == Role::Ours { "ours".to_owned() } else { format!("c{}", index % 6) }
}

/// A bar for each subject's time, each time on a scale of its own.
fn bars(out: &mut String, workload: &WorkloadRecord) {
    let names: Vec<&str> = workload
        .subjects
        .first()
        .map_or(Vec::new(), |subject| subject.times.iter().map(|time| time.name.as_str()).collect());
    if names.is_empty() {
        return;
    }
    const LINE: f64 = 20.0;
    const LABEL: f64 = 190.0;
    const NUMBER: f64 = 90.0;
    let mut body = String::new();
    let mut y = 0.0;
    for name in names {
        let times: Vec<(usize, &SubjectRecord, f64, f64, f64)> = workload
            .subjects
            .iter()
            .enumerate()
            .filter_map(|(index, subject)| {
                let estimate = subject.series(name)?.estimate;
                Some((index, subject, estimate.median, estimate.low, estimate.high))
            })
            .collect();
        let most = times.iter().map(|&(.., high)| high).fold(0.0, f64::max);
        let _ = writeln!(body, "<text class=\"title\" x=\"0\" y=\"{}\">{}</text>", y + 14.0, escaped(name));
        y += LINE;
        for (index, subject, median, low, high) in times {
            let scale = |value: f64| if most > 0.0 { value / most * (WIDTH - LABEL - NUMBER) } else { 0.0 };
            let class = colour(index, subject);
            let _ = writeln!(
                body,
                "<text x=\"{}\" y=\"{}\" text-anchor=\"end\">{}</text>\
                 <rect class=\"{class}\" x=\"{LABEL}\" y=\"{}\" width=\"{:.1}\" height=\"12\"/>\
                 <path class=\"interval\" d=\"M{:.1} {:.1}H{:.1}\"/>\
                 <text x=\"{:.1}\" y=\"{}\">{} ns</text>",
                LABEL - 8.0,
                y + 13.0,
                escaped(&subject.name),
                y + 3.0,
                scale(median).max(1.0),
                LABEL + scale(low),
                y + 9.0,
                LABEL + scale(high),
                LABEL + scale(high) + 6.0,
                y + 13.0,
                units::plain((median * 100.0).round() / 100.0)
            );
            y += LINE;
        }
        y += 6.0;
    }
    let _ = writeln!(
        out,
        "<figure><svg viewBox=\"0 0 {WIDTH} {y}\" role=\"img\" aria-label=\"times\">\n{body}</svg>\n\
         <figcaption>Nanoseconds of an operation: the median of all turns, with the interval that holds the true one \
         with 95 % confidence. Shorter is faster.</figcaption></figure>"
    );
}

/// What was held after each step of the last turn.
fn held(out: &mut String, workload: &WorkloadRecord) {
    let lines: Vec<(usize, &SubjectRecord)> =
        workload.subjects.iter().enumerate().filter(|(_, subject)| subject.held.len() > 1).collect();
    let Some((_, first)) = lines.first() else {
        return;
    };
    const LEFT: f64 = 70.0;
    const RIGHT: f64 = 110.0;
    const BOTTOM: f64 = 26.0;
    let points = || lines.iter().flat_map(|(_, subject)| &subject.held);
    let most = points().map(|point| point.held_bytes.max(point.live_bytes)).max().unwrap_or(1).max(1) as f64;
    let steps = lines.iter().map(|(_, subject)| subject.held.len()).max().unwrap_or(2);
    let x = |step: usize| LEFT + step as f64 / (steps - 1) as f64 * (WIDTH - LEFT - RIGHT);
    let y = |bytes: u64| 8.0 + (1.0 - bytes as f64 / most) * (HEIGHT - BOTTOM - 8.0);
    let path = |points: &[HeldPoint], value: fn(&HeldPoint) -> u64| {
        let corners: Vec<String> = points
            .iter()
            .enumerate()
            .map(|(step, point)| format!("{:.1} {:.1}", x(step), y(value(point))))
            .collect();
        format!("M{}", corners.join("L"))
    };
    let mut body = String::new();
    for share in [0.0, 0.5, 1.0] {
        let bytes = (most * share) as u64;
        let _ = writeln!(
            body,
            "<path class=\"grid\" d=\"M{LEFT} {:.1}H{:.1}\"/><text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
            y(bytes),
            WIDTH - RIGHT,
            LEFT - 6.0,
            y(bytes) + 4.0,
            units::bytes(bytes)
        );
    }
    // Labels that would run into each other are left out.
    let every = steps.div_ceil(6);
    for (step, point) in first.held.iter().enumerate().step_by(every) {
        let _ = writeln!(
            body,
            "<text x=\"{:.1}\" y=\"{}\" text-anchor=\"middle\">{}</text>",
            x(step),
            HEIGHT - 6.0,
            escaped(&point.label)
        );
    }
    let _ = writeln!(body, "<path class=\"live\" d=\"{}\"/>", path(&first.held, |point| point.live_bytes));
    let mut ends: Vec<f64> = Vec::new();
    for (index, subject) in &lines {
        let class = colour(*index, subject);
        let _ = writeln!(
            body,
            "<path class=\"line {class}\" d=\"{}\"/>",
            path(&subject.held, |point| point.held_bytes)
        );
        let mut end = subject.held.last().map_or(0.0, |point| y(point.held_bytes)) + 4.0;
        while ends.iter().any(|&taken| (taken - end).abs() < 12.0) {
            end -= 12.0;
        }
        ends.push(end);
        let _ = writeln!(
            body,
            "<text x=\"{}\" y=\"{end:.1}\">{}</text>",
            WIDTH - RIGHT + 6.0,
            escaped(&subject.name)
        );
    }
    let _ = writeln!(
        out,
        "<figure><svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"bytes held over time\">\n{body}</svg>\n\
         <figcaption>Bytes kept from the rest of the machine after each step, a line for each subject; dashed: what was \
         live. The gap between both serves nobody.</figcaption></figure>"
    );
}

fn table(out: &mut String, workload: &WorkloadRecord) {
    out.push_str("<div class=\"wide\"><table>\n<tr><th></th>");
    for subject in &workload.subjects {
        let _ = write!(out, "<th>{}</th>", escaped(&subject.name));
    }
    out.push_str("<th>ours / best</th></tr>\n");
    for line in lines(workload) {
        let _ = write!(out, "<tr><td>{}</td>", escaped(&line.title));
        for cell in &line.cells {
            let _ = write!(out, "<td>{}</td>", escaped(cell));
        }
        let ratio = line.ratio.map_or(String::new(), |(peer, ratio)| format!("{} {peer}", interval(&ratio)));
        let _ = writeln!(out, "<td>{}</td></tr>", escaped(&ratio));
    }
    out.push_str("</table></div>\n");
}

/// Text as it may stand in a page.
fn escaped(text: &str) -> String {
    units::printable(text)
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}
