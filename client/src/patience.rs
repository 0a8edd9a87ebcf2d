//! The deadlines, retries and pauses of a call, with their defaults.

use std::time::Duration;

use crate::error::{Error, Result};

/// How long and how often a call is tried.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patience {
    /// Of each try.
    pub(crate) deadline: Duration,
    pub(crate) total: Total,
    pub(crate) retries: u32,
    pub(crate) first_backoff: Duration,
    pub(crate) longest_backoff: Duration,
}

/// The time for all tries of a call and the pauses between them.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Total {
    /// Three seconds, or three tries if those take longer, for each RPC of a batch.
    Default,
    /// As long as the tries and pauses take.
    Unbounded,
    /// For all RPCs of a batch together.
    Set(Duration),
}

impl Patience {
    /// The defaults: a server that hangs must not hang its callers.
    pub(crate) const DEFAULT: Self = Self {
        deadline: Duration::from_secs(1),
        total: Total::Default,
        retries: 3,
        first_backoff: Duration::from_millis(50),
        longest_backoff: Duration::from_secs(30),
    };

    /// The defaults of the Python client.
    pub(crate) const PYTHON: Self = Self {
        deadline: Duration::from_secs(30),
        total: Total::Unbounded,
        retries: 3,
        first_backoff: Duration::from_secs(1),
        longest_backoff: Duration::from_secs(30),
    };

    /// The time for one RPC, retries included.
    pub(crate) fn total(&self) -> Option<Duration> {
        const DEFAULT_TOTAL: Duration = Duration::from_secs(3);
        match self.total {
            Total::Default => Some(DEFAULT_TOTAL.max(self.deadline.saturating_mul(3))),
            Total::Unbounded => None,
            Total::Set(time) => Some(time),
        }
    }

    /// The time for the first try.
    pub(crate) fn first_try(&self) -> Duration {
        self.total().map_or(self.deadline, |total| total.min(self.deadline))
    }

    /// Refuses deadlines of zero.
    pub(crate) fn check(&self) -> Result<()> {
        let total = if let Total::Set(time) = self.total { time } else { Duration::MAX };
        positive("deadline", self.deadline)?;
        positive("total deadline", total)
    }
}

/// Refuses a time of zero.
pub(crate) fn positive(name: &str, time: Duration) -> Result<()> {
    if time.is_zero() {
        return Err(Error::validation(format!("{name} of 0 s; expected more")));
    }
    Ok(())
}
