//! Replies that are none, and good ones that come in an odd shape.

use bytes::Bytes;
use h2::Reason;
use tiny_cache_client::ErrorKind;
use tiny_cache_proto::cache::{CacheResponse, ConditionalCacheResponse, MultiCacheValueResponse};

use crate::{
    failing, secs,
    server::{Answer, FaultServer, Raw, found, framed},
    succeeding,
};

/// What a call makes of this reply: nothing that is tried again.
async fn bad(raw: Raw) -> String {
    let server = FaultServer::answering([Answer::Raw(raw)]);
    let client = server.client();
    let (error, took) = failing(client.get("k")).await;
    assert_eq!((error.kind(), took), (ErrorKind::Internal, secs(0)), "{error}");
    assert_eq!((error.tries(), server.attempts()), (1, 1), "{error}");
    assert!(error.may_have_been_applied());
    // The connection is as good as before.
    succeeding(client.get("k")).await;
    assert_eq!(server.dials(), 1);
    error.to_string().strip_prefix("grpc://cache:50051: ").unwrap().to_owned()
}

#[tokio::test(start_paused = true)]
async fn a_reply_without_trailers_is_none() {
    let raw = Raw { trailers: None, ..Raw::message([found("value")]) };
    assert_eq!(bad(raw).await, "the reply has no grpc-status");
    let raw = Raw { trailers: None, ..Raw::message([]) };
    assert_eq!(bad(raw).await, "the reply has no grpc-status");
}

#[tokio::test(start_paused = true)]
async fn trailers_without_a_status_are_none() {
    let raw = Raw { trailers: Some(vec![("x", "y")]), ..Raw::message([found("value")]) };
    assert_eq!(bad(raw).await, "the reply has no grpc-status");
}

#[tokio::test(start_paused = true)]
async fn a_reply_needs_a_message() {
    assert_eq!(bad(Raw::message([])).await, "bad reply: it has no message");
    // In one block of headers, too.
    let mut raw = Raw { trailers: None, ..Raw::message([]) };
    raw.headers.push(("grpc-status", "0"));
    assert_eq!(bad(raw).await, "bad reply: it has no message");
}

#[tokio::test(start_paused = true)]
async fn a_reply_of_another_content_type_is_none() {
    assert!(bad(Raw::http(200)).await.contains("text/html"));
    let raw = Raw { headers: Vec::new(), ..Raw::message([found("value")]) };
    assert!(bad(raw).await.contains("content type"));
}

#[tokio::test(start_paused = true)]
async fn a_message_must_be_one() {
    assert!(bad(Raw::message([framed(&"garbage".to_owned())])).await.starts_with("bad reply: "));
    let garbage = Bytes::from_static(&[0, 0, 0, 0, 3, 0xff, 0xff, 0xff]);
    assert!(bad(Raw::message([garbage])).await.starts_with("bad reply: "));
    let short = found("value").slice(..6);
    assert_eq!(bad(Raw::message([short])).await, "bad reply: it ends within the message");
    let shorter = found("value").slice(..3);
    let text = bad(Raw::message([shorter])).await;
    assert_eq!(text, "bad reply: it ends within the message's length");
}

#[tokio::test(start_paused = true)]
async fn a_compressed_message_was_not_asked_for() {
    let mut message = found("value").to_vec();
    message[0] = 1;
    let text = bad(Raw::message([message.into()])).await;
    assert_eq!(text, "bad reply: its message is compressed, but the client accepts no compression");
}

#[tokio::test(start_paused = true)]
async fn two_messages_are_one_too_many() {
    let text = "bad reply: it has more than one message";
    assert_eq!(bad(Raw::message([found("one"), found("two")])).await, text);
    let joined = [found("one"), found("two")].concat();
    assert_eq!(bad(Raw::message([joined.clone().into()])).await, text);
    // The second one in the middle of a frame.
    let (head, tail) = (&joined[..9], &joined[9..]);
    let parts = [head, tail].map(Bytes::copy_from_slice);
    assert_eq!(bad(Raw::message(parts)).await, text);
}

#[tokio::test(start_paused = true)]
async fn a_reply_beyond_the_limit_is_refused_before_it_is_received() {
    let server = FaultServer::default();
    let client = server.builder().max_reply_bytes(1_000).build().unwrap();
    // 1,000 bytes: two for `found`, three before the value.
    server.answer([Answer::Raw(Raw::message([found(vec![7; 995])]))]);
    assert_eq!(client.get("k").await.unwrap().unwrap().len(), 995);
    // What is refused goes back to the connection's window of 32 MiB, or soon nothing moves.
    for _ in 0..100 {
        server.answer([Answer::Raw(Raw::message([found(vec![7; 1 << 20])]))]);
        let (error, _) = failing(client.get("k")).await;
        assert_eq!(error.kind(), ErrorKind::ResourceExhausted);
        assert!(error.to_string().ends_with("bytes; max_reply_bytes allows 1000"), "{error}");
    }
    assert_eq!(succeeding(client.get("k")).await, secs(0));
    assert_eq!(server.dials(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_reply_may_come_in_any_number_of_frames() {
    let value: Bytes = (0..3_000).map(|n| n as u8).collect();
    let message = found(value.clone());
    for size in [1, 2, 3, 4, 5, 6, 7, 100, 2_999] {
        let mut frames: Vec<_> = message.chunks(size).map(Bytes::copy_from_slice).collect();
        // Empty frames are allowed, if odd.
        for place in [0, frames.len() / 2, frames.len()] {
            frames.insert(place, Bytes::new());
        }
        let server = FaultServer::always(Answer::Raw(Raw::message(frames)));
        assert_eq!(server.client().get("k").await.unwrap().unwrap(), value, "{size}");
    }
}

#[tokio::test(start_paused = true)]
async fn slow_headers_are_waited_for() {
    let server = FaultServer::always(Answer::after(secs(29), Answer::Reply));
    assert_eq!(succeeding(server.client().get("k")).await, secs(29));
}

#[tokio::test(start_paused = true)]
async fn http_errors_are_what_grpc_makes_of_them() {
    for (status, kind, attempts) in [
        (400, ErrorKind::Internal, 1),
        (401, ErrorKind::Unauthenticated, 1),
        (403, ErrorKind::PermissionDenied, 1),
        (404, ErrorKind::Unimplemented, 1),
        (418, ErrorKind::Internal, 1),
        (429, ErrorKind::Connection, 4),
        (502, ErrorKind::Connection, 4),
        (503, ErrorKind::Connection, 4),
        (504, ErrorKind::Connection, 4),
    ] {
        let server = FaultServer::always(Answer::Raw(Raw::http(status)));
        let (error, _) = failing(server.client().get("k")).await;
        assert_eq!((error.kind(), server.attempts()), (kind, attempts), "{status}");
        assert!(error.to_string().contains(&format!("HTTP status {status}")), "{error}");
    }
}

#[tokio::test(start_paused = true)]
async fn resets_are_what_grpc_makes_of_them() {
    for (reason, kind, attempts) in [
        (Reason::NO_ERROR, ErrorKind::Internal, 1),
        (Reason::PROTOCOL_ERROR, ErrorKind::Internal, 1),
        (Reason::INTERNAL_ERROR, ErrorKind::Internal, 1),
        (Reason::CANCEL, ErrorKind::Other, 1),
        (Reason::ENHANCE_YOUR_CALM, ErrorKind::ResourceExhausted, 1),
        (Reason::INADEQUATE_SECURITY, ErrorKind::PermissionDenied, 1),
        // One move, then four that count.
        (Reason::REFUSED_STREAM, ErrorKind::Connection, 5),
    ] {
        let server = FaultServer::always(Answer::Reset(reason));
        let (error, _) = failing(server.client().get("k")).await;
        assert_eq!((error.kind(), server.attempts()), (kind, attempts), "{reason:?}");
        assert!(error.to_string().contains(": the server ended the call: "), "{error}");
        assert_eq!(server.dials(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_status_that_the_contract_does_not_have_is_a_bad_reply() {
    let reply = |message| FaultServer::always(Answer::Raw(Raw::message([message])));
    let ended = |error: tiny_cache_client::Error| (error.kind(), error.to_string());

    let server = reply(framed(&CacheResponse { status: 7 }));
    let error = server.client().set("k", "v").await.unwrap_err();
    assert_eq!(ended(error).1, "bad reply: status 7 is not known");
    let error = server.client().delete("k").await.unwrap_err();
    assert_eq!(ended(error).0, ErrorKind::Internal);

    // NOT_FOUND answers a compare-and-set, EXISTS a set-if-absent.
    let server = reply(framed(&ConditionalCacheResponse { status: 3 }));
    let error = server.client().set_if_absent("k", "v").await.unwrap_err();
    assert!(error.may_have_been_applied());
    assert_eq!(ended(error), (ErrorKind::Internal, "bad reply: status 3 is not known".into()));
    let server = reply(framed(&ConditionalCacheResponse { status: 2 }));
    let error = server.client().compare_and_set("k", "v", "w").await.unwrap_err();
    assert!(error.may_have_been_applied());

    let server = reply(framed(&MultiCacheValueResponse::default()));
    let error = server.client().get_many(["a", "b"]).await.unwrap_err();
    assert_eq!(ended(error).1, "bad reply: 0 items for 2 requested");
}
