//! Two workloads that take turns.

/// Odd, so that there is a middle one.
pub(crate) const ROUNDS: usize = 25;

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// What was asked for on the command line: all workloads, or those with a part of the name.
pub(crate) struct Table {
    part: Option<String>,
}

impl Table {
    pub(crate) fn new(title: &str) -> Table {
        println!("{title:<48} {:>9} {:>9} {:>7}", "std", "this", "ratio");
        Table { part: std::env::args().nth(1) }
    }

    /// A line: the medians of both in nanoseconds for one operation, and the median of their ratios.
    pub(crate) fn compare(&self, name: &str, theirs: fn() -> f64, ours: fn() -> f64) {
        if self.part.as_ref().is_some_and(|part| !name.contains(part.as_str())) {
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
