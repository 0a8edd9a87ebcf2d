//! Who asked: for traces, and for the DEBUG line of a request, which is written when its headers
//! are gone.

use std::{net::SocketAddr, sync::Arc};

use http::{HeaderValue, Request};
use tiny_cache_proto::{X_CACHE_NAMESPACE, key::MAX_NAMESPACE_CHARS};
use tracing::{Level, enabled};

use crate::{access::Gate, call::Holdings, telemetry::ConnectionTraces};

/// What the calls of one connection have in common.
#[derive(Debug)]
pub(super) struct Origin {
    pub(super) traces: ConnectionTraces,
    pub(super) peer: Option<SocketAddr>,
    /// What lets its calls in.
    pub(super) gate: Gate,
    /// What their callers hold until it ends.
    pub(super) holdings: Arc<Holdings>,
}

/// The caller's address, and the namespace that it named.
#[derive(Debug)]
pub(super) struct Caller {
    pub(super) peer: Option<SocketAddr>,
    /// As it came, at most [`MAX_NAMESPACE_CHARS`] bytes of it; empty for the shared keyspace.
    pub(super) namespace: String,
}

impl Caller {
    /// The caller that gave this namespace.
    pub(super) fn new(given: Option<&[u8]>, peer: Option<SocketAddr>) -> Self {
        let given = given.unwrap_or_default();
        let bytes = &given[..given.len().min(MAX_NAMESPACE_CHARS)];
        Self { peer, namespace: String::from_utf8_lossy(bytes).into_owned() }
    }

    /// The caller of a request, where the log is at DEBUG; nothing is allocated otherwise.
    pub(super) fn of<B>(request: &Request<B>, peer: Option<SocketAddr>) -> Option<Box<Self>> {
        let given = || request.headers().get(X_CACHE_NAMESPACE).map(HeaderValue::as_bytes);
        enabled!(Level::DEBUG).then(|| Box::new(Self::new(given(), peer)))
    }
}
