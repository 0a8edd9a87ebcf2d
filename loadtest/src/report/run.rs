//! One run, summed up.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    figures::Figures,
    search::SearchReport,
    seconds::SecondReport,
    server::{Generator, Server},
    server_part::ServerPart,
    settings::Settings,
    trace::TraceReport,
};
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
    /// Where and why the trace could not be read on; null if it could.
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
    #[serde(deserialize_with = "super::seconds::deserialize")]
    pub seconds: Vec<SecondReport>,
    /// The server's own figures.
    pub server: Server,
    /// What each server got and used, where there are several.
    #[serde(default)]
    pub servers: Vec<ServerPart>,
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
