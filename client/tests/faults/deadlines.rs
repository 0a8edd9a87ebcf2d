//! How long a try and a call may take.

use tiny_cache_client::ErrorKind;
use tokio::time::Instant;
use tonic::Code;

use crate::{
    failing, millis, secs,
    server::{Answer, FaultServer, Peer, SETTLED, Stage},
    succeeding,
};

/// Late replies to calls that were given up were counted over the life of their connection,
/// and the 1025th ended it for everybody.
#[tokio::test(start_paused = true)]
async fn late_replies_do_not_end_the_connection() {
    let server = FaultServer::default();
    let far = server.builder_from_afar(millis(400));
    let client = far.connections(1).retries(0).build().unwrap();
    for _ in 0..25 {
        // Given up when the replies are on their way.
        let calls = (0..100).map(|_| failing(client.get("k").deadline(millis(500))));
        futures::future::join_all(calls).await;
        tokio::time::sleep(secs(1)).await;
    }
    succeeding(client.get("k")).await;
    assert_eq!(server.dials(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_call_without_a_reply_ends_at_its_deadline() {
    let server = FaultServer::always(Answer::Never);
    let (error, took) = failing(server.client().get("k").retries(0)).await;
    assert_eq!((error.kind(), took), (ErrorKind::Timeout, secs(30)));
    assert_eq!(error.to_string(), "grpc://cache:50051: no reply within 30s");
    assert!(error.may_have_been_applied());
}

#[tokio::test(start_paused = true)]
async fn a_reply_just_before_the_deadline_is_taken() {
    let server = FaultServer::always(Answer::after(secs(1) - SETTLED, Answer::Reply));
    let client = server.builder().retries(0).build().unwrap();
    let took = succeeding(client.get("k").deadline(secs(1))).await;
    assert_eq!(took, secs(1) - SETTLED);

    server.answer_always(Answer::after(secs(1) + SETTLED, Answer::Reply));
    let (error, took) = failing(client.get("k").deadline(secs(1))).await;
    assert_eq!((error.kind(), took), (ErrorKind::Timeout, secs(1)));
}

#[tokio::test(start_paused = true)]
async fn every_try_has_the_whole_deadline() {
    let server = FaultServer::always(Answer::Never);
    let (error, took) = failing(server.client().get("k").deadline(secs(2))).await;
    assert_eq!(error.tries(), 4);
    assert!((secs(4 * 2)..=secs(4 * 2 + 7) + 4 * SETTLED).contains(&took), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn a_late_reply_does_not_disturb_the_calls_that_follow() {
    let server = FaultServer::answering([Answer::after(millis(1_500), Answer::Reply)]);
    let client = server.client();
    failing(client.get("k").deadline(secs(1)).retries(0)).await;
    for _ in 0..3 {
        succeeding(client.get("k").deadline(secs(1)).retries(0)).await;
        tokio::time::sleep(secs(1)).await;
    }
    assert_eq!((server.attempts(), server.dials()), (4, 1));
}

#[tokio::test(start_paused = true)]
async fn the_total_deadline_bounds_tries_and_pauses() {
    for answer in [
        Answer::Never,
        Answer::Status(Code::Unavailable),
        Answer::Cut(Stage::Headers),
        Answer::after(millis(900), Answer::Status(Code::Unavailable)),
    ] {
        let server = FaultServer::always(answer.clone());
        let client = server.builder().retries(100).build().unwrap();
        for _ in 0..20 {
            let call = client.get("k").total_deadline(secs(3)).deadline(secs(1));
            let (error, took) = failing(call).await;
            assert!(took <= secs(3) + SETTLED, "{answer:?}: {took:?}");
            assert!(error.tries() >= 1);
        }
    }
}

/// To reconnect took as long as a connection may take, however little was left.
#[tokio::test(start_paused = true)]
async fn the_total_deadline_bounds_the_time_for_connecting_again() {
    for hole in [Peer::NeverThere, Peer::Silent] {
        for _ in 0..20 {
            let server = FaultServer::peers([Peer::Refuses]);
            server.peer_always(hole.clone());
            let (error, took) = failing(server.client().get("k").total_deadline(secs(2))).await;
            assert!(took <= secs(2) + SETTLED, "{took:?}: {error}");
            assert!(!error.may_have_been_applied(), "{error}");
        }
    }
}

/// What was left of a pause was used to connect, and all of the time that a connection may
/// take when the pause was long over.
#[tokio::test(start_paused = true)]
async fn a_pause_is_not_longer_than_its_limit_when_a_connection_hangs() {
    let server = FaultServer::peers([Peer::Refuses, Peer::NeverThere]);
    let begin = Instant::now();
    // The second dial is given up after 5 s, and is what the second try waits for.
    let (error, took) = failing(server.client().get("k").deadline(secs(1)).retries(1)).await;
    assert!((secs(1)..=secs(2) + SETTLED).contains(&took), "{took:?}");
    assert_eq!((error.kind(), error.tries()), (ErrorKind::Timeout, 2));
    assert!(begin.elapsed() <= secs(2) + SETTLED);
}

#[tokio::test(start_paused = true)]
async fn a_total_deadline_that_is_over_leaves_the_error_of_the_last_try() {
    for _ in 0..20 {
        let server = FaultServer::every_peer(Peer::Refuses);
        let call = server.client();
        let (error, took) = failing(call.set_if_absent("k", "v").total_deadline(secs(2))).await;
        assert!(took <= secs(2) + SETTLED, "{took:?}");
        assert_eq!(error.kind(), ErrorKind::Connection, "{error}");
        assert!(!error.may_have_been_applied());
    }
}

/// Nothing was sent: there was no connection to send it over.
#[tokio::test(start_paused = true)]
async fn a_deadline_that_passes_before_there_is_a_connection_leaves_nothing_applied() {
    for peer in [Peer::NeverThere, Peer::Silent] {
        let server = FaultServer::every_peer(peer);
        let client = server.client();
        let call = client.compare_and_set("k", "v", "w").deadline(secs(1));
        let (error, took) = failing(call).await;
        assert_eq!((error.kind(), error.tries()), (ErrorKind::Timeout, 1));
        assert_eq!(error.to_string(), "grpc://cache:50051: no connection within 1s");
        assert!(!error.may_have_been_applied());
        assert_eq!((server.attempts(), took), (0, secs(1)));
    }
}

#[tokio::test(start_paused = true)]
async fn an_error_names_the_time_that_there_was() {
    let server = FaultServer::always(Answer::Never);
    let client = server.client();
    let (error, _) = failing(client.get("k").total_deadline(secs(2))).await;
    assert_eq!(error.to_string(), "grpc://cache:50051: no reply within 2s");
}

/// Each part of a batch had the total deadline to itself.
#[tokio::test(start_paused = true)]
async fn the_total_deadline_bounds_all_parts_of_a_batch() {
    let server = FaultServer::always(Answer::after(secs(1), Answer::Reply));
    let client = server.client();
    let keys: Vec<_> = (0..10_000).map(|n| n.to_string()).collect();
    // Ten parts, four at a time.
    assert_eq!(succeeding(client.get_many(&keys)).await, secs(3));
    let (error, took) = failing(client.get_many(&keys).total_deadline(millis(2_500))).await;
    assert_eq!((error.kind(), took), (ErrorKind::Timeout, millis(2_500)));
}

#[tokio::test(start_paused = true)]
async fn a_deadline_beyond_all_clocks_is_for_ever() {
    use std::time::Duration;
    let server = FaultServer::always(Answer::after(secs(86_400), Answer::Reply));
    let client =
        server.builder().deadline(Duration::MAX).total_deadline(Duration::MAX).build().unwrap();
    assert_eq!(succeeding(client.get("k")).await, secs(86_400));
}
