//! What is no gRPC call is refused as HTTP, and not carried out; what decides something in a
//! call is there once.

use http::{HeaderValue, Method, Request, StatusCode};
use prost::Message;
use tiny_cache_proto::cache::CacheValue;
use tonic::Code;

use crate::support::{
    Deployment, Site,
    messages::{Call, item, key},
    wire::{call, framed},
};

const SET: &str = "/cache.CacheService/Set";

crate::rows![
    only_a_post_is_a_call,
    another_content_type_is_no_call,
    metadata_that_decides_something_is_there_once,
    a_timeout_that_is_none_is_refused,
];

/// Whether `k` has been written.
async fn is_written(site: &Site) -> bool {
    let get = Call::new("Get", &key("k"));
    let reply = site.wire().await.call(&get.path(), &[], &get.message).await.unwrap();
    reply.decoded::<CacheValue>().found
}

/// A Set of `k`, to be changed.
fn set() -> Request<()> {
    call(SET)
}

async fn only_a_post_is_a_call(on: Deployment) {
    let site = on.start();
    let mut wire = site.wire().await;
    let body = framed(false, &item("k", "v").encode_to_vec());
    for method in ["GET", "PUT", "HEAD", "OPTIONS", "DELETE", "PATCH", "TRACE", "post", "ASK"] {
        for pieces in [&[body.clone()][..], &[]] {
            let mut request = set();
            *request.method_mut() = Method::from_bytes(method.as_bytes()).unwrap();
            request.headers_mut().insert("x-request-id", HeaderValue::from_static("mine"));
            let sent = wire.send(request, pieces, None).await.unwrap();
            let response = sent.http().await.unwrap();
            assert_eq!(response.status(), StatusCode::METHOD_NOT_ALLOWED, "{method}");
            assert_eq!(response.headers()["allow"], "POST", "{method}");
            assert_eq!(response.headers()["x-request-id"], "mine", "{method}");
            assert_eq!(response.headers()["grpc-status"], "3", "{method}");
        }
    }
    assert!(!is_written(&site).await);
}

async fn another_content_type_is_no_call(on: Deployment) {
    let site = on.start();
    let mut wire = site.wire().await;
    let body = framed(false, &item("k", "v").encode_to_vec());
    let kinds = ["", "text/plain", "application/json", "application/grpc-web+proto", "grpc"];
    for kind in kinds.map(Some).into_iter().chain([None]) {
        for method in [Method::POST, Method::GET, Method::OPTIONS] {
            let mut request = set();
            *request.method_mut() = method.clone();
            match kind {
                Some(kind) => {
                    request.headers_mut().insert("content-type", kind.parse().unwrap());
                }
                None => drop(request.headers_mut().remove("content-type")),
            }
            let sent = wire.send(request, std::slice::from_ref(&body), None).await.unwrap();
            let response = sent.http().await.unwrap();
            let status = StatusCode::UNSUPPORTED_MEDIA_TYPE;
            assert_eq!(response.status(), status, "{method} {kind:?}");
            assert!(!response.headers()["x-request-id"].is_empty(), "{method} {kind:?}");
        }
    }
    assert!(!is_written(&site).await);
    for kind in ["application/grpc+proto", "application/grpc;charset=utf-8"] {
        let mut request = set();
        request.headers_mut().insert("content-type", HeaderValue::from_static(kind));
        let sent = wire.send(request, std::slice::from_ref(&body), None).await.unwrap();
        assert_eq!(sent.reply().await.unwrap().code(), Code::Ok, "{kind}");
    }
}

/// Passed over, `1S,5S`, which a proxy makes of two that repeat, was no deadline at all.
async fn a_timeout_that_is_none_is_refused(on: Deployment) {
    let site = on.start();
    let mut wire = site.wire().await;
    let body = framed(false, &item("k", "v").encode_to_vec());
    for timeout in ["1S,5S", "100ms", "0.1S", "100 m", "-1S", "123456789S", "5", "S", ""] {
        let mut request = set();
        request.headers_mut().insert("grpc-timeout", HeaderValue::from_static(timeout));
        let sent = wire.send(request, std::slice::from_ref(&body), None).await.unwrap();
        let reply = sent.reply().await.unwrap();
        assert_eq!(reply.code(), Code::InvalidArgument, "{timeout:?} {reply:?}");
        assert!(reply.status.message().contains("one to eight digits and a unit"), "{reply:?}");
    }
    assert!(!is_written(&site).await);
}

/// A proxy appends what it vouches for, and the caller's own came before it.
async fn metadata_that_decides_something_is_there_once(on: Deployment) {
    let site = on.start();
    let mut wire = site.wire().await;
    let body = framed(false, &item("k", "v").encode_to_vec());
    for (name, values) in [
        ("x-cache-namespace", ["of-the-caller", "of-the-proxy"]),
        ("x-cache-namespace", ["team", "team"]),
        ("x-cache-namespace", ["", "team"]),
        ("x-cache-namespace", ["team", " "]),
        ("authorization", ["Bearer a", "Bearer b"]),
        ("grpc-timeout", ["1S", "10S"]),
        ("grpc-encoding", ["identity", "gzip"]),
        ("content-type", ["application/grpc", "text/plain"]),
    ] {
        for path in [SET, "/grpc.health.v1.Health/Check"] {
            let mut request = call(path);
            request.headers_mut().remove(name);
            for value in values {
                request.headers_mut().append(name, HeaderValue::from_static(value));
            }
            let sent = wire.send(request, std::slice::from_ref(&body), None).await.unwrap();
            let reply = sent.reply().await.unwrap();
            assert_eq!(reply.code(), Code::InvalidArgument, "{path} {name} {reply:?}");
            assert_eq!(reply.status.message(), format!("{name} has more than one value"));
        }
    }
    assert!(!is_written(&site).await);

    // What decides nothing may come twice.
    let mut request = set();
    for (name, value) in [
        ("x-request-id", "first"),
        ("x-request-id", "second"),
        ("x-forwarded-for", "10.0.0.1"),
        ("x-forwarded-for", "10.0.0.2"),
        ("te", "trailers"),
        ("grpc-accept-encoding", "gzip"),
        ("grpc-accept-encoding", "identity"),
    ] {
        request.headers_mut().append(name, HeaderValue::from_static(value));
    }
    let reply = wire.send(request, &[body], None).await.unwrap().reply().await.unwrap();
    assert_eq!(reply.code(), Code::Ok, "{reply:?}");
    assert_eq!(reply.initial("x-request-id"), Some("first"));
}
