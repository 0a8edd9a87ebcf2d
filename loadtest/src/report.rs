//! What a run is summed up to. The JSON report is this module's [`Report`] as it stands; units
//! are in the field names. Fields are added, never renamed or given a new unit.

mod figures; // what became of the requests
mod file; // the files
pub(crate) mod html; // for people, in a browser
mod latency; // percentiles
mod schema; // the same, described for machines
mod search; // what a search found
mod seconds; // what each second brought, in bounded memory
mod server; // the server's own figures
mod settings; // what was asked for
mod table; // for people, in a terminal
mod trace; // what was odd about a trace

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use self::{
    figures::{
        Failure, Figures, FirstFailure, OperationFigures, OriginLoad, Unsent, Verification,
        ViolationFigures,
    },
    file::FileError,
    latency::{Histogram, Latency},
    schema::schema,
    search::{LimitedBy, SearchReport},
    seconds::Seconds,
    server::{Generator, Server, ServerStats},
    settings::{Settings, TraceSettings, WorkloadSettings},
    trace::TraceReport,
};
pub(crate) use self::{file::ReportFile, seconds::spans, table::time};
use crate::{engine::Rate, machine::Machine};

/// The figures of one run.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
pub struct Report {
    /// Who measured.
    pub tool: Tool,
    /// What was done: run, replay or search.
    pub command: String,
    /// When it began, as RFC 3339 has it, in UTC.
    #[schemars(extend("format" = "date-time"))]
    pub started: String,
    /// What was asked for.
    pub settings: Settings,
    /// How it ended.
    pub ending: Ending,
    /// Where and why the trace could not be read on; none where it could.
    pub trace_error: Option<String>,
    /// What was read of the trace, and what was odd about it; none without a trace.
    pub trace: Option<TraceReport>,
    /// Whether the requests were sent when they were planned, within `max_slip`; none in a
    /// closed loop.
    pub kept_up: Option<bool>,
    /// What became of the requests.
    #[serde(flatten)]
    pub figures: Figures,
    /// What a search found, at which the figures are those of the rate that was found; none of
    /// another command.
    pub search: Option<SearchReport>,
    /// The same for each rate, where there was more than one.
    pub steps: Vec<Step>,
    /// The same for each second that was measured, in order; those of a step follow those of
    /// the one before.
    #[serde(deserialize_with = "seconds::deserialize")]
    pub seconds: Vec<SecondReport>,
    /// The server's own figures.
    pub server: Server,
    /// What the load generator used.
    pub generator: Generator,
    /// The machine of the load generator.
    pub machine: Machine,
}

/// Who measured.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
pub struct Tool {
    /// The package's name.
    pub name: String,
    /// The package's version.
    pub version: String,
}

impl Tool {
    /// This program.
    #[must_use]
    pub fn this() -> Self {
        Self {
            name: env!("CARGO_PKG_NAME").to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
        }
    }
}

/// How a run ended.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// As it was to.
    Completed,
    /// At Ctrl-C.
    Interrupted,
    /// At what could not be read of the trace.
    TraceBroken,
    /// At more than `max_in_flight` requests under way.
    TooManyInFlight,
    /// At a sender that was far behind its plan.
    FarBehind,
    /// At a step of a search of which not one request was answered.
    NoAnswer,
}

/// What became of the requests at one rate.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
pub struct Step {
    /// What was asked for; none in a closed loop.
    pub requests_per_second: Option<Rate>,
    /// How it ended.
    pub ending: Ending,
    /// Whether the requests were sent when they were planned; none in a closed loop.
    pub kept_up: Option<bool>,
    /// Of a search: whether what was promised held.
    pub held: Option<bool>,
    /// Of a search: why it did not hold.
    pub why_not: Option<String>,
    /// What became of the requests.
    #[serde(flatten)]
    pub figures: Figures,
}

/// What became of the requests that were done within one second.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
pub struct SecondReport {
    /// The step, counted from 0.
    pub step: usize,
    /// Seconds since the step's warm-up, at the beginning of this one.
    pub second: u64,
    /// Requests done, failed ones among them.
    pub requests: u64,
    /// Of them, those that failed.
    pub failed: u64,
    /// Keys read that had a value.
    pub hits: u64,
    /// Keys read that had none.
    pub misses: u64,
    /// From the intended instant to the reply, or from the sending in a closed loop.
    pub latency_us: Option<Latency>,
    /// The latencies in full, of this second and of those after it up to `histogram_seconds`; none
    /// in a second that an earlier histogram covers. Up to 1024 seconds each has its own. In longer
    /// runs histograms cover 2, 4, 8 or more seconds, so that there are never more than 1024 of
    /// them, or 32 for each step.
    pub histogram: Option<Histogram>,
    /// Seconds that the histogram covers; none without one.
    pub histogram_seconds: Option<u64>,
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
