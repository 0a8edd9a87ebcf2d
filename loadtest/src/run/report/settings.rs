//! The settings a run was made with, so that a report can be read without its command.

use serde::Serialize;

use crate::{
    cli::{Length, Pace, RunArgs},
    run::workload::Spec,
};

/// What was asked for, with what was found out and counted out put in.
#[derive(Clone, Debug, Serialize)]
pub struct RunSettings {
    /// The server's address, or null.
    pub target: String,
    /// Requests in a second; none in a closed loop.
    pub requests_per_second: Option<u64>,
    /// How the instants lie; none in a closed loop.
    pub arrivals: Option<&'static str>,
    /// Requests under way; none in an open loop.
    pub in_flight: Option<usize>,
    /// Most requests under way; none in a closed loop.
    pub max_in_flight: Option<usize>,
    /// Highest p99 of the slip; none in a closed loop.
    pub max_slip_seconds: Option<f64>,
    /// Time to measure; none where requests were counted.
    pub duration_seconds: Option<f64>,
    /// Requests to measure; none where time was.
    pub requests: Option<u64>,
    /// Time before anything was measured.
    pub warm_up_seconds: f64,
    /// Whether every key was written first.
    pub prefill: bool,
    /// Where random numbers began.
    pub seed: u64,
    /// Connections opened.
    pub connections: usize,
    /// Threads that drove them.
    pub threads: usize,
    /// The preset that filled in what no option said; none without one.
    pub preset: Option<&'static str>,
    /// Number of keys.
    pub keys: u64,
    /// How often which key.
    pub key_distribution: String,
    /// Characters of a key.
    pub key_size: usize,
    /// Bytes of values.
    pub value_size: String,
    /// Shares of operations.
    pub mix: String,
    /// Keys in a batch.
    pub batch: usize,
    /// Time to live of values.
    pub ttl: String,
    /// How long the origin takes after a miss; none without one.
    pub origin_seconds: Option<f64>,
    /// The namespace; none for the shared keyspace.
    pub namespace: Option<String>,
    /// Longest a call may take.
    pub timeout_seconds: f64,
}

impl RunSettings {
    /// Writes down the settings of a run.
    #[must_use]
    pub fn new(args: &RunArgs, pace: Pace, spec: &Spec) -> Self {
        let (rate, arrivals, max_in_flight, max_slip, in_flight) = match pace {
            Pace::Open { rate, arrivals, max_in_flight, max_slip } => {
                (Some(rate), Some(arrivals.name()), Some(max_in_flight), Some(max_slip), None)
            }
            Pace::Closed { in_flight } => (None, None, None, None, Some(in_flight)),
        };
        let (duration, requests) = match args.length() {
            Length::Time(time) => (Some(time.as_secs_f64()), None),
            Length::Requests(requests) => (None, Some(requests.get())),
        };
        Self {
            target: args.target.to_string(),
            requests_per_second: rate,
            arrivals,
            in_flight,
            max_in_flight,
            max_slip_seconds: max_slip.map(|slip| slip.as_secs_f64()),
            duration_seconds: duration,
            requests,
            warm_up_seconds: args.warm_up.unwrap_or_default().as_secs_f64(),
            prefill: args.prefill,
            seed: args.seed,
            connections: args.connections(pace),
            threads: args.threads(pace),
            preset: args.preset.as_ref().map(|preset| preset.name),
            keys: spec.keys,
            key_distribution: spec.key_distribution.to_string(),
            key_size: spec.key_size,
            value_size: spec.value_size.to_string(),
            mix: spec.mix.to_string(),
            batch: spec.batch,
            ttl: spec.ttl.to_string(),
            origin_seconds: args.origin.map(|time| time.as_secs_f64()),
            namespace: args.server.namespace.as_ref().map(ToString::to_string),
            timeout_seconds: args.server.timeout.as_secs_f64(),
        }
    }
}
