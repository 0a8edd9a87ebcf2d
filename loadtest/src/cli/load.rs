//! The options that every command has which sends a made-up workload: what drives which
//! server, and how.

use std::{
    hash::{BuildHasher, RandomState},
    num::NonZeroUsize,
    time::{Duration, SystemTime},
};

use clap::Args;

use super::{OutputArgs, ServerArgs, Target, WorkloadArgs, count, positive_duration, threads};
use crate::{
    engine::{Arrivals, Pace, Rate},
    error::Error,
    workload::Spec,
};

/// Requests on the wire at once in a closed loop, where nobody says how many.
pub(super) const IN_FLIGHT_CLOSED: usize = 64;

/// The same in an open loop: enough for 100,000 requests/s of 2.5 ms each.
pub(super) const IN_FLIGHT_OPEN: usize = 256;

/// Requests under way, where nobody says how many.
pub(super) const MAX_IN_FLIGHT: usize = 65_536;

/// What a sender may be late by, at p99: it is in every response time, and on small virtual
/// machines it is 1 ms at any rate.
pub(super) const MAX_SLIP: Duration = Duration::from_millis(5);

/// What is sent and how, but for the rate.
#[derive(Args, Clone, Debug)]
pub struct LoadArgs {
    /// Server to drive: HOST:PORT of tiny-cache, with grpcs:// in front where it speaks TLS;
    /// redis://USER:PASSWORD@HOST:PORT/DB, all but the host optional, rediss:// the same with TLS, or
    /// memcached://HOST:PORT, to compare with; or null, which answers at once and so measures
    /// this program
    #[arg(long, value_name = "TARGET", default_value = "127.0.0.1:50051")]
    pub target: Target,

    /// How the instants of sending lie, in an open loop [default: constant]
    #[arg(long, value_enum)]
    pub arrivals: Option<Arrivals>,

    /// Requests on the wire at once, over all connections; in an open loop, those beyond wait
    /// in this process from their instant on [default: 256, in a closed loop 64]
    #[arg(long, value_name = "N", value_parser = count)]
    pub in_flight: Option<NonZeroUsize>,

    /// In an open loop: stop and fail beyond so many requests on the wire or waiting for it
    /// [default: 65536]
    #[arg(long, value_name = "N", value_parser = count)]
    pub max_in_flight: Option<NonZeroUsize>,

    /// In an open loop: fail if 1 % of the requests are sent later than planned by more than
    /// this [default: 5ms]
    #[arg(long, value_name = "DURATION", value_parser = positive_duration)]
    pub max_slip: Option<Duration>,

    /// How long to send requests before they are measured, at each rate
    #[arg(long, value_name = "DURATION", value_parser = positive_duration)]
    pub warm_up: Option<Duration>,

    /// Write every key once before the run
    #[arg(long)]
    pub prefill: bool,

    /// Work in the shared keyspace, without a namespace, and leave there what was written
    #[arg(long, conflicts_with = "namespace")]
    pub no_namespace: bool,

    /// Whether the namespace was made up for this run.
    #[arg(skip)]
    pub own_namespace: bool,

    /// Check that every value read is one that may be there: not torn, not another key's or
    /// namespace's, not replaced or removed before, not past its ttl. Values are as long as what
    /// tells that, 60 bytes, at least
    #[arg(long)]
    pub verify: bool,

    /// Connections to open
    #[arg(long, value_name = "N", default_value = "4", value_parser = count)]
    pub connections: NonZeroUsize,

    /// Threads that drive the connections, at most one for each connection
    /// [default: the number of cores, at most 4]
    #[arg(long, value_name = "N", value_parser = count)]
    pub threads: Option<NonZeroUsize>,

    /// What is sent
    #[command(flatten)]
    pub workload: WorkloadArgs,

    /// What to write beside the table
    #[command(flatten)]
    pub output: OutputArgs,

    /// How to reach the server
    #[command(flatten)]
    pub server: ServerArgs,
}

impl LoadArgs {
    /// Makes up a namespace where nobody named one, so that a run neither finds what an earlier
    /// one left nor touches what others have.
    pub fn make_own_namespace(&mut self) {
        let is_server = matches!(self.target, Target::Server(_));
        if is_server && self.server.namespace.is_empty() && !self.no_namespace {
            let random = RandomState::new().hash_one(SystemTime::now()) as u32;
            let name = format!("loadtest-{random:08x}");
            self.server.namespace.push(name.parse().expect("letters, digits and a hyphen"));
            self.own_namespace = true;
        }
    }

    /// An open loop of so many requests in a second.
    #[must_use]
    pub fn open(&self, rate: Rate) -> Pace {
        Pace::Open {
            rate,
            arrivals: self.arrivals.unwrap_or(Arrivals::Constant),
            in_flight: self.in_flight.map_or(IN_FLIGHT_OPEN, NonZeroUsize::get),
            max_in_flight: self.max_in_flight.map_or(MAX_IN_FLIGHT, NonZeroUsize::get),
        }
    }

    /// What operations are to be like.
    ///
    /// # Errors
    ///
    /// Options that do not go with each other.
    pub fn spec(&self) -> Result<Spec, Error> {
        let longest = self.server.max_key_chars().min(self.target.max_key_bytes());
        self.workload.spec(longest, self.server.spaces().len())
    }

    /// What a sender may be late by, at the 99th percentile.
    #[must_use]
    pub fn max_slip(&self) -> Duration {
        self.max_slip.unwrap_or(MAX_SLIP)
    }

    /// Connections that will be opened: none that would never carry a request.
    #[must_use]
    pub fn connections(&self, pace: Pace) -> usize {
        self.connections.get().min(pace.in_flight())
    }

    /// Threads that will run: none without a connection of its own.
    #[must_use]
    pub fn threads(&self, pace: Pace) -> usize {
        threads(self.threads).min(self.connections(pace))
    }
}
