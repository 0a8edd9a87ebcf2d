//! An attempt to connect, whose outcome all waiting callers share.

use std::{sync::Weak, time::Duration};

use tokio::{sync::watch, time::Instant};

use super::pooled::Pooled;
use crate::transport::ConnectError;

/// The outcome of an attempt; `None` while it runs.
pub(super) type Outcome = Option<Result<Weak<Pooled>, ConnectError>>;

/// An attempt to connect.
#[derive(Debug)]
pub(super) struct Dialing {
    outcome: watch::Receiver<Outcome>,
    begun: Instant,
}

impl Dialing {
    /// An attempt that begins now, and the sender of its outcome.
    pub(super) fn begin() -> (watch::Sender<Outcome>, Self) {
        let (sender, outcome) = watch::channel(None);
        (sender, Self { outcome, begun: Instant::now() })
    }

    pub(super) fn outcome(&self) -> watch::Receiver<Outcome> {
        self.outcome.clone()
    }

    /// Whether it still runs. An attempt whose runtime is no longer polled counts as lost after
    /// twice its time.
    pub(super) fn is_under_way(&self, time: Duration) -> bool {
        let stuck = self.begun.elapsed() > time.saturating_mul(2);
        self.outcome.has_changed().is_ok() && self.outcome.borrow().is_none() && !stuck
    }
    /// Whether it still runs after `time`.
    pub(super) fn takes_longer_than(&self, time: Duration) -> bool {
        self.outcome.borrow().is_none() && self.begun.elapsed() > time
    }
}
