//! How a client deals with several servers, as plain data.

use std::time::Duration;

use crate::{pool::Upkeep, ring::RingSize};

/// How a client deals with several servers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RingSettings {
    pub(crate) size: RingSize,
    /// Whether the keys of a server that is down go to the next one on the ring.
    pub(crate) failover: bool,
    /// The time in which a server that was down gets its keys back.
    pub(crate) warm_up: Duration,
    /// How many times the average calls in flight a server may have; none for no bound.
    pub(crate) bounded_load: Option<f64>,
    /// How often a name that stands for all servers is looked up.
    pub(crate) look_up_every: Duration,
}

impl RingSettings {
    pub(crate) const DEFAULT: Self = Self {
        size: RingSize::DEFAULT,
        failover: true,
        warm_up: Duration::from_secs(10),
        bounded_load: None,
        look_up_every: Duration::from_secs(5),
    };
}

/// How pools are made.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PoolSettings {
    pub(crate) connections: usize,
    pub(crate) upkeep: Upkeep,
}
