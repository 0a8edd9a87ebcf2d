//! More calls at a time than the server may have: refused at once, with the time after which to try
//! again, while probes go on.

use bytes::Bytes;
use prost::Message;
use tonic::Code;

use crate::support::{
    Deployment, Site,
    http::sample,
    messages::{Call, every_call, item, key},
    wire::Wire,
};

crate::rows![
    one_call_more_than_are_allowed_in_flight_is_refused_with_a_hint,
    probes_and_figures_go_on_while_calls_are_refused,
    a_drain_goes_on_while_calls_are_refused,
];

const SET: &str = "/cache.CacheService/Set";
const LIMIT: [(&str, &str); 1] = [("CACHE_MAX_IN_FLIGHT", "2")];

/// Two calls whose messages are half there, each on a stream of `wire`.
async fn fill(
    wire: &mut Wire,
    site: &Site,
) -> Vec<(h2::client::ResponseFuture, h2::SendStream<Bytes>)> {
    let mut stalled = Vec::new();
    for _ in 0..2 {
        stalled.push(wire.stall(SET, Bytes::from_static(b"\0\0\0\0\x64half")).await.unwrap());
    }
    wire.ping().await.unwrap();
    while sample(&site.http("/metrics").await.body, "tiny_cache_active_requests") != Some(2.0) {
        tokio::time::sleep(std::time::Duration::from_millis(2)).await;
    }
    stalled
}

async fn one_call_more_than_are_allowed_in_flight_is_refused_with_a_hint(on: Deployment) {
    const REFUSED: &str = "tiny_cache_overload_refused_total";
    let site = on.start_with(&LIMIT);
    let (mut busy, mut wire) = (site.wire().await, site.wire().await);
    let calls = every_call();
    let stalled = fill(&mut busy, &site).await;
    for call in &calls {
        let reply = wire.call(&call.path(), &[], &call.message).await.unwrap();
        assert_eq!(reply.code(), Code::Unavailable, "{}: {reply:?}", call.rpc);
        assert_eq!(
            reply.status.message(),
            "Too many calls are in flight (max 2, CACHE_MAX_IN_FLIGHT)"
        );
        assert!(reply.headers_ended_it, "retry policies repeat no other refusal");
        let hint: u32 = reply.initial("grpc-retry-pushback-ms").unwrap().parse().unwrap();
        assert!((50..=150).contains(&hint), "{hint}");
        assert_eq!(reply.initial("x-cache-not-executed"), Some("1"));
    }
    let refused = sample(&site.http("/metrics").await.body, REFUSED);
    assert_eq!(refused, Some(calls.len() as f64));

    // A place that is left can be taken.
    drop(stalled);
    let get = Call::new("Get", &key("every-call"));
    loop {
        let reply = wire.call(&get.path(), &[], &get.message).await.unwrap();
        match reply.code() {
            Code::Ok => break,
            Code::Unavailable => {}
            _ => panic!("{reply:?}"),
        }
    }
    assert!(!reply_found(&mut wire, &get).await, "what was refused was not carried out");
}

async fn reply_found(wire: &mut Wire, get: &Call) -> bool {
    let reply = wire.call(&get.path(), &[], &get.message).await.unwrap();
    reply.decoded::<tiny_cache_proto::cache::CacheValue>().found
}

async fn probes_and_figures_go_on_while_calls_are_refused(on: Deployment) {
    let site = on.start_with(&LIMIT);
    let mut busy = site.wire().await;
    let _stalled = fill(&mut busy, &site).await;
    let mut probe = site.wire().await;
    for _ in 0..10 {
        let reply = probe.call("/grpc.health.v1.Health/Check", &[], &[]).await.unwrap();
        assert_eq!(reply.code(), Code::Ok, "{reply:?}");
    }
    for path in ["/live", "/ready", "/stats", "/metrics"] {
        assert_eq!(site.http(path).await.status, 200, "{path}");
    }
}

async fn a_drain_goes_on_while_calls_are_refused(on: Deployment) {
    let site = on.start_with(&[LIMIT[0], ("CACHE_SHUTDOWN_GRACE_SECONDS", "20")]);
    let mut busy = site.wire().await;
    let stalled = fill(&mut busy, &site).await;
    let message = item("k", "v").encode_to_vec();
    let mut wire = site.wire().await;
    let reply = wire.call(SET, &[], &message).await.unwrap();
    assert_eq!(reply.code(), Code::Unavailable);
    let drained = tokio::task::spawn_blocking(move || site.server.shutdown());
    drop((stalled, busy, wire));
    assert_eq!(drained.await.unwrap(), tiny_cache_server::Drained::Complete);
}
