//! Connections that do not come about, or not for long.

use futures::future::join_all;
use tiny_cache_client::ErrorKind;
use tonic_health::pb::{HealthCheckResponse, health_check_response::ServingStatus};

use crate::{
    failing, millis, secs,
    server::{Answer, FaultServer, Peer, Raw, SETTLED, Stage, framed},
    succeeding,
};

#[tokio::test(start_paused = true)]
async fn a_peer_that_says_nothing_is_given_up_after_the_connect_timeout() {
    for peer in [Peer::Silent, Peer::NeverThere] {
        let server = FaultServer::every_peer(peer);
        let begin = tokio::time::Instant::now();
        let error = server.builder().connect().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Connection);
        assert_eq!(error.to_string(), "cannot connect to grpc://cache:50051: no answer within 5s");
        assert_eq!((begin.elapsed(), error.tries()), (secs(5), 1));

        let client = server.builder().connect_timeout(secs(2)).retries(0).build().unwrap();
        let (error, took) = failing(client.get("k")).await;
        assert_eq!((error.kind(), took), (ErrorKind::Connection, secs(2)));
        assert!(!error.may_have_been_applied());
    }
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_does_not_speak_http2_is_named() {
    for words in [
        &b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n"[..],
        // A TLS alert: "unexpected message".
        &[0x15, 3, 3, 0, 2, 2, 10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
    ] {
        let server = FaultServer::every_peer(Peer::Says(words));
        let (error, _) = failing(server.builder().connect()).await;
        assert_eq!(error.kind(), ErrorKind::Connection);
        let text = error.to_string();
        assert!(text.contains("no HTTP/2 from the server"), "{text}");
        assert!(text.ends_with("if the server speaks TLS, write grpcs://"), "{text}");
    }
}

#[tokio::test(start_paused = true)]
async fn connecting_does_not_try_twice() {
    let server = FaultServer::peers([Peer::Refuses]);
    let (error, took) = failing(server.builder().connect()).await;
    assert_eq!((error.kind(), took), (ErrorKind::Connection, millis(0)));
    assert_eq!(error.to_string(), "cannot connect to grpc://cache:50051: connection refused");
    assert_eq!(server.dials(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_built_client_connects_with_its_first_call() {
    let server = FaultServer::default();
    let client = server.client();
    tokio::time::sleep(secs(60)).await;
    assert_eq!(server.dials(), 0);
    succeeding(client.get("k")).await;
    assert_eq!(server.dials(), 1);
}

#[tokio::test(start_paused = true)]
async fn callers_share_the_dial_that_is_under_way() {
    let server = FaultServer::peers([Peer::After(secs(1))]);
    let client = server.client();
    let took = join_all((0..50).map(|_| succeeding(client.get("k")))).await;
    assert!(took.iter().all(|took| *took == secs(1)), "{took:?}");
    // One for all, and the second connection, since the first was busy then.
    assert_eq!((server.dials(), server.attempts()), (2, 50));
}

#[tokio::test(start_paused = true)]
async fn a_dial_goes_on_when_the_caller_who_began_it_has_gone() {
    let server = FaultServer::peers([Peer::After(secs(3))]);
    let client = server.client();
    let (_, second) = tokio::join!(
        failing(client.get("k").deadline(secs(1)).retries(0)),
        succeeding(client.get("k")),
    );
    assert_eq!((second, server.dials()), (secs(3), 1));
}

/// A server with no room, or a proxy with nothing behind it, closes what it has accepted.
#[tokio::test(start_paused = true)]
async fn a_server_that_hangs_up_at_once_is_not_dialled_again_and_again() {
    let server = FaultServer::every_peer(Peer::HangsUp);
    let client = server.client();
    let (error, took) = failing(client.get("k")).await;
    assert_eq!(error.kind(), ErrorKind::Connection);
    assert!(took <= secs(7) + 10 * SETTLED, "{took:?}");
    assert!(server.dials() <= 2 * 4 + 1, "{}", server.dials());
    assert_eq!(server.attempts(), 0);

    // Nor when nobody calls.
    let before = server.dials();
    tokio::time::sleep(secs(600)).await;
    assert_eq!((server.dials(), server.open()), (before, 0));
}

#[tokio::test(start_paused = true)]
async fn a_server_that_cuts_every_call_is_dialled_once_for_each_try() {
    let server = FaultServer::always(Answer::Cut(Stage::Nothing));
    let client = server.client();
    let (error, _) = failing(client.get("k")).await;
    assert_eq!((error.kind(), error.tries()), (ErrorKind::Connection, 4));
    assert!(error.to_string().starts_with("grpc://cache:50051: the connection broke: "), "{error}");
    tokio::time::sleep(secs(60)).await;
    assert_eq!(server.attempts(), 4);
    assert!((4..=5).contains(&server.dials()), "{}", server.dials());
}

/// A server that takes one connection of each client refused the second again and again: every
/// call that found the first one busy tried once more to open it.
#[tokio::test(start_paused = true)]
async fn a_second_connection_that_fails_is_not_tried_for_every_call() {
    for peer in [Peer::Refuses, Peer::HangsUp] {
        let server = FaultServer::always(Answer::after(millis(10), Answer::Reply));
        server.peer([Peer::Serves]);
        server.peer_always(peer.clone());
        let client = server.client();
        for _ in 0..300 {
            join_all((0..3).map(|_| succeeding(client.get("k")))).await;
        }
        // Three seconds have passed.
        assert!(server.dials() <= 1 + 5, "{peer:?}: {}", server.dials());
        assert_eq!(server.attempts(), 900);
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_waits_until_the_server_is_ready() {
    use tiny_cache_client::Health;
    use tonic::Code;

    let server = FaultServer::peers([Peer::Refuses, Peer::Refuses]);
    server.answer_health([Answer::Status(Code::NotFound), Answer::Status(Code::Unavailable)]);
    let begin = tokio::time::Instant::now();
    let client = server.builder().ready_within(secs(1)).connect().await.unwrap();
    // A pause of 50 ms after each of the four.
    assert_eq!(begin.elapsed(), 4 * millis(50));
    assert_eq!(client.health().await.unwrap(), Health::Serving);

    // A server without health is taken as it is.
    let server = FaultServer::default();
    server.answer_health_always(Answer::Status(Code::Unimplemented));
    server.builder().ready_within(secs(1)).connect().await.unwrap();

    let server = FaultServer::default();
    server.answer_health_always(Answer::Never);
    let begin = tokio::time::Instant::now();
    let error = server.builder().ready_within(secs(1)).connect().await.unwrap_err();
    assert_eq!((error.kind(), begin.elapsed()), (ErrorKind::Timeout, secs(1)));
    assert_eq!(error.to_string(), "grpc://cache:50051 is not ready within 1s: no answer");

    let server = FaultServer::every_peer(Peer::Refuses);
    let error = server.builder().ready_within(secs(1)).connect().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout);
    assert!(error.to_string().ends_with("connection refused"), "{error}");

    for (health, cause) in [
        (ServingStatus::NotServing, "it takes no calls yet"),
        (ServingStatus::Unknown, "it does not know its health"),
    ] {
        let server = FaultServer::default();
        let reply = framed(&HealthCheckResponse { status: health.into() });
        server.answer_health_always(Answer::Raw(Raw::message([reply])));
        let error = server.builder().ready_within(secs(1)).connect().await.unwrap_err();
        let expected = format!("grpc://cache:50051 is not ready within 1s: {cause}");
        assert_eq!((error.kind(), error.to_string()), (ErrorKind::Timeout, expected));
    }
}
