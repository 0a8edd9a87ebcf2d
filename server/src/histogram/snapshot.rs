//! What a histogram held at one moment, or several of them together.

use super::{
    exemplars::ExemplarSample,
    layout::{Layout, Schema},
    recorder::Histogram,
};

/// Histograms of one layout, added up.
#[derive(Clone, Debug)]
pub(crate) struct Snapshot {
    layout: &'static Layout,
    cells: Vec<u64>,
    sum: u64,
    samples: Vec<Option<ExemplarSample>>,
}

/// A classic bucket.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Classic {
    /// Infinite for the last.
    pub(crate) bound: f64,
    /// Values up to the bound.
    pub(crate) cumulative: u64,
    /// The latest one above the bound before, of those whose trace is known.
    pub(crate) sample: Option<ExemplarSample>,
}

impl Snapshot {
    pub(crate) fn new(layout: &'static Layout) -> Self {
        let buckets = layout.bounds.len() + 1;
        Self { layout, cells: vec![0; layout.cells()], sum: 0, samples: vec![None; buckets] }
    }

    /// Adds what a histogram of the same layout holds.
    pub(crate) fn add(&mut self, histogram: &Histogram) {
        debug_assert!(std::ptr::eq(self.layout, histogram.layout));
        for (sum, cell) in self.cells.iter_mut().zip(&histogram.cells) {
            *sum += cell.get();
        }
        self.sum = self.sum.wrapping_add(histogram.sum.get());
        for (kept, new) in self.samples.iter_mut().zip(histogram.exemplars.latest()) {
            if new.map(|new| new.at) > kept.map(|kept| kept.at) {
                *kept = new;
            }
        }
    }

    pub(crate) fn count(&self) -> u64 {
        self.cells.iter().sum()
    }

    /// The sum of the values, which may be a few ahead of the count.
    pub(crate) fn sum(&self) -> f64 {
        self.layout.in_units(self.sum)
    }

    /// The classic buckets, the one without a bound last.
    pub(crate) fn classic(&self) -> Vec<Classic> {
        let mut counts = vec![0; self.samples.len()];
        for (cell, count) in self.cells.iter().enumerate() {
            counts[self.layout.classic(cell)] += count;
        }
        let bounds = self.layout.bounds.iter().copied().chain([f64::INFINITY]);
        let mut cumulative = 0;
        bounds
            .zip(counts)
            .zip(&self.samples)
            .map(|((bound, count), &sample)| {
                cumulative += count;
                Classic { bound, cumulative, sample }
            })
            .collect()
    }

    pub(crate) fn schema(&self) -> Schema {
        self.layout.schema
    }

    /// Values of zero.
    pub(crate) fn zeros(&self) -> u64 {
        self.cells[0]
    }

    /// The native buckets that are not empty, by their indexes in ascending order.
    pub(crate) fn native(&self) -> Vec<(i32, u64)> {
        let mut buckets: Vec<(i32, u64)> = Vec::new();
        for (cell, &count) in self.cells.iter().enumerate() {
            let Some(index) = self.layout.native(cell).filter(|_| count > 0) else { continue };
            match buckets.last_mut() {
                Some((last, sum)) if *last == index => *sum += count,
                _ => buckets.push((index, count)),
            }
        }
        buckets
    }
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use super::*;
    use crate::histogram::Exemplar;
    use proptest::prelude::*;

    static SIZES: LazyLock<Layout> =
        LazyLock::new(|| Layout::new(Schema::Octaves, [0, 16], &[16.0, 256.0], 1.0));

    fn recorded(values: &[u64]) -> Snapshot {
        // As two workers record them.
        let workers = [Histogram::new(&SIZES), Histogram::new(&SIZES)];
        for (i, value) in values.iter().enumerate() {
            workers[i % 2].record(*value, None);
        }
        let mut snapshot = Snapshot::new(&SIZES);
        for worker in &workers {
            snapshot.add(worker);
        }
        snapshot
    }

    #[test]
    fn a_fresh_one_is_empty() {
        let snapshot = recorded(&[]);
        assert_eq!((snapshot.count(), snapshot.zeros(), snapshot.native().len()), (0, 0, 0));
        assert!(snapshot.classic().iter().all(|bucket| bucket.cumulative == 0));
    }

    #[test]
    fn of_two_workers_exemplars_the_later_is_shown() {
        let workers = [Histogram::new(&SIZES), Histogram::new(&SIZES)];
        let exemplar = |n| Some(Exemplar { trace_id: [n; 16], span_id: [n; 8] });
        workers[1].record(10, exemplar(1));
        workers[0].record(300, exemplar(2));
        std::thread::sleep(std::time::Duration::from_millis(1));
        workers[0].record(12, exemplar(3));
        let mut snapshot = Snapshot::new(&SIZES);
        for worker in &workers {
            snapshot.add(worker);
        }
        let shown: Vec<_> = snapshot
            .classic()
            .iter()
            .map(|bucket| bucket.sample.map(|seen| (seen.exemplar.span_id[0], seen.value)))
            .collect();
        assert_eq!(shown, [Some((3, 12.0)), None, Some((2, 300.0))]);
    }

    proptest! {
        #[test]
        fn both_kinds_of_buckets_agree_with_a_plain_count(
            values in prop::collection::vec(0u64..100_000, 0..200),
        ) {
            let snapshot = recorded(&values);
            let upto = |bound: f64| values.iter().filter(|v| **v as f64 <= bound).count() as u64;
            prop_assert_eq!(snapshot.count(), values.len() as u64);
            prop_assert_eq!(snapshot.sum(), values.iter().sum::<u64>() as f64);
            for bucket in snapshot.classic() {
                prop_assert_eq!(bucket.cumulative, upto(bucket.bound));
            }
            prop_assert_eq!(snapshot.zeros(), upto(0.0));
            let mut seen = snapshot.zeros();
            for (index, count) in snapshot.native() {
                seen += count;
                let end = if index == 16 { f64::INFINITY } else { 2f64.powi(index) };
                prop_assert_eq!(seen, upto(end), "up to bucket {}", index);
            }
            prop_assert_eq!(seen, snapshot.count());
        }
    }
}
