//! What a search found.

use std::fmt::{self, Display, Formatter};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::layout::row;

/// What was searched for, and what was found.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
pub struct SearchReport {
    /// What was promised.
    pub slo: String,
    /// The highest rate at which it held; null if it held at none. Of a search that was
    /// interrupted, the highest by then.
    pub found_requests_per_second: Option<u64>,
    /// The lowest rate at which it did not hold; null if it held at every rate.
    pub failed_requests_per_second: Option<u64>,
    /// What kept the search from finding more; null if it was interrupted.
    pub limited_by: Option<LimitedBy>,
    /// What may lie between the two rates, as a part of the lower one.
    pub precision: f64,
    /// The first rate.
    pub from_requests_per_second: u64,
    /// The highest rate that would have been tried.
    pub to_requests_per_second: u64,
    /// The factor from one rate to the next until one failed.
    pub growth: f64,
    /// How often what was found had to hold again.
    pub confirm: u32,
    /// The pause between two steps.
    pub drain_seconds: f64,
}

/// What keeps a search from finding more.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LimitedBy {
    /// The server did not keep its promise.
    Server,
    /// Requests were sent later than planned: what was found is a lower bound.
    Generator,
    /// Everything held up to the highest rate to try.
    HighestRate,
}

impl Display for SearchReport {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        row!(out, "promise", "{}", self.slo)?;
        match self.found_requests_per_second {
            Some(found) => row!(out, "held up to", "{found} requests/s")?,
            None => row!(out, "held up to", "no rate")?,
        }
        let failed = self.failed_requests_per_second.unwrap_or_default();
        match self.limited_by {
            Some(LimitedBy::Server) => row!(out, "limit", "the server, at {failed} requests/s")?,
            Some(LimitedBy::Generator) => {
                row!(out, "limit", "the generator, not the server, at {failed} requests/s")?;
            }
            Some(LimitedBy::HighestRate) => {
                row!(out, "limit", "not met: no higher rate was to be tried")?;
            }
            None => row!(out, "limit", "not met: the search was broken off")?,
        }
        writeln!(out)
    }
}
