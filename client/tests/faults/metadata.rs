//! What goes with a call on the wire.

use http::HeaderMap;
use tiny_cache_client::{Client, ErrorKind};

use crate::{
    failing, secs,
    server::{Answer, FaultServer},
    succeeding,
};

/// The headers of the last request.
fn last(server: &FaultServer) -> HeaderMap {
    server.seen().last().unwrap().headers.clone()
}

async fn headers_of(client: &Client, server: &FaultServer) -> HeaderMap {
    succeeding(client.get("k")).await;
    last(server)
}

#[tokio::test(start_paused = true)]
async fn a_call_has_what_grpc_asks_for_and_nothing_else() {
    let server = FaultServer::default();
    let headers = headers_of(&server.client(), &server).await;
    assert_eq!(headers["te"], "trailers");
    assert_eq!(headers["content-type"], "application/grpc");
    assert_eq!(headers["grpc-timeout"], "30000000u");
    let agent = headers["user-agent"].to_str().unwrap();
    assert!(agent.starts_with("tiny-cache-client/"), "{agent}");
    assert_eq!(headers.len(), 4, "{headers:?}");
}

#[tokio::test(start_paused = true)]
async fn the_server_learns_how_long_the_caller_waits() {
    let server = FaultServer::default();
    let client = server.builder().deadline(secs(2)).total_deadline(secs(1)).build().unwrap();
    assert_eq!(headers_of(&client, &server).await["grpc-timeout"], "1000000u");
    succeeding(client.get("k").total_deadline(secs(9))).await;
    assert_eq!(last(&server)["grpc-timeout"], "2000000u");
    succeeding(client.get("k").total_deadline(secs(9)).deadline(secs(3))).await;
    assert_eq!(last(&server)["grpc-timeout"], "3000000u");
}

#[tokio::test(start_paused = true)]
async fn the_namespace_of_a_call_goes_before_that_of_its_client() {
    let server = FaultServer::default();
    let client = server.builder().namespace("team").build().unwrap();
    assert_eq!(headers_of(&client, &server).await["x-cache-namespace"], "team");
    let other = client.in_namespace("other").unwrap();
    assert_eq!(headers_of(&other, &server).await["x-cache-namespace"], "other");
    succeeding(other.get("k").namespace(" third ")).await;
    assert_eq!(last(&server)["x-cache-namespace"], "third");
    succeeding(other.get("k").namespace("")).await;
    assert!(!last(&server).contains_key("x-cache-namespace"));
    let shared = client.in_namespace(" ").unwrap();
    assert!(!headers_of(&shared, &server).await.contains_key("x-cache-namespace"));
}

#[tokio::test(start_paused = true)]
async fn metadata_of_a_call_goes_before_that_of_its_client() {
    let server = FaultServer::default();
    let client = server
        .builder()
        .metadata("authorization", "Bearer of the client")
        .metadata("X-Team", "blue")
        .build()
        .unwrap();
    let call = client.get("k").metadata("authorization", "Bearer of the call");
    succeeding(call.metadata("x-more", "1").request_id("id-7")).await;
    let headers = last(&server);
    assert_eq!(headers["authorization"], "Bearer of the call");
    assert_eq!(headers.get_all("authorization").iter().count(), 1);
    assert_eq!(headers["x-team"], "blue");
    assert_eq!(headers["x-more"], "1");
    assert_eq!(headers["x-request-id"], "id-7");

    let headers = headers_of(&client, &server).await;
    assert_eq!(headers["authorization"], "Bearer of the client");
    assert!(!headers.contains_key("x-request-id"));
}

#[tokio::test(start_paused = true)]
async fn every_try_has_the_same_metadata() {
    let server = FaultServer::answering([Answer::ProxyStatus(tonic::Code::Unavailable)]);
    succeeding(server.client().get("k").request_id("id-7").namespace("team")).await;
    let seen = server.seen();
    assert_eq!(seen.len(), 2);
    assert_eq!(seen[0].headers, seen[1].headers);
    assert_eq!(seen[1].headers["x-request-id"], "id-7");
}

#[tokio::test(start_paused = true)]
async fn all_parts_of_a_batch_have_its_metadata() {
    let server = FaultServer::default();
    let keys: Vec<_> = (0..2_500).map(|n| n.to_string()).collect();
    succeeding(server.client().delete_many(&keys).request_id("id-7").namespace("team")).await;
    assert_eq!(server.attempts(), 3);
    for seen in server.seen() {
        assert_eq!(seen.headers["x-request-id"], "id-7");
        assert_eq!(seen.headers["x-cache-namespace"], "team");
    }
}

/// HTTP/2 forbids some headers, and h2 refused to send the others; that was taken for a
/// connection that has ended, and tried again.
#[tokio::test(start_paused = true)]
async fn metadata_that_cannot_be_sent_is_refused() {
    let server = FaultServer::default();
    let client = server.client();
    for (name, value) in [
        ("te", "trailers"),
        ("content-type", "text/html"),
        ("content-length", "7"),
        ("user-agent", "me"),
        ("host", "cache"),
        ("connection", "close"),
        ("keep-alive", "timeout=5"),
        ("proxy-connection", "close"),
        ("transfer-encoding", "chunked"),
        ("upgrade", "h2c"),
        ("grpc-timeout", "1S"),
        ("grpc-encoding", "gzip"),
        ("trace-bin", "AAAA"),
        ("", "x"),
        ("a b", "x"),
        (":path", "/"),
        ("x-name", "line\nline"),
        ("x-name", "\u{7f}"),
    ] {
        let (error, took) = failing(client.get("k").metadata(name, value)).await;
        assert_eq!((error.kind(), took), (ErrorKind::Validation, secs(0)), "{name}: {error}");
        assert_eq!((error.tries(), error.may_have_been_applied()), (0, false));
        assert!(error.to_string().contains(&format!("`{name}`")), "{error}");
        let error = server.builder().metadata(name, value).build().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Validation);
    }
    assert_eq!((server.attempts(), server.dials()), (0, 0));
}

/// The values may be secret, and a client stands in its user's own `Debug` sooner or later.
#[tokio::test(start_paused = true)]
async fn values_of_metadata_are_not_in_debug() {
    let server = FaultServer::default();
    let builder = server.builder().metadata("authorization", "s3cret").metadata("x-key", "s3cret");
    let client = builder.clone().build().unwrap();
    let request = client.get("k").metadata("x-other", "s3cret");
    let shown = format!("{builder:?} {client:?} {request:?}");
    assert!(shown.contains("x-other") && !shown.contains("s3cret"), "{shown}");
}

mod traces {
    use std::future::IntoFuture;

    use opentelemetry::{
        Context,
        context::FutureExt,
        trace::{SpanContext, SpanId, TraceContextExt, TraceFlags, TraceId, TraceState},
    };

    use super::{FaultServer, last, succeeding};

    fn span(flags: TraceFlags, state: TraceState) -> Context {
        let trace = TraceId::from_hex("0af7651916cd43dd8448eb211c80319c").unwrap();
        let span = SpanId::from_hex("b7ad6b7169203331").unwrap();
        Context::current()
            .with_remote_span_context(SpanContext::new(trace, span, flags, true, state))
    }

    #[tokio::test(start_paused = true)]
    async fn the_active_span_goes_with_the_call() {
        let server = FaultServer::default();
        let client = server.client();
        let state = TraceState::from_key_value([("vendor", "x"), ("other", "y")]).unwrap();
        let call = {
            let _active = span(TraceFlags::SAMPLED, state).attach();
            succeeding(client.get("k").into_future())
        };
        // The span need not be active while the call lasts.
        call.await;
        let parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        assert_eq!(last(&server)["traceparent"], parent);
        assert_eq!(last(&server)["tracestate"], "vendor=x,other=y");

        let call = {
            let _active = span(TraceFlags::NOT_SAMPLED, TraceState::NONE).attach();
            client.get("k").into_future()
        };
        succeeding(call).await;
        let parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00";
        assert_eq!(last(&server)["traceparent"], parent);
        assert!(!last(&server).contains_key("tracestate"));
    }

    /// A span that is wrapped around the call itself is active only while it is polled.
    #[tokio::test(start_paused = true)]
    async fn the_span_that_a_call_is_given_goes_with_it() {
        let server = FaultServer::default();
        let client = server.client();
        let call = client.get("k").into_future();
        let wrapped = call.with_context(span(TraceFlags::SAMPLED, TraceState::NONE));
        succeeding(wrapped).await;
        let parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        assert_eq!(last(&server)["traceparent"], parent);
    }

    #[tokio::test(start_paused = true)]
    async fn without_a_span_there_is_no_context() {
        let server = FaultServer::default();
        succeeding(server.client().get("k")).await;
        let _active =
            Context::current().with_remote_span_context(SpanContext::empty_context()).attach();
        succeeding(server.client().get("k")).await;
        for seen in server.seen() {
            assert!(!seen.headers.contains_key("traceparent"));
            assert!(!seen.headers.contains_key("tracestate"));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_key_goes_along_for_proxies_that_choose_a_server_by_it() {
    let server = FaultServer::default();
    let client = server.builder().namespace("team").key_metadata(true).build().unwrap();
    // base64("team:k")
    assert_eq!(headers_of(&client, &server).await["x-cache-key"], "dGVhbTpr");
    succeeding(client.get("k").namespace("")).await;
    assert_eq!(last(&server)["x-cache-key"], "Oms=");
    succeeding(client.get_many(["k"])).await;
    assert!(!last(&server).contains_key("x-cache-key"));
}
