//! Whether a peer takes what waits for it. Knows bytes and times alone.

use std::time::{Duration, Instant};

/// Bytes that must be taken within the time, or all that there are. A peer that takes a byte now and
/// then makes no progress; one that takes 64 KiB a second has taken this in a quarter of it.
pub(crate) const LEAST_TAKEN: usize = 16 << 10;

/// What the owner grants to a connection at the moment. It may be less while others need room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// Time in which the peer must take some of what waits for it: 16 KiB, or all.
    pub stall_time: Duration,
    /// Bytes of replies that wait for the peer, beyond which no further request is delivered.
    pub pinned_bytes: usize,
}

/// Since when little was taken of what waits.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Waiting {
    pub(crate) since: Instant,
    /// Bytes that were taken since.
    pub(crate) taken: usize,
}

impl Waiting {
    pub(crate) fn from(now: Instant) -> Self {
        Self { since: now, taken: 0 }
    }

    /// Some were taken. Begins anew when they are enough.
    pub(crate) fn take(&mut self, bytes: usize, now: Instant) {
        self.taken += bytes;
        if self.taken >= LEAST_TAKEN {
            *self = Self::from(now);
        }
    }
}
