//! What was counted of one thing, a dump each, oldest first; 0 where it was not there.

/// The last less the first.
pub(crate) fn delta(series: &[u64]) -> i64 {
    let of = |value: Option<&u64>| i128::from(value.copied().unwrap_or(0));
    let delta = of(series.last()) - of(series.first());
    delta.clamp(i64::MIN.into(), i64::MAX.into()) as i64
}

/// The slope of the line of least squares through values at 0, 1, 2, ...
pub(crate) fn slope(series: &[u64]) -> f64 {
    let n = series.len() as f64;
    let mean_x = (n - 1.0) / 2.0;
    let mean_y = series.iter().map(|&y| y as f64).sum::<f64>() / n;
    let (mut over, mut under) = (0.0, 0.0);
    for (k, &y) in series.iter().enumerate() {
        let x = k as f64 - mean_x;
        over += x * (y as f64 - mean_y);
        under += x * x;
    }
    if under > 0.0 { over / under } else { 0.0 }
}

/// Whether each is more than the one before.
pub(crate) fn always_rises(series: &[u64]) -> bool {
    series.is_sorted_by(|a, b| a < b)
}

/// Whether none is less than the one before.
pub(crate) fn never_falls(series: &[u64]) -> bool {
    series.is_sorted()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_slope_is_that_of_the_best_line() {
        assert_eq!(slope(&[5, 7]), 2.0);
        assert_eq!(slope(&[0, 10, 20, 30]), 10.0);
        assert_eq!(slope(&[4, 4, 4]), 0.0);
        assert_eq!(slope(&[1, 0, 5]), 2.0);
        assert_eq!(slope(&[0, 0, 0, 30]), 9.0);
        assert_eq!((slope(&[3]), slope(&[])), (0.0, 0.0));
    }

    #[test]
    fn rising_and_not_falling_are_told_apart() {
        assert_eq!(delta(&[9, 2, 4]), -5);
        assert_eq!((delta(&[]), delta(&[u64::MAX]), delta(&[0, u64::MAX])), (0, 0, i64::MAX));
        assert!(always_rises(&[1, 2, 5]) && !always_rises(&[1, 2, 2]));
        assert!(never_falls(&[1, 2, 2]) && !never_falls(&[1, 2, 1]));
    }
}
