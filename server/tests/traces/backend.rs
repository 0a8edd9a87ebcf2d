//! The spans of what the second tier did for a call, under the call's own.

use opentelemetry_proto::tonic::{
    common::v1::any_value::Value,
    trace::v1::{span::SpanKind, status::StatusCode},
};
use tonic::Code;

use crate::{
    receiver::{Receiver, Seeing},
    support::{
        messages::{item, items, key, keys, swap},
        process::Process,
        redis::Redis,
        run,
    },
    traced,
};

/// A node over this Redis, which it has reached.
fn node(receiver: &Receiver, redis: &Redis) -> Process {
    let url = redis.url();
    let mut node =
        traced(receiver, &[("CACHE_BACKEND", "redis"), ("CACHE_BACKEND_URL", url.as_str())]);
    node.await_logged("the backend is there, and tells of changes");
    node
}

/// The spans of RPCs, and those under them, as soon as there are so many of each.
async fn spans(receiver: &Receiver, count: usize) -> (Vec<Seeing>, Vec<Seeing>) {
    let is_trip = |seeing: &&Seeing| seeing.span.kind == SpanKind::Client as i32;
    let seen = receiver.wait(|seen| seen.spans.iter().filter(is_trip).count() >= count).await;
    let trips: Vec<_> = seen.spans.iter().filter(is_trip).cloned().collect();
    assert_eq!(trips.len(), count, "{trips:#?}");
    (receiver.rpcs(count).await, trips)
}

#[test]
#[ignore = "needs redis-server; run by `make test-tier`"]
fn what_the_tier_did_for_a_call_is_a_client_span_under_the_calls() {
    run(async {
        let (receiver, redis) = (Receiver::start().await, Redis::start(&[]));
        let server = node(&receiver, &redis);
        let mut cache = server.connect().await;
        cache.set(item("a", "v")).await.unwrap();
        cache.multi_set(items([item("b", "v"), item("c", "v")])).await.unwrap();
        cache.multi_get(keys(["b", "c", "d"])).await.unwrap();
        cache.compare_and_set(swap("a", "v", "w")).await.unwrap();
        cache.delete(key("a")).await.unwrap();
        cache.get(key("a")).await.unwrap();
        let (rpcs, trips) = spans(&receiver, 6).await;
        for (method, operation, keys) in [
            ("cache.CacheService/Set", "SET", 1),
            ("cache.CacheService/MultiSet", "PIPELINE SET", 2),
            ("cache.CacheService/MultiGet", "PIPELINE GET", 3),
            ("cache.CacheService/CompareAndSet", "EVAL", 1),
            ("cache.CacheService/Delete", "UNLINK", 1),
            ("cache.CacheService/Get", "GET", 1),
        ] {
            let rpc = &rpcs.iter().find(|rpc| rpc.span.name == method).unwrap().span;
            let of_rpc = |trip: &&Seeing| trip.span.parent_span_id == rpc.span_id;
            let trip = trips.iter().find(of_rpc).unwrap();
            let (span, attributes) = (&trip.span, trip.attributes());
            assert_eq!((&*span.name, span.kind), (operation, SpanKind::Client as i32));
            assert_eq!(span.trace_id, rpc.trace_id);
            assert!(rpc.start_time_unix_nano <= span.start_time_unix_nano, "{span:?}");
            assert!(span.start_time_unix_nano < span.end_time_unix_nano, "{span:?}");
            assert!(span.end_time_unix_nano <= rpc.end_time_unix_nano, "{span:?}");
            assert_eq!(trip.text("db.system.name"), "redis");
            assert_eq!(trip.text("db.operation.name"), operation);
            let size = (keys > 1).then_some(&Value::IntValue(keys)).cloned();
            assert_eq!(attributes.get("db.operation.batch.size").cloned(), size);
            assert_eq!(trip.text("server.address"), "127.0.0.1");
            assert_eq!(attributes["server.port"], Value::IntValue(redis.port().into()));
            assert!(span.status.as_ref().is_none_or(|status| status.code == 0), "{span:?}");
        }
    });
}

#[test]
#[ignore = "needs redis-server; run by `make test-tier`"]
fn what_is_near_asks_nobody_and_what_fails_says_so() {
    run(async {
        let (receiver, redis) = (Receiver::start().await, Redis::start(&[]));
        let server = node(&receiver, &redis);
        let mut cache = server.connect().await;
        cache.set(item("a", "v")).await.unwrap();
        // The node hears of its own write, and the next reads bring the value near.
        let mut calls = 1;
        let near = loop {
            cache.get(key("a")).await.unwrap();
            calls += 1;
            let seen = receiver.wait(|seen| {
                seen.spans.iter().filter(|seeing| seeing.is_of_an_rpc()).count() >= calls
            });
            let spans = seen.await.spans;
            let last = spans.iter().rfind(|seeing| seeing.is_of_an_rpc()).unwrap();
            let id = last.span.span_id.clone();
            if !spans.iter().any(|seeing| seeing.span.parent_span_id == id) {
                break calls;
            }
            assert!(calls < 1000, "it never comes near");
        };
        assert!(near > 2);

        redis.ask(&["CONFIG", "SET", "maxmemory", "1"]);
        let refused = cache.set(item("b", "v")).await.unwrap_err();
        assert_eq!(refused.code(), Code::ResourceExhausted);
        let failed = receiver.wait(|seen| {
            seen.spans.iter().any(|seeing| {
                let status = seeing.span.status.as_ref().map(|status| status.code);
                seeing.span.name == "SET" && status == Some(StatusCode::Error as i32)
            })
        });
        let failed = failed.await.spans;
        let failed = failed.iter().rfind(|seeing| seeing.span.name == "SET").unwrap();
        assert_eq!(failed.text("error.type"), "full");
    });
}
