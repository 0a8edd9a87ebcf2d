//! What a run is summed up to. The JSON report is this module's [`Report`] as it stands;
//! units are in the field names. Fields are added, never renamed or given a new unit.

mod json;
mod latency;
mod server;
mod settings;
mod table;

use std::time::Duration;

use serde::Serialize;

pub use self::{
    json::JsonError,
    latency::{Latencies, Latency},
    server::{Server, ServerStats},
    settings::Settings,
};
pub(crate) use self::{
    json::JsonFile,
    table::{NUMBER, header, row, time},
};
use crate::replay::{ErrorTally, Tally, Verdict};

/// The figures of one run.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// Who measured.
    pub tool: Tool,
    /// What was asked for.
    pub settings: Settings,
    /// Whether the trace was replayed to its end.
    pub ending: Ending,
    /// Where and why the trace could not be read on; none where it could.
    pub trace_error: Option<String>,
    /// Accesses issued.
    pub accesses: u64,
    /// Calls made, failed ones among them: `gets + sets + deletes`.
    pub requests: u64,
    /// Gets made.
    pub gets: u64,
    /// Gets that found a value.
    pub hits: u64,
    /// Gets that found none.
    pub misses: u64,
    /// Hits among the answered Gets, 0 to 1; none without such a Get.
    pub hit_ratio: Option<f64>,
    /// Sets made.
    pub sets: u64,
    /// Deletes made.
    pub deletes: u64,
    /// Calls that failed.
    pub failed: u64,
    /// The failed calls by kind, the most frequent first.
    pub errors: Vec<Failure>,
    /// From the first access taken to the last reply.
    pub duration_seconds: f64,
    /// Calls made in a second, failed ones among them.
    pub requests_per_second: f64,
    /// Accesses issued in a second.
    pub accesses_per_second: f64,
    /// From a call to its reply, answered calls only.
    pub latency_us: Latencies,
    /// The server's own figures.
    pub server: Server,
}

/// Who measured.
#[derive(Clone, Debug, Serialize)]
pub struct Tool {
    /// The package's name.
    pub name: &'static str,
    /// The package's version.
    pub version: &'static str,
}

impl Tool {
    /// This program.
    pub const THIS: Self =
        Self { name: env!("CARGO_PKG_NAME"), version: env!("CARGO_PKG_VERSION") };
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// At the trace's end, or at the limit asked for.
    Completed,
    /// At Ctrl-C.
    Interrupted,
    /// At what could not be read.
    TraceBroken,
}

/// Failed calls of one kind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Failure {
    /// The gRPC status, or `TIMED_OUT`, or `REPLY_NOT_OK`.
    pub kind: &'static str,
    /// How many.
    pub count: u64,
    /// The first one in the trace's order.
    pub first: FirstFailure,
}

/// One failed call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FirstFailure {
    /// get, set or delete.
    pub call: &'static str,
    /// The line of the trace that led to it.
    pub trace_line: u64,
    /// What the server or the transport said.
    pub message: String,
}

impl Report {
    /// Sums a tally up.
    #[must_use]
    pub fn new(settings: Settings, verdict: &Verdict, tally: &Tally, duration: Duration) -> Self {
        let (ending, trace_error) = match verdict {
            Verdict::Clean | Verdict::SomeFailed | Verdict::AllFailed => (Ending::Completed, None),
            Verdict::Interrupted => (Ending::Interrupted, None),
            Verdict::TraceBroken(error) => (Ending::TraceBroken, Some(error.to_string())),
        };
        let seconds = duration.as_secs_f64();
        Self {
            tool: Tool::THIS,
            settings,
            ending,
            trace_error,
            accesses: tally.accesses,
            requests: tally.requests(),
            gets: tally.get.made,
            hits: tally.hits,
            misses: tally.misses,
            hit_ratio: ratio(tally.hits, tally.hits + tally.misses),
            sets: tally.set.made,
            deletes: tally.delete.made,
            failed: tally.failed(),
            errors: failures(&tally.errors),
            duration_seconds: seconds,
            requests_per_second: rate(tally.requests(), seconds),
            accesses_per_second: rate(tally.accesses, seconds),
            latency_us: Latencies::of(tally),
            server: Server::default(),
        }
    }

    /// Adds what the server said of itself before and after the run.
    #[must_use]
    pub fn with_server(self, before: Option<ServerStats>, after: Option<ServerStats>) -> Self {
        Self { server: Server { before, after }, ..self }
    }
}

/// A part of a whole, 0 to 1; none of nothing.
#[must_use]
pub fn ratio(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

/// So many in a second; 0 where no time passed.
#[must_use]
pub fn rate(count: u64, seconds: f64) -> f64 {
    if seconds > 0.0 { count as f64 / seconds } else { 0.0 }
}

fn failures(errors: &[ErrorTally]) -> Vec<Failure> {
    let mut failures: Vec<_> = errors
        .iter()
        .map(|error| Failure {
            kind: error.kind,
            count: error.count,
            first: FirstFailure {
                call: error.call.name(),
                trace_line: error.line,
                message: error.message.clone(),
            },
        })
        .collect();
    failures.sort_by_key(|failure| std::cmp::Reverse(failure.count));
    failures
}

#[cfg(test)]
mod tests;
