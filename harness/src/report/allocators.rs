//! The text of `cpymem bench allocator`.

use std::fmt::Write as _;

use super::{Report, Style};
use crate::allocators::child::Found;
use crate::allocators::growth::GrowthRecord;
use crate::allocators::memory::{Held, MemoryRecord};
use crate::allocators::record::{AllocatorsRecord, Goal, Group, Row};
use crate::statistics::Estimate;

impl Report for AllocatorsRecord {
    fn report(&self, style: &Style) -> String {
        let mut out = String::new();
        let turns = self.alternations;
        let _ = writeln!(out, "{}", style.strong("Nanoseconds of an operation"));
        let _ = writeln!(out, "  medians of {turns} turns; replays net of a null replay (raw in brackets)\n");
        out.push_str(&self.times(style));
        let _ = writeln!(out, "\n{}", style.strong("Our time over theirs"));
        out.push_str("  below 1 we are faster; in brackets the 95 % interval of the median of ratios within a turn\n\n");
        out.push_str(&self.ratios(style));
        let _ = writeln!(out, "\n{}", style.strong("Geometric means of ratios"));
        out.push_str(&self.means_table(style));
        let _ = writeln!(out, "\n{}", style.strong("What should hold"));
        out.push_str(&goals(&self.goals, style));
        let clobbered: u64 = self.rows.iter().flat_map(|row| &row.times).map(|time| time.clobbered).sum();
        let _ = writeln!(out, "\nBlocks that lost their content: {clobbered}");
        out
    }
}

impl AllocatorsRecord {
    fn times(&self, style: &Style) -> String {
        let mut titles = vec!["pattern"];
        titles.extend(&self.allocators);
        let rows = self.rows.iter().map(|row| {
            let mut cells = vec![row.name.clone()];
            cells.extend(self.allocators.iter().map(|name| time_cell(row, name)));
            cells
        });
        style.table(&titles, rows.collect())
    }

    fn ratios(&self, style: &Style) -> String {
        let theirs: Vec<&str> = self.allocators.iter().skip(1).copied().collect();
        let mut titles = vec!["pattern", "best rival ", "ours / best", ""];
        titles.extend(theirs.iter().map(|name| if *name == "cpymem-heap" { "heap / best" } else { name }));
        let rows = self.rows.iter().map(|row| {
            let best = row.best_rival.filter(|_| row.group != Group::Release).unwrap_or("-");
            let mut cells = vec![row.name.clone(), best.to_owned()];
            cells.push(row.ours_over_best.map_or(String::new(), |ratio| format!("{:.2}", ratio.median)));
            cells.push(row.ours_over_best.map_or(String::new(), |ratio| interval(&ratio)));
            cells.extend(theirs.iter().map(|name| {
                let ratio = if *name == "cpymem-heap" { row.heap_over_best } else { row.over(name) };
                ratio.map_or(String::new(), |ratio| format!("{:.2} {}", ratio.median, interval(&ratio)))
            }));
            cells
        });
        style.table(&titles, rows.collect())
    }

    fn means_table(&self, style: &Style) -> String {
        let number = |value: Option<f64>| value.map_or(String::new(), |value| format!("{value:.3}"));
        let rows = self.means.iter().map(|mean| {
            let each: Vec<String> =
                mean.ours_over.iter().map(|(name, ratio)| format!("{name} {ratio:.3}")).collect();
            vec![
                mean.over.to_owned(),
                mean.rows.to_string(),
                number(mean.ours_over_best_rival),
                number(mean.ours_over_best_of_each),
                number(mean.heap_over_best_of_each),
                each.join(", "),
            ]
        });
        let titles = ["over", "rows", "best rival", "best of each", "heap, best of each", "ours over each "];
        style.table(&titles, rows.collect())
    }
}

fn interval(estimate: &Estimate) -> String {
    format!("[{:.2} {:.2}]", estimate.low, estimate.high)
}

fn time_cell(row: &Row, allocator: &str) -> String {
    let Some(time) = row.times.iter().find(|time| time.allocator == allocator) else {
        return String::new();
    };
    match (time.ns, time.net_ns) {
        (Some(raw), Some(net)) => format!("{:.1} ({:.1})", net.median, raw.median),
        (Some(raw), None) => format!("{:.1}", raw.median),
        _ => String::new(),
    }
}

fn goals(goals: &[Goal], style: &Style) -> String {
    let rows = goals.iter().map(|goal| {
        let verdict = match goal.holds() {
            Some(true) => "holds",
            Some(false) => "MISSED",
            None => "unknown",
        };
        let measured = goal.measured.map_or("-".to_owned(), |value| format!("{value:.2}"));
        vec![
            goal.goal.clone(),
            format!("{:.2}", goal.limit),
            measured,
            verdict.to_owned(),
            goal.detail.clone(),
        ]
    });
    style.table(&["what", "at most", "measured", "verdict ", "where "], rows.collect())
}

impl Report for MemoryRecord {
    fn report(&self, style: &Style) -> String {
        let mut out = String::new();
        let _ = writeln!(
            out,
            "{}",
            style.strong("Replays: the most MiB resident, after all is free, after a purge")
        );
        let names: Vec<&str> = self.uniform.iter().map(|held| held.allocator).collect();
        let titles: Vec<&str> = ["trace", "live at most"].into_iter().chain(names.iter().copied()).collect();
        let rows = self.replays.iter().map(|replay| {
            let live = replay.held.first().map_or(0, |held| held.found.peak_live_bytes);
            let mut cells = vec![replay.trace.clone(), mib(live)];
            cells.extend(replay.held.iter().map(|held| three(&held.found)));
            cells
        });
        out.push_str(&style.table(&titles, rows.collect()));

        let _ = writeln!(
            out,
            "\n{}",
            style.strong("Blocks from pymalloc's arenas alone: MiB resident at the marks")
        );
        let titles: Vec<&str> = ["trace", "mark ", "live", "pymalloc's arenas", "cpymem / arenas"]
            .into_iter()
            .chain(names.iter().copied())
            .collect();
        let mut rows = Vec::new();
        for marks in &self.marks {
            for (index, (mark, ratio)) in marks.over_arenas("cpymem").into_iter().enumerate() {
                let arenas = marks.pymalloc_arena_bytes[index];
                let mut cells =
                    vec![marks.trace.clone(), mark.label.clone(), mib(mark.live_bytes), mib(arenas)];
                cells.push(format!("{ratio:.2}"));
                let resident = |held: &Held| held.found.marks.get(index).map(|mark| mib(mark.resident_bytes));
                cells.extend(marks.held.iter().map(|held| resident(held).unwrap_or_default()));
                rows.push(cells);
            }
        }
        out.push_str(&style.table(&titles, rows));

        let _ = writeln!(out, "\n{}", style.strong("Live blocks of 16 to 256 bytes: resident over requested; MiB after all is free, after a purge"));
        let rows = self.uniform.iter().map(|held| {
            let found = &held.found;
            let over = found.peak_resident_bytes as f64 / found.peak_live_bytes.max(1) as f64;
            let purged = found.purged_resident_bytes.map_or("-".to_owned(), mib);
            vec![held.allocator.to_owned(), format!("{over:.3}"), mib(found.freed_resident_bytes), purged]
        });
        out.push_str(&style.table(&["allocator", "over requested", "free", "purged"], rows.collect()));
        out
    }
}

fn mib(bytes: u64) -> String {
    format!("{:.1}", bytes as f64 / f64::from(1 << 20))
}

fn three(found: &Found) -> String {
    let purged = found.purged_resident_bytes.map_or("-".to_owned(), mib);
    format!("{}, {}, {purged}", mib(found.peak_resident_bytes), mib(found.freed_resident_bytes))
}

impl Report for GrowthRecord {
    fn report(&self, style: &Style) -> String {
        let mut titles = vec!["live blocks".to_owned()];
        titles.extend(self.growths.iter().map(|growth| growth.allocator.to_owned()));
        let titles: Vec<&str> = titles.iter().map(String::as_str).collect();
        let mut rows: Vec<Vec<String>> = Vec::new();
        for (index, live) in self.live.iter().enumerate() {
            let counts = self.growths.iter().map(|growth| {
                growth.instructions.get(index).map_or("-".to_owned(), |count| format!("{count:.1}"))
            });
            rows.push(std::iter::once(live.to_string()).chain(counts).collect());
        }
        let spreads = self
            .growths
            .iter()
            .map(|growth| growth.spread.map_or("-".to_owned(), |spread| format!("{spread:.2}")));
        rows.push(std::iter::once("most / least".to_owned()).chain(spreads).collect());
        let head = style.strong("Instructions of a replacement at random, blocks of 48 bytes");
        let failures: String = self
            .growths
            .iter()
            .filter_map(|growth| growth.failure.as_ref())
            .map(|what| format!("  {what}\n"))
            .collect();
        format!("{head}\n{}{failures}", style.table(&titles, rows))
    }
}
