//! Two runs, compared, as text.

use std::fmt::Write;

use super::{Report, Style};
use crate::bench::against::{AgainstRecord, FEWEST, GAP, LEAST};
use crate::units;

impl Report for AgainstRecord {
    fn report(&self, style: &Style) -> String {
        let mut out = format!("{} an earlier run\n", style.strong("AGAINST"));
        for unlike in &self.unlike {
            let _ = writeln!(out, "   {unlike}");
        }
        if (self.drift - 1.0).abs() >= 0.005 {
            let _ = writeln!(
                out,
                "   what is not ours took {:.2} of its time before; that is taken out",
                self.drift
            );
        }
        let _ = writeln!(out, "   {} numbers compared, {} differ\n", self.compared, self.differences.len());
        let rows = self.differences.iter().map(|difference| {
            let number = |value: f64| units::plain((value * 100.0).round() / 100.0);
            vec![
                difference.what.clone(),
                difference.kind.to_owned(),
                number(difference.before.median),
                number(difference.now.median),
                difference.ratio.map_or("-".to_owned(), |ratio| format!("{ratio:.2}")),
                style.bar(difference.ratio.unwrap_or(2.0), 2.0),
            ]
        });
        if !self.differences.is_empty() {
            out.push_str(&style.table(&["what", "kind ", "before", "now", "ratio", ""], rows.collect()));
        }
        if !self.busy.is_empty() {
            let names = self.busy.join(", ");
            out.push_str(&super::hanging("   not compared, as the machine was busy: ", &names));
        }
        for only in &self.only_in_one {
            let _ = writeln!(out, "   only {only}");
        }
        let _ = writeln!(
            out,
            "\n   a time differs if both runs have {FEWEST} turns, their 95 % intervals are {GAP} apart and their\n   \
             medians {LEAST}, as ratios; a count if it is another"
        );
        out
    }
}
