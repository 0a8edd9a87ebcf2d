//! What is exported, where to, and how.

use std::{path::PathBuf, time::Duration};

use super::sampling::Sampling;

/// What to export, and how.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct OtelConfig {
    pub(super) endpoint: String,
    pub(super) tls: Option<CollectorTls>,
    pub(super) sampling: Sampling,
    /// Spans that may wait for the exporter or be on their way.
    pub(super) queue: usize,
    /// Spans of one export.
    pub(super) batch: usize,
    /// Until a batch that is not full is exported.
    pub(super) schedule_delay: Duration,
    /// For one request of an export.
    pub(super) request_timeout: Duration,
    /// For an export, with all its requests and pauses.
    pub(super) batch_timeout: Duration,
    /// The resource's attributes.
    pub(super) resource: Vec<(String, String)>,
    pub(super) gzip: bool,
    /// Metadata for the collector, as `key=value,key=value`.
    pub(super) headers: String,
    /// Characters of an attribute that a caller chose.
    pub(super) longest_text: usize,
    /// Attributes of a span.
    pub(super) most_attributes: u32,
}

impl OtelConfig {
    /// The endpoint for logs, without the password that may be in it.
    pub(super) fn shown_endpoint(&self) -> String {
        match self
            .endpoint
            .split_once("://")
            .and_then(|(scheme, rest)| Some((scheme, rest.split_once('@')?)))
        {
            Some((scheme, (_secret, rest))) => format!("{scheme}://***@{rest}"),
            None => self.endpoint.clone(),
        }
    }
}

/// The PEM files of a connection to a collector over TLS. Without authorities of its own it
/// trusts those of the system.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct CollectorTls {
    pub(super) authorities: Option<PathBuf>,
    pub(super) identity: Option<(PathBuf, PathBuf)>,
}
