//! The span of one RPC.
//!
//! It is made as the SDK's finished [`SpanData`] when the RPC ends. A span of the SDK's tracer
//! would ask a sampler again and take a lock for each attribute.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use http::HeaderValue;
use opentelemetry::{
    Array, InstrumentationScope, KeyValue, StringValue, Value,
    trace::{SpanContext, SpanKind, Status},
};
use opentelemetry_sdk::trace::{IdGenerator, RandomIdGenerator, SpanData, SpanEvents, SpanLinks};
use tiny_cache_proto::status::code_name;
use tonic::Code;

use crate::{
    call::{CallStart, Facts, Reads, RecordedKeys},
    histogram::Exemplar,
};

use super::{
    attributes::{
        ERROR_TYPE, GRPC, HIT, HITS, ITEMS, KEYS, MISSES, NAMESPACE, NETWORK_PEER_ADDRESS,
        NETWORK_PEER_PORT, REQUEST_ID, RPC_METHOD, RPC_METHOD_ORIGINAL, RPC_RESPONSE_STATUS_CODE,
        RPC_SYSTEM_NAME, SCOPE, VALUE_BYTES, is_error,
    },
    parent,
    tracer::{ConnectionTracer, Peer},
};

/// Attributes of a span without keys: an allocation of this size holds them all.
const USUAL: usize = 10;

/// A request that is sampled. Its span is made when it ends. A request that is dropped before
/// that has lost its caller, and its span ends as cancelled.
#[derive(Debug)]
pub(crate) struct RpcSpan(Option<Box<Begun>>);

/// What is known of a request at its beginning.
#[derive(Debug)]
pub(super) struct Begun {
    pub(super) connection: Arc<ConnectionTracer>,
    pub(super) parent: SpanContext,
    pub(super) start: CallStart,
    /// The path of a method that is not served.
    pub(super) original: Option<String>,
    /// When the request came, by the clock on the wall.
    pub(super) wall: SystemTime,
}

/// What is known of a request at its end.
pub(crate) struct Ending<'a> {
    pub(crate) code: Code,
    pub(crate) request_id: &'a str,
    pub(crate) facts: &'a Facts,
    pub(crate) keys: Option<RecordedKeys>,
    pub(crate) took: Duration,
}

/// A span that waits to be exported.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) ids: Exemplar,
    /// The reply's `traceresponse`, for a caller that asked for the span. None while the
    /// collector takes no spans, as far as is known: the caller would look for it in vain.
    pub(crate) response: Option<HeaderValue>,
}

impl RpcSpan {
    pub(super) fn begin(begun: Begun) -> Self {
        Self(Some(Box::new(begun)))
    }

    /// Whether the span records keys.
    pub(crate) fn records_keys(&self) -> bool {
        self.0.as_ref().is_some_and(|begun| begun.connection.tracer.record_keys)
    }

    /// Ends the span of a request that was answered, and returns its ids unless it was dropped.
    pub(crate) fn end(mut self, ending: Ending<'_>) -> Option<Ended> {
        self.0.take()?.end(ending)
    }
}

impl Drop for RpcSpan {
    fn drop(&mut self) {
        if let Some(begun) = self.0.take() {
            let took = begun.start.at.elapsed();
            begun.finish(Code::Cancelled, took, |_| {});
        }
    }
}

impl Begun {
    fn end(&self, ending: Ending<'_>) -> Option<Ended> {
        let Ending { code, request_id, facts, keys, took } = ending;
        let longest = self.connection.tracer.config.longest_text;
        self.finish(code, took, |span| {
            span.add(REQUEST_ID, shortened(request_id, longest).to_owned());
            // Nothing is known of a message that was never decoded.
            if facts.request_bytes.is_some() && facts.items > 0 {
                span.number(ITEMS, facts.items);
                span.number(VALUE_BYTES, facts.value_bytes);
            }
            if code == Code::Ok {
                match facts.reads {
                    Reads::None => {}
                    Reads::One => span.add(HIT, facts.hits > 0),
                    Reads::Many => {
                        span.number(HITS, facts.hits);
                        span.number(MISSES, facts.misses);
                    }
                }
            }
            if let Some(RecordedKeys { namespace, keys }) = keys {
                if !namespace.is_empty() {
                    span.add(NAMESPACE, namespace);
                }
                let keys = keys.into_iter().map(|mut key| {
                    key.truncate(shortened(&key, longest).len());
                    StringValue::from(key)
                });
                span.add(KEYS, Value::Array(Array::String(keys.collect())));
            }
        })
    }

    /// Queues the span: what every one says, and what `more` adds.
    fn finish(
        &self,
        code: Code,
        took: Duration,
        more: impl FnOnce(&mut Attributes),
    ) -> Option<Ended> {
        let Self { connection, parent, .. } = self;
        let ids = RandomIdGenerator::default();
        let trace_id = if parent.is_valid() { parent.trace_id() } else { ids.new_trace_id() };
        let span_id = ids.new_span_id();
        let queued = connection.tracer.queue.add(|| {
            let mut attributes = self.usual(code);
            more(&mut attributes);
            SpanData {
                span_context: SpanContext::new(
                    trace_id,
                    span_id,
                    parent.trace_flags().with_sampled(true),
                    false,
                    parent.trace_state().clone(),
                ),
                parent_span_id: parent.span_id(),
                parent_span_is_remote: parent.is_valid(),
                span_kind: SpanKind::Server,
                name: self.start.method.name().into(),
                start_time: self.wall,
                end_time: self.wall + took,
                attributes: attributes.list,
                dropped_attributes_count: attributes.dropped,
                events: SpanEvents::default(),
                links: SpanLinks::default(),
                status: if is_error(code) { Status::error("") } else { Status::Unset },
                instrumentation_scope: InstrumentationScope::builder(SCOPE).build(),
            }
        });
        let promised = parent.is_sampled() && !connection.tracer.queue.counts().are_failing();
        queued.then(|| Ended {
            ids: Exemplar { trace_id: trace_id.to_bytes(), span_id: span_id.to_bytes() },
            response: promised.then(|| parent::response(trace_id, span_id)),
        })
    }

    fn usual(&self, code: Code) -> Attributes {
        let mut span = Attributes::with_room(self.connection.tracer.config.most_attributes);
        span.add(RPC_SYSTEM_NAME, GRPC);
        span.add(RPC_METHOD, self.start.method.name());
        if let Some(original) = &self.original {
            span.add(RPC_METHOD_ORIGINAL, original.clone());
        }
        span.add(RPC_RESPONSE_STATUS_CODE, code_name(code));
        if is_error(code) {
            span.add(ERROR_TYPE, code_name(code));
        }
        if let Some(Peer { address, port }) = &self.connection.peer {
            span.add(NETWORK_PEER_ADDRESS, address.clone());
            span.number(NETWORK_PEER_PORT, (*port).into());
        }
        span
    }
}

/// The attributes of one span, up to a limit.
struct Attributes {
    list: Vec<KeyValue>,
    room: u32,
    dropped: u32,
}

impl Attributes {
    fn with_room(room: u32) -> Self {
        Self { list: Vec::with_capacity(USUAL), room, dropped: 0 }
    }

    fn add(&mut self, key: &'static str, value: impl Into<Value>) {
        if self.room == 0 {
            self.dropped += 1;
            return;
        }
        self.room -= 1;
        self.list.push(KeyValue::new(key, value));
    }

    fn number(&mut self, key: &'static str, value: u64) {
        self.add(key, i64::try_from(value).unwrap_or(i64::MAX));
    }
}

/// A text up to `longest` characters.
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
