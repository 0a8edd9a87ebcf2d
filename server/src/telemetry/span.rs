//! The span of one RPC.

use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use http::HeaderValue;
use opentelemetry::trace::SpanContext;
use opentelemetry_sdk::trace::{IdGenerator, RandomIdGenerator};
use tonic::Code;

use crate::{
    histogram::Exemplar,
    rpc::{Facts, Method, Named, code_name, request_id_text},
};

use super::{
    OfConnection,
    attributes::{
        ERROR_TYPE, GRPC, HIT, HITS, ITEMS, KEYS, MISSES, NAMESPACE, NETWORK_PEER_ADDRESS,
        NETWORK_PEER_PORT, REQUEST_ID, RPC_METHOD, RPC_METHOD_ORIGINAL, RPC_RESPONSE_STATUS_CODE,
        RPC_SYSTEM_NAME, VALUE_BYTES, is_error,
    },
    otlp::{Identity, ServerSpan},
};

/// The other side of a connection, as every span of it names it.
#[derive(Clone, Debug)]
pub(super) struct Peer {
    address: String,
    port: u16,
}

impl From<SocketAddr> for Peer {
    fn from(peer: SocketAddr) -> Self {
        Self { address: peer.ip().to_canonical().to_string(), port: peer.port() }
    }
}

/// A request that is sampled. Its span is written when it ends, with everything that is known
/// by then. Dropped before that, the caller is gone, and it ends as cancelled.
#[derive(Debug)]
pub(crate) struct RpcSpan(Option<Box<Begun>>);

/// What is known of a request at its beginning.
#[derive(Debug)]
pub(super) struct Begun {
    pub(super) connection: Arc<OfConnection>,
    pub(super) parent: SpanContext,
    pub(super) method: Method,
    /// The path, where it is none of ours.
    pub(super) original: Option<String>,
    pub(super) started: SystemTime,
    pub(super) since: Instant,
}

/// What is known of a request at its end.
pub(crate) struct Ending<'a> {
    pub(crate) code: Code,
    pub(crate) request_id: &'a HeaderValue,
    pub(crate) facts: &'a Facts,
    pub(crate) named: Option<Named>,
    pub(crate) took: Duration,
}

impl RpcSpan {
    pub(super) fn begin(begun: Begun) -> Self {
        Self(Some(Box::new(begun)))
    }

    /// Whether it wants to know the keys.
    pub(crate) fn records_keys(&self) -> bool {
        self.0.as_ref().is_some_and(|begun| begun.connection.on.record_keys)
    }

    /// Ends the span of a request that was answered, and tells its ids, unless it was dropped.
    pub(crate) fn end(mut self, ending: Ending<'_>) -> Option<Exemplar> {
        self.0.take()?.end(ending)
    }
}

impl Drop for RpcSpan {
    fn drop(&mut self) {
        if let Some(begun) = self.0.take() {
            let took = begun.since.elapsed();
            begun.finish(Code::Cancelled, took, |_| {});
        }
    }
}

impl Begun {
    fn end(&self, ending: Ending<'_>) -> Option<Exemplar> {
        let Ending { code, request_id, facts, named, took } = ending;
        let longest = self.connection.on.plan.longest_text;
        self.finish(code, took, |span| {
            span.text(REQUEST_ID, shortened(&request_id_text(request_id), longest));
            // Of what was never decoded nothing is known.
            if facts.request_bytes.is_some() && facts.items > 0 {
                span.number(ITEMS, facts.items);
                span.number(VALUE_BYTES, facts.value_bytes);
            }
            if code == Code::Ok {
                match self.method {
                    Method::Get => span.flag(HIT, facts.hits > 0),
                    Method::MultiGet => {
                        span.number(HITS, facts.hits);
                        span.number(MISSES, facts.misses);
                    }
                    _ => {}
                }
            }
            if let Some(Named { namespace, mut keys }) = named {
                if !namespace.is_empty() {
                    span.text(NAMESPACE, &namespace);
                }
                for key in &mut keys {
                    key.truncate(shortened(key, longest).len());
                }
                span.texts(KEYS, &keys);
            }
        })
    }

    /// Writes the span: what every one says, and what `more` adds.
    fn finish(
        &self,
        code: Code,
        took: Duration,
        more: impl FnOnce(&mut ServerSpan<'_>),
    ) -> Option<Exemplar> {
        let Self { connection, parent, method, original, started, .. } = self;
        let ids = RandomIdGenerator::default();
        let trace_id = if parent.is_valid() { parent.trace_id() } else { ids.new_trace_id() };
        let (trace_id, span_id) = (trace_id.to_bytes(), ids.new_span_id().to_bytes());
        let added = connection.on.gathered.add(|out| {
            let identity = Identity { trace_id, span_id, parent };
            let times = [*started, *started + took];
            let most = connection.on.plan.most_attributes;
            let mut span = ServerSpan::begin(out, &identity, method.name(), times, most);
            span.text(RPC_SYSTEM_NAME, GRPC);
            span.text(RPC_METHOD, method.name());
            if let Some(original) = original {
                span.text(RPC_METHOD_ORIGINAL, original);
            }
            span.text(RPC_RESPONSE_STATUS_CODE, code_name(code));
            if is_error(code) {
                span.text(ERROR_TYPE, code_name(code));
            }
            if let Some(Peer { address, port }) = &connection.peer {
                span.text(NETWORK_PEER_ADDRESS, address);
                span.number(NETWORK_PEER_PORT, (*port).into());
            }
            more(&mut span);
            span.end(is_error(code));
        });
        added.then_some(Exemplar { trace_id, span_id })
    }
}

/// A text up to so many characters.
pub(super) fn shortened(text: &str, longest: usize) -> &str {
    // No text has more characters than bytes.
    if text.len() <= longest {
        return text;
    }
    match text.char_indices().nth(longest) {
        Some((end, _)) => &text[..end],
        None => text,
    }
}
