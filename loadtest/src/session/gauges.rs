//! What the servers and the load generator used of their machines while the run lasted.

use std::time::{Duration, Instant};

use crate::{
    peers::HostPort,
    report::Generator,
    usage::{ServerMetrics, Usage, UsageError, UsageReport, UsageSource, own_cpu},
};

/// A server: its name, empty if it is the only one, and where it listens.
pub(super) type Place = (String, HostPort);

/// What a server used, or why that is not known.
pub(super) type Used = Result<UsageReport, String>;

/// A source and its first sample, or why there is none.
type Sampled = Result<(UsageSource, Usage), UsageError>;

/// What servers and generator had used when the first course began.
pub(super) struct Gauges {
    /// By name. None without a server.
    servers: Vec<(String, Sampled)>,
    own_cpu: Option<Duration>,
    at: Instant,
}

impl Default for Gauges {
    fn default() -> Self {
        Self { servers: Vec::new(), own_cpu: own_cpu(), at: Instant::now() }
    }
}

impl Gauges {
    /// Reads those of servers, each by its page of metrics if there are pages.
    pub(super) async fn read(places: Vec<Place>, metrics: &[ServerMetrics]) -> Self {
        let mut servers = Vec::new();
        for (place, (name, address)) in places.into_iter().enumerate() {
            let look = async {
                let source = UsageSource::find(&address, metrics.get(place)).await?;
                let usage = source.sample().await?;
                Ok((source, usage))
            };
            servers.push((name, look.await));
        }
        Self { servers, ..Self::default() }
    }

    /// What they used since, or why that is not known.
    pub(super) async fn read_again(&self) -> (Vec<(String, Used)>, Generator) {
        let seconds = self.at.elapsed().as_secs_f64();
        let cpu = match (self.own_cpu, own_cpu()) {
            (Some(before), Some(after)) => Some(after.saturating_sub(before).as_secs_f64()),
            _ => None,
        };
        let generator = Generator { cpu_seconds: cpu, cores: cpu.map(|cpu| cpu / seconds) };
        let mut used = Vec::new();
        for (name, before) in &self.servers {
            let usage = async {
                let (source, before) = before.as_ref().map_err(ToString::to_string)?;
                let after = source.sample().await.map_err(|error| error.to_string())?;
                UsageReport::between(source, before, &after).map_err(|error| error.to_string())
            };
            used.push((name.clone(), usage.await));
        }
        (used, generator)
    }
}

/// What all servers used together; none without a server.
///
/// # Errors
///
/// That of one server is not known.
pub(super) fn sum(used: &[(String, Used)]) -> Result<Option<UsageReport>, String> {
    let mut reports = Vec::new();
    for (name, used) in used {
        match used {
            Ok(report) => reports.push(report),
            Err(why) if name.is_empty() => return Err(why.clone()),
            Err(why) => return Err(format!("{name}: {why}")),
        }
    }
    Ok(UsageReport::sum(&reports))
}
