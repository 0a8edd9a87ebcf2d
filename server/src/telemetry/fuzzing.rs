//! The caller's span, read from any metadata, against the SDK's propagator.

use std::collections::HashMap;

use http::{HeaderMap, HeaderValue};
use opentelemetry::{propagation::TextMapPropagator, trace::TraceContextExt};
use opentelemetry_sdk::propagation::TraceContextPropagator;

use super::parent::Parent;

/// Reads a `traceparent` and, behind a line feed, a `tracestate`.
///
/// # Panics
/// The SDK's propagator refuses or reads otherwise what is accepted here of version 00.
pub fn traceparent(bytes: &[u8]) {
    let mut lines = bytes.splitn(2, |byte| *byte == b'\n');
    let mut headers = HeaderMap::new();
    for (name, line) in ["traceparent", "tracestate"].into_iter().zip(&mut lines) {
        let Ok(value) = HeaderValue::from_bytes(line) else { return };
        headers.insert(name, value);
    }
    let Some(parent) = Parent::of(&headers) else { return };
    let ours = parent.context(&headers);
    assert!(ours.is_valid() && ours.is_remote());
    assert_eq!(ours.is_sampled(), parent.sampled());

    let Ok(text) = headers["traceparent"].to_str() else { return };
    if !text.trim_ascii().starts_with("00") {
        return;
    }
    let carrier = HashMap::from([("traceparent".to_owned(), text.to_owned())]);
    let theirs = TraceContextPropagator::new().extract(&carrier);
    let theirs = theirs.span().span_context().clone();
    assert!(theirs.is_valid(), "the SDK refuses {text:?}");
    assert_eq!(ours.trace_id(), theirs.trace_id());
    assert_eq!(ours.span_id(), theirs.span_id());
    assert_eq!(ours.is_sampled(), theirs.is_sampled());
}
