//! OTLP's messages.
//!
//! The span of an RPC is written straight from what is known of it. The usual way, through the
//! SDK's span, a message with a text of its own for each key, and another thread, took 4 to 5 µs
//! for each span, where all that a span costs is about 1 now (`make bench-telemetry`). The fields and
//! their numbers:
//! <https://github.com/open-telemetry/opentelemetry-proto/blob/main/opentelemetry/proto/trace/v1/trace.proto>.
//! All other spans go the usual way.

use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use opentelemetry::{InstrumentationScope, SpanId, Value, trace::SpanContext};
use opentelemetry_proto::tonic::{
    common::v1::InstrumentationScope as ScopeMessage,
    resource::v1::Resource as ResourceMessage,
    trace::v1::{Span as SpanMessage, SpanFlags, span::SpanKind, status::StatusCode},
};
use opentelemetry_sdk::{Resource, trace::SpanData};
use prost::{
    Message,
    encoding::{WireType, encoded_len_varint, key_len},
};

/// Writes a span of the SDK.
pub(super) fn encode(out: &mut Vec<u8>, span: SpanData) {
    SpanMessage::from(span).encode(out).expect("a Vec takes all that is written to it");
}

/// Appends an encoded span as a field of `ScopeSpans`.
pub(super) fn append(spans: &mut Vec<u8>, encoded: &[u8]) {
    bytes(spans, 2, encoded);
}

/// The span of an RPC, while it is written.
pub(super) struct ServerSpan<'a> {
    out: &'a mut Vec<u8>,
    /// Attributes that it may still have.
    room: u32,
    dropped: u32,
}

/// What tells a span from all others, and where it belongs.
pub(super) struct Identity<'a> {
    pub(super) trace_id: [u8; 16],
    pub(super) span_id: [u8; 8],
    /// The caller's span; not valid: there is none.
    pub(super) parent: &'a SpanContext,
}

impl<'a> ServerSpan<'a> {
    /// Begins a span that may have so many attributes.
    pub(super) fn begin(
        out: &'a mut Vec<u8>,
        Identity { trace_id, span_id, parent }: &Identity<'_>,
        name: &str,
        [start, end]: [SystemTime; 2],
        most_attributes: u32,
    ) -> Self {
        bytes(out, 1, trace_id);
        bytes(out, 2, span_id);
        // Sampled, or there would be no span.
        let mut flags = SpanFlags::ContextHasIsRemoteMask as u32 | 1;
        if parent.span_id() != SpanId::INVALID {
            let state = parent.trace_state().header();
            if !state.is_empty() {
                bytes(out, 3, state.as_bytes());
            }
            bytes(out, 4, &parent.span_id().to_bytes());
            flags |= SpanFlags::ContextIsRemoteMask as u32;
            flags |= u32::from(parent.trace_flags().to_u8());
        }
        bytes(out, 5, name.as_bytes());
        varint(out, 6, SpanKind::Server as u64);
        fixed64(out, 7, nanos(start));
        fixed64(out, 8, nanos(end));
        tag(out, 16, WireType::ThirtyTwoBit);
        out.extend_from_slice(&flags.to_le_bytes());
        Self { out, room: most_attributes, dropped: 0 }
    }

    pub(super) fn text(&mut self, key: &str, value: &str) {
        if let Some(out) = self.attribute(key, field_len(1, value.len())) {
            bytes(out, 1, value.as_bytes());
        }
    }

    pub(super) fn flag(&mut self, key: &str, value: bool) {
        if let Some(out) = self.attribute(key, 2) {
            varint(out, 2, value.into());
        }
    }

    pub(super) fn number(&mut self, key: &str, value: u64) {
        if let Some(out) = self.attribute(key, varint_len(3, value)) {
            varint(out, 3, value);
        }
    }

    pub(super) fn texts(&mut self, key: &str, values: &[String]) {
        let one = |value: &String| field_len(1, value.len());
        let all = values.iter().map(|value| field_len(1, one(value))).sum();
        if let Some(out) = self.attribute(key, field_len(5, all)) {
            begin(out, 5, all);
            for value in values {
                begin(out, 1, one(value));
                bytes(out, 1, value.as_bytes());
            }
        }
    }

    /// Ends the span, as an error or with no status set.
    pub(super) fn end(self, is_error: bool) {
        if self.dropped > 0 {
            varint(self.out, 10, self.dropped.into());
        }
        if is_error {
            begin(self.out, 15, varint_len(3, StatusCode::Error as u64));
            varint(self.out, 3, StatusCode::Error as u64);
        } else {
            begin(self.out, 15, 0);
        }
    }

    /// Begins an attribute whose value has so many bytes, if there is room for one.
    fn attribute(&mut self, key: &str, value: usize) -> Option<&mut Vec<u8>> {
        if self.room == 0 {
            self.dropped += 1;
            return None;
        }
        self.room -= 1;
        begin(self.out, 9, field_len(1, key.len()) + field_len(2, value));
        bytes(self.out, 1, key.as_bytes());
        begin(self.out, 2, value);
        Some(self.out)
    }
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

/// Nearly all fields and lengths take one byte; prost's own functions, which write into any
/// buffer, stood out in the profile.
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
    use opentelemetry::{
        KeyValue,
        trace::{TraceFlags, TraceId, TraceState},
    };
    use opentelemetry_proto::tonic::{
        collector::trace::v1::ExportTraceServiceRequest,
        common::v1::{AnyValue, ArrayValue, KeyValue as Attribute, any_value},
        trace::v1::Status,
    };
    use proptest::prelude::*;
    use std::time::Duration;

    /// A span as prost's own messages have it, and as it is asked for here.
    #[derive(Clone, Debug)]
    struct Asked {
        trace_id: [u8; 16],
        span_id: [u8; 8],
        parent: Option<([u8; 8], u8, String)>,
        name: String,
        start: Duration,
        took: Duration,
        attributes: Vec<(String, Asking)>,
        most: u32,
        is_error: bool,
    }

    #[derive(Clone, Debug)]
    enum Asking {
        Text(String),
        Flag(bool),
        Number(u64),
        Texts(Vec<String>),
    }

    fn asking() -> impl Strategy<Value = Asking> {
        prop_oneof![
            "\\PC{0,200}".prop_map(Asking::Text),
            any::<bool>().prop_map(Asking::Flag),
            (0..=i64::MAX as u64).prop_map(Asking::Number),
            prop::collection::vec("\\PC{0,60}", 0..5).prop_map(Asking::Texts),
        ]
    }

    prop_compose! {
        fn asked()(
            (trace_id, span_id) in (any::<[u8; 16]>(), any::<[u8; 8]>()),
            parent in prop::option::of((1u64.., 0u8..4, "([a-z]{1,9}=[a-z]{1,9})?")),
            (name, is_error) in ("\\PC{0,200}", any::<bool>()),
            (start, took) in (any::<u32>(), any::<u32>()),
            attributes in prop::collection::vec(("[a-z.]{1,150}", asking()), 0..12),
            most in 0u32..14,
        ) -> Asked {
            Asked {
                trace_id,
                span_id,
                parent: parent.map(|(id, flags, state)| (id.to_be_bytes(), flags, state)),
                name,
                start: Duration::from_micros(start.into()),
                took: Duration::from_nanos(took.into()),
                attributes,
                most,
                is_error,
            }
        }
    }

    impl Asked {
        fn write(&self, out: &mut Vec<u8>) {
            let parent = self.parent.as_ref().map(|(id, flags, state)| {
                let state: TraceState = state.parse().unwrap_or_default();
                let trace = TraceId::from_bytes(self.trace_id);
                SpanContext::new(
                    trace,
                    SpanId::from_bytes(*id),
                    TraceFlags::new(*flags),
                    true,
                    state,
                )
            });
            let parent = &parent.unwrap_or(SpanContext::NONE);
            let identity = Identity { trace_id: self.trace_id, span_id: self.span_id, parent };
            let start = UNIX_EPOCH + self.start;
            let times = [start, start + self.took];
            let mut span = ServerSpan::begin(out, &identity, &self.name, times, self.most);
            for (key, value) in &self.attributes {
                match value {
                    Asking::Text(text) => span.text(key, text),
                    Asking::Flag(flag) => span.flag(key, *flag),
                    Asking::Number(number) => span.number(key, *number),
                    Asking::Texts(texts) => span.texts(key, texts),
                }
            }
            span.end(self.is_error);
        }

        fn message(self) -> SpanMessage {
            let text = |text: String| AnyValue { value: Some(any_value::Value::StringValue(text)) };
            let value = |value| match value {
                Asking::Text(value) => text(value),
                Asking::Flag(flag) => AnyValue { value: Some(any_value::Value::BoolValue(flag)) },
                Asking::Number(number) => {
                    AnyValue { value: Some(any_value::Value::IntValue(number as i64)) }
                }
                Asking::Texts(texts) => {
                    let values = texts.into_iter().map(text).collect();
                    AnyValue { value: Some(any_value::Value::ArrayValue(ArrayValue { values })) }
                }
            };
            let start = self.start.as_nanos() as u64;
            let (parent, flags, state) = match self.parent {
                Some((id, flags, state)) => (id.to_vec(), 0x300 | u32::from(flags), state),
                None => (Vec::new(), 0x100, String::new()),
            };
            let all = self.attributes.len() as u32;
            let attributes = self.attributes.into_iter().take(self.most as usize);
            SpanMessage {
                trace_id: self.trace_id.to_vec(),
                span_id: self.span_id.to_vec(),
                trace_state: state,
                parent_span_id: parent,
                name: self.name,
                kind: SpanKind::Server as i32,
                start_time_unix_nano: start,
                end_time_unix_nano: start + self.took.as_nanos() as u64,
                attributes: attributes
                    .map(|(key, asking)| Attribute {
                        key,
                        value: Some(value(asking)),
                        ..Attribute::default()
                    })
                    .collect(),
                dropped_attributes_count: all.saturating_sub(self.most),
                status: Some(Status {
                    code: if self.is_error { 2 } else { 0 },
                    message: String::new(),
                }),
                flags: flags | 1,
                ..SpanMessage::default()
            }
        }
    }

    proptest! {
        #[test]
        fn a_decoder_reads_what_was_asked_for(spans in prop::collection::vec(asked(), 0..4)) {
            let resource = Resource::builder_empty()
                .with_attributes([KeyValue::new("service.name", "cache"), KeyValue::new("n", 7)])
                .build();
            let scope = InstrumentationScope::builder("scope").build();
            let mut written = Vec::new();
            for span in &spans {
                let mut encoded = Vec::new();
                span.write(&mut encoded);
                append(&mut written, &encoded);
            }
            let mut message = Envelope::new(&resource, &scope).before(written.len()).to_vec();
            message.extend(written);
            let mut decoded = ExportTraceServiceRequest::decode(&*message).unwrap();
            let mut of_resource = decoded.resource_spans.pop().unwrap();
            prop_assert!(decoded.resource_spans.is_empty());
            prop_assert_eq!(of_resource.resource.unwrap().attributes.len(), 2);
            let of_scope = of_resource.scope_spans.pop().unwrap();
            prop_assert_eq!(of_scope.scope.unwrap().name, "scope");
            let expected: Vec<SpanMessage> = spans.into_iter().map(Asked::message).collect();
            prop_assert_eq!(of_scope.spans, expected);
        }
    }
}
