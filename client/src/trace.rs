//! Sends the context of the caller's active span, as W3C Trace Context
//! (<https://www.w3.org/TR/trace-context/>).
//!
//! Hand-written because the SDK's propagator brings the SDK into every program that uses this
//! library, and works only if the program installs it.

use http::HeaderMap;

/// Whether the caller has an active span.
#[cfg(feature = "opentelemetry")]
pub(crate) fn is_active() -> bool {
    use opentelemetry::{Context, trace::TraceContextExt};

    Context::map_current(TraceContextExt::has_active_span)
}

/// Adds `traceparent`, and `tracestate` where there is one, if a span is active.
#[cfg(feature = "opentelemetry")]
pub(crate) fn inject(headers: &mut HeaderMap) {
    use http::{HeaderName, HeaderValue};
    use opentelemetry::{Context, trace::TraceContextExt};

    const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
    const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");

    Context::map_current(|context| {
        let span = context.span();
        let span = span.span_context();
        if !span.is_valid() {
            return;
        }
        let flags = span.trace_flags().to_u8() & 1;
        let parent = format!("00-{}-{}-{flags:02x}", span.trace_id(), span.span_id());
        if let Ok(mut parent) = HeaderValue::try_from(parent) {
            // Different for each call: it must not enter HPACK's table.
            parent.set_sensitive(true);
            headers.insert(TRACEPARENT, parent);
        }
        let state = span.trace_state().header();
        if !state.is_empty()
            && let Ok(state) = HeaderValue::try_from(state)
        {
            headers.insert(TRACESTATE, state);
        }
    });
}

/// Never: the feature `opentelemetry` is off.
#[cfg(not(feature = "opentelemetry"))]
pub(crate) fn is_active() -> bool {
    false
}

/// Does nothing: the feature `opentelemetry` is off.
#[cfg(not(feature = "opentelemetry"))]
pub(crate) fn inject(_headers: &mut HeaderMap) {}
