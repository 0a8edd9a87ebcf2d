//! What became of the requests, summed up.

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use strum::VariantArray;

use super::latency::{Histogram, Latency};
use crate::{
    engine::{CallTally, ErrorTally, Tally},
    verify::Findings,
    workload::Call,
};

/// What became of some requests.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
pub struct Figures {
    /// Measured requests, failed ones among them, without fills.
    pub requests: u64,
    /// Requests of the warm-up, which count nowhere else.
    pub warm_up_requests: u64,
    /// Measured requests by kind, with the fills that follow a miss where reads are
    /// cache-aside.
    pub operations: BTreeMap<String, OperationFigures>,
    /// Keys read that had a value.
    pub hits: u64,
    /// Keys read that had none.
    pub misses: u64,
    /// Hits among the keys read, 0 to 1; none without one.
    #[schemars(range(min = 0, max = 1))]
    pub hit_ratio: Option<f64>,
    /// What the origin had to do; null if reads are not cache-aside.
    pub origin: Option<OriginLoad>,
    /// Conditional writes that were made.
    pub stored: u64,
    /// Conditional writes whose condition did not hold.
    pub not_stored: u64,
    /// Requests that failed, fills among them.
    pub failed: u64,
    /// Failed requests of all, fills among them, 0 to 1; none without one.
    #[schemars(range(min = 0, max = 1))]
    pub error_ratio: Option<f64>,
    /// The failed requests by kind, the most frequent first.
    pub errors: Vec<Failure>,
    /// What verification found, in warm-up and prefill as well; null without `--verify`.
    pub verification: Option<Verification>,
    /// From the end of the warm-up to the last reply.
    pub duration_seconds: f64,
    /// Answered requests in a second, of that time, without fills.
    pub answered_per_second: f64,
    /// From the intended instant to the reply, answered requests only; none in a closed
    /// loop, which has no such instant.
    pub response_us: Option<Latency>,
    /// From the actual sending to the reply, answered requests only.
    pub service_us: Option<Latency>,
    /// How late the sender was: from the intended instant to the one at which it got to the
    /// request; none in a closed loop.
    pub slip_us: Option<Latency>,
    /// The response times in full; none in a closed loop.
    pub response_histogram: Option<Histogram>,
    /// The service times in full.
    pub service_histogram: Histogram,
    /// The slip in full; none in a closed loop.
    pub slip_histogram: Option<Histogram>,
    /// Requests that were due and never sent because the run was stopped; null if all were sent.
    pub unsent: Option<Unsent>,
    /// Requests that were sent and whose replies were not waited for, since the run was
    /// interrupted twice. They are in no other figure.
    #[serde(default)]
    pub abandoned_requests: u64,
    /// Calls that the peer handed back unprocessed (GOAWAY, REFUSED_STREAM) and that were sent
    /// again, those of warm-up and fills among them. Their time counts from the first sending.
    #[serde(default)]
    pub resent_calls: u64,
}

/// Requests that waited for room on the wire when the run was stopped. They are in no other
/// figure: with them, response times are lower bounds.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
pub struct Unsent {
    /// How many.
    pub requests: u64,
    /// What the first of them had waited by then.
    pub longest_seconds: f64,
}

/// The load of the origin behind a cache-aside run.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
pub struct OriginLoad {
    /// Values fetched, one for each get that missed.
    pub fetches: u64,
    /// In a second.
    pub fetches_per_second: f64,
    /// Fetches for each answered get, 0 to 1; none without one.
    #[schemars(range(min = 0, max = 1))]
    pub share_of_gets: Option<f64>,
}

/// The requests of one kind.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
pub struct OperationFigures {
    /// Requests made, failed ones among them.
    pub requests: u64,
    /// From the intended instant to the reply; none in a closed loop, and for fills.
    pub response_us: Option<Latency>,
    /// From the actual sending to the reply.
    pub service_us: Option<Latency>,
}

/// Failed requests of one kind.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
pub struct Failure {
    /// The gRPC status, or what stands in for one.
    pub kind: String,
    /// How many.
    pub count: u64,
    /// The first one.
    pub first: FirstFailure,
}

/// One failed request.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
pub struct FirstFailure {
    /// The operation.
    pub call: String,
    /// When it was sent, since the start with its warm-up.
    pub sent_seconds: f64,
    /// The line of the trace that led to it, or the record of a binary one; none without a
    /// trace.
    pub trace_line: Option<u64>,
    /// The file of that line, where a trace has several.
    pub trace_file: Option<String>,
    /// What the server or the transport said.
    pub message: String,
}

/// What was found of the values that were read.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
pub struct Verification {
    /// Keys read whose value, or whose absence, is as it may be.
    pub confirmed: u64,
    /// Keys read whose value is whole and this run's, but whose age could not be judged.
    pub unchecked: u64,
    /// Keys read whose value another run had left.
    pub foreign: u64,
    /// What no linearizable cache does, the most frequent kind first.
    pub violations: Vec<ViolationFigures>,
}

/// The violations of one kind.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
pub struct ViolationFigures {
    /// Damaged, stale and so on.
    pub kind: String,
    /// How many there were.
    pub count: u64,
    /// The one that was over first, in full.
    pub first: String,
}

impl Verification {
    fn of(findings: &Findings) -> Self {
        let mut violations: Vec<_> = findings
            .violations
            .iter()
            .map(|(kind, tally)| ViolationFigures {
                kind: kind.name().to_owned(),
                count: tally.count,
                first: tally.first.to_string(),
            })
            .collect();
        violations.sort_by_key(|violation| std::cmp::Reverse(violation.count));
        Self {
            confirmed: findings.hits + findings.misses,
            unchecked: findings.unchecked,
            foreign: findings.foreign,
            violations,
        }
    }
}

impl Figures {
    /// Sums a tally up, which took this time.
    pub fn new(tally: &Tally, time: Duration, cache_aside: bool) -> Self {
        let seconds = time.as_secs_f64();
        let all = tally.all();
        let operations = Call::VARIANTS
            .iter()
            .copied()
            .filter(|call| tally.of(*call).made > 0)
            .map(|call| (call.name().to_owned(), OperationFigures::of(tally.of(call))))
            .collect();
        let fetches = tally.of(Call::Fill).made;
        let origin = cache_aside.then(|| OriginLoad {
            fetches,
            fetches_per_second: rate(fetches, seconds),
            share_of_gets: ratio(fetches, tally.of(Call::Get).service.len()),
        });
        Self {
            requests: tally.requests(),
            warm_up_requests: tally.warm_up,
            operations,
            hits: tally.hits,
            misses: tally.misses,
            hit_ratio: ratio(tally.hits, tally.hits + tally.misses),
            origin,
            stored: tally.stored,
            not_stored: tally.not_stored,
            failed: tally.failed(),
            error_ratio: ratio(tally.failed(), tally.rpcs()),
            errors: failures(&tally.errors),
            verification: tally.findings.as_ref().map(Verification::of),
            duration_seconds: seconds,
            answered_per_second: rate(all.service.len(), seconds),
            response_us: Latency::of(&all.response),
            service_us: Latency::of(&all.service),
            slip_us: Latency::of(&tally.slip),
            response_histogram: unless_empty(&all.response),
            service_histogram: Histogram::of(&all.service),
            slip_histogram: unless_empty(&tally.slip),
            unsent: (tally.unsent > 0).then_some(Unsent {
                requests: tally.unsent,
                longest_seconds: tally.unsent_longest.as_secs_f64(),
            }),
            abandoned_requests: tally.abandoned,
            resent_calls: tally.resent,
        }
    }
}

impl Figures {
    /// What a user would see: response times, or service times in a closed loop.
    pub fn latency(&self) -> Option<Latency> {
        self.response_us.or(self.service_us)
    }

    /// Finds the files of lines that were counted over all of a trace's files.
    pub(crate) fn find_rows(&mut self, place: impl Fn(u64) -> Option<(PathBuf, u64)>) {
        for failure in &mut self.errors {
            if let Some((path, line)) = failure.first.trace_line.and_then(&place) {
                failure.first.trace_file = Some(path.display().to_string());
                failure.first.trace_line = Some(line);
            }
        }
    }
}

/// A part of a whole, 0 to 1; none of nothing.
pub fn ratio(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

/// So many in a second; 0 where no time passed.
pub fn rate(count: u64, seconds: f64) -> f64 {
    if seconds > 0.0 { count as f64 / seconds } else { 0.0 }
}

fn unless_empty(times: &hdrhistogram::Histogram<u64>) -> Option<Histogram> {
    (!times.is_empty()).then(|| Histogram::of(times))
}

impl OperationFigures {
    fn of(calls: &CallTally) -> Self {
        Self {
            requests: calls.made,
            response_us: Latency::of(&calls.response),
            service_us: Latency::of(&calls.service),
        }
    }
}

fn failures(errors: &[ErrorTally]) -> Vec<Failure> {
    let mut failures: Vec<_> = errors
        .iter()
        .map(|error| Failure {
            kind: error.kind.clone().into_owned(),
            count: error.count,
            first: FirstFailure {
                call: error.call.name().to_owned(),
                sent_seconds: error.sent.as_secs_f64(),
                trace_line: error.line,
                trace_file: None,
                message: error.message.clone(),
            },
        })
        .collect();
    failures.sort_by_key(|failure| std::cmp::Reverse(failure.count));
    failures
}
