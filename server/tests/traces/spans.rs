//! Name, kind, status and attributes of every RPC's span.

use std::{collections::BTreeMap, net::SocketAddr};

use bytes::Bytes;
use opentelemetry_proto::tonic::{
    common::v1::any_value::Value,
    trace::v1::{span::SpanKind, status::StatusCode},
};
use tonic::Code;

use crate::{
    receiver::{Receiver, Seeing},
    support::{
        messages::{Call, every_call, item, items, key, keys},
        run,
    },
    traced,
};

fn text(text: &str) -> Value {
    Value::StringValue(text.to_owned())
}

/// What every span of an RPC says.
fn usual(method: &str, status: &str, request_id: &str) -> BTreeMap<String, Value> {
    BTreeMap::from([
        ("rpc.system.name".to_owned(), text("grpc")),
        ("rpc.method".to_owned(), text(method)),
        ("rpc.response.status_code".to_owned(), text(status)),
        ("network.peer.address".to_owned(), text("127.0.0.1")),
        ("tiny_cache.request_id".to_owned(), text(request_id)),
    ])
}

/// What a span says beyond the peer's port, which the system chose.
fn without_port(mut attributes: BTreeMap<String, Value>) -> BTreeMap<String, Value> {
    let port = attributes.remove("network.peer.port");
    assert!(matches!(port, Some(Value::IntValue(1..=65535))), "{port:?}");
    attributes
}

#[test]
fn every_rpc_of_the_contract_has_one_span() {
    run(async {
        let receiver = Receiver::start().await;
        let server = traced(&receiver, &[]);
        let mut wire = server.wire().await;
        // Set "every-call" to "v", then replace it by "w", and so on: see `every_call`.
        let calls = every_call();
        for call in &calls {
            let metadata = [("x-request-id", call.rpc.as_bytes())];
            let reply = wire.call(&call.path(), &metadata, &call.message).await.unwrap();
            assert_eq!(reply.code(), Code::Ok, "{}", call.rpc);
        }
        let spans = receiver.rpcs(calls.len()).await;
        let int = Value::IntValue;
        for (call, seeing) in calls.iter().zip(&spans) {
            let name = format!("cache.CacheService/{}", call.rpc);
            let mut expected = usual(&name, "OK", call.rpc);
            let mut says = |key: &str, value| expected.insert(format!("tiny_cache.{key}"), value);
            if call.rpc != "Stats" {
                says("items", int(1));
                // The one value is "v" or "w"; Delete and MultiDelete carry none, and the
                // first Get and the MultiGet after a Delete find none.
                let bytes =
                    matches!(call.rpc, "Set" | "SetIfAbsent" | "CompareAndSet" | "MultiSet");
                says("value_bytes", int(bytes.into()));
            }
            match call.rpc {
                "Get" => drop(says("hit", Value::BoolValue(false))),
                "MultiGet" => {
                    says("hits", int(0));
                    says("misses", int(1));
                }
                _ => {}
            }
            assert_eq!(without_port(seeing.attributes()), expected, "{name}");
            let span = &seeing.span;
            assert_eq!(span.name, name);
            assert_eq!(span.kind, SpanKind::Server as i32);
            assert_eq!(span.status.clone().unwrap_or_default().code(), StatusCode::Unset);
            assert!(span.end_time_unix_nano > span.start_time_unix_nano);
            assert_eq!((span.trace_id.len(), span.span_id.len()), (16, 8));
            assert!(span.parent_span_id.is_empty(), "nobody called");
            assert_eq!(seeing.scope, "tiny-cache-server");
        }
    });
}

#[test]
fn a_read_says_what_it_found() {
    run(async {
        let receiver = Receiver::start().await;
        let server = traced(&receiver, &[]);
        let mut cache = server.connect().await;
        let large = Bytes::from(vec![7; 100_000]);
        cache.multi_set(items([item("a", "12345"), item("b", large)])).await.unwrap();
        cache.get(key("a")).await.unwrap();
        cache.multi_get(keys(["a", "b", "c", ""])).await.unwrap();
        let spans = receiver.rpcs(3).await;
        let says = |index: usize, key: &str| spans[index].attributes().get(key).cloned();
        assert_eq!(says(0, "tiny_cache.items"), Some(Value::IntValue(2)));
        assert_eq!(says(0, "tiny_cache.value_bytes"), Some(Value::IntValue(100_005)));
        assert_eq!(says(1, "tiny_cache.hit"), Some(Value::BoolValue(true)));
        assert_eq!(says(1, "tiny_cache.value_bytes"), Some(Value::IntValue(5)));
        assert_eq!(says(2, "tiny_cache.items"), Some(Value::IntValue(4)));
        assert_eq!(says(2, "tiny_cache.hits"), Some(Value::IntValue(2)));
        // The empty key is refused, not missed.
        assert_eq!(says(2, "tiny_cache.misses"), Some(Value::IntValue(1)));
    });
}

#[test]
fn the_callers_fault_is_no_error_of_the_server() {
    run(async {
        let receiver = Receiver::start().await;
        let server = traced(&receiver, &[("CACHE_MAX_VALUE_BYTES", "1")]);
        let mut wire = server.wire().await;
        let mut refused = vec![
            (Call::new("Get", &key("")), Code::InvalidArgument, "INVALID_ARGUMENT"),
            (Call::new("Set", &item("k", "12")), Code::ResourceExhausted, "RESOURCE_EXHAUSTED"),
        ];
        // Larger than any message: tonic calls that OUT_OF_RANGE, the contract does not.
        let message = vec![0; 5 << 20];
        refused.push((Call { rpc: "Get", message }, Code::ResourceExhausted, "RESOURCE_EXHAUSTED"));
        for (call, code, name) in &refused {
            let reply = wire.call(&call.path(), &[], &call.message).await.unwrap();
            assert_eq!(reply.code(), *code, "{name}");
        }
        for ((_, _, name), seeing) in refused.iter().zip(receiver.rpcs(refused.len()).await) {
            assert_eq!(seeing.text("rpc.response.status_code"), *name);
            assert!(!seeing.attributes().contains_key("error.type"), "{name}");
            assert_eq!(seeing.span.status.unwrap_or_default().code(), StatusCode::Unset);
        }
    });
}

#[test]
fn what_nobody_serves_is_an_error_under_one_name() {
    run(async {
        let receiver = Receiver::start().await;
        let server = traced(&receiver, &[]);
        let mut wire = server.wire().await;
        for path in ["/cache.CacheService/NoSuchMethod", "/no.such.Service/Get"] {
            let reply = wire.call(path, &[("x-request-id", b"id-7")], &[]).await.unwrap();
            assert_eq!(reply.code(), Code::Unimplemented);
            let seeing = receiver.wait(|seen| !seen.spans.is_empty()).await.spans.pop().unwrap();
            assert_eq!(seeing.span.name, "_OTHER");
            drop(seeing);
        }
        let spans = receiver.rpcs(2).await;
        for (seeing, original) in
            spans.iter().zip(["cache.CacheService/NoSuchMethod", "no.such.Service/Get"])
        {
            let mut expected = usual("_OTHER", "UNIMPLEMENTED", "id-7");
            expected.insert("rpc.method_original".to_owned(), text(original));
            expected.insert("error.type".to_owned(), text("UNIMPLEMENTED"));
            assert_eq!(without_port(seeing.attributes()), expected);
            assert_eq!(seeing.span.status.clone().unwrap().code(), StatusCode::Error);
        }
    });
}

#[test]
fn a_request_that_its_caller_gives_up_is_cancelled() {
    run(async {
        let receiver = Receiver::start().await;
        let server = traced(&receiver, &[]);
        let mut wire = server.wire().await;
        let begun = Bytes::from_static(&[0, 0, 0, 0, 9, 10]);
        let (response, mut stream) = wire.stall("/cache.CacheService/Get", begun).await.unwrap();
        wire.ping().await.unwrap();
        stream.send_reset(h2::Reason::CANCEL);
        drop(response);
        let [seeing] = &receiver.rpcs(1).await[..] else { unreachable!("one was asked for") };
        assert_eq!(seeing.text("rpc.response.status_code"), "CANCELLED");
        assert!(!seeing.attributes().contains_key("tiny_cache.items"), "it was never decoded");
        assert_eq!(seeing.span.status.clone().unwrap_or_default().code(), StatusCode::Unset);
    });
}

#[test]
fn health_checks_have_spans_too() {
    run(async {
        let receiver = Receiver::start().await;
        let server = traced(&receiver, &[]);
        let reply = server.wire().await.call("/grpc.health.v1.Health/Check", &[], &[]).await;
        assert_eq!(reply.unwrap().code(), Code::Ok);
        assert_eq!(receiver.rpcs(1).await[0].span.name, "grpc.health.v1.Health/Check");
    });
}

#[test]
fn a_sweep_of_the_store_is_a_span_of_its_own() {
    run(async {
        let receiver = Receiver::start().await;
        let _server = traced(&receiver, &[("CACHE_CLEANUP_INTERVAL", "0.05")]);
        let is_sweep = |seeing: &Seeing| seeing.span.name == "sweep";
        let seen = receiver.wait(|seen| seen.spans.iter().any(is_sweep)).await;
        let sweep = seen.spans.into_iter().find(is_sweep).unwrap();
        assert_eq!(sweep.span.kind, SpanKind::Internal as i32);
        assert_eq!(sweep.attributes()["removed"], Value::IntValue(0));
        assert!(sweep.attributes().contains_key("lag_seconds"));
    });
}

#[test]
fn the_peer_is_the_one_that_called() {
    run(async {
        let receiver = Receiver::start().await;
        let server = traced(&receiver, &[]);
        let socket = tokio::net::TcpStream::connect(server.grpc_addr()).await.unwrap();
        let ours: SocketAddr = socket.local_addr().unwrap();
        let mut wire = crate::support::wire::Wire::open(socket).await;
        let call = Call::new("Get", &key("k"));
        wire.call(&call.path(), &[], &call.message).await.unwrap();
        let attributes = receiver.rpcs(1).await[0].attributes();
        assert_eq!(attributes["network.peer.port"], Value::IntValue(ours.port().into()));
    });
}
