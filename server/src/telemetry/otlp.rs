//! OTLP's messages, written straight from what the SDK hands over.
//!
//! The usual way makes a message of each span first, with a text of its own for each key, and
//! encodes that on another thread: 2.7 µs for a span where encoding it here, as soon as it
//! ends, takes 0.3 (`make bench-telemetry`). The fields and their numbers:
//! <https://github.com/open-telemetry/opentelemetry-proto/blob/main/opentelemetry/proto/trace/v1/trace.proto>.
//! A span with events or links, which RPCs have none of, goes the usual way.

use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use opentelemetry::{Array, InstrumentationScope, KeyValue, SpanId, Value, trace::Status};
use opentelemetry_proto::tonic::{
    common::v1::InstrumentationScope as ScopeMessage,
    resource::v1::Resource as ResourceMessage,
    trace::v1::{Span as SpanMessage, SpanFlags, status::StatusCode},
};
use opentelemetry_sdk::{Resource, trace::SpanData};
use prost::{
    Message,
    encoding::{WireType, encoded_len_varint, key_len},
};

/// Writes one span into `out`, which is emptied first.
pub(super) fn encode(out: &mut Vec<u8>, span: SpanData) {
    out.clear();
    if span.events.is_empty() && span.links.is_empty() {
        encode_span(out, &span);
    } else {
        SpanMessage::from(span).encode(out).expect("a Vec takes all that is written to it");
    }
}

/// Appends an encoded span as a field of `ScopeSpans`.
pub(super) fn append(spans: &mut Vec<u8>, encoded: &[u8]) {
    bytes(spans, 2, encoded);
}

/// What stands around the spans of every export: the resource and the scope.
#[derive(Clone, Debug)]
pub(super) struct Envelope {
    resource: Vec<u8>,
    scope: Vec<u8>,
}

impl Envelope {
    pub(super) fn new(resource: &Resource, scope: &InstrumentationScope) -> Self {
        let message =
            ResourceMessage { attributes: attributes(resource), ..ResourceMessage::default() };
        let name = ScopeMessage { name: scope.name().to_owned(), ..ScopeMessage::default() };
        Self { resource: message.encode_to_vec(), scope: name.encode_to_vec() }
    }

    /// What stands before so many bytes of spans, as [`append`] gathered them, in an
    /// `ExportTraceServiceRequest`.
    pub(super) fn before(&self, spans: usize) -> Bytes {
        let scope_spans = field_len(1, self.scope.len()) + spans;
        let resource_spans = field_len(1, self.resource.len()) + field_len(2, scope_spans);
        let mut head = Vec::new();
        begin(&mut head, 1, resource_spans);
        bytes(&mut head, 1, &self.resource);
        begin(&mut head, 2, scope_spans);
        bytes(&mut head, 1, &self.scope);
        head.into()
    }
}

fn attributes(resource: &Resource) -> Vec<opentelemetry_proto::tonic::common::v1::KeyValue> {
    let attribute = |(key, value): (&opentelemetry::Key, &Value)| {
        opentelemetry_proto::tonic::common::v1::KeyValue {
            key: key.to_string(),
            value: Some(value.clone().into()),
            ..Default::default()
        }
    };
    resource.iter().map(attribute).collect()
}

fn encode_span(out: &mut Vec<u8>, span: &SpanData) {
    let context = &span.span_context;
    bytes(out, 1, &context.trace_id().to_bytes());
    bytes(out, 2, &context.span_id().to_bytes());
    let state = context.trace_state().header();
    if !state.is_empty() {
        bytes(out, 3, state.as_bytes());
    }
    if span.parent_span_id != SpanId::INVALID {
        bytes(out, 4, &span.parent_span_id.to_bytes());
    }
    bytes(out, 5, span.name.as_bytes());
    // OTLP counts its kinds from 1; 0 is none.
    varint(out, 6, 1 + kind(span));
    fixed64(out, 7, nanos(span.start_time));
    fixed64(out, 8, nanos(span.end_time));
    for attribute in &span.attributes {
        encode_attribute(out, attribute);
    }
    if span.dropped_attributes_count > 0 {
        varint(out, 10, span.dropped_attributes_count.into());
    }
    encode_status(out, &span.status);
    let mut flags =
        u32::from(context.trace_flags().to_u8()) | SpanFlags::ContextHasIsRemoteMask as u32;
    if span.parent_span_is_remote {
        flags |= SpanFlags::ContextIsRemoteMask as u32;
    }
    tag(out, 16, WireType::ThirtyTwoBit);
    out.extend_from_slice(&flags.to_le_bytes());
}

/// The kind's place in the order of the specification.
fn kind(span: &SpanData) -> u64 {
    use opentelemetry::trace::SpanKind::{Client, Consumer, Internal, Producer, Server};
    match span.span_kind {
        Internal => 0,
        Server => 1,
        Client => 2,
        Producer => 3,
        Consumer => 4,
    }
}

fn encode_status(out: &mut Vec<u8>, status: &Status) {
    match status {
        Status::Unset => begin(out, 15, 0),
        Status::Ok => {
            begin(out, 15, varint_len(3, StatusCode::Ok as u64));
            varint(out, 3, StatusCode::Ok as u64);
        }
        Status::Error { description } => {
            let text = if description.is_empty() { 0 } else { field_len(2, description.len()) };
            begin(out, 15, text + varint_len(3, StatusCode::Error as u64));
            if text > 0 {
                bytes(out, 2, description.as_bytes());
            }
            varint(out, 3, StatusCode::Error as u64);
        }
    }
}

fn encode_attribute(out: &mut Vec<u8>, attribute: &KeyValue) {
    let key = attribute.key.as_str().as_bytes();
    let value = value_len(&attribute.value);
    begin(out, 9, field_len(1, key.len()) + field_len(2, value));
    bytes(out, 1, key);
    begin(out, 2, value);
    encode_value(out, &attribute.value);
}

/// Bytes of an `AnyValue`.
fn value_len(value: &Value) -> usize {
    match value {
        Value::Bool(_) => 2,
        Value::I64(number) => varint_len(3, *number as u64),
        Value::F64(_) => key_len(4) + 8,
        Value::String(text) => field_len(1, text.as_str().len()),
        Value::Array(array) => field_len(5, array_len(array)),
        // The SDK may learn new kinds; they are told in words.
        other => field_len(1, other.to_string().len()),
    }
}

fn encode_value(out: &mut Vec<u8>, value: &Value) {
    match value {
        Value::Bool(flag) => varint(out, 2, (*flag).into()),
        Value::I64(number) => varint(out, 3, *number as u64),
        Value::F64(number) => {
            tag(out, 4, WireType::SixtyFourBit);
            out.extend_from_slice(&number.to_le_bytes());
        }
        Value::String(text) => bytes(out, 1, text.as_str().as_bytes()),
        Value::Array(array) => {
            begin(out, 5, array_len(array));
            for element in elements(array) {
                begin(out, 1, value_len(&element));
                encode_value(out, &element);
            }
        }
        other => bytes(out, 1, other.to_string().as_bytes()),
    }
}

fn array_len(array: &Array) -> usize {
    elements(array).iter().map(|element| field_len(1, value_len(element))).sum()
}

/// An array's elements as values. Only keys are arrays, which are seldom recorded.
fn elements(array: &Array) -> Vec<Value> {
    match array {
        Array::Bool(flags) => flags.iter().copied().map(Value::Bool).collect(),
        Array::I64(numbers) => numbers.iter().copied().map(Value::I64).collect(),
        Array::F64(numbers) => numbers.iter().copied().map(Value::F64).collect(),
        Array::String(texts) => texts.iter().cloned().map(Value::String).collect(),
        other => vec![Value::String(other.to_string().into())],
    }
}

fn nanos(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

/// Begins a field of `len` bytes.
fn begin(out: &mut Vec<u8>, field: u32, len: usize) {
    tag(out, field, WireType::LengthDelimited);
    number(out, len as u64);
}

fn bytes(out: &mut Vec<u8>, field: u32, bytes: &[u8]) {
    begin(out, field, bytes.len());
    out.extend_from_slice(bytes);
}

fn varint(out: &mut Vec<u8>, field: u32, value: u64) {
    tag(out, field, WireType::Varint);
    number(out, value);
}

/// Nearly all fields and lengths take one byte. prost's own functions write into any buffer,
/// which cost a tenth of a span.
#[inline]
fn tag(out: &mut Vec<u8>, field: u32, wire: WireType) {
    number(out, u64::from(field << 3 | wire as u32));
}

#[inline]
fn number(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn fixed64(out: &mut Vec<u8>, field: u32, number: u64) {
    tag(out, field, WireType::SixtyFourBit);
    out.extend_from_slice(&number.to_le_bytes());
}

fn field_len(field: u32, len: usize) -> usize {
    key_len(field) + encoded_len_varint(len as u64) + len
}

fn varint_len(field: u32, number: u64) -> usize {
    key_len(field) + encoded_len_varint(number)
}

#[cfg(test)]
mod tests {
    use super::*;
    use opentelemetry::trace::{Event, SpanContext, SpanKind, TraceFlags, TraceId, TraceState};
    use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
    use opentelemetry_sdk::trace::SpanEvents;
    use proptest::prelude::*;
    use std::time::Duration;

    fn value() -> impl Strategy<Value = Value> {
        prop_oneof![
            any::<bool>().prop_map(Value::Bool),
            any::<i64>().prop_map(Value::I64),
            (-1e9..1e9).prop_map(Value::F64),
            "\\PC{0,200}".prop_map(|text| Value::String(text.into())),
            prop::collection::vec("[a-z]{0,40}", 0..5).prop_map(|texts| {
                Value::Array(Array::String(texts.into_iter().map(Into::into).collect()))
            }),
            prop::collection::vec(any::<i64>(), 0..5)
                .prop_map(|numbers| Value::Array(Array::I64(numbers))),
            prop::collection::vec(any::<bool>(), 0..5)
                .prop_map(|flags| Value::Array(Array::Bool(flags))),
        ]
    }

    fn status() -> impl Strategy<Value = Status> {
        prop_oneof![Just(Status::Unset), Just(Status::Ok), "[a-z]{0,200}".prop_map(Status::error),]
    }

    fn kind() -> impl Strategy<Value = SpanKind> {
        use SpanKind::{Client, Consumer, Internal, Producer, Server};
        prop::sample::select(vec![Internal, Server, Client, Producer, Consumer])
    }

    prop_compose! {
        fn span()(
            (trace_id, span_id, parent, remote) in (1u128.., 1u64.., any::<u64>(), any::<bool>()),
            state in "[a-z]{1,9}",
            (kind, status, name) in (kind(), status(), "\\PC{0,300}"),
            (start, took) in (any::<u32>(), any::<u32>()),
            attributes in prop::collection::vec(("[a-z.]{1,40}", value()), 0..20),
            (dropped, events) in (any::<u32>(), 0usize..2),
        ) -> SpanData {
            let state: TraceState = format!("{state}={span_id}").parse().unwrap();
            let start_time = UNIX_EPOCH + Duration::from_micros(start.into());
            let mut with_events = SpanEvents::default();
            with_events.events.extend((0..events).map(|_| Event::with_name("happened")));
            SpanData {
                span_context: SpanContext::new(
                    TraceId::from(trace_id), SpanId::from(span_id), TraceFlags::SAMPLED, false, state,
                ),
                parent_span_id: SpanId::from(parent),
                parent_span_is_remote: remote,
                span_kind: kind,
                name: name.into(),
                start_time,
                end_time: start_time + Duration::from_nanos(took.into()),
                attributes: attributes.into_iter().map(|(key, value)| KeyValue::new(key, value)).collect(),
                dropped_attributes_count: dropped,
                events: with_events,
                links: Default::default(),
                status,
                instrumentation_scope: InstrumentationScope::builder("scope").build(),
            }
        }
    }

    proptest! {
        #[test]
        fn a_decoder_reads_what_the_usual_way_would_have_written(
            spans in prop::collection::vec(span(), 0..4),
        ) {
            let resource = Resource::builder_empty()
                .with_attributes([KeyValue::new("service.name", "cache"), KeyValue::new("n", 7)])
                .build();
            let scope = InstrumentationScope::builder("scope").build();
            let (mut written, mut scratch) = (Vec::new(), Vec::new());
            for span in spans.clone() {
                encode(&mut scratch, span);
                append(&mut written, &scratch);
            }
            let mut message = Envelope::new(&resource, &scope).before(written.len()).to_vec();
            message.extend(written);
            let mut decoded = ExportTraceServiceRequest::decode(&*message).unwrap();
            let mut of_resource = decoded.resource_spans.pop().unwrap();
            prop_assert!(decoded.resource_spans.is_empty());
            prop_assert_eq!(of_resource.resource.unwrap().attributes.len(), 2);
            let of_scope = of_resource.scope_spans.pop().unwrap();
            prop_assert_eq!(of_scope.scope.unwrap().name, "scope");
            let usual: Vec<SpanMessage> = spans.into_iter().map(Into::into).collect();
            prop_assert_eq!(of_scope.spans, usual);
        }
    }
}
