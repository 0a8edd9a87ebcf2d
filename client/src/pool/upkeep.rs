//! When a connection is checked, and at what age it is replaced.

use std::time::Duration;

use tokio::time::Instant;

use crate::{clock::after, retry::Backoff};

/// The upkeep of every connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Upkeep {
    /// Zero: never.
    pub(crate) check_every: Duration,
    /// The time for a check. After it the connection counts as dead.
    pub(crate) check_deadline: Duration,
    /// Zero: no limit.
    pub(crate) max_age: Duration,
}

impl Upkeep {
    /// When the check after the one at `last` is due; none if checks are off.
    pub(super) fn check_after(&self, last: Instant) -> Option<Instant> {
        (!self.check_every.is_zero()).then(|| last + self.check_every)
    }

    /// When a connection that is opened now is to be replaced: up to a fifth before its maximum
    /// age, drawn at random, so that the clients of a server do not all reconnect at once.
    pub(super) fn end_of_life(&self) -> Option<Instant> {
        let most = self.max_age;
        let early = Backoff::new(most / 5, most / 5).pause(0).drawn;
        (!most.is_zero()).then(|| after(Instant::now(), most - early))
    }
}
