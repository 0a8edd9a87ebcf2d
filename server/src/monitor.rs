//! The figures of the running server. Reading them takes about ten microseconds and holds up no
//! request.

use std::{
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use tokio::{runtime::RuntimeMetrics, sync::watch};

use crate::{
    access::Audit,
    handout::Handout,
    lifecycle::Phase,
    logging::Log,
    reload::Reloads,
    rpc::{Meter, Overload},
    store::Store,
    telemetry::SpanCounts,
    tier::Figures,
    transport::{Faults, Retirements, tls::Shown},
};

/// The parts that have figures.
#[derive(Debug)]
pub(crate) struct Sources {
    pub(crate) store: Arc<Store>,
    pub(crate) handout: Handout,
    /// What each worker counts of its RPCs; one for each, like `runtimes`.
    pub(crate) meters: Vec<Meter>,
    pub(crate) runtimes: Vec<RuntimeMetrics>,
    /// What went wrong with connections.
    pub(crate) faults: Faults,
    /// Connections that were ended by their age or for want of calls.
    pub(crate) retirements: Retirements,
    pub(crate) overload: Overload,
    /// Who was refused.
    pub(crate) audit: Audit,
    pub(crate) spans: SpanCounts,
    /// Those that the ports use.
    pub(crate) certificates: Shown,
    pub(crate) reloads: Reloads,
    /// `None`: there is no second tier.
    pub(crate) tier: Option<Figures>,
    pub(crate) log: Option<Log>,
    pub(crate) phase: watch::Receiver<Phase>,
    pub(crate) grpc_port: u16,
}

#[derive(Debug)]
pub(crate) struct Monitor {
    pub(crate) parts: Sources,
    started: Instant,
}

impl Monitor {
    pub(crate) fn new(parts: Sources) -> Self {
        Self { parts, started: Instant::now() }
    }

    /// RPCs that were taken and not yet answered.
    pub(crate) fn active_requests(&self) -> u64 {
        self.parts.meters.iter().map(Meter::active).sum()
    }

    /// How long each worker has been at work since the start. tokio adds to it after each batch
    /// of tasks.
    pub(crate) fn busy(&self) -> impl Iterator<Item = Duration> + '_ {
        // A worker's runtime has one thread.
        self.parts.runtimes.iter().map(|runtime| runtime.worker_total_busy_duration(0))
    }

    /// Log lines that were dropped because stderr was blocked.
    pub(crate) fn dropped_lines(&self) -> u64 {
        self.parts.log.as_ref().map_or(0, Log::dropped)
    }

    /// Seconds since the start.
    pub(crate) fn uptime(&self) -> f64 {
        self.started.elapsed().as_secs_f64()
    }

    /// Unix seconds.
    pub(crate) fn timestamp() -> f64 {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        since.map_or(0.0, |since| since.as_secs_f64())
    }
}
