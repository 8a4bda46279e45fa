//! The life-cycle picture: how objects came and went, a number on each edge.

use crate::record::DeathsRecord;
use crate::report::Style;
use crate::units;

/// The picture, a line for each end that an object can have.
pub(super) fn picture(deaths: &DeathsRecord, style: &Style) -> String {
    let of = |part: u64, whole: u64| {
        if whole == 0 { "-".to_owned() } else { units::share(part as f64 / whole as f64) }
    };
    let created = units::count(deaths.created);
    let ends = [
        (
            "died by their count",
            deaths.by_count,
            format!("{} of the deaths", of(deaths.by_count, deaths.count)),
        ),
        (
            "died by the collector",
            deaths.collector,
            format!("{} of the deaths", of(deaths.collector, deaths.count)),
        ),
        (
            "alive at the end",
            deaths.live_at_end,
            format!("{} of the created", of(deaths.live_at_end, deaths.created)),
        ),
    ];
    let branches =
        if style.is_graphic() { ["─┬─>", " ├─>", " └─>"] } else { ["-+->", " +->", " +->"] };
    let lead = format!("  created {created} ");
    let mut out = String::new();
    for (row, (what, count, share)) in ends.into_iter().enumerate() {
        let left = if row == 0 { lead.clone() } else { " ".repeat(lead.len()) };
        let bar = style.bar(count as f64, deaths.created as f64);
        let line =
            format!("{left}{} {what:<21} {:>13}  {share:<20} {bar}", branches[row], units::count(count));
        out.push_str(line.trim_end());
        out.push('\n');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_edge_has_its_number() {
        let deaths = DeathsRecord {
            created: 1_100,
            count: 1_000,
            by_count: 830,
            collector: 170,
            collector_share: Some(0.17),
            live_at_end: 100,
        };
        let picture = picture(&deaths, &Style::PLAIN);
        for part in ["created 1,100", "830  83.0 %", "170  17.0 %", "100  9.1 %"] {
            assert!(picture.contains(part), "{part} in\n{picture}");
        }
    }
}
