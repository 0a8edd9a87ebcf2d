//! An instant of the run.

use std::{fmt, time::Duration};

use crate::hdr::nanos;

/// Nanoseconds since the start of the run; it is full after 584 years.
#[derive(Clone, Copy, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
pub struct Nanos(pub u64);

impl Nanos {
    /// The instant so much later.
    pub(super) fn after(self, time: Duration) -> Self {
        Self(self.0.saturating_add(Self::from(time).0))
    }
}

impl From<Duration> for Nanos {
    fn from(since_start: Duration) -> Self {
        Self(nanos(since_start))
    }
}

impl fmt::Display for Nanos {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{:?}", Duration::from_nanos(self.0))
    }
}
