//! The periodic check of the connections, and pings.

use std::time::Duration;

use futures::future::join_all;
use tiny_cache_client::Health;
use tokio::time::{Instant, sleep};
use tonic::Code;

use crate::{
    millis, secs,
    server::{Answer, FaultServer, Peer, SETTLED, Stage},
    succeeding,
};

/// The interval's default.
const INTERVAL: Duration = Duration::from_secs(30);

#[tokio::test(start_paused = true)]
async fn a_connection_that_does_not_answer_is_replaced_after_five_seconds() {
    let server = FaultServer::default();
    let begin = Instant::now();
    let client = server.builder().health_check_interval(INTERVAL).build().unwrap();
    succeeding(client.get("k")).await;
    server.answer_health([Answer::Never]);
    sleep(INTERVAL + secs(5) - SETTLED).await;
    assert_eq!(server.dials(), 1);
    sleep(2 * SETTLED).await;
    assert_eq!(server.dials(), 2);
    succeeding(client.get("k")).await;
    assert_eq!(server.seen()[1].connection, 1);
    assert_eq!(server.open(), 1);

    // The next one is asked in its own turn, and kept.
    sleep(secs(65)).await;
    let checks: Vec<_> =
        server.checks().iter().map(|seen| ((seen.at - begin).as_secs(), seen.connection)).collect();
    assert_eq!(checks, [(30, 0), (65, 1), (95, 1)]);
    assert_eq!(server.dials(), 2);
}

/// A node that is gone without a word leaves connections that look alive. Every retry went
/// back to them, until the next health check found out half a minute later.
#[tokio::test(start_paused = true)]
async fn a_connection_on_which_nothing_comes_back_is_checked_at_once() {
    let server = FaultServer::peers([Peer::Stalls]);
    let client = server.builder().deadline(millis(100)).build().unwrap();
    // The first try ends after 100 ms, and the check of the connection two seconds later;
    // until then another connection is preferred, which the second try opens.
    let took = succeeding(client.get("k")).await;
    assert!(took <= secs(7), "{took:?}");
    assert_ne!(server.seen().last().unwrap().connection, 0);
}

/// A call that is slow by itself says nothing about its connection.
#[tokio::test(start_paused = true)]
async fn a_connection_that_answers_other_calls_is_not_suspected() {
    let server = FaultServer::answering([Answer::Never]);
    let client = server.builder().connections(1).retries(0).build().unwrap();
    let slow = crate::failing(client.get("slow").deadline(secs(2)));
    let other = async {
        sleep(secs(1)).await;
        succeeding(client.get("k")).await
    };
    tokio::join!(slow, other);
    sleep(secs(10)).await;
    assert_eq!((server.dials(), server.checks().len()), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_answers_with_any_status_is_kept() {
    for answer in [
        Answer::Reply,
        Answer::Status(Code::Unavailable),
        Answer::Status(Code::NotFound),
        Answer::Status(Code::Unimplemented),
        Answer::ProxyStatus(Code::Internal),
        Answer::after(secs(5) - SETTLED, Answer::Reply),
    ] {
        let server = FaultServer::default();
        server.answer_health_always(answer.clone());
        let client = server.builder().health_check_interval(INTERVAL).build().unwrap();
        succeeding(client.get("k")).await;
        sleep(secs(301)).await;
        assert_eq!((server.dials(), server.checks().len()), (1, 10), "{answer:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_check_asks_for_the_service_with_its_own_deadline() {
    let server = FaultServer::default();
    let client = server.builder().health_check_interval(secs(1)).build().unwrap();
    succeeding(client.get("k")).await;
    sleep(millis(1_500)).await;
    assert_eq!(server.checks()[0].headers["grpc-timeout"], "5000000u");
}

#[tokio::test(start_paused = true)]
async fn there_are_no_checks_with_an_interval_of_zero() {
    let server = FaultServer::default();
    let client = server.builder().health_check_interval(Duration::ZERO).build().unwrap();
    succeeding(client.get("k")).await;
    sleep(secs(86_400)).await;
    assert_eq!((server.checks().len(), server.dials()), (0, 1));
}

#[tokio::test(start_paused = true)]
async fn every_connection_is_checked() {
    let server = FaultServer::always(Answer::after(secs(1), Answer::Reply));
    let client = server.builder().connections(3).health_check_interval(INTERVAL).build().unwrap();
    for _ in 0..3 {
        join_all((0..6).map(|_| succeeding(client.get("k")))).await;
    }
    sleep(INTERVAL).await;
    let mut checked: Vec<_> = server.checks().iter().map(|seen| seen.connection).collect();
    checked.sort_unstable();
    assert_eq!(checked, [0, 1, 2]);
}

#[tokio::test(start_paused = true)]
async fn a_check_brings_the_connection_back_when_nobody_calls() {
    let server = FaultServer::answering([Answer::Cut(Stage::Nothing)]);
    server.peer([Peer::Serves]);
    server.peer_always(Peer::Refuses);
    let client = server.builder().health_check_interval(INTERVAL).retries(0).build().unwrap();
    client.get("k").await.unwrap_err();
    sleep(secs(10)).await;
    assert_eq!(server.open(), 0);
    server.peer_always(Peer::Serves);
    sleep(INTERVAL).await;
    assert_eq!(server.open(), 1);
}

#[tokio::test(start_paused = true)]
async fn the_checks_end_with_the_client() {
    let server = FaultServer::default();
    let client = server.builder().health_check_interval(secs(1)).build().unwrap();
    succeeding(client.get("k")).await;
    sleep(millis(2_500)).await;
    let clone = client.clone();
    drop(client);
    sleep(secs(1)).await;
    assert_eq!(server.checks().len(), 3);
    drop(clone);
    sleep(secs(60)).await;
    assert_eq!((server.checks().len(), server.open()), (3, 0));

    let client = server.builder().health_check_interval(secs(1)).build().unwrap();
    succeeding(client.get("k")).await;
    client.close().await;
    sleep(secs(60)).await;
    assert_eq!((server.checks().len(), server.open()), (3, 0));
}

#[tokio::test(start_paused = true)]
async fn a_ping_is_true_or_false_and_takes_five_seconds_at_most() {
    for (answer, alive, took) in [
        (Answer::Reply, true, secs(0)),
        (Answer::Status(Code::Unimplemented), true, secs(0)),
        (Answer::Status(Code::NotFound), false, secs(0)),
        (Answer::Status(Code::Unavailable), false, secs(0)),
        (Answer::Never, false, secs(5)),
        (Answer::Cut(Stage::Headers), false, SETTLED),
    ] {
        let server = FaultServer::default();
        server.answer_health_always(answer.clone());
        let client = server.client();
        let begin = Instant::now();
        assert_eq!((client.ping().await, begin.elapsed()), (alive, took), "{answer:?}");
        assert_eq!(server.checks().len(), 1);
    }
    for (peer, took) in [(Peer::Refuses, secs(0)), (Peer::Silent, secs(5))] {
        let server = FaultServer::every_peer(peer);
        let client = server.client();
        let begin = Instant::now();
        assert_eq!((client.ping().await, begin.elapsed()), (false, took));
    }
}

#[tokio::test(start_paused = true)]
async fn a_ping_tries_again_where_that_is_asked_for() {
    let server = FaultServer::default();
    server.answer_health([Answer::Status(Code::Unavailable)]);
    assert!(server.client().ping().retries(1).await);
    assert_eq!(server.checks().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn health_is_asked_again_as_other_calls_are() {
    let server = FaultServer::default();
    server.answer_health([Answer::Status(Code::Unavailable), Answer::Never]);
    assert_eq!(server.client().health().await.unwrap(), Health::Serving);
    // Three tries, and a check of the connection on which the second was not answered.
    assert_eq!(server.checks().len(), 4);
}
