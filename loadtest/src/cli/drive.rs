//! The options that run, search and replay share: what is driven, and by how much of this machine.

use std::{num::NonZeroUsize, thread, time::Duration};

use clap::Args;

use super::parse::{count, positive_duration};
use crate::{
    engine::Pace,
    error::Refusal,
    peers::{Namespace, Route, Target, TlsFiles},
    spec::Drive,
    usage::ServerMetrics,
    watch::Wanted,
};

/// Most threads by default: the server needs cores as well.
const DEFAULT_THREADS: usize = 4;

/// Default of requests on the wire in a closed loop.
const IN_FLIGHT_CLOSED: usize = 64;

/// The same in an open loop: enough for 100,000 requests/s of 2.5 ms each.
const IN_FLIGHT_OPEN: usize = 256;

/// Default of requests under way in an open loop.
const MAX_IN_FLIGHT: usize = 65_536;

/// How late a sender may be, at p99: it is in every response time, and on small virtual
/// machines it is 1 ms at any rate.
const MAX_SLIP: Duration = Duration::from_millis(5);

/// Options of every command that sends requests.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Server and connections")]
pub struct DriveArgs {
    /// Server to drive: HOST:PORT of tiny-cache, with grpcs:// in front for TLS;
    /// redis://USER:PASSWORD@HOST:PORT/DB, all but the host optional, rediss:// for TLS, or
    /// memcached://HOST:PORT, to compare with; or null, which answers at once and so measures
    /// this program
    #[arg(long, value_name = "TARGET", default_value = "127.0.0.1:50051")]
    pub target: Target,

    /// Requests on the wire at once, over all connections; in an open loop, those beyond wait
    /// in this process from their instant on [default: 256, in a closed loop 64]
    #[arg(long, value_name = "N", value_parser = count)]
    pub in_flight: Option<NonZeroUsize>,

    /// In an open loop: stop and fail when more requests than this are on the wire or wait for it
    /// [default: 65536]
    #[arg(long, value_name = "N", value_parser = count)]
    pub max_in_flight: Option<NonZeroUsize>,

    /// In an open loop: fail if 1 % of the requests are sent later than planned by more than
    /// this [default: 5ms]
    #[arg(long, value_name = "DURATION", value_parser = positive_duration)]
    pub max_slip: Option<Duration>,

    /// Connections to open, at most one for each request in flight
    #[arg(long, value_name = "N", default_value = "4", value_parser = count)]
    pub connections: NonZeroUsize,

    /// Threads that drive the connections, at most one for each connection
    /// [default: the number of cores, at most 4]
    #[arg(long, value_name = "N", value_parser = count)]
    pub threads: Option<NonZeroUsize>,

    /// Namespace to work in; several with commas between: each request is for one of them, and
    /// all have the same keys [default: run and search make up a name, and remove what they wrote;
    /// replay works in the shared keyspace]
    #[arg(long, value_name = "NAME,…", value_delimiter = ',')]
    pub namespace: Vec<Namespace>,

    /// Longest a call may take before it counts as failed, such as 500ms or 2s
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = positive_duration)]
    pub timeout: Duration,

    /// How long to try to connect at the start
    #[arg(long, value_name = "DURATION", default_value = "5s", value_parser = positive_duration)]
    pub connect_timeout: Duration,

    /// The server's page of Prometheus metrics, to read its CPU time and memory from [default:
    /// the process that listens at the target, if it is on this machine]
    #[arg(long, value_name = "URL")]
    pub server_metrics: Option<ServerMetrics>,

    /// What to write beside the table
    #[command(flatten)]
    pub output: Wanted,

    /// TLS
    #[command(flatten)]
    pub tls: TlsFiles,
}

impl DriveArgs {
    /// What is driven at this pace. Connections that would never carry a request are left out,
    /// and so are threads without a connection.
    ///
    /// # Errors
    ///
    /// An option means nothing to the target.
    pub(super) fn drive(&self, pace: Pace, origin: Option<Duration>) -> Result<Drive, Refusal> {
        let target = &self.target;
        if !matches!(target, Target::TinyCache(_)) {
            let given = [("--namespace", !self.namespace.is_empty())];
            Refusal::idle(given, format!("a tiny-cache server, not {target}"))?;
        }
        if !target.is_tls() {
            let given = [
                ("--ca", self.tls.ca.is_some()),
                ("--cert", self.tls.cert.is_some()),
                ("--server-name", self.tls.server_name.is_some()),
            ];
            let needs = format!("a target that speaks TLS (grpcs:// or rediss://), not {target}");
            Refusal::idle(given, needs)?;
        }
        let connections = self.connections.get().min(pace.in_flight());
        let threads = self.threads.map_or_else(
            || thread::available_parallelism().map_or(1, NonZeroUsize::get).min(DEFAULT_THREADS),
            NonZeroUsize::get,
        );
        Ok(Drive {
            route: Route {
                target: target.clone(),
                namespaces: self.namespace.clone(),
                tls: self.tls.clone(),
                connect_timeout: self.connect_timeout,
                timeout: self.timeout,
            },
            own_namespace: false,
            server_metrics: self.server_metrics.clone(),
            connections,
            threads: threads.min(connections),
            max_slip: pace.is_open().then(|| self.max_slip.unwrap_or(MAX_SLIP)),
            origin,
        })
    }

    /// Each request after another one's reply.
    ///
    /// # Errors
    ///
    /// An option is there that only an open loop has.
    pub(super) fn closed(&self, open: &str) -> Result<Pace, Refusal> {
        let open_only = [
            ("--max-in-flight", self.max_in_flight.is_some()),
            ("--max-slip", self.max_slip.is_some()),
        ];
        Refusal::idle(open_only, open)?;
        Ok(Pace::Closed { in_flight: self.in_flight.map_or(IN_FLIGHT_CLOSED, NonZeroUsize::get) })
    }

    /// Most requests on the wire and under way in an open loop.
    pub(super) fn open(&self) -> [usize; 2] {
        [(self.in_flight, IN_FLIGHT_OPEN), (self.max_in_flight, MAX_IN_FLIGHT)]
            .map(|(given, default)| given.map_or(default, NonZeroUsize::get))
    }
}
