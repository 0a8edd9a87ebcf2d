//! The span of one RPC, and under it those of its trips to the second tier.
//!
//! It is made as the SDK's finished [`SpanData`] when the RPC ends. A span of the SDK's tracer
//! would ask a sampler again and take a lock for each attribute.

use std::{
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use http::HeaderValue;
use opentelemetry::{
    Array, InstrumentationScope, StringValue, Value,
    trace::{SpanContext, SpanId, SpanKind, Status, TraceId},
};
use opentelemetry_sdk::trace::{IdGenerator, RandomIdGenerator, SpanData, SpanEvents, SpanLinks};
use tiny_cache_proto::status::code_name;
use tonic::Code;

use crate::{
    call::{CallStart, Facts, Reads, RecordedKeys, Trip, Trips},
    histogram::Exemplar,
};

use super::{
    attributes::{
        Attributes, DB_OPERATION_BATCH_SIZE, DB_OPERATION_NAME, DB_SYSTEM_NAME, ERROR_TYPE, GRPC,
        HIT, HITS, ITEMS, KEYS, MISSES, NAMESPACE, NETWORK_PEER_ADDRESS, NETWORK_PEER_PORT, REDIS,
        REQUEST_ID, RPC_METHOD, RPC_METHOD_ORIGINAL, RPC_RESPONSE_STATUS_CODE, RPC_SYSTEM_NAME,
        SCOPE, SERVER_ADDRESS, SERVER_PORT, VALUE_BYTES, is_error,
    },
    parent,
    tracer::{ConnectionTracer, Peer},
};

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
    /// Each has a span of its own under this one.
    pub(crate) trips: Trips,
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
        let Ending { code, request_id, facts, keys, trips, took } = ending;
        let longest = self.connection.tracer.config.longest_text;
        let ended = self.finish(code, took, |span| {
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
        })?;
        for trip in trips.iter() {
            self.finish_trip(trip, &ended);
        }
        Some(ended)
    }

    /// Queues the span of a trip under that of the request.
    fn finish_trip(&self, trip: &Trip, Ended { ids, .. }: &Ended) {
        let Self { connection, parent, start, wall, .. } = self;
        let on_the_wall = |at: Instant| *wall + at.saturating_duration_since(start.at);
        let context = |span_id| {
            let trace_id = TraceId::from_bytes(ids.trace_id);
            let flags = parent.trace_flags().with_sampled(true);
            SpanContext::new(trace_id, span_id, flags, false, parent.trace_state().clone())
        };
        connection.tracer.queue.add(|| {
            let attributes = of_trip(trip, connection.tracer.config.most_attributes);
            SpanData {
                span_context: context(RandomIdGenerator::default().new_span_id()),
                parent_span_id: SpanId::from_bytes(ids.span_id),
                parent_span_is_remote: false,
                span_kind: SpanKind::Client,
                name: operation(trip).into(),
                start_time: on_the_wall(trip.began),
                end_time: on_the_wall(trip.ended),
                attributes: attributes.list,
                dropped_attributes_count: attributes.dropped,
                events: SpanEvents::default(),
                links: SpanLinks::default(),
                status: trip.problem.map_or(Status::Unset, |_| Status::error("")),
                instrumentation_scope: InstrumentationScope::builder(SCOPE).build(),
            }
        });
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

/// The command of a trip, as the conventions have it.
fn operation(trip: &Trip) -> String {
    if trip.keys > 1 { format!("PIPELINE {}", trip.verb) } else { trip.verb.to_owned() }
}

fn of_trip(trip: &Trip, room: u32) -> Attributes {
    let mut span = Attributes::with_room(room);
    span.add(DB_SYSTEM_NAME, REDIS);
    span.add(DB_OPERATION_NAME, operation(trip));
    if trip.keys > 1 {
        span.number(DB_OPERATION_BATCH_SIZE, trip.keys);
    }
    if let Some(problem) = trip.problem {
        span.add(ERROR_TYPE, problem);
    }
    if let Some((host, port)) = &trip.server {
        span.add(SERVER_ADDRESS, host.to_string());
        span.number(SERVER_PORT, (*port).into());
    }
    span
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
