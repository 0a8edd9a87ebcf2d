//! Logs that exports fail, why and what to do about it, and that they work again.

use std::time::{Duration, Instant};

use tracing::{info, warn};

use super::{counts::SpanCounts, failure::Failure};

/// Time between two lines about failures. A collector that is down all night, or up and down by
/// turns, must not fill the log.
const AGAIN: Duration = Duration::from_secs(60);

/// What the log says of the exports.
#[derive(Debug)]
pub(super) struct Report {
    endpoint: String,
    counts: SpanCounts,
    /// When the last line about a failure was written.
    warned: Option<Instant>,
    /// Whether the failure that lasts has a line.
    is_known: bool,
}

impl Report {
    pub(super) fn new(endpoint: String, counts: SpanCounts) -> Self {
        Self { endpoint, counts, warned: None, is_known: false }
    }

    /// An export failed, or is about to be repeated for the second time.
    pub(super) fn fails(&mut self, failure: &Failure) {
        self.counts.set_failing(true);
        if self.warned.is_some_and(|warned| warned.elapsed() < AGAIN) {
            return;
        }
        self.warned = Some(Instant::now());
        self.is_known = true;
        let Failure { cause, remedy, .. } = failure;
        let (endpoint, dropped) = (&self.endpoint, self.counts.dropped());
        warn!(endpoint, cause, remedy, dropped, "spans cannot be exported");
    }

    /// An export succeeded.
    pub(super) fn works(&mut self) {
        self.counts.set_failing(false);
        if std::mem::take(&mut self.is_known) {
            let (endpoint, dropped) = (&self.endpoint, self.counts.dropped());
            info!(endpoint, dropped, "spans are exported again");
        }
    }
}
