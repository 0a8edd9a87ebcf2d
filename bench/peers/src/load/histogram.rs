//! Response times.

use hdrhistogram::Histogram;

/// The response times of a round, in nanoseconds to three figures.
#[derive(Clone, Debug)]
pub struct Times(Histogram<u64>);

/// The longest that is told from longer ones.
const LONGEST: u64 = 60_000_000_000;

impl Times {
    pub(super) fn new() -> Self {
        Self(Histogram::new_with_bounds(1, LONGEST, 3).expect("the bounds are valid"))
    }

    pub(super) fn record(&mut self, nanoseconds: u64) {
        self.0.saturating_record(nanoseconds);
    }

    /// How many there are.
    pub fn count(&self) -> u64 {
        self.0.len()
    }

    /// The time in microseconds that so many of a hundred were within.
    pub fn percentile(&self, percent: f64) -> f64 {
        self.0.value_at_percentile(percent) as f64 / 1e3
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_in_microseconds() {
        let mut times = Times::new();
        for microseconds in 1..=1000 {
            times.record(microseconds * 1000);
        }
        assert_eq!(times.count(), 1000);
        for (percent, expected) in [(50.0, 500.0), (99.0, 990.0), (99.9, 999.0)] {
            assert!((times.percentile(percent) - expected).abs() <= expected / 500.0);
        }
    }
}
