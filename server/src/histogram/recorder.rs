//! The values that one writer has seen, and the counters that it has alone.

use std::fmt;

use crate::sync::{AtomicU64, Ordering};

use super::{
    exemplars::{Exemplar, Exemplars},
    layout::Layout,
};

/// A counter with one writer: a load and a store, which need no locked instruction. A second
/// writer would lose steps, and nothing else.
#[derive(Debug, Default)]
pub(crate) struct Count(AtomicU64);

impl Count {
    /// Adds; only the writer may.
    pub(crate) fn add(&self, more: u64) {
        self.0.store(self.0.load(Ordering::Relaxed).wrapping_add(more), Ordering::Relaxed);
    }

    /// Takes off; only the writer may.
    pub(crate) fn take(&self, less: u64) {
        self.0.store(self.0.load(Ordering::Relaxed).wrapping_sub(less), Ordering::Relaxed);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// The values that one writer has seen.
pub(crate) struct Histogram {
    pub(super) layout: &'static Layout,
    pub(super) cells: Box<[Count]>,
    pub(super) sum: Count,
    pub(super) exemplars: Exemplars,
}

impl Histogram {
    pub(crate) fn new(layout: &'static Layout) -> Self {
        Self {
            layout,
            cells: (0..layout.cells()).map(|_| Count::default()).collect(),
            sum: Count::default(),
            exemplars: Exemplars::default(),
        }
    }

    /// Counts a value, in the layout's fine unit. An exemplar is kept unless a reader is just
    /// looking at them.
    pub(crate) fn record(&self, value: u64, exemplar: Option<Exemplar>) {
        let cell = self.layout.cell(value);
        self.cells[cell].add(1);
        self.sum.add(value);
        if let Some(exemplar) = exemplar {
            let buckets = self.layout.bounds.len() + 1;
            let value = self.layout.in_units(value);
            self.exemplars.put(self.layout.classic(cell), buckets, exemplar, value);
        }
    }
}

impl fmt::Debug for Histogram {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Histogram").field("sum", &self.sum.get()).finish_non_exhaustive()
    }
}
