//! What spans are made with: for the process, and for each connection.

use std::{net::SocketAddr, sync::Arc};

use opentelemetry_sdk::trace::SdkTracerProvider;

use super::{collector::ExportError, config::OtelConfig, queue::SpanQueue, resource};

/// What all spans of the process are made with.
#[derive(Debug)]
pub(super) struct Tracer {
    pub(super) config: OtelConfig,
    pub(super) provider: SdkTracerProvider,
    pub(super) queue: SpanQueue,
    /// Whether spans record keys and namespaces.
    pub(super) record_keys: bool,
}

impl Tracer {
    pub(super) fn start(config: OtelConfig, record_keys: bool) -> Result<Self, ExportError> {
        let resource = resource::resource(&config.resource);
        let queue = SpanQueue::start(&config, &resource)?;
        let provider = queue.provider(&config, resource);
        Ok(Self { config, provider, queue, record_keys })
    }
}

/// What all spans of a connection share. One for each connection, so that no other worker
/// writes to its reference count.
#[derive(Debug)]
pub(super) struct ConnectionTracer {
    pub(super) tracer: Arc<Tracer>,
    pub(super) peer: Option<Peer>,
}

/// The other side of a connection, as every span of it names it.
#[derive(Clone, Debug)]
pub(super) struct Peer {
    pub(super) address: Arc<str>,
    pub(super) port: u16,
}

impl From<SocketAddr> for Peer {
    fn from(peer: SocketAddr) -> Self {
        Self { address: peer.ip().to_canonical().to_string().into(), port: peer.port() }
    }
}
