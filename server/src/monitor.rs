//! The figures of the running server, for whoever shows them. Reading them costs a few
//! microseconds and no request waits for it.

use std::{
    sync::Arc,
    time::{Instant, SystemTime},
};

use tokio::sync::watch;

use crate::{
    handout::Handout,
    lifecycle::Phase,
    rpc::InFlight,
    store::{Stats, Store},
};

#[derive(Debug)]
pub(crate) struct Monitor {
    store: Arc<Store>,
    handout: Handout,
    /// One of each worker.
    in_flight: Vec<InFlight>,
    phase: watch::Receiver<Phase>,
    started: Instant,
    grpc_port: u16,
}

impl Monitor {
    pub(crate) fn new(
        store: Arc<Store>,
        handout: Handout,
        in_flight: Vec<InFlight>,
        phase: watch::Receiver<Phase>,
        grpc_port: u16,
    ) -> Self {
        Self { store, handout, in_flight, phase, started: Instant::now(), grpc_port }
    }

    /// Whether every part is up and no drain has begun.
    pub(crate) fn ready(&self) -> bool {
        *self.phase.borrow() == Phase::Serving
    }

    pub(crate) fn store(&self) -> Stats {
        self.store.stats()
    }

    /// RPCs that were taken and not yet answered.
    pub(crate) fn active_requests(&self) -> u64 {
        self.in_flight.iter().map(InFlight::now).sum()
    }

    pub(crate) fn connections(&self) -> &Handout {
        &self.handout
    }

    /// Seconds since the start.
    pub(crate) fn uptime(&self) -> f64 {
        self.started.elapsed().as_secs_f64()
    }

    /// Unix seconds.
    pub(crate) fn timestamp(&self) -> f64 {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        since.map_or(0.0, |since| since.as_secs_f64())
    }

    pub(crate) fn grpc_port(&self) -> u16 {
        self.grpc_port
    }
}
