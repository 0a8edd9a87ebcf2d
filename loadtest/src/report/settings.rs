//! The settings a run was made with, so that a report can be read without its command.

use std::num::NonZeroU64;

use serde::Serialize;

use crate::{cli::ReplayArgs, trace::Format};

/// What was asked for, with what was found out and counted out put in.
#[derive(Clone, Debug, Serialize)]
pub struct Settings {
    /// The trace's path.
    pub trace: String,
    /// The trace's format.
    pub format: &'static str,
    /// The server's address.
    pub target: String,
    /// Connections opened.
    pub connections: usize,
    /// Most requests under way at once.
    pub in_flight: usize,
    /// Threads that drove the connections.
    pub threads: usize,
    /// Length of a value where the trace has none.
    pub value_size_bytes: u32,
    /// Time to live where the trace has none; 0 never expires.
    pub ttl_seconds: i32,
    /// Most accesses to issue; none for the whole trace.
    pub limit: Option<NonZeroU64>,
    /// What stands before every key.
    pub key_prefix: String,
    /// The namespace; none for the shared keyspace.
    pub namespace: Option<String>,
    /// Longest a call may take.
    pub timeout_seconds: f64,
}

impl Settings {
    /// Writes down the settings of a run.
    #[must_use]
    pub fn new(args: &ReplayArgs, format: Format) -> Self {
        Self {
            trace: args.trace.display().to_string(),
            format: format.name(),
            target: args.target.to_string(),
            connections: args.connections(),
            in_flight: args.in_flight.get(),
            threads: args.threads(),
            value_size_bytes: args.value_size.bytes(),
            ttl_seconds: args.ttl.seconds(),
            limit: args.limit,
            key_prefix: args.key_prefix.clone(),
            namespace: args.server.namespace.as_ref().map(ToString::to_string),
            timeout_seconds: args.server.timeout.as_secs_f64(),
        }
    }
}
