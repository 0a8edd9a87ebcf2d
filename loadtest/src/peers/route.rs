//! All that is needed to reach a target, as plain data.

use std::time::Duration;

use tiny_cache_client::transport::Token;
use tiny_cache_proto::key::MAX_KEY_CHARS;

use super::{address::Target, namespace::Namespace, tls::TlsFiles};

/// A target and how to reach it.
#[derive(Clone, Debug)]
pub struct Route {
    /// What is driven.
    pub target: Target,
    /// The keyspaces to work in; none for the shared one. Of tiny-cache alone.
    pub namespaces: Vec<Namespace>,
    /// The bearer token to show, if any. Of tiny-cache alone.
    pub token: Option<Token>,
    /// The files of TLS. Used where the target speaks TLS.
    pub tls: TlsFiles,
    /// Whether calls of one key carry it as `x-cache-key`. Of tiny-cache alone.
    pub sends_key: bool,
    /// On which terms reads for a cache-aside caller ask for leases, if they do. Of tiny-cache alone.
    pub leases: Option<LeaseTerms>,
    /// Most connections to each server, if there are several.
    pub connections_each: usize,
    /// How long to try to connect at the start.
    pub connect_timeout: Duration,
    /// Longest that a call may take.
    pub timeout: Duration,
}

/// The terms of a lease.
#[derive(Clone, Copy, Debug)]
pub struct LeaseTerms {
    /// How long it lasts.
    pub lease: Duration,
    /// How long a read waits while another has it.
    pub wait: Duration,
}

impl LeaseTerms {
    /// Those for an origin that takes so long, and calls that take no longer than `timeout`.
    pub fn of(origin: Duration, timeout: Duration) -> Self {
        const LONGEST: Duration = Duration::from_secs(60);
        let lease = (origin * 10).clamp(Duration::from_secs(1), LONGEST);
        Self { lease, wait: (timeout / 2).min(LONGEST) }
    }
}

impl Route {
    /// The names of the keyspaces: never none, and an empty one for the shared keyspace.
    pub fn spaces(&self) -> Vec<String> {
        match self.namespaces.as_slice() {
            [] => vec![String::new()],
            namespaces => namespaces.iter().map(ToString::to_string).collect(),
        }
    }

    /// Longest key that every keyspace takes, in characters.
    pub fn max_key_chars(&self) -> usize {
        let longest = self.namespaces.iter().map(|namespace| namespace.max_key_chars).min();
        longest.unwrap_or(MAX_KEY_CHARS)
    }
}
