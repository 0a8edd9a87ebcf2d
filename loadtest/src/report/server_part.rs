//! What each of several servers got of a run.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{latency::Latency, server::ServerStats};
use crate::usage::UsageReport;

/// One of several servers. Requests count for the server that took the key when the call began, so
/// that a call that moved to another server counts for the one that it was lost at; those of
/// warm-ups and fills are among them.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
pub struct ServerPart {
    /// Its name on the ring.
    pub name: String,
    /// Where it listens; null if it does not exist.
    pub address: Option<String>,
    /// Requests, failed ones among them. A batch is one at each server that has part of it.
    pub requests: u64,
    /// Of them, those that failed.
    pub failed: u64,
    /// Keys read that had a value.
    pub hits: u64,
    /// Keys read that had none.
    pub misses: u64,
    /// Hits among keys read; null without reads.
    pub hit_ratio: Option<f64>,
    /// From the sending to the reply, with retries and pauses; null if nothing was answered.
    pub service_us: Option<Latency>,
    /// Its own figures before the first request; null if it gave none.
    pub before: Option<ServerStats>,
    /// After the last reply; null if it gave none.
    pub after: Option<ServerStats>,
    /// What it used of its machine; null where that could not be seen.
    pub usage: Option<UsageReport>,
    /// Why that could not be seen.
    pub usage_unknown: Option<String>,
}
