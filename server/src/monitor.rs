//! The figures of the running server, for whoever shows them. Reading them costs some ten
//! microseconds and no request waits for it.

use std::{
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use tokio::{runtime::RuntimeMetrics, sync::watch};

use crate::{
    handout::Handout,
    lifecycle::Phase,
    logging::Log,
    rpc::Meter,
    store::{Detail, Stats, Store},
    telemetry::SpanCounts,
    transport::{Faults, tls::LoadedCertificate},
};

/// The parts that have figures.
#[derive(Debug)]
pub(crate) struct Sources {
    pub(crate) store: Arc<Store>,
    pub(crate) handout: Handout,
    /// One of each worker, as is the next.
    pub(crate) meters: Vec<Meter>,
    pub(crate) runtimes: Vec<RuntimeMetrics>,
    pub(crate) faults: Faults,
    pub(crate) spans: SpanCounts,
    pub(crate) certificates: Vec<LoadedCertificate>,
    pub(crate) log: Option<Log>,
    pub(crate) phase: watch::Receiver<Phase>,
    pub(crate) grpc_port: u16,
}

#[derive(Debug)]
pub(crate) struct Monitor {
    of: Sources,
    started: Instant,
}

impl Monitor {
    pub(crate) fn new(of: Sources) -> Self {
        Self { of, started: Instant::now() }
    }

    /// Whether every part is up and no drain has begun.
    pub(crate) fn ready(&self) -> bool {
        *self.of.phase.borrow() == Phase::Serving
    }

    pub(crate) fn store(&self) -> Stats {
        self.of.store.stats()
    }

    /// The store's figures with those of its shards and namespaces.
    pub(crate) fn store_detail(&self) -> Detail {
        self.of.store.detail()
    }

    /// RPCs that were taken and not yet answered.
    pub(crate) fn active_requests(&self) -> u64 {
        self.of.meters.iter().map(Meter::active).sum()
    }

    /// What each worker counts of its RPCs.
    pub(crate) fn meters(&self) -> &[Meter] {
        &self.of.meters
    }

    /// How long each worker has been at work since the start. tokio adds to it after each batch
    /// of tasks.
    pub(crate) fn busy(&self) -> impl Iterator<Item = Duration> + '_ {
        // A worker's runtime has one thread.
        self.of.runtimes.iter().map(|runtime| runtime.worker_total_busy_duration(0))
    }

    pub(crate) fn connections(&self) -> &Handout {
        &self.of.handout
    }

    /// What went wrong with connections.
    pub(crate) fn faults(&self) -> &Faults {
        &self.of.faults
    }

    /// Lines of the log that nobody read in time.
    pub(crate) fn dropped_lines(&self) -> u64 {
        self.of.log.as_ref().map_or(0, Log::dropped)
    }

    pub(crate) fn spans(&self) -> &SpanCounts {
        &self.of.spans
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

    /// The certificates that the gRPC port uses.
    pub(crate) fn certificates(&self) -> &[LoadedCertificate] {
        &self.of.certificates
    }

    pub(crate) fn grpc_port(&self) -> u16 {
        self.of.grpc_port
    }
}
