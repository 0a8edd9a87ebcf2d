//! The caller's trace context: taken as the parent, and its decision honoured both ways.

use tonic::{Code, Status};

use crate::{
    export_failed,
    receiver::{Manner, Receiver},
    support::{
        messages::{Call, key},
        run,
        wire::Reply,
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

/// The `traceresponse` of a reply, or of an error.
fn response(reply: &Reply) -> Option<String> {
    let of_an_error = reply.status.metadata().get("traceresponse");
    let of_an_error = of_an_error.map(|value| value.to_str().unwrap());
    reply.initial("traceresponse").or(of_an_error).map(str::to_owned)
}

#[test]
fn a_caller_that_asks_for_a_span_is_sent_its_id() {
    run(async {
        let receiver = Receiver::start().await;
        let server = traced(&receiver, &[("OTEL_TRACES_SAMPLER", "parentbased_always_off")]);
        let mut wire = server.wire().await;
        let asks = [("traceparent", parent(true))];
        let asks = asks.each_ref().map(|(name, value)| (*name, value.as_bytes()));
        // A value, an error, and a method that is not served.
        let calls = [Call::new("Get", &key("k")), Call::new("Get", &key(""))];
        let paths = [calls[0].path(), calls[1].path(), "/cache.CacheService/None".to_owned()];
        let messages = [&calls[0].message, &calls[1].message, &Vec::new()];
        for (sent, (path, message)) in paths.iter().zip(messages).enumerate() {
            let reply = wire.call(path, &asks, message).await.unwrap();
            let span = receiver.rpcs(sent + 1).await.pop().unwrap().span;
            let expected = format!("00-{TRACE}-{}-01", hex::encode(&span.span_id));
            assert_eq!(response(&reply), Some(expected), "{path}");
        }
    });
}

#[test]
fn nobody_else_is_sent_an_id() {
    run(async {
        let receiver = Receiver::start().await;
        let [asked, unsampled] = [true, false].map(parent);
        let not_valid = "00-not-a-context-01".to_owned();
        let none = ("OTEL_SDK_DISABLED", "true");
        for (vars, context) in [
            // A span is made, but the caller did not ask for it.
            (&[][..], None),
            (&[], Some(&not_valid)),
            (&[("OTEL_TRACES_SAMPLER", "always_on")], Some(&unsampled)),
            // The caller asks, but there is no span of it.
            (&[], Some(&unsampled)),
            (&[none], Some(&asked)),
            (&[("OTEL_TRACES_SAMPLER", "always_off")], Some(&asked)),
        ] {
            let server = traced(&receiver, vars);
            let metadata: Vec<_> =
                context.iter().map(|context| ("traceparent", context.as_bytes())).collect();
            let call = Call::new("Get", &key("k"));
            let mut wire = server.wire().await;
            let reply = wire.call(&call.path(), &metadata, &call.message).await.unwrap();
            assert_eq!(response(&reply), None, "{vars:?} {context:?}");
        }
    });
}

/// An id under which nothing will ever be found is worse than none.
#[test]
fn no_id_is_sent_while_the_collector_takes_no_spans() {
    run(async {
        let receiver =
            Receiver::that(Manner::answers(|| Status::permission_denied("not yours"))).await;
        let server = traced(&receiver, &[("OTEL_TRACES_SAMPLER", "parentbased_always_off")]);
        let mut wire = server.wire().await;
        let context = parent(true);
        let metadata = [("traceparent", context.as_bytes())];
        let call = Call::new("Get", &key("k"));
        let mut ask = async || wire.call(&call.path(), &metadata, &call.message).await.unwrap();
        assert!(response(&ask().await).is_some(), "nothing is known yet");
        export_failed(&server).await;
        assert_eq!(response(&ask().await), None);
    });
}
