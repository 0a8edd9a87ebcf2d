//! The span of one RPC.

use std::{net::SocketAddr, sync::Arc, time::SystemTime};

use http::HeaderValue;
use opentelemetry::{
    Array, Context, KeyValue, StringValue, Value,
    trace::{Span as _, SpanBuilder, SpanKind, Status, Tracer},
};
use opentelemetry_sdk::trace::Span;
use tonic::Code;

use crate::{
    histogram::Exemplar,
    rpc::{Facts, Method, Named, code_name},
};

use super::{
    On,
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

/// The span of a request that is sampled. Dropped before its end, the caller is gone: it then
/// ends as cancelled.
#[derive(Debug)]
pub(crate) struct RpcSpan(Box<Open>);

#[derive(Debug)]
struct Open {
    span: Span,
    ids: Exemplar,
    method: Method,
    record_keys: bool,
    longest_text: usize,
    ended: bool,
}

impl RpcSpan {
    pub(super) fn start(
        on: &On,
        method: Method,
        path: &str,
        parent: Context,
        peer: Option<&Peer>,
    ) -> Self {
        let mut attributes = Vec::with_capacity(USUAL_ATTRIBUTES);
        attributes.push(KeyValue::new(RPC_SYSTEM_NAME, GRPC));
        attributes.push(KeyValue::new(RPC_METHOD, method.name()));
        if method == Method::Other {
            let original = shortened(path.trim_start_matches('/'), on.longest_text);
            attributes.push(KeyValue::new(RPC_METHOD_ORIGINAL, original));
        }
        if let Some(peer) = peer {
            let address = StringValue::from(peer.address.clone());
            attributes.push(KeyValue::new(NETWORK_PEER_ADDRESS, Value::String(address)));
            attributes.push(KeyValue::new(NETWORK_PEER_PORT, i64::from(peer.port)));
        }
        let builder = SpanBuilder::from_name(method.name())
            .with_kind(SpanKind::Server)
            .with_start_time(SystemTime::now())
            .with_attributes(attributes);
        let span = on.tracer.build_with_context(builder, &parent);
        let context = span.span_context();
        let ids = Exemplar {
            trace_id: context.trace_id().to_bytes(),
            span_id: context.span_id().to_bytes(),
        };
        Self(Box::new(Open {
            span,
            ids,
            method,
            record_keys: on.record_keys,
            longest_text: on.longest_text,
            ended: false,
        }))
    }

    pub(crate) fn ids(&self) -> Exemplar {
        self.0.ids
    }

    /// Whether it wants to know the keys.
    pub(crate) fn records_keys(&self) -> bool {
        self.0.record_keys
    }

    /// Ends the span of a request that was answered.
    pub(crate) fn end(
        mut self,
        code: Code,
        request_id: &HeaderValue,
        facts: &Facts,
        named: Option<Named>,
    ) {
        let Open { span, method, longest_text, .. } = &mut *self.0;
        let request_id = String::from_utf8_lossy(request_id.as_bytes());
        span.set_attribute(KeyValue::new(REQUEST_ID, shortened(&request_id, *longest_text)));
        // Of what was never decoded nothing is known.
        if facts.request_bytes.is_some() && facts.items > 0 {
            span.set_attribute(KeyValue::new(ITEMS, facts.items as i64));
            span.set_attribute(KeyValue::new(VALUE_BYTES, facts.value_bytes as i64));
        }
        if code == Code::Ok {
            match method {
                Method::Get => span.set_attribute(KeyValue::new(HIT, facts.hits > 0)),
                Method::MultiGet => {
                    span.set_attribute(KeyValue::new(HITS, facts.hits as i64));
                    span.set_attribute(KeyValue::new(MISSES, facts.misses as i64));
                }
                _ => {}
            }
        }
        if let Some(Named { namespace, keys }) = named {
            if !namespace.is_empty() {
                span.set_attribute(KeyValue::new(NAMESPACE, namespace));
            }
            let keys = keys.iter().map(|key| shortened(key, *longest_text).into()).collect();
            span.set_attribute(KeyValue::new(KEYS, Value::Array(Array::String(keys))));
        }
        self.finish(code);
    }

    fn finish(&mut self, code: Code) {
        let Open { span, ended, .. } = &mut *self.0;
        *ended = true;
        span.set_attribute(KeyValue::new(RPC_RESPONSE_STATUS_CODE, code_name(code)));
        if is_error(code) {
            span.set_attribute(KeyValue::new(ERROR_TYPE, code_name(code)));
            span.set_status(Status::error(""));
        }
        span.end();
    }
}

impl Drop for RpcSpan {
    fn drop(&mut self) {
        if !self.0.ended {
            self.finish(Code::Cancelled);
        }
    }
}

/// A text of at most so many characters.
fn shortened(text: &str, longest: usize) -> String {
    match text.char_indices().nth(longest) {
        Some((end, _)) => text[..end].to_owned(),
        None => text.to_owned(),
    }
}
