//! What a server uses of its machine, for the operations for each second of CPU. Goes by the port that the server listens on, or by the server's metrics; knows
//! nothing of what is spoken there.

mod calls;
mod error;
mod metrics;
mod own;
mod process;
mod report;
mod samples;

use std::time::Duration;

use strum::Display;

use crate::peers::HostPort;

pub use self::{
    calls::CallTimes,
    error::{MetricsProblem, UsageError},
    metrics::ServerMetrics,
    own::own_cpu,
    process::ServerProcess,
    report::UsageReport,
    samples::NoSample,
};

/// What a server has used by one instant.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Usage {
    /// CPU time since its start, user and system, of all its threads.
    pub cpu: Duration,
    /// Memory in RAM. Of several processes the sum, which counts shared pages more than once.
    pub resident_bytes: u64,
    /// The most that was ever in RAM, the start included; `None` if the source does not
    /// report it.
    pub peak_resident_bytes: Option<u64>,
    /// The processes looked at, by number; none from metrics.
    pub pids: Vec<u32>,
    /// How long its calls took; from metrics alone.
    pub calls: CallTimes,
}

/// Where a server's figures come from.
#[derive(Debug, Display)]
pub enum UsageSource {
    /// The kernel: the server is on this machine.
    #[strum(to_string = "{0}")]
    Process(ServerProcess),
    /// The server's page of metrics.
    #[strum(to_string = "{0}")]
    Metrics(ServerMetrics),
}

impl UsageSource {
    /// Finds the source for a server: its metrics where they are given, else the process on
    /// this machine that listens at its address. Whether metrics answer is seen by the first
    /// sample.
    ///
    /// # Errors
    ///
    /// The server is not of this machine, or its process cannot be looked at.
    pub async fn find(
        server: &HostPort,
        metrics: Option<&ServerMetrics>,
    ) -> Result<Self, UsageError> {
        if let Some(metrics) = metrics {
            return Ok(Self::Metrics(metrics.clone()));
        }
        let host = server.host.as_str();
        let unresolved = |problem| UsageError::Unresolved { host: host.to_owned(), problem };
        let addresses = tokio::net::lookup_host((host, server.port)).await.map_err(unresolved)?;
        let mut refusal = None;
        for address in addresses {
            match ServerProcess::find(address) {
                Ok(process) => return Ok(Self::Process(process)),
                // Of the addresses of a name the first is the likeliest to be meant.
                Err(error) => refusal = refusal.or(Some(error)),
            }
        }
        let nothing = std::io::Error::other("it has no address");
        Err(refusal.unwrap_or_else(|| unresolved(nothing)))
    }

    /// Reads the figures of now.
    ///
    /// # Errors
    ///
    /// The process ended, or the metrics cannot be read.
    pub async fn sample(&self) -> Result<Usage, UsageError> {
        match self {
            Self::Process(process) => process.sample(),
            Self::Metrics(metrics) => metrics.sample().await,
        }
    }
}
