//! What a run, a search and a replay are to do, as plain data: the command line makes it of its
//! options. Knows no options and opens nothing.

use std::{num::NonZeroU64, path::PathBuf, time::Duration};

use crate::{
    access::Content,
    engine::{Course, Length, Pace},
    peers::Route,
    report::{Settings, TraceSettings, WorkloadSettings},
    slo::Slo,
    trace::{Reading, Trace},
    usage::ServerMetrics,
    workload::WorkloadSpec,
};

/// What is driven, and by how much of this machine.
#[derive(Clone, Debug)]
pub struct Drive {
    /// What is driven.
    pub route: Route,
    /// Whether the namespace was made up for this run, which empties it at its end.
    pub own_namespace: bool,
    /// The pages with each server's CPU time and memory; none for the processes that listen.
    pub server_metrics: Vec<ServerMetrics>,
    /// Connections to open.
    pub connections: usize,
    /// Threads that drive them.
    pub threads: usize,
    /// How late the sender may be, at the 99th percentile; none in a closed loop.
    pub max_slip: Option<Duration>,
    /// How long the origin takes after a miss, if reads are cache-aside.
    pub origin: Option<Duration>,
}

/// A workload that is made up.
#[derive(Clone, Debug)]
pub struct Load {
    /// What is driven.
    pub drive: Drive,
    /// What is sent.
    pub workload: WorkloadSpec,
    /// The preset that some of it is from.
    pub preset: Option<&'static str>,
    /// Whether every key is written first.
    pub prefill: bool,
    /// Whether the values that come back are checked.
    pub verify: bool,
}

/// A run.
#[derive(Clone, Debug)]
pub struct Run {
    /// What is sent.
    pub load: Load,
    /// At which paces, one after the other: never none.
    pub courses: Vec<Course>,
}

/// A search for the highest rate at which a promise holds.
#[derive(Clone, Debug)]
pub struct Search {
    /// What is sent.
    pub load: Load,
    /// The promise.
    pub slo: Slo,
    /// Which rates are tried.
    pub rules: Rules,
    /// The first step.
    pub first: Course,
    /// Pause between two steps.
    pub drain: Duration,
}

/// Which rates a search tries, in requests/s.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    /// The first rate.
    pub from: u64,
    /// The highest rate.
    pub to: u64,
    /// From one rate of the ramp to the next: above 1.
    pub growth: f64,
    /// How wide the rest may be, as a part of the rate that holds: above 0.
    pub precision: f64,
    /// How often what was found is tried again.
    pub confirm: u32,
}

/// The replay of a trace.
#[derive(Clone, Debug)]
pub struct Replay {
    /// What is driven.
    pub drive: Drive,
    /// What is replayed.
    pub trace: TraceSpec,
    /// What stands before every key.
    pub key_prefix: String,
    /// At which pace.
    pub pace: Pace,
}

/// A trace, or its beginning.
#[derive(Clone, Debug)]
pub struct TraceSpec {
    /// The files, which are one trace.
    pub files: Vec<PathBuf>,
    /// How they are read.
    pub reading: Reading,
    /// Most accesses to take; none for the whole trace.
    pub limit: Option<NonZeroU64>,
}

impl Drive {
    /// What a report has of it.
    fn settings(&self, course: &Course) -> Settings {
        Settings {
            target: self.route.target.to_string(),
            connections: self.connections,
            threads: self.threads,
            max_slip_seconds: self.max_slip.map(|slip| slip.as_secs_f64()),
            origin_seconds: self.origin.map(|time| time.as_secs_f64()),
            leases: self.route.leases.is_some(),
            namespaces: self.route.namespaces.iter().map(ToString::to_string).collect(),
            own_namespace: self.own_namespace,
            timeout_seconds: self.route.timeout.as_secs_f64(),
            ..Settings::of_course(course)
        }
    }
}

impl Load {
    /// What a report has of it.
    pub(crate) fn settings(&self, course: &Course) -> Settings {
        let Self { drive, workload, preset, prefill, verify } = self;
        Settings {
            workload: Some(WorkloadSettings {
                preset: preset.map(str::to_owned),
                prefill: *prefill,
                seed: workload.seed,
                keys: workload.keys,
                key_distribution: workload.key_distribution.to_string(),
                key_size: workload.key_size,
                value_size: workload.value_size.to_string(),
                mix: workload.mix.to_string(),
                batch: workload.batch,
                ttl: workload.ttl.to_string(),
                verify: *verify,
            }),
            ..drive.settings(course)
        }
    }
}

impl Search {
    /// A step. Random arrivals differ from step to step, so that what one attempt fell over, the
    /// next one meets by chance only.
    pub fn course(&self, at: u64, step: usize) -> Course {
        let mut course = self.first;
        if let Pace::Open { rate, .. } = &mut course.pace {
            *rate = at.into();
        }
        course.seed = course.seed.wrapping_add(step as u64);
        course
    }

    /// How long a step measures.
    pub fn step_time(&self) -> Duration {
        match self.first.length {
            Length::Time(time) => time,
            Length::Requests(_) | Length::Whole => Duration::ZERO,
        }
    }
}

impl Replay {
    /// What a report has of it.
    pub(crate) fn settings(&self, trace: &Trace) -> Settings {
        let files = self.files();
        let Content { size, ttl } = self.trace.reading.fallback;
        Settings {
            trace: Some(TraceSettings {
                file: files.join(" "),
                files,
                format: trace.format.name().to_owned(),
                columns: trace.columns().map(str::to_owned),
                value_size_bytes: size.bytes(),
                ttl_seconds: ttl.seconds(),
                limit: self.trace.limit,
                key_prefix: self.key_prefix.clone(),
            }),
            ..self.drive.settings(&self.course())
        }
    }

    /// The course to play.
    pub fn course(&self) -> Course {
        Course { pace: self.pace, warm_up: Duration::ZERO, length: Length::Whole, seed: 0 }
    }

    /// The trace's files, for people.
    pub fn files(&self) -> Vec<String> {
        self.trace.files.iter().map(|path| path.display().to_string()).collect()
    }
}
