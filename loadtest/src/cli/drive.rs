//! The options that run, search and replay share: what is driven, and by how much of this machine.

use std::{env, num::NonZeroUsize, thread, time::Duration};

use clap::Args;
use tiny_cache_client::transport::{InvalidToken, Token};

use super::parse::{count, positive_duration};
use crate::{
    engine::Pace,
    error::Refusal,
    peers::{LeaseTerms, Namespace, Route, Target, TlsFiles},
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
    /// Server to drive: HOST:PORT of tiny-cache, with grpcs:// in front for TLS; several on a ring
    /// as NAME=HOST:PORT@WEIGHT with commas between, all but the host optional, or dns:///HOST:PORT
    /// for all addresses of a name; redis://USER:PASSWORD@HOST:PORT/DB, all but the host optional,
    /// rediss:// for TLS, or memcached://HOST:PORT, to compare with; or null, which answers at once
    /// and so measures this program, and null,null for a ring of two
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

    /// Connections to open, at most one for each request in flight; to each server, if there are
    /// several
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

    /// The server's page of Prometheus metrics, to read its CPU time and memory from; of several
    /// servers one for each with commas between, in the order of the servers' names [default: the
    /// process that listens at the target, if it is on this machine]
    #[arg(long, value_name = "URL,…", value_delimiter = ',')]
    pub server_metrics: Vec<ServerMetrics>,

    /// File with the bearer token for --server-metrics, if the HTTP port wants one
    #[arg(long, value_name = "FILE", requires = "server_metrics", value_parser = token_file)]
    pub server_metrics_token_file: Option<Token>,

    /// Send each call of one key with the metadata x-cache-key, by which a proxy such as Envoy
    /// chooses among several tiny-cache servers
    #[arg(long)]
    pub key_metadata: bool,

    /// What to write beside the table
    #[command(flatten)]
    pub output: Wanted,

    /// File with the bearer token to show to a tiny-cache server, read again when it changes
    /// [env: TINY_CACHE_TOKEN, the token itself]
    #[arg(long, value_name = "FILE", value_parser = token_file)]
    pub token_file: Option<Token>,

    /// TLS
    #[command(flatten)]
    pub tls: TlsFiles,
}

/// What answers after a miss.
#[derive(Clone, Copy, Debug)]
pub(super) struct Origin {
    /// How long it takes.
    pub(super) takes: Duration,
    /// Whether callers ask it under a lease.
    pub(super) leases: bool,
}

impl DriveArgs {
    /// What is driven at this pace. Connections that would never carry a request are left out,
    /// and so are threads without a connection.
    ///
    /// # Errors
    ///
    /// An option means nothing to the target.
    pub(super) fn drive(&self, pace: Pace, origin: Option<Origin>) -> Result<Drive, Refusal> {
        let target = &self.target;
        if !target.is_tiny_cache() {
            let given = [
                ("--key-metadata", self.key_metadata),
                ("--leases", origin.is_some_and(|origin| origin.leases)),
                ("--namespace", !self.namespace.is_empty()),
                ("--token-file", self.token_file.is_some()),
            ];
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
        let servers = match target {
            Target::Several(list) => list.len().unwrap_or(self.server_metrics.len()),
            _ => 1,
        };
        if !self.server_metrics.is_empty() && self.server_metrics.len() != servers {
            let pages = self.server_metrics.len();
            return Err(Refusal::Metrics { pages, servers });
        }
        let connections = self.connections.get().min(pace.in_flight());
        let threads = self.threads.map_or_else(
            || thread::available_parallelism().map_or(1, NonZeroUsize::get).min(DEFAULT_THREADS),
            NonZeroUsize::get,
        );
        let leased = origin.filter(|origin| origin.leases);
        Ok(Drive {
            route: Route {
                target: target.clone(),
                namespaces: self.namespace.clone(),
                token: self.token()?,
                sends_key: self.key_metadata,
                leases: leased.map(|origin| LeaseTerms::of(origin.takes, self.timeout)),
                connections_each: connections,
                tls: self.tls.clone(),
                connect_timeout: self.connect_timeout,
                timeout: self.timeout,
            },
            own_namespace: false,
            server_metrics: self.pages(),
            connections,
            threads: threads.min(connections),
            max_slip: pace.is_open().then(|| self.max_slip.unwrap_or(MAX_SLIP)),
            origin: origin.map(|origin| origin.takes),
        })
    }

    /// The servers' pages of metrics, and how to be let in there.
    fn pages(&self) -> Vec<ServerMetrics> {
        let token = &self.server_metrics_token_file;
        self.server_metrics.iter().map(|page| page.clone().with_token(token.clone())).collect()
    }

    /// The token to show. That of the environment is no option: others see a command's options.
    fn token(&self) -> Result<Option<Token>, Refusal> {
        let from_environment = || {
            let text = env::var("TINY_CACHE_TOKEN").ok().filter(|text| !text.is_empty())?;
            self.target.is_tiny_cache().then(|| Token::new(&text))
        };
        match &self.token_file {
            Some(token) => Ok(Some(token.clone())),
            None => Ok(from_environment().transpose()?),
        }
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

/// Reads the token that a file has.
fn token_file(path: &str) -> Result<Token, InvalidToken> {
    Token::file(path)
}
