//! A server that sends its connections away, as one that restarts does.

use futures::future::join_all;
use h2::Reason;
use tiny_cache_client::ErrorKind;

use crate::{
    failing, millis, secs,
    server::{Answer, FaultServer, Peer, SETTLED},
    succeeding,
};

#[tokio::test(start_paused = true)]
async fn a_call_that_is_turned_away_moves_at_once_and_without_counting() {
    for answer in [
        Answer::GoAwayBefore(Reason::NO_ERROR),
        Answer::GoAwayBefore(Reason::ENHANCE_YOUR_CALM),
        Answer::Reset(Reason::REFUSED_STREAM),
    ] {
        let server = FaultServer::answering([answer.clone()]);
        let client = server.builder().retries(0).retry_budget(0.0, 0).build().unwrap();
        let took = succeeding(client.get("k")).await;
        assert_eq!((server.attempts(), took), (2, millis(0)), "{answer:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_moves_once() {
    let server = FaultServer::always(Answer::GoAwayBefore(Reason::NO_ERROR));
    let client = server.builder().retries(0).build().unwrap();
    let (error, took) = failing(client.get("k")).await;
    assert_eq!((error.kind(), error.tries()), (ErrorKind::Connection, 1));
    assert_eq!(error.to_string(), "grpc://cache:50051: the server is going away");
    assert_eq!((server.attempts(), server.dials(), took), (2, 2, millis(0)));
    assert!(!error.may_have_been_applied());
}

#[tokio::test(start_paused = true)]
async fn calls_under_way_are_answered_behind_a_goaway() {
    let server = FaultServer::answering([Answer::GoAwayAfter(secs(2))]);
    let client = server.builder().retries(0).build().unwrap();
    let (first, second) = tokio::join!(succeeding(client.get("k")), async {
        tokio::time::sleep(secs(1)).await;
        succeeding(client.get("k")).await
    });
    // The first over the old connection, the second over a new one.
    assert_eq!((first, second), (secs(2), millis(0)));
    let connections: Vec<_> = server.seen().iter().map(|seen| seen.connection).collect();
    assert_eq!(connections, [0, 1]);
    tokio::time::sleep(SETTLED).await;
    assert_eq!(server.open(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_is_sent_away_is_replaced_before_a_call_asks() {
    let server = FaultServer::answering([Answer::Reply, Answer::GoAwayAfter(secs(0))]);
    let client = server.client();
    succeeding(client.get("k")).await;
    tokio::time::sleep(secs(5)).await;
    succeeding(client.get("k")).await;
    tokio::time::sleep(SETTLED).await;
    assert_eq!((server.dials(), server.open()), (2, 1));
    succeeding(client.get("k").retries(0)).await;
    assert_eq!(server.dials(), 2);
}

#[tokio::test(start_paused = true)]
async fn conditional_writes_under_way_survive_a_rolling_restart() {
    let server = FaultServer::default();
    let client = server.client();
    succeeding(client.get("k")).await;
    tokio::time::sleep(secs(5)).await;
    server.answer([
        Answer::after(secs(2), Answer::Reply),
        Answer::after(secs(1), Answer::Reply),
        Answer::GoAwayAfter(secs(1)),
        // The rest of the first connection's calls, which come too late.
    ]);
    let calls = (0..3).map(|_| succeeding(client.compare_and_set("k", "v", "w").retries(0)));
    let took = join_all(calls).await;
    assert_eq!(took, [secs(2), secs(1), secs(1)]);
}

#[tokio::test(start_paused = true)]
async fn only_the_calls_beyond_the_last_stream_move() {
    let server = FaultServer::default();
    let client = server.builder().retries(0).connections(1).build().unwrap();
    succeeding(client.get("k")).await;
    let mut answers = vec![Answer::after(secs(1), Answer::Reply); 99];
    answers.push(Answer::GoAwayBefore(Reason::NO_ERROR));
    server.answer(answers);
    let took = join_all((0..100).map(|_| succeeding(client.get("k")))).await;
    assert_eq!(took.iter().filter(|took| **took == secs(1)).count(), 99);
    let moved = server.seen().iter().filter(|seen| seen.connection == 1).count();
    assert_eq!((moved, server.attempts()), (1, 1 + 100 + 1));
}

/// The call learns of the GOAWAY when the connection's task has read it, and on another thread
/// could look for a connection before that task had marked its own as of no further use. Then
/// it moved from that connection to the same.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_does_not_move_to_the_connection_that_turned_it_away() {
    let server = FaultServer::default();
    let client = server.builder().retries(0).connections(1).build().unwrap();
    for _ in 0..500 {
        server.answer([Answer::GoAwayBefore(Reason::NO_ERROR)]);
        succeeding(client.get("k")).await;
    }
    assert_eq!(server.attempts(), 1_000);
}

/// nginx ends a connection after `keepalive_requests` calls, and turns away what was sent
/// behind them. Among many callers it hit the same call more than once, which then failed.
#[tokio::test(start_paused = true)]
async fn a_proxy_that_ends_connections_after_some_calls_costs_no_error() {
    // The answers come before the next connection is made, or long behind it.
    let (early, late) = (Answer::Reply, Answer::after(millis(50), Answer::Reply));
    for (calls, answer) in [(1, &early), (3, &early), (10, &late), (10, &early), (100, &late)] {
        let server = FaultServer::every_peer(Peer::ServesCalls(calls));
        server.answer_always(answer.clone());
        let client = server.builder().retries(0).retry_budget(0.0, 0).build().unwrap();
        for _ in 0..3 {
            let took = join_all((0..60).map(|_| {
                succeeding(client.compare_and_set("k", "v", "w").total_deadline(secs(10)))
            }));
            assert!(took.await.iter().all(|took| *took < secs(10)));
        }
        // What was turned away was not seen.
        assert_eq!(server.attempts(), 3 * 60);
    }
}

/// A proxy whose connections serve nobody is a server that is not there.
#[tokio::test(start_paused = true)]
async fn a_peer_that_turns_every_call_away_is_not_asked_without_end() {
    let server = FaultServer::always(Answer::GoAwayBefore(Reason::NO_ERROR));
    let client = server.client();
    let (error, took) = failing(client.get("k")).await;
    assert_eq!((error.kind(), error.tries()), (ErrorKind::Connection, 4));
    assert!(took <= secs(1 + 2 + 4) + 10 * SETTLED, "{took:?}");
    assert!(server.attempts() <= 5, "{}", server.attempts());
    assert!(!error.may_have_been_applied());
}
