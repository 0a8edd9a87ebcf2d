//! Counts values by their size, for one writer and any number of readers, without a lock.
//!
//! The same values are reported in two kinds of buckets: classic ones, whose bounds are chosen, and
//! Prometheus's native ones, which are exponential
//! (<https://prometheus.io/docs/specs/native_histograms/>). Both are cut from one row of cells,
//! so a value costs two counters, its cell's and the sum's, and whatever moment a reader meets,
//! both kinds add up to the same count.

mod layout; // the cells, and the buckets that are cut from them
mod recorder; // what one writer has seen
mod exemplars; // a trace for each bucket
mod snapshot; // what readers see

pub(crate) use self::{
    exemplars::{Exemplar, ExemplarSample},
    layout::{Layout, Schema},
    recorder::{Count, Histogram},
    snapshot::Snapshot,
};
