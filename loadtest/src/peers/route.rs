//! All that is needed to reach a target, as plain data.

use std::time::Duration;

use tiny_cache_proto::key::MAX_KEY_CHARS;

use super::{address::Target, namespace::Namespace, tls::TlsFiles};

/// A target and how to reach it.
#[derive(Clone, Debug)]
pub struct Route {
    /// What is driven.
    pub target: Target,
    /// The keyspaces to work in; none for the shared one. Of tiny-cache alone.
    pub namespaces: Vec<Namespace>,
    /// The files of TLS. Used where the target speaks TLS.
    pub tls: TlsFiles,
    /// How long to try to connect at the start.
    pub connect_timeout: Duration,
    /// Longest that a call may take.
    pub timeout: Duration,
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
