//! The settings a run was made with, so that a report can be read without its command.

use std::num::NonZeroU64;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::engine::{Course, Length, Pace, Rate};

/// What was asked for, with what was found out and counted out put in.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
pub struct Settings {
    /// What was driven.
    pub target: String,
    /// Requests in a second; none in a closed loop, at the pace of a trace, and where there
    /// was more than one rate.
    pub requests_per_second: Option<Rate>,
    /// How the instants lie: constant or poisson; none otherwise.
    pub arrivals: Option<String>,
    /// How many seconds of the trace passed in one; null if its times were not kept.
    pub speed: Option<f64>,
    /// Most requests on the wire.
    pub in_flight: usize,
    /// Most requests under way, those that wait for the wire among them; none in a closed
    /// loop.
    pub max_in_flight: Option<usize>,
    /// Highest p99 of the slip; none in a closed loop.
    pub max_slip_seconds: Option<f64>,
    /// Time to measure, at each rate; null if requests were counted.
    pub duration_seconds: Option<f64>,
    /// Requests to measure, at each rate; null if time was.
    pub requests: Option<u64>,
    /// Time before anything was measured, at each rate.
    pub warm_up_seconds: f64,
    /// Connections opened.
    pub connections: usize,
    /// Threads that drove them.
    pub threads: usize,
    /// How long the origin takes after a miss; null if nothing is fetched.
    pub origin_seconds: Option<f64>,
    /// Whether those that miss ask for a lease, and wait for the value of another that has it.
    #[serde(default)]
    pub leases: bool,
    /// The namespaces; none for the shared keyspace.
    pub namespaces: Vec<String>,
    /// Whether the namespace was made up for this run, which emptied it at its end.
    #[serde(default)]
    pub own_namespace: bool,
    /// Longest a call may take.
    pub timeout_seconds: f64,
    /// What was made up; none in a replay.
    pub workload: Option<WorkloadSettings>,
    /// What was replayed; none otherwise.
    pub trace: Option<TraceSettings>,
}

/// What requests were made up.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
pub struct WorkloadSettings {
    /// The preset that filled in what no option said; none without one.
    pub preset: Option<String>,
    /// Whether every key was written first.
    pub prefill: bool,
    /// Where random numbers began.
    pub seed: u64,
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
    /// Whether values were verified.
    pub verify: bool,
}

/// What trace was replayed.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
pub struct TraceSettings {
    /// The trace's path, or its paths with a blank between.
    pub file: String,
    /// The paths one by one.
    #[serde(default)]
    pub files: Vec<String>,
    /// The trace's format.
    pub format: String,
    /// The columns of the first file from left to right; null if the format fixes them.
    pub columns: Option<String>,
    /// Length of a value where the trace has none.
    pub value_size_bytes: u32,
    /// Time to live where the trace has none; 0 never expires.
    pub ttl_seconds: i32,
    /// Most accesses to issue; none for the whole trace.
    pub limit: Option<NonZeroU64>,
    /// What stands before every key.
    pub key_prefix: String,
}

impl Settings {
    /// The settings of a course; all others are empty.
    pub(crate) fn of_course(course: &Course) -> Self {
        let Course { pace, warm_up, length, .. } = course;
        let mut settings = Self {
            in_flight: pace.in_flight(),
            warm_up_seconds: warm_up.as_secs_f64(),
            ..Self::default()
        };
        match pace {
            Pace::Open { rate, arrivals, max_in_flight, .. } => {
                settings.requests_per_second = Some(*rate);
                settings.arrivals = Some(arrivals.name().to_owned());
                settings.max_in_flight = Some(*max_in_flight);
            }
            Pace::Traced { speed, max_in_flight, .. } => {
                settings.speed = Some(*speed);
                settings.max_in_flight = Some(*max_in_flight);
            }
            Pace::Closed { .. } => {}
        }
        match length {
            Length::Time(time) => settings.duration_seconds = Some(time.as_secs_f64()),
            Length::Requests(requests) => settings.requests = Some(requests.get()),
            Length::Whole => {}
        }
        settings
    }
}
