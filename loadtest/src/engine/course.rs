//! How long a course is, and how its requests follow each other.

use std::{num::NonZeroU64, time::Duration};

use super::{arrivals::ArrivalKind, rate::Rate};

/// One stretch of requests at one pace.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Course {
    /// How requests follow each other.
    pub pace: Pace,
    /// Time before anything is measured.
    pub warm_up: Duration,
    /// When it is over.
    pub length: Length,
    /// Where the random numbers of arrivals begin.
    pub seed: u64,
}

/// How requests follow each other.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Pace {
    /// At instants planned ahead (open loop).
    Open {
        /// Requests in a second, over all threads.
        rate: Rate,
        /// How the instants lie.
        arrivals: ArrivalKind,
        /// Most requests on the wire. Those beyond wait in this process, from their instant.
        in_flight: usize,
        /// Most requests under way, those that wait among them.
        max_in_flight: usize,
    },
    /// At the instants of a trace (open loop).
    Traced {
        /// How many seconds of the trace pass in one.
        speed: f64,
        /// As for an open loop.
        in_flight: usize,
        /// As for an open loop.
        max_in_flight: usize,
    },
    /// Each after another one's reply (closed loop).
    Closed {
        /// Requests on the wire.
        in_flight: usize,
    },
}

impl Pace {
    /// Whether requests have an instant that they were meant for.
    pub fn is_open(&self) -> bool {
        !matches!(self, Self::Closed { .. })
    }

    /// Requests in a second; none in a closed loop and at the instants of a trace.
    pub fn rate(&self) -> Option<Rate> {
        match self {
            Self::Open { rate, .. } => Some(*rate),
            Self::Traced { .. } | Self::Closed { .. } => None,
        }
    }

    /// Most requests on the wire.
    pub fn in_flight(&self) -> usize {
        match self {
            Self::Open { in_flight, .. }
            | Self::Traced { in_flight, .. }
            | Self::Closed { in_flight } => *in_flight,
        }
    }
}

/// When a course is over.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Length {
    /// After a time.
    Time(Duration),
    /// After a number of measured requests.
    Requests(NonZeroU64),
    /// When there is nothing more to send.
    Whole,
}
