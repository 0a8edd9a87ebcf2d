//! Calls whose repetition leads to the same: reads, plain writes, deletes.

use futures::future::BoxFuture;
use tiny_cache_client::{Client, ErrorKind, Result};
use tonic::Code;

use crate::{
    failing, millis, secs,
    server::{Answer, FaultServer, Peer, REQUEST_ID, SETTLED, Stage},
    succeeding,
};

/// Every operation that may be repeated.
fn harmless(client: &Client) -> Vec<BoxFuture<'_, Result<()>>> {
    vec![
        Box::pin(async { client.get("k").await.map(drop) }),
        Box::pin(async { client.get_text("k").await.map(drop) }),
        Box::pin(async { client.set("k", "v").await }),
        Box::pin(async { client.delete("k").await }),
        Box::pin(async { client.get_many(["k"]).await.map(drop) }),
        Box::pin(async { client.set_many([("k", "v")]).await.map(drop) }),
        Box::pin(async { client.delete_many(["k"]).await.map(drop) }),
        Box::pin(async { client.stats().await.map(drop) }),
    ]
}

#[tokio::test(start_paused = true)]
async fn a_harmless_call_is_tried_until_the_server_is_available() {
    let server = FaultServer::default();
    let client = server.client();
    for call in harmless(&client) {
        let before = server.attempts();
        server.answer([
            Answer::Status(Code::Unavailable),
            Answer::ProxyStatus(Code::Unavailable),
            Answer::StatusBehindHeaders(Code::Unavailable),
        ]);
        let took = succeeding(call).await;
        assert_eq!(server.attempts() - before, 4);
        assert!(took <= secs(1 + 2 + 4), "{took:?}");
    }
    assert_eq!(server.dials(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_harmless_call_is_tried_again_after_a_deadline() {
    let server = FaultServer::default();
    let client = server.client();
    for call in harmless(&client) {
        let before = server.attempts();
        server.answer([Answer::Never]);
        let took = succeeding(call).await;
        assert_eq!(server.attempts() - before, 2);
        assert!((secs(30)..=secs(31)).contains(&took), "{took:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_harmless_call_is_tried_again_after_its_reply_was_cut() {
    for stage in [Stage::Nothing, Stage::Headers, Stage::HalfOfTheMessage, Stage::Message] {
        let server = FaultServer::default();
        let client = server.client();
        for (n, call) in harmless(&client).into_iter().enumerate() {
            server.answer([Answer::Cut(stage)]);
            let took = succeeding(call).await;
            assert_eq!(server.attempts(), 2 * (n + 1), "{stage:?}");
            assert!(took <= secs(1) + SETTLED, "{took:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_deadline_that_the_server_noticed_is_tried_again() {
    let server = FaultServer::answering([Answer::Status(Code::DeadlineExceeded)]);
    succeeding(server.client().get("k")).await;
    assert_eq!(server.attempts(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_server_may_say_when_it_wants_the_next_try() {
    let server = FaultServer::default();
    let client = server.client();
    for (millis, waited) in [("0", millis(0)), ("700", millis(700)), ("9000", secs(9))] {
        server.answer([Answer::PushedBack(millis)]);
        let took = succeeding(client.get("k")).await;
        assert!((waited..=waited + SETTLED).contains(&took), "{millis}: {took:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_wants_no_other_try_gets_none() {
    for never in ["-1", "later"] {
        let server = FaultServer::always(Answer::PushedBack(never));
        let (error, took) = failing(server.client().get("k")).await;
        assert_eq!((error.kind(), error.tries()), (ErrorKind::Connection, 1));
        assert!(took <= SETTLED, "{took:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_try_that_is_wanted_after_the_calls_end_is_not_waited_for() {
    let server = FaultServer::always(Answer::PushedBack("10000"));
    let client = server.builder().total_deadline(secs(5)).build().unwrap();
    let (error, took) = failing(client.get("k")).await;
    assert_eq!(error.tries(), 1);
    assert!(took <= SETTLED, "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn three_retries_are_made_and_no_more() {
    let server = FaultServer::always(Answer::Status(Code::Unavailable));
    let client = server.client();
    let (error, took) = failing(client.get("k")).await;
    assert_eq!(error.kind(), ErrorKind::Connection);
    assert_eq!((error.tries(), server.attempts()), (4, 4));
    assert_eq!(error.to_string(), "grpc://cache:50051: as the script says (after 4 tries)");
    assert_eq!(error.request_id(), Some(REQUEST_ID));
    assert!(error.may_have_been_applied());
    assert!(took <= secs(1 + 2 + 4), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn pauses_are_drawn_from_nothing_to_the_doubling_limit() {
    let server = FaultServer::always(Answer::Status(Code::Unavailable));
    let client = server.builder().retry_budget(10.0, 1_000).build().unwrap();
    let mut longest = [millis(0); 3];
    let mut shortest = [secs(9); 3];
    for _ in 0..200 {
        let before = server.attempts();
        let _ = failing(client.get("k")).await;
        let at: Vec<_> = server.seen()[before..].iter().map(|seen| seen.at).collect();
        for n in 0..3 {
            let pause = at[n + 1] - at[n];
            longest[n] = longest[n].max(pause);
            shortest[n] = shortest[n].min(pause);
        }
    }
    for (n, limit) in [secs(1), secs(2), secs(4)].into_iter().enumerate() {
        // The clock has milliseconds, and rounds up.
        assert!(longest[n] <= limit + SETTLED, "{longest:?}");
        // Each bound is missed once in 10^9 runs at the most: 0.9^200.
        assert!(longest[n] > limit.mul_f64(0.9), "{longest:?}");
        assert!(shortest[n] < limit.mul_f64(0.1), "{shortest:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn against_a_dead_server_every_pause_is_used_to_its_end() {
    let server = FaultServer::every_peer(Peer::Refuses);
    let client = server.client();
    let (error, took) = failing(client.get("k")).await;
    assert_eq!(error.kind(), ErrorKind::Connection);
    assert_eq!(error.tries(), 4);
    assert!(!error.may_have_been_applied());
    assert_eq!(
        error.to_string(),
        "cannot connect to grpc://cache:50051: connection refused (after 4 tries)"
    );
    assert!((secs(7)..=secs(7) + 4 * SETTLED).contains(&took), "{took:?}");
    // Pauses between dials grow to half a second, of which at least the half is waited.
    assert!((4..=60).contains(&server.dials()), "{}", server.dials());
}

#[tokio::test(start_paused = true)]
async fn a_server_that_is_back_before_the_pauses_are_over_costs_no_error() {
    let server = FaultServer::every_peer(Peer::Refuses);
    let client = server.client();
    let back = async {
        tokio::time::sleep(millis(6_900)).await;
        server.peer_always(Peer::Serves);
    };
    let (took, ()) = tokio::join!(succeeding(client.get("k")), back);
    assert!((millis(6_900)..=secs(7)).contains(&took), "{took:?}");
    assert_eq!(server.attempts(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_call_with_no_retries_is_tried_once() {
    for answer in [
        Answer::Status(Code::Unavailable),
        Answer::Cut(Stage::Headers),
        Answer::Never,
        Answer::Status(Code::DeadlineExceeded),
    ] {
        let server = FaultServer::always(answer);
        let (error, took) = failing(server.client().get("k").retries(0)).await;
        assert_eq!((error.tries(), server.attempts()), (1, 1));
        assert!(!error.to_string().contains("tries"), "{error}");
        assert!(took <= secs(30), "{took:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_settings_of_a_call_go_before_those_of_the_client() {
    let server = FaultServer::always(Answer::Never);
    let client = server
        .builder()
        .retries(0)
        .deadline(secs(1))
        .first_backoff(secs(60))
        .longest_backoff(secs(60))
        .build()
        .unwrap();
    let (error, took) = failing(client.get("k")).await;
    assert_eq!((error.tries(), took), (1, secs(1)));

    let call = client.get("k").retries(2).deadline(secs(2));
    let (error, took) = failing(call.first_backoff(millis(0)).longest_backoff(millis(0))).await;
    assert_eq!((error.tries(), took), (3, secs(6)));

    // And leave them as they were.
    let (error, took) = failing(client.get("k")).await;
    assert_eq!((error.tries(), took), (1, secs(1)));
}

#[tokio::test(start_paused = true)]
async fn the_longest_pause_bounds_every_pause() {
    let server = FaultServer::every_peer(Peer::Refuses);
    let client = server.client();
    let (error, took) = failing(client.get("k").retries(6).longest_backoff(secs(3))).await;
    assert_eq!(error.tries(), 7);
    let limits = secs(1 + 2 + 3 + 3 + 3 + 3);
    assert!((limits..=limits + 7 * SETTLED).contains(&took), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn other_statuses_are_not_tried_again() {
    for (code, kind, applied) in [
        (Code::Cancelled, ErrorKind::Other, true),
        (Code::Unknown, ErrorKind::Internal, true),
        (Code::InvalidArgument, ErrorKind::InvalidArgument, false),
        (Code::NotFound, ErrorKind::Other, true),
        (Code::AlreadyExists, ErrorKind::Other, true),
        (Code::PermissionDenied, ErrorKind::PermissionDenied, false),
        (Code::ResourceExhausted, ErrorKind::ResourceExhausted, false),
        (Code::FailedPrecondition, ErrorKind::Other, true),
        (Code::Aborted, ErrorKind::Other, true),
        (Code::OutOfRange, ErrorKind::ResourceExhausted, false),
        (Code::Unimplemented, ErrorKind::Unimplemented, false),
        (Code::Internal, ErrorKind::Internal, true),
        (Code::DataLoss, ErrorKind::Internal, true),
        (Code::Unauthenticated, ErrorKind::Unauthenticated, false),
    ] {
        for answer in [Answer::Status(code), Answer::StatusBehindHeaders(code)] {
            let server = FaultServer::always(answer);
            let (error, took) = failing(server.client().get("k")).await;
            assert_eq!((error.kind(), error.may_have_been_applied()), (kind, applied), "{code}");
            assert_eq!((error.tries(), server.attempts(), took), (1, 1, secs(0)), "{code}");
            assert_eq!(error.request_id(), Some(REQUEST_ID));
        }
    }
}

/// The first try was executed and its reply lost, and the others were refused. The error was
/// made of the last try alone, and said that nothing had been done.
#[tokio::test(start_paused = true)]
async fn a_lost_reply_is_not_forgotten_when_the_retries_are_refused() {
    let server = FaultServer::answering([Answer::Cut(Stage::Headers)]);
    server.peer([Peer::Serves]);
    server.peer_always(Peer::Refuses);
    let (error, _) = failing(server.client().set("k", "v")).await;
    assert_eq!((error.kind(), error.tries()), (ErrorKind::Connection, 4));
    assert!(error.may_have_been_applied());

    let server = FaultServer::answering([Answer::Never, Answer::Status(Code::ResourceExhausted)]);
    let (error, _) = failing(server.client().set("k", "v")).await;
    assert_eq!((error.kind(), error.tries()), (ErrorKind::ResourceExhausted, 2));
    assert!(error.may_have_been_applied());
}

#[tokio::test(start_paused = true)]
async fn a_text_of_several_lines_becomes_one() {
    // Percent-encoded, as gRPC has it.
    let server = FaultServer::always(Answer::StatusText(Code::Internal, "one%0Atwo%0D%0Athree"));
    let (error, _) = failing(server.client().get("k")).await;
    assert_eq!(error.to_string(), r"grpc://cache:50051: one\ntwo\r\nthree");
    let (error, _) = failing(server.client().get("")).await;
    assert_eq!(error.tries(), 0);
    let (error, _) = failing(server.client().get(&"\n".repeat(300))).await;
    assert_eq!(error.kind(), ErrorKind::Validation);
}
