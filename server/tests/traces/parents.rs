//! The caller's trace context: taken as the parent, and its decision honoured both ways.

use tonic::Code;

use crate::{
    receiver::Receiver,
    support::{
        messages::{Call, key},
        run,
    },
    traced,
};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const CALLER: &str = "00f067aa0ba902b7";

fn parent(sampled: bool) -> String {
    format!("00-{TRACE}-{CALLER}-0{}", u8::from(sampled))
}

#[test]
fn a_sampled_caller_is_the_parent_whatever_our_own_ratio_is() {
    run(async {
        let receiver = Receiver::start().await;
        let server = traced(&receiver, &[("OTEL_TRACES_SAMPLER", "parentbased_always_off")]);
        let mut wire = server.wire().await;
        let call = Call::new("Get", &key("k"));
        let of_a_caller =
            [("traceparent", parent(true)), ("tracestate", "rojo=1,congo=t61rcWkgMzE".to_owned())];
        let metadata: Vec<_> =
            of_a_caller.iter().map(|(name, value)| (*name, value.as_bytes())).collect();
        // Without a caller's context nothing is sampled here.
        for metadata in [&[][..], &metadata[..], &[][..]] {
            let reply = wire.call(&call.path(), metadata, &call.message).await.unwrap();
            assert_eq!(reply.code(), Code::Ok);
        }
        let span = receiver.rpcs(1).await.remove(0).span;
        assert_eq!(hex::encode(&span.trace_id), TRACE);
        assert_eq!(hex::encode(&span.parent_span_id), CALLER);
        assert_ne!(hex::encode(&span.span_id), CALLER);
        assert_eq!(span.trace_state, "rojo=1,congo=t61rcWkgMzE");
        assert_eq!(span.flags & 1, 1, "sampled");
    });
}

#[test]
fn a_caller_that_does_not_sample_gets_no_span() {
    run(async {
        let receiver = Receiver::start().await;
        let server = traced(&receiver, &[]);
        let mut wire = server.wire().await;
        let call = Call::new("Get", &key("k"));
        for _ in 0..10 {
            let (unsampled, id) = (parent(false), b"unsampled".as_slice());
            let metadata = [("traceparent", unsampled.as_bytes()), ("x-request-id", id)];
            wire.call(&call.path(), &metadata, &call.message).await.unwrap();
        }
        // Spans are exported in their order: one that came through shows that none waits.
        wire.call(&call.path(), &[("x-request-id", b"root")], &call.message).await.unwrap();
        let spans = receiver.rpcs(1).await;
        assert_eq!(spans[0].text("tiny_cache.request_id"), "root");
    });
}

#[test]
fn a_context_that_is_not_valid_is_as_if_none_came() {
    run(async {
        let receiver = Receiver::start().await;
        let server = traced(&receiver, &[]);
        let mut wire = server.wire().await;
        let call = Call::new("Get", &key("k"));
        let metadata = [("traceparent", b"00-not-a-context-00".as_slice())];
        wire.call(&call.path(), &metadata, &call.message).await.unwrap();
        assert!(receiver.rpcs(1).await[0].span.parent_span_id.is_empty());
    });
}

#[test]
fn without_the_propagator_the_callers_context_is_left_alone() {
    run(async {
        let receiver = Receiver::start().await;
        let server = traced(&receiver, &[("OTEL_PROPAGATORS", "none")]);
        let mut wire = server.wire().await;
        let call = Call::new("Get", &key("k"));
        let context = parent(false);
        let metadata = [("traceparent", context.as_bytes())];
        wire.call(&call.path(), &metadata, &call.message).await.unwrap();
        let span = receiver.rpcs(1).await.remove(0).span;
        assert_ne!(hex::encode(&span.trace_id), TRACE);
    });
}
