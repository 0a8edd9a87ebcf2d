//! An instant of the run.

use std::{fmt, time::Duration};

use serde::{Deserialize, Serialize};

/// Nanoseconds since the start of the run; it is full after 584 years.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(transparent)]
pub struct Nanos(pub u64);

impl Nanos {
    /// The instant so much later.
    pub(super) fn after(self, time: Duration) -> Self {
        Self(self.0.saturating_add(Self::from(time).0))
    }
}

impl From<Duration> for Nanos {
    fn from(since_start: Duration) -> Self {
        Self(u64::try_from(since_start.as_nanos()).unwrap_or(u64::MAX))
    }
}

impl fmt::Display for Nanos {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{:?}", Duration::from_nanos(self.0))
    }
}
