//! Two workloads that take turns.

/// Odd, so that there is a middle one.
pub(crate) const ROUNDS: usize = 25;

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// What was asked for on the command line: all workloads, or those with one of these parts in their names.
pub(crate) struct Table {
    parts: Vec<String>,
}

impl Table {
    pub(crate) fn new(title: &str) -> Table {
        println!("{title:<48} {:>9} {:>9} {:>7}", "std", "this", "ratio");
        Table { parts: std::env::args().skip(1).collect() }
    }

    /// A line: the medians of both in nanoseconds for one operation, and the median of their ratios.
    pub(crate) fn compare(&self, name: &str, theirs: fn() -> f64, ours: fn() -> f64) {
        if !self.parts.is_empty() && !self.parts.iter().any(|part| name.contains(part.as_str())) {
            return;
        }
        // Once each to warm up.
        theirs();
        ours();
        let rounds: Vec<(f64, f64)> = (0..ROUNDS).map(|_| (theirs(), ours())).collect();
        println!(
            "{name:<48} {:>9.2} {:>9.2} {:>7.3}",
            median(rounds.iter().map(|round| round.0).collect()),
            median(rounds.iter().map(|round| round.1).collect()),
            median(rounds.iter().map(|round| round.1 / round.0).collect()),
        );
    }
}
