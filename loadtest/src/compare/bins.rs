//! Quantiles of many histograms, each with a weight, without merging them: for every occupied
//! bin the table has how many values each histogram has up to there, so that a quantile is a
//! binary search of weighted sums.

use std::collections::BTreeSet;

use hdrhistogram::Histogram;

/// What histograms hold, bin by bin.
pub(super) struct Bins {
    /// The highest value of each bin that some histogram has something in.
    tops: Vec<u64>,
    /// For each bin, the values of each histogram up to there.
    below: Vec<u32>,
    histograms: usize,
}

impl Bins {
    /// Reads histograms. Four bytes are taken for each and each occupied bin.
    pub(super) fn of(histograms: &[&Histogram<u64>]) -> Self {
        let tops: BTreeSet<u64> = histograms
            .iter()
            .flat_map(|histogram| histogram.iter_recorded().map(|bin| bin.value_iterated_to()))
            .collect();
        let tops: Vec<u64> = tops.into_iter().collect();
        let mut below = vec![0; tops.len() * histograms.len()];
        for (column, histogram) in histograms.iter().enumerate() {
            let mut recorded = histogram.iter_recorded().peekable();
            let mut sum = 0_u32;
            for (row, top) in tops.iter().enumerate() {
                while let Some(bin) = recorded.next_if(|bin| bin.value_iterated_to() <= *top) {
                    let count = u32::try_from(bin.count_at_value()).unwrap_or(u32::MAX);
                    sum = sum.saturating_add(count);
                }
                below[row * histograms.len() + column] = sum;
            }
        }
        Self { tops, below, histograms: histograms.len() }
    }

    /// The value that this part of all values does not exceed, as HdrHistogram has it: the
    /// highest of its bin. None if there is no value.
    pub(super) fn quantile(&self, weights: &[u32], quantile: f64) -> Option<u64> {
        let up_to = |row: usize| {
            let row = &self.below[row * self.histograms..][..self.histograms];
            row.iter().zip(weights).map(|(n, weight)| u64::from(*n) * u64::from(*weight)).sum()
        };
        let all: u64 = up_to(self.tops.len().checked_sub(1)?);
        if all == 0 {
            return None;
        }
        let wanted = ((quantile * all as f64).ceil() as u64).clamp(1, all);
        let (mut low, mut high) = (0, self.tops.len() - 1);
        while low < high {
            let middle = low.midpoint(high);
            if up_to(middle) < wanted {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        Some(self.tops[low])
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn quantiles_are_those_of_the_merged_histograms(
            values in prop::collection::vec(prop::collection::vec(1_u64..1 << 34, 0..50), 1..8),
            weights in prop::collection::vec(0_u32..4, 8),
            quantile in 0.001_f64..1.0,
        ) {
            let histogram = |values: &Vec<u64>| {
                let mut histogram = Histogram::<u64>::new(3).unwrap();
                for value in values {
                    histogram.record(*value).unwrap();
                }
                histogram
            };
            let histograms: Vec<_> = values.iter().map(histogram).collect();
            let mut merged = Histogram::<u64>::new(3).unwrap();
            for (histogram, weight) in histograms.iter().zip(&weights) {
                for _ in 0..*weight {
                    merged += histogram;
                }
            }
            let bins = Bins::of(&histograms.iter().collect::<Vec<_>>());
            let expected = (!merged.is_empty()).then(|| merged.value_at_quantile(quantile));
            prop_assert_eq!(bins.quantile(&weights[..histograms.len()], quantile), expected);
        }
    }
}
