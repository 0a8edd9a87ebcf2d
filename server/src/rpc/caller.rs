//! Who asked, for the DEBUG line of a request, which is written when its headers are gone.

use std::net::SocketAddr;

use http::Request;
use tracing::{Level, enabled};

use crate::service::X_CACHE_NAMESPACE;

/// The caller's address, and the namespace that it named.
#[derive(Debug)]
pub(super) struct Caller {
    pub(super) peer: Option<SocketAddr>,
    /// As it came, at most [`NAMESPACE_BYTES`] of it; empty for the shared keyspace.
    pub(super) namespace: String,
}

/// As long as a namespace may be: its characters are ASCII.
const NAMESPACE_BYTES: usize = 64;

impl Caller {
    /// The caller of a request, where the log is at DEBUG; nothing is allocated otherwise.
    pub(super) fn of<B>(request: &Request<B>, peer: Option<SocketAddr>) -> Option<Box<Self>> {
        enabled!(Level::DEBUG).then(|| {
            let given = request.headers().get(X_CACHE_NAMESPACE).map_or(&[][..], |v| v.as_bytes());
            let bytes = &given[..given.len().min(NAMESPACE_BYTES)];
            Box::new(Self { peer, namespace: String::from_utf8_lossy(bytes).into_owned() })
        })
    }
}
