//! Medians with intervals that assume nothing about how times are distributed.

use serde::{Deserialize, Serialize};

/// A median and the interval that holds the true one with at least 95 % confidence.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Estimate {
    /// The median of the samples.
    pub median: f64,
    /// The lower end.
    pub low: f64,
    /// The upper end.
    pub high: f64,
}

impl Estimate {
    /// The estimate from samples; `None` without any.
    ///
    /// The interval lies between two order statistics: the number of samples below the true median is binomial.
    /// With fewer than 6 samples no interval has 95 %, and it is their whole range.
    pub fn of(samples: impl IntoIterator<Item = f64>) -> Option<Estimate> {
        let mut sorted: Vec<f64> = samples.into_iter().collect();
        sorted.sort_by(f64::total_cmp);
        let (last, skipped) = (sorted.len().checked_sub(1)?, outside(sorted.len()));
        let median = f64::midpoint(sorted[last / 2], sorted[sorted.len() / 2]);
        Some(Estimate { median, low: sorted[skipped], high: sorted[last - skipped] })
    }
}

/// How many of `count` ordered samples lie outside the interval on each side: the largest number k for which
/// P(Binomial(count, 1/2) <= k) <= 2.5 %, and 0 if there is none.
fn outside(count: usize) -> usize {
    // log P(X = 0); logarithms, since 2^-count underflows.
    let mut log = -(count as f64) * std::f64::consts::LN_2;
    let mut at_most = 0.0;
    for k in 0..count {
        at_most += log.exp();
        if at_most > 0.025 {
            return k.saturating_sub(1);
        }
        log += ((count - k) as f64).ln() - ((k + 1) as f64).ln();
    }
    0
}

/// How many samples lie outside the quartiles by more than three times their distance: Tukey's far outliers.
pub fn outliers(samples: &[f64]) -> usize {
    if samples.len() < 4 {
        return 0;
    }
    let mut sorted = samples.to_vec();
    sorted.sort_by(f64::total_cmp);
    let (low, high) = (sorted[sorted.len() / 4], sorted[sorted.len() * 3 / 4]);
    let fence = 3.0 * (high - low);
    sorted.iter().filter(|&&sample| sample < low - fence || sample > high + fence).count()
}

/// The geometric mean; `None` without numbers.
pub fn geometric_mean(numbers: impl IntoIterator<Item = f64>) -> Option<f64> {
    let (mut sum, mut count) = (0.0, 0u32);
    for number in numbers {
        sum += number.ln();
        count += 1;
    }
    (count > 0).then(|| (sum / f64::from(count)).exp())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_are_those_of_the_tables() {
        // The sign test's 95 % intervals, as statistics textbooks list them (the k-th smallest and largest).
        for (count, kth) in
            [(6, 1), (8, 1), (9, 2), (12, 3), (15, 4), (20, 6), (21, 6), (25, 8), (30, 10), (50, 18)]
        {
            assert_eq!(outside(count) + 1, kth, "{count}");
        }
        assert_eq!([0, 1, 2, 5].map(outside), [0; 4]);
        let estimate = Estimate::of((1..=21).rev().map(f64::from)).unwrap();
        assert_eq!(estimate, Estimate { median: 11.0, low: 6.0, high: 16.0 });
        assert_eq!(Estimate::of([3.0, 1.0]), Some(Estimate { median: 2.0, low: 1.0, high: 3.0 }));
        assert_eq!(Estimate::of([]), None);
        assert_eq!(outside(100_000), 49_689, "of a normal distribution: 50,000 - 1.96 * 158.1 - 1");
    }

    #[test]
    fn an_outlier_is_far_from_the_quartiles() {
        assert_eq!(outliers(&[1.0, 1.1, 0.9, 1.0, 1.05, 0.95, 1.0, 9.0]), 1);
        assert_eq!(outliers(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0]), 0);
        assert_eq!(outliers(&[1.0, 100.0]), 0, "too few to tell");
    }

    #[test]
    fn means_of_ratios() {
        assert_eq!(geometric_mean([]), None);
        let mean = geometric_mean([0.5, 2.0, 4.0, 0.25]).unwrap();
        assert!((mean - 1.0).abs() < 1e-12);
    }
}
