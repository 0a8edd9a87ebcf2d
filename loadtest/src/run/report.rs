//! What a run is summed up to. The JSON report is [`RunReport`] as it stands; units are in
//! the field names. Fields are added, never renamed or given a new unit.

mod settings;
mod table;

use std::{collections::BTreeMap, time::Duration};

use serde::Serialize;

pub use self::settings::RunSettings;
use super::{
    control::Stopped,
    outcome::RunVerdict,
    tally::{CallTally, ErrorTally, Tally},
    workload::Call,
};
use crate::report::{Latency, Server, ServerStats, Tool, rate, ratio};

/// The figures of one run.
#[derive(Clone, Debug, Serialize)]
pub struct RunReport {
    /// Who measured.
    pub tool: Tool,
    /// What was asked for.
    pub settings: RunSettings,
    /// How it ended.
    pub ending: &'static str,
    /// Whether the requests were sent when they were planned, within `max_slip`; none in a
    /// closed loop.
    pub kept_up: Option<bool>,
    /// Measured requests, failed ones among them.
    pub requests: u64,
    /// Requests of the warm-up, which count nowhere else.
    pub warm_up_requests: u64,
    /// Measured requests by kind.
    pub operations: BTreeMap<&'static str, OperationReport>,
    /// Keys read that had a value.
    pub hits: u64,
    /// Keys read that had none.
    pub misses: u64,
    /// Hits among the keys read, 0 to 1; none without one.
    pub hit_ratio: Option<f64>,
    /// What the origin had to do; none without one.
    pub origin: Option<OriginReport>,
    /// Conditional writes that were made.
    pub stored: u64,
    /// Conditional writes whose condition did not hold.
    pub not_stored: u64,
    /// Requests that failed, sets after a fetch among them.
    pub failed: u64,
    /// The failed requests by kind, the most frequent first.
    pub errors: Vec<RunFailure>,
    /// From the end of the warm-up to the last reply.
    pub duration_seconds: f64,
    /// Answered requests in a second, of that time.
    pub answered_per_second: f64,
    /// From the intended instant to the reply, answered requests only; none in a closed
    /// loop, which has no such instant.
    pub response_us: Option<Latency>,
    /// From the actual sending to the reply, answered requests only.
    pub service_us: Option<Latency>,
    /// From the intended instant to the actual sending; none in a closed loop.
    pub slip_us: Option<Latency>,
    /// What the server of another system said that it is, such as `redis 7.0.15`.
    pub server_version: Option<String>,
    /// The server's own figures; none from other systems.
    pub server: Server,
}

/// The load of the origin behind a cache-aside run.
#[derive(Clone, Debug, Serialize)]
pub struct OriginReport {
    /// Values fetched, one for each get that missed.
    pub fetches: u64,
    /// In a second.
    pub fetches_per_second: f64,
    /// Fetches for each answered get, 0 to 1; none without one.
    pub share_of_gets: Option<f64>,
}

/// The requests of one kind.
#[derive(Clone, Debug, Serialize)]
pub struct OperationReport {
    /// Requests made, failed ones among them.
    pub requests: u64,
    /// From the intended instant to the reply; none in a closed loop.
    pub response_us: Option<Latency>,
    /// From the actual sending to the reply.
    pub service_us: Option<Latency>,
}

/// Failed requests of one kind.
#[derive(Clone, Debug, Serialize)]
pub struct RunFailure {
    /// The gRPC status, or what stands in for one.
    pub kind: &'static str,
    /// How many.
    pub count: u64,
    /// The first one.
    pub first: FirstRunFailure,
}

/// One failed request.
#[derive(Clone, Debug, Serialize)]
pub struct FirstRunFailure {
    /// The operation.
    pub call: &'static str,
    /// When it was sent, since the start of the run with its warm-up.
    pub sent_seconds: f64,
    /// What the server or the transport said.
    pub message: String,
}

impl RunReport {
    /// Sums a tally up.
    #[must_use]
    pub fn new(settings: RunSettings, verdict: &RunVerdict, tally: &Tally) -> Self {
        let open = settings.requests_per_second.is_some();
        let warm_up = Duration::from_secs_f64(settings.warm_up_seconds);
        let seconds = tally.last.saturating_sub(warm_up).as_secs_f64();
        let (requests, failed) = (tally.requests(), tally.failed());
        let OperationReport { response_us, service_us, .. } =
            OperationReport::of(&tally.all(), open);
        let operations = Call::ALL
            .into_iter()
            .filter(|call| tally.of(*call).made > 0)
            .map(|call| (call.name(), OperationReport::of(tally.of(call), open)))
            .collect();
        let gets = tally.of(Call::Get).service.len();
        let origin = settings.origin_seconds.map(|_time| OriginReport {
            fetches: tally.fetches,
            fetches_per_second: rate(tally.fetches, seconds),
            share_of_gets: ratio(tally.fetches, gets),
        });
        let slipped =
            matches!(verdict, RunVerdict::Slipped { .. } | RunVerdict::Stopped(Stopped::FarBehind));
        Self {
            tool: Tool::THIS,
            settings,
            ending: match verdict {
                RunVerdict::Stopped(Stopped::Interrupted) => "interrupted",
                RunVerdict::Stopped(Stopped::TooManyInFlight) => "too_many_in_flight",
                RunVerdict::Stopped(Stopped::FarBehind) => "far_behind",
                RunVerdict::Clean
                | RunVerdict::SomeFailed
                | RunVerdict::AllFailed
                | RunVerdict::Slipped { .. } => "completed",
            },
            kept_up: open.then_some(!slipped),
            requests,
            warm_up_requests: tally.warm_up,
            operations,
            hits: tally.hits,
            misses: tally.misses,
            hit_ratio: ratio(tally.hits, tally.hits + tally.misses),
            origin,
            stored: tally.stored,
            not_stored: tally.not_stored,
            failed,
            errors: failures(&tally.errors),
            duration_seconds: seconds,
            answered_per_second: rate(tally.all().service.len(), seconds),
            response_us,
            service_us,
            slip_us: Latency::of(&tally.slip).filter(|_| open),
            server_version: None,
            server: Server::default(),
        }
    }

    /// Adds what the server said of itself before and after the run.
    #[must_use]
    pub fn with_server(self, before: Option<ServerStats>, after: Option<ServerStats>) -> Self {
        Self { server: Server { before, after }, ..self }
    }

    /// Adds what the server said that it is.
    #[must_use]
    pub fn with_server_version(self, server_version: Option<String>) -> Self {
        Self { server_version, ..self }
    }
}

impl OperationReport {
    fn of(calls: &CallTally, open: bool) -> Self {
        Self {
            requests: calls.made,
            response_us: Latency::of(&calls.response).filter(|_| open),
            service_us: Latency::of(&calls.service),
        }
    }
}

fn failures(errors: &[ErrorTally]) -> Vec<RunFailure> {
    let mut failures: Vec<_> = errors
        .iter()
        .map(|error| RunFailure {
            kind: error.kind,
            count: error.count,
            first: FirstRunFailure {
                call: error.call.name(),
                sent_seconds: error.sent.as_secs_f64(),
                message: error.message.clone(),
            },
        })
        .collect();
    failures.sort_by_key(|failure| std::cmp::Reverse(failure.count));
    failures
}
