//! How long and how often a call is tried: the defaults, and the times that follow from them.

use std::time::Duration;

/// How long and how often a call is tried.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patience {
    /// For each try.
    pub(crate) deadline: Duration,
    pub(crate) total: Total,
    pub(crate) retries: u32,
    pub(crate) first_backoff: Duration,
    pub(crate) longest_backoff: Duration,
}

/// The time for all tries of a call and the pauses between them.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Total {
    /// Not set: three seconds or three tries, for each RPC of a batch.
    Default,
    /// As long as the tries and pauses take.
    Unbounded,
    /// For all RPCs of a batch together.
    Set(Duration),
}

impl Patience {
    /// What calls have unless something else is set: a caller survives a server that hangs.
    pub(crate) const DEFAULT: Self = Self {
        deadline: Duration::from_secs(1),
        total: Total::Default,
        retries: 3,
        first_backoff: Duration::from_millis(50),
        longest_backoff: Duration::from_secs(30),
    };

    /// What calls of the Python client have.
    pub(crate) const PYTHON: Self = Self {
        deadline: Duration::from_secs(30),
        total: Total::Unbounded,
        retries: 3,
        first_backoff: Duration::from_secs(1),
        longest_backoff: Duration::from_secs(30),
    };

    /// How long an RPC may take altogether.
    pub(crate) fn total(&self) -> Option<Duration> {
        const DEFAULT_TOTAL: Duration = Duration::from_secs(3);
        match self.total {
            Total::Default => Some(DEFAULT_TOTAL.max(self.deadline.saturating_mul(3))),
            Total::Unbounded => None,
            Total::Set(time) => Some(time),
        }
    }

    /// How long the first try may take.
    pub(crate) fn first_try(&self) -> Duration {
        self.total().map_or(self.deadline, |total| total.min(self.deadline))
    }
}
