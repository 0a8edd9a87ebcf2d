//! Calls that are dropped, and clients that are closed.

use std::{future::IntoFuture, time::Duration};

use futures::future::join_all;
use tiny_cache_client::ErrorKind;
use tokio::time::{Instant, sleep, timeout};

use crate::{
    failing, secs,
    server::{Answer, FaultServer, Peer, SETTLED, Stage},
    succeeding,
};

#[tokio::test(start_paused = true)]
async fn a_dropped_call_is_cancelled() {
    let server = FaultServer::always(Answer::Never);
    // One call at a time: a call that were not cancelled would keep the next from being sent.
    server.peer([Peer::ServesAtATime(1)]);
    let client = server.builder().connections(1).build().unwrap();
    for n in 1..=10 {
        assert!(timeout(secs(1), client.get("k").into_future()).await.is_err());
        sleep(SETTLED).await;
        assert_eq!(server.attempts(), n);
    }
    server.answer_always(Answer::Reply);
    assert_eq!(succeeding(client.get("k")).await, secs(0));
    assert_eq!(server.dials(), 1);
}

#[tokio::test(start_paused = true)]
async fn dropped_calls_leave_the_connections_equally_busy() {
    let server = FaultServer::always(Answer::after(secs(1), Answer::Reply));
    let client = server.client();
    join_all((0..4).map(|_| succeeding(client.get("k")))).await;
    // Dropped before the first poll, before the reply, and at a deadline.
    drop(client.get("k").into_future());
    for _ in 0..10 {
        let calls = join_all((0..7).map(|_| client.get("k").into_future()));
        assert!(timeout(Duration::from_millis(500), calls).await.is_err());
        let short = (0..3).map(|_| failing(client.get("k").deadline(SETTLED).retries(0)));
        join_all(short).await;
    }
    let before = server.attempts();
    join_all((0..10).map(|_| succeeding(client.get("k")))).await;
    let first = server.seen()[before..].iter().filter(|seen| seen.connection == 0).count();
    assert_eq!(first, 5);
}

#[tokio::test(start_paused = true)]
async fn closing_waits_for_the_calls_under_way() {
    let server = FaultServer::always(Answer::after(secs(3), Answer::Reply));
    let client = server.client();
    succeeding(client.get("k")).await;
    let closing = async {
        sleep(secs(1)).await;
        let begin = Instant::now();
        client.close().await;
        begin.elapsed()
    };
    let (call, closing) = tokio::join!(succeeding(client.get("k")), closing);
    assert_eq!((call, closing), (secs(3), secs(2)));
    sleep(SETTLED).await;
    assert_eq!(server.open(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_closed_client_makes_no_calls() {
    let server = FaultServer::default();
    let client = server.client();
    succeeding(client.get("k")).await;
    let clone = client.clone();
    let team = client.in_namespace("team").unwrap();
    client.close().await;
    for client in [&client, &clone, &team] {
        let (error, took) = failing(client.get("k")).await;
        assert_eq!((error.kind(), took), (ErrorKind::Connection, secs(0)));
        assert_eq!(error.to_string(), "the client is closed");
        assert!(!error.may_have_been_applied());
        assert!(!client.ping().await);
    }
    // Once more does no harm.
    client.close().await;
    assert_eq!((server.attempts(), server.dials()), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn a_client_can_be_closed_before_its_first_call() {
    let server = FaultServer::default();
    let client = server.client();
    client.close().await;
    let (error, _) = failing(client.set("k", "v")).await;
    assert_eq!(error.kind(), ErrorKind::Connection);
    assert_eq!(server.dials(), 0);
}

#[tokio::test(start_paused = true)]
async fn closing_ends_a_call_that_waits_between_two_tries() {
    let server = FaultServer::every_peer(Peer::Refuses);
    let client = server.client();
    let closing = async {
        sleep(Duration::from_millis(100)).await;
        client.close().await;
    };
    let ((error, took), ()) = tokio::join!(failing(client.get("k")), closing);
    assert_eq!(error.to_string(), "the client is closed");
    assert!(took <= secs(1), "{took:?}");
}

/// The try to set was cut after it may have been executed. That the client was closed before
/// the next one does not undo it.
#[tokio::test(start_paused = true)]
async fn closing_between_two_tries_does_not_undo_the_first() {
    let server = FaultServer::answering([Answer::Cut(Stage::Headers)]);
    server.peer([Peer::Serves]);
    server.peer_always(Peer::Refuses);
    let client = server.client();
    let closing = async {
        sleep(2 * SETTLED).await;
        client.close().await;
    };
    let ((error, _), ()) = tokio::join!(failing(client.set("k", "v")), closing);
    assert_eq!(error.to_string(), "the client is closed");
    assert!(error.may_have_been_applied());
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_comes_about_after_the_close_is_closed() {
    let server = FaultServer::peers([Peer::After(secs(2))]);
    let client = server.client();
    let closing = async {
        sleep(secs(1)).await;
        client.close().await;
    };
    let ((error, took), ()) = tokio::join!(failing(client.get("k")), closing);
    assert_eq!((error.kind(), took), (ErrorKind::Connection, secs(2)));
    sleep(SETTLED).await;
    assert_eq!((server.open(), server.dials()), (0, 1));
}

/// A peer that has stopped to read leaves half a frame in the pipe. The connection waited to
/// send the rest of it for as long as the peer's system kept the socket, and `close` with it.
#[tokio::test(start_paused = true)]
async fn closing_does_not_wait_for_a_peer_that_has_stopped_to_read() {
    let server = FaultServer::every_peer(Peer::Stalls);
    let client = server.builder().retries(0).deadline(secs(1)).build().unwrap();
    let (error, _) = failing(client.set("k", vec![0; 1 << 20])).await;
    assert_eq!(error.kind(), ErrorKind::Timeout);
    let begin = Instant::now();
    timeout(secs(3_600), client.close()).await.expect("it closes");
    assert!(begin.elapsed() <= secs(5), "{:?}", begin.elapsed());
}

/// Nothing can be spawned there any more. The try to connect was begun anew again and again
/// within one poll, until tokio's timers said that the runtime had ended, by a panic.
#[test]
fn a_call_on_a_runtime_that_has_ended_ends() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let server = FaultServer::default();
    let client = server.client();
    let handle = runtime.handle().clone();
    runtime.shutdown_background();
    let (tell, ended) = std::sync::mpsc::channel();
    std::thread::spawn(move || tell.send(handle.block_on(failing(client.get("k").retries(0)))));
    let (error, _) = ended.recv_timeout(secs(30)).unwrap();
    assert_eq!(error.kind(), ErrorKind::Connection);
    assert!(error.to_string().ends_with("the runtime has ended"), "{error}");
}
