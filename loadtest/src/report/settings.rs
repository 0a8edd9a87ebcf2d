//! The settings a run was made with, so that a report can be read without its command.

use std::num::NonZeroU64;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    cli::{LoadArgs, ReplayArgs, ServerArgs},
    engine::{Course, Length, Pace, Rate},
    trace::Trace,
    workload::Spec,
};

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
    /// How many seconds of the trace passed in one; none where its times were not kept.
    pub speed: Option<f64>,
    /// Most requests on the wire.
    pub in_flight: usize,
    /// Most requests under way, those that wait for the wire among them; none in a closed
    /// loop.
    pub max_in_flight: Option<usize>,
    /// Highest p99 of the slip; none in a closed loop.
    pub max_slip_seconds: Option<f64>,
    /// Time to measure, at each rate; none where requests were counted.
    pub duration_seconds: Option<f64>,
    /// Requests to measure, at each rate; none where time was.
    pub requests: Option<u64>,
    /// Time before anything was measured, at each rate.
    pub warm_up_seconds: f64,
    /// Connections opened.
    pub connections: usize,
    /// Threads that drove them.
    pub threads: usize,
    /// How long the origin takes after a miss; none where nothing is fetched.
    pub origin_seconds: Option<f64>,
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
    /// The columns of the first file from left to right; none where the format has no columns
    /// that could be others.
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
    /// Writes down the settings of a workload that is made up.
    #[must_use]
    pub fn of_workload(load: &LoadArgs, course: &Course, spec: &Spec) -> Self {
        let workload = &load.workload;
        Self {
            target: load.target.to_string(),
            connections: load.connections(course.pace),
            threads: load.threads(course.pace),
            max_slip_seconds: course.pace.is_open().then(|| load.max_slip().as_secs_f64()),
            origin_seconds: workload.origin.map(|time| time.as_secs_f64()),
            own_namespace: load.own_namespace,
            workload: Some(WorkloadSettings {
                preset: workload.preset.as_ref().map(|preset| preset.name.to_owned()),
                prefill: load.prefill,
                seed: spec.seed,
                keys: spec.keys,
                key_distribution: spec.key_distribution.to_string(),
                key_size: spec.key_size,
                value_size: spec.value_size.to_string(),
                mix: spec.mix.to_string(),
                batch: spec.batch,
                ttl: spec.ttl.to_string(),
                verify: load.verify,
            }),
            ..Self::of_course(course, &load.server)
        }
    }

    /// Writes down the settings of a replay.
    #[must_use]
    pub fn of_replay(args: &ReplayArgs, course: &Course, trace: &Trace) -> Self {
        Self {
            target: args.target.to_string(),
            connections: args.connections(),
            threads: args.threads(),
            max_slip_seconds: course.pace.is_open().then(|| args.max_slip().as_secs_f64()),
            origin_seconds: Some(args.origin.unwrap_or_default().as_secs_f64()),
            trace: Some(TraceSettings {
                file: args.files(),
                files: args.traces.iter().map(|path| path.display().to_string()).collect(),
                format: trace.format().name().to_owned(),
                columns: trace.columns().map(str::to_owned),
                value_size_bytes: args.value_size.bytes(),
                ttl_seconds: args.ttl.seconds(),
                limit: args.limit,
                key_prefix: args.key_prefix.clone(),
            }),
            ..Self::of_course(course, &args.server)
        }
    }

    fn of_course(course: &Course, server: &ServerArgs) -> Self {
        let Course { pace, warm_up, length, .. } = course;
        Self {
            requests_per_second: match pace {
                Pace::Open { rate, .. } => Some(*rate),
                Pace::Traced { .. } | Pace::Closed { .. } => None,
            },
            arrivals: match pace {
                Pace::Open { arrivals, .. } => Some(arrivals.name().to_owned()),
                Pace::Traced { .. } | Pace::Closed { .. } => None,
            },
            speed: match pace {
                Pace::Traced { speed, .. } => Some(*speed),
                Pace::Open { .. } | Pace::Closed { .. } => None,
            },
            in_flight: pace.in_flight(),
            max_in_flight: match pace {
                Pace::Open { max_in_flight, .. } | Pace::Traced { max_in_flight, .. } => {
                    Some(*max_in_flight)
                }
                Pace::Closed { .. } => None,
            },
            duration_seconds: match length {
                Length::Time(time) => Some(time.as_secs_f64()),
                Length::Requests(_) | Length::Whole => None,
            },
            requests: match length {
                Length::Requests(requests) => Some(requests.get()),
                Length::Time(_) | Length::Whole => None,
            },
            warm_up_seconds: warm_up.as_secs_f64(),
            namespaces: server.namespace.iter().map(ToString::to_string).collect(),
            timeout_seconds: server.timeout.as_secs_f64(),
            ..Self::default()
        }
    }
}
