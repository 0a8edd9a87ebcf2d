//! The span of one RPC.

use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use http::HeaderValue;
use opentelemetry::{
    Array, Context, KeyValue, StringValue, Value,
    trace::{Span as _, SpanBuilder, SpanKind, Status, Tracer},
};
use tonic::Code;

use crate::{
    histogram::Exemplar,
    rpc::{Facts, Method, Named, code_name},
};

use super::{
    OfConnection,
    attributes::{
        ERROR_TYPE, GRPC, HIT, HITS, ITEMS, KEYS, MISSES, NAMESPACE, NETWORK_PEER_ADDRESS,
        NETWORK_PEER_PORT, REQUEST_ID, RPC_METHOD, RPC_METHOD_ORIGINAL, RPC_RESPONSE_STATUS_CODE,
        RPC_SYSTEM_NAME, VALUE_BYTES, is_error,
    },
};

/// Attributes that a span has room for without growing.
const USUAL_ATTRIBUTES: usize = 12;

/// The other side of a connection, as every span of it names it.
#[derive(Clone, Debug)]
pub(super) struct Peer {
    address: Arc<str>,
    port: u16,
}

impl From<SocketAddr> for Peer {
    fn from(peer: SocketAddr) -> Self {
        Self { address: peer.ip().to_canonical().to_string().into(), port: peer.port() }
    }
}

/// A request that is sampled. Its span is made when it ends, with everything that is known by
/// then: adding to one that exists cost 150 ns more. Dropped before that, the caller is gone,
/// and it ends as cancelled.
#[derive(Debug)]
pub(crate) struct RpcSpan(Option<Box<Begun>>);

/// What is known of a request at its beginning.
#[derive(Debug)]
pub(super) struct Begun {
    pub(super) connection: Arc<OfConnection>,
    pub(super) parent: Context,
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

    /// Ends the span of a request that was answered, and tells its ids.
    pub(crate) fn end(mut self, ending: Ending<'_>) -> Option<Exemplar> {
        Some(self.0.take()?.end(ending))
    }
}

impl Drop for RpcSpan {
    fn drop(&mut self) {
        if let Some(begun) = self.0.take() {
            let took = begun.since.elapsed();
            begun.finish(Code::Cancelled, Vec::new(), took);
        }
    }
}

impl Begun {
    fn end(self, ending: Ending<'_>) -> Exemplar {
        let Ending { code, request_id, facts, named, took } = ending;
        let longest = self.connection.on.longest_text;
        let mut attributes = Vec::with_capacity(USUAL_ATTRIBUTES);
        let request_id = match request_id.to_str() {
            Ok(text) => shortened(text, longest),
            Err(_) => shortened(&String::from_utf8_lossy(request_id.as_bytes()), longest),
        };
        attributes.push(KeyValue::new(REQUEST_ID, request_id));
        // Of what was never decoded nothing is known.
        if facts.request_bytes.is_some() && facts.items > 0 {
            attributes.push(KeyValue::new(ITEMS, facts.items as i64));
            attributes.push(KeyValue::new(VALUE_BYTES, facts.value_bytes as i64));
        }
        if code == Code::Ok {
            match self.method {
                Method::Get => attributes.push(KeyValue::new(HIT, facts.hits > 0)),
                Method::MultiGet => {
                    attributes.push(KeyValue::new(HITS, facts.hits as i64));
                    attributes.push(KeyValue::new(MISSES, facts.misses as i64));
                }
                _ => {}
            }
        }
        if let Some(Named { namespace, keys }) = named {
            if !namespace.is_empty() {
                attributes.push(KeyValue::new(NAMESPACE, namespace));
            }
            let keys = keys.iter().map(|key| shortened(key, longest).into()).collect();
            attributes.push(KeyValue::new(KEYS, Value::Array(Array::String(keys))));
        }
        self.finish(code, attributes, took)
    }

    /// Adds what every span says, and hands it on.
    fn finish(self, code: Code, mut attributes: Vec<KeyValue>, took: Duration) -> Exemplar {
        attributes.push(KeyValue::new(RPC_SYSTEM_NAME, GRPC));
        attributes.push(KeyValue::new(RPC_METHOD, self.method.name()));
        attributes.push(KeyValue::new(RPC_RESPONSE_STATUS_CODE, code_name(code)));
        if let Some(original) = self.original {
            attributes.push(KeyValue::new(RPC_METHOD_ORIGINAL, original));
        }
        if let Some(Peer { address, port }) = &self.connection.peer {
            let address = Value::String(StringValue::from(address.clone()));
            attributes.push(KeyValue::new(NETWORK_PEER_ADDRESS, address));
            attributes.push(KeyValue::new(NETWORK_PEER_PORT, i64::from(*port)));
        }
        if is_error(code) {
            attributes.push(KeyValue::new(ERROR_TYPE, code_name(code)));
        }
        let builder = SpanBuilder::from_name(self.method.name())
            .with_kind(SpanKind::Server)
            .with_start_time(self.started)
            .with_attributes(attributes);
        let mut span = self.connection.on.tracer.build_with_context(builder, &self.parent);
        let context = span.span_context();
        let ids = Exemplar {
            trace_id: context.trace_id().to_bytes(),
            span_id: context.span_id().to_bytes(),
        };
        if is_error(code) {
            span.set_status(Status::error(""));
        }
        span.end_with_timestamp(self.started + took);
        ids
    }
}

/// A text of at most so many characters.
pub(super) fn shortened(text: &str, longest: usize) -> String {
    // No text has more characters than bytes.
    if text.len() <= longest {
        return text.to_owned();
    }
    match text.char_indices().nth(longest) {
        Some((end, _)) => text[..end].to_owned(),
        None => text.to_owned(),
    }
}
