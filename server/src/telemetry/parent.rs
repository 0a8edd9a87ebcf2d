//! The caller's span, and the answer to it, as W3C Trace Context puts them into metadata
//! (<https://www.w3.org/TR/trace-context/>, <https://w3c.github.io/trace-context/>).
//!
//! Parsed here because every request needs the sampled flag, and the SDK's propagator goes
//! through a map to get it. A test compares the two.

use http::{HeaderMap, HeaderName, HeaderValue};
use opentelemetry::trace::{SpanContext, SpanId, TraceFlags, TraceId, TraceState};

const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");

/// Names the span that the server made of a call; a draft of the recommendation's next level.
pub(crate) const TRACERESPONSE: HeaderName = HeaderName::from_static("traceresponse");

/// Bytes of a `traceparent` of version 00: `00-<trace id>-<span id>-<flags>`.
const LEN: usize = 55;

/// Sampled, and that the trace's id is random. Others may come and are left alone.
const KNOWN_FLAGS: u8 = 3;

/// Bytes of a `tracestate` that are carried: as many as the recommendation asks for.
const LONGEST_STATE: usize = 512;

/// The metadata that a caller's span comes in.
pub(crate) trait Carrier {
    /// Every `traceparent`.
    fn parents(&self) -> impl Iterator<Item = &[u8]>;

    /// Every `tracestate`, in order.
    fn states(&self) -> impl Iterator<Item = &[u8]>;
}

impl Carrier for HeaderMap {
    fn parents(&self) -> impl Iterator<Item = &[u8]> {
        self.get_all(TRACEPARENT).iter().map(HeaderValue::as_bytes)
    }

    fn states(&self) -> impl Iterator<Item = &[u8]> {
        self.get_all(TRACESTATE).iter().map(HeaderValue::as_bytes)
    }
}

/// What a valid `traceparent` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Parent {
    trace_id: [u8; 16],
    span_id: [u8; 8],
    flags: u8,
}

impl Parent {
    /// The caller's span, if it sent one that is valid. Two of them are none.
    pub(super) fn of(carrier: &impl Carrier) -> Option<Self> {
        let mut given = carrier.parents();
        let text = given.next()?;
        if given.next().is_some() {
            return None;
        }
        Self::parse(text.trim_ascii())
    }

    fn parse(text: &[u8]) -> Option<Self> {
        let (known, beyond) = text.split_at_checked(LEN)?;
        let [version] = hex(&known[..2])?;
        // A later version may say more, behind another dash.
        let length_fits = beyond.is_empty() || (version != 0 && beyond[0] == b'-');
        let dashes = known[2] == b'-' && known[35] == b'-' && known[52] == b'-';
        if version == 0xff || !length_fits || !dashes {
            return None;
        }
        let trace_id: [u8; 16] = hex(&known[3..35])?;
        let span_id: [u8; 8] = hex(&known[36..52])?;
        let [flags] = hex(&known[53..])?;
        let valid = trace_id != [0; 16] && span_id != [0; 8];
        valid.then_some(Self { trace_id, span_id, flags: flags & KNOWN_FLAGS })
    }

    pub(super) fn sampled(self) -> bool {
        self.flags & 1 == 1
    }

    /// The part of the trace's id that ratios go by.
    pub(super) fn low_bits(self) -> u64 {
        u128::from_be_bytes(self.trace_id) as u64
    }

    /// The parent of our span. A `tracestate` that is not valid is left out.
    pub(super) fn context(self, carrier: &impl Carrier) -> SpanContext {
        SpanContext::new(
            TraceId::from_bytes(self.trace_id),
            SpanId::from_bytes(self.span_id),
            TraceFlags::new(self.flags),
            true,
            state(carrier).unwrap_or_default(),
        )
    }
}

/// The `traceresponse` of a reply to a call that has a span.
pub(super) fn response(trace_id: TraceId, span_id: SpanId) -> HeaderValue {
    HeaderValue::try_from(format!("00-{trace_id}-{span_id}-01"))
        .expect("digits and dashes make a valid value")
}

fn state(carrier: &impl Carrier) -> Option<TraceState> {
    let mut parts = carrier.states();
    let mut whole = std::str::from_utf8(parts.next()?).ok()?.to_owned();
    for part in parts {
        whole.push(',');
        whole.push_str(std::str::from_utf8(part).ok()?);
    }
    // HTTP's values may be more than the recommendation's.
    if !whole.bytes().all(|byte| matches!(byte, b'\t' | b' '..=b'~')) {
        return None;
    }
    if whole.len() > LONGEST_STATE {
        return None;
    }
    whole.parse().ok()
}

/// Lower-case hexadecimal digits, as the recommendation has them.
fn hex<const N: usize>(digits: &[u8]) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    let lower = !digits.iter().any(u8::is_ascii_uppercase);
    (lower && hex::decode_to_slice(digits, &mut bytes).is_ok()).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use opentelemetry::{propagation::TextMapPropagator, trace::TraceContextExt};
    use opentelemetry_sdk::propagation::TraceContextPropagator;
    use proptest::prelude::*;
    use std::collections::HashMap;

    const EXAMPLE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    fn headers(parent: &str, state: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(TRACEPARENT, parent.parse().unwrap());
        for part in state {
            headers.append(TRACESTATE, part.parse().unwrap());
        }
        headers
    }

    #[test]
    fn the_recommendations_example_is_read() {
        let headers = headers(EXAMPLE, &["rojo=00f067aa0ba902b7", "congo=t61rcWkgMzE"]);
        let parent = Parent::of(&headers).unwrap();
        assert!(parent.sampled());
        let context = parent.context(&headers);
        assert!(context.is_remote());
        assert_eq!(context.trace_id().to_string(), "4bf92f3577b34da6a3ce929d0e0e4736");
        assert_eq!(context.span_id().to_string(), "00f067aa0ba902b7");
        assert_eq!(context.trace_state().header(), "rojo=00f067aa0ba902b7,congo=t61rcWkgMzE");
    }

    #[test]
    fn what_is_not_valid_is_no_parent() {
        for text in [
            "",
            "00",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
            "00x4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        ] {
            assert_eq!(Parent::of(&headers(text, &[])), None, "{text}");
        }
        let later = "01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more";
        assert!(Parent::of(&headers(later, &[])).is_some(), "a later version may say more");
    }

    #[test]
    fn flags_that_nobody_knows_yet_do_not_hide_the_one_that_is_known() {
        for (flags, sampled) in [("ff", true), ("fe", false)] {
            let text = format!("{}{flags}", &EXAMPLE[..53]);
            assert_eq!(Parent::of(&headers(&text, &[])).unwrap().sampled(), sampled, "{flags}");
        }
    }

    #[test]
    fn two_parents_are_none() {
        let mut headers = headers(EXAMPLE, &[]);
        headers.append(TRACEPARENT, EXAMPLE.parse().unwrap());
        assert_eq!(Parent::of(&headers), None);
    }

    #[test]
    fn a_state_that_is_not_valid_or_too_long_is_left_out() {
        let long = format!("a={}", "x".repeat(600));
        for state in ["not a state", &long] {
            let headers = headers(EXAMPLE, &[state]);
            let context = Parent::of(&headers).unwrap().context(&headers);
            assert_eq!(context.trace_state().header(), "");
        }
    }

    proptest! {
        #[test]
        fn the_sdks_propagator_reads_the_same(
            version in "0[01]", trace in "[0-9a-f]{32}", span in "[0-9a-f]{16}", flags in "0[0-3]",
        ) {
            let text = format!("{version}-{trace}-{span}-{flags}");
            let headers = headers(&text, &["a=1"]);
            let carrier = HashMap::from([
                ("traceparent".to_owned(), text.clone()),
                ("tracestate".to_owned(), "a=1".to_owned()),
            ]);
            let theirs = TraceContextPropagator::new().extract(&carrier);
            let theirs = theirs.span().span_context().clone();
            let ours = Parent::of(&headers).map(|parent| parent.context(&headers));
            prop_assert_eq!(ours.is_some(), theirs.is_valid());
            if let Some(ours) = ours {
                prop_assert_eq!(ours.trace_id(), theirs.trace_id());
                prop_assert_eq!(ours.span_id(), theirs.span_id());
                prop_assert_eq!(ours.is_sampled(), theirs.is_sampled());
                prop_assert_eq!(ours.trace_state().header(), theirs.trace_state().header());
            }
        }

        #[test]
        fn no_text_makes_it_panic(text in "[ -~]{0,80}") {
            let _ = Parent::parse(text.as_bytes());
        }
    }
}
