//! What holds of every RPC of the second service as of those of the first: namespaces, request ids,
//! quotas of requests, metrics and deadlines.

use tonic::Code;

use crate::support::{
    Deployment,
    messages::{item, read, second_calls, within, write},
    scrape::Scrape,
};

crate::rows![
    a_namespace_holds_for_the_second_service_too,
    every_call_is_counted_by_method_and_status,
    every_reply_has_the_request_id_and_errors_are_trailers_only,
    a_call_that_is_late_is_not_carried_out,
    what_is_no_message_is_refused,
];

async fn a_namespace_holds_for_the_second_service_too(on: Deployment) {
    let site = on.start();
    let (mut cache, mut second) = (site.connect().await, site.second().await);
    second.write(within("team", write("k", "theirs"))).await.unwrap();
    cache.set(item("k", "ours")).await.unwrap();
    for (namespace, value) in [("", "ours"), ("team", "theirs"), ("other", "")] {
        let found = second.read(within(namespace, read("k"))).await.unwrap().into_inner();
        assert_eq!(found.value, value, "{namespace:?}");
    }
    let refused = second.read(within("-", read("k"))).await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument);
}

async fn every_call_is_counted_by_method_and_status(on: Deployment) {
    let site = on.start();
    let mut wire = site.wire().await;
    for call in second_calls() {
        let reply = wire.call(&call.path(), &[], &call.message).await.unwrap();
        assert_eq!(reply.code(), Code::Ok, "{}: {reply:?}", call.rpc);
    }
    let scrape = Scrape::of(&site).await;
    for call in second_calls() {
        let method = &call.path()[1..];
        assert!((scrape.calls(method, "OK") - 1.0).abs() < 1e-9, "{method}");
    }
}

async fn every_reply_has_the_request_id_and_errors_are_trailers_only(on: Deployment) {
    let site = on.start();
    let mut wire = site.wire().await;
    let id = [("x-request-id", &b"mine"[..])];
    for call in second_calls() {
        let reply = wire.call(&call.path(), &id, &call.message).await.unwrap();
        assert_eq!(reply.initial("x-request-id"), Some("mine"), "{}", call.rpc);
        assert!(!reply.headers_ended_it);
    }
    let refused = wire.call("/tinycache.v1.Cache/Read", &id, &[]).await.unwrap();
    assert_eq!(refused.code(), Code::InvalidArgument);
    assert_eq!(refused.initial("x-request-id"), Some("mine"));
    assert!(refused.headers_ended_it);
}

async fn a_call_that_is_late_is_not_carried_out(on: Deployment) {
    let site = on.start();
    let mut wire = site.wire().await;
    for call in second_calls() {
        let reply = wire.call(&call.path(), &[("grpc-timeout", b"0n")], &call.message).await;
        assert_eq!(reply.unwrap().code(), Code::DeadlineExceeded, "{}", call.rpc);
    }
    let found = site.second().await.read(read("every-call")).await.unwrap().into_inner();
    assert_eq!(found.version, 0);
}

async fn what_is_no_message_is_refused(on: Deployment) {
    let site = on.start();
    let mut wire = site.wire().await;
    for call in second_calls() {
        let reply = wire.call(&call.path(), &[], &[0xff; 20]).await.unwrap();
        assert_ne!(reply.code(), Code::Ok, "{}", call.rpc);
    }
    let reply = wire.call("/tinycache.v1.Cache/Peek", &[], &[]).await.unwrap();
    let text = "no such method of tinycache.v1.Cache on this server";
    assert_eq!((reply.code(), reply.status.message()), (Code::Unimplemented, text));
}
