//! For each classic bucket the latest value whose trace can be looked up.

use std::time::{Duration, SystemTime};

use crate::sync::{Mutex, PoisonError};

/// The span of a sampled request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Exemplar {
    pub(crate) trace_id: [u8; 16],
    pub(crate) span_id: [u8; 8],
}

/// A value, and the span in which it was seen.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct ExemplarSample {
    pub(crate) exemplar: Exemplar,
    pub(crate) value: f64,
    pub(crate) at: SystemTime,
}

impl ExemplarSample {
    pub(crate) fn unix_time(&self) -> Duration {
        self.at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default()
    }
}

/// Empty until the first one comes: most servers sample nothing.
#[derive(Debug, Default)]
pub(super) struct Exemplars(Mutex<Vec<Option<ExemplarSample>>>);

impl Exemplars {
    /// Keeps one for `bucket` of `buckets`. It is lost when a reader has them at that moment:
    /// a request does not wait for a scrape.
    pub(super) fn put(&self, bucket: usize, buckets: usize, exemplar: Exemplar, value: f64) {
        let Ok(mut latest) = self.0.try_lock() else { return };
        latest.resize(buckets, None);
        latest[bucket] = Some(ExemplarSample { exemplar, value, at: SystemTime::now() });
    }

    /// The latest of each bucket.
    pub(super) fn latest(&self) -> Vec<Option<ExemplarSample>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Looks at them for as long as `look` takes.
    #[cfg(test)]
    fn hold(&self, look: impl FnOnce()) {
        let _held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        look();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXEMPLAR: Exemplar = Exemplar { trace_id: [1; 16], span_id: [2; 8] };

    #[test]
    fn the_latest_stays() {
        let exemplars = Exemplars::default();
        assert!(exemplars.latest().is_empty());
        exemplars.put(1, 3, EXEMPLAR, 1.5);
        exemplars.put(1, 3, EXEMPLAR, 2.5);
        let values: Vec<_> =
            exemplars.latest().iter().map(|seen| seen.map(|seen| seen.value)).collect();
        assert_eq!(values, [None, Some(2.5), None]);
    }

    #[test]
    fn a_request_does_not_wait_for_a_scrape() {
        let exemplars = Exemplars::default();
        exemplars.hold(|| exemplars.put(0, 1, EXEMPLAR, 1.0));
        assert!(exemplars.latest().is_empty());
    }
}
