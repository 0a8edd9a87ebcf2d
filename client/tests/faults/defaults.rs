//! A client of which nothing is set. A caller survives a server that hangs.

use tiny_cache_client::{Client, ErrorKind};
use tonic::Code;

use crate::{
    failing, millis, secs,
    server::{Answer, FaultServer, Peer, SETTLED},
    succeeding,
};

fn client(server: &FaultServer) -> Client {
    server.builder_by_default().build().unwrap()
}

/// Four tries of 30 s and the pauses between them held a caller for more than a minute.
#[tokio::test(start_paused = true)]
async fn a_server_that_hangs_holds_a_caller_for_three_seconds() {
    for (server, kind, applied) in [
        (FaultServer::always(Answer::Never), ErrorKind::Timeout, true),
        (FaultServer::every_peer(Peer::Silent), ErrorKind::Timeout, false),
        (FaultServer::every_peer(Peer::NeverThere), ErrorKind::Timeout, false),
        (FaultServer::every_peer(Peer::Stalls), ErrorKind::Timeout, true),
    ] {
        server.answer_health_always(Answer::Never);
        let client = client(&server);
        let (error, took) = failing(client.get("k")).await;
        assert_eq!((error.kind(), error.may_have_been_applied()), (kind, applied), "{error}");
        assert!((secs(2)..=secs(3) + SETTLED).contains(&took), "{took:?}");
        assert_eq!(error.tries(), 3);
        // A write that must not happen twice is tried once.
        let (error, took) = failing(client.set_if_absent("k", "v")).await;
        assert_eq!(error.kind(), ErrorKind::Timeout);
        assert!(took <= secs(3) + SETTLED, "{took:?}");
        // And so do a batch, and a ping.
        let keys: Vec<_> = (0..10_000).map(|n| n.to_string()).collect();
        let (_, took) = failing(client.get_many(&keys)).await;
        assert!(took <= secs(3) + SETTLED, "{took:?}");
        let begin = tokio::time::Instant::now();
        assert!(!client.ping().await);
        assert!(begin.elapsed() <= secs(1) + SETTLED);
    }
}

#[tokio::test(start_paused = true)]
async fn a_try_takes_a_second_and_the_first_pause_at_most_50_ms() {
    let server = FaultServer::answering([Answer::Never, Answer::Status(Code::Unavailable)]);
    let took = succeeding(client(&server).get("k")).await;
    assert!((secs(1)..=secs(1) + millis(50 + 100) + 2 * SETTLED).contains(&took), "{took:?}");
    assert_eq!(server.attempts(), 3);
    assert_eq!(server.seen()[0].headers["grpc-timeout"], "1000000u");

    let server = FaultServer::every_peer(Peer::Refuses);
    let (error, took) = failing(client(&server).get("k")).await;
    assert_eq!((error.kind(), error.tries()), (ErrorKind::Connection, 4));
    // Against a server that is not there every pause is used to its end.
    let pauses = millis(50 + 100 + 200);
    assert!((pauses..=pauses + 4 * SETTLED).contains(&took), "{took:?}");
}

/// One connection of several is dead; the next try but one finds another.
#[tokio::test(start_paused = true)]
async fn a_connection_that_hangs_costs_a_call_two_tries_at_most() {
    for connections in [1, 2] {
        let server = FaultServer::peers([Peer::Stalls]);
        let client = server.builder_by_default().connections(connections).build().unwrap();
        let took = succeeding(client.get("k")).await;
        assert!(took <= secs(2) + millis(50 + 100) + 4 * SETTLED, "{took:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_longer_deadline_makes_the_whole_longer() {
    let server = FaultServer::always(Answer::Never);
    let by_client = server.builder_by_default().deadline(secs(10)).build().unwrap();
    for (call, tries, most) in [
        (by_client.get("k"), 3, secs(30)),
        (client(&server).get("k").deadline(secs(2)), 3, secs(6)),
        (client(&server).get("k").deadline(millis(500)), 4, secs(3)),
        (client(&server).get("k").deadline(millis(900)).total_deadline(secs(1)), 2, secs(1)),
        (by_client.get("k").total_deadline(secs(15)), 2, secs(15)),
    ] {
        let (error, took) = failing(call).await;
        assert!(took <= most + SETTLED, "{took:?}");
        assert_eq!(error.tries(), tries, "{took:?}: {error}");
    }
}

/// A batch may be large: what bounds it is that none of its parts hangs.
#[tokio::test(start_paused = true)]
async fn a_batch_has_the_default_for_each_of_its_parts() {
    let server = FaultServer::always(Answer::after(millis(900), Answer::Reply));
    let keys: Vec<_> = (0..20_000).map(|n| n.to_string()).collect();
    // Twenty parts, four at a time.
    assert_eq!(succeeding(client(&server).get_many(&keys)).await, 5 * millis(900));
}

#[tokio::test(start_paused = true)]
async fn the_python_clients_defaults_are_one_preset() {
    let server = FaultServer::always(Answer::Never);
    let client = server.builder_by_default().python_defaults().build().unwrap();
    let (error, took) = failing(client.get("k")).await;
    assert_eq!(error.tries(), 4);
    assert!((4 * secs(30)..=4 * secs(30) + secs(1 + 2 + 4) + 4 * SETTLED).contains(&took));
    assert_eq!(server.seen()[0].headers["grpc-timeout"], "30000000u");
    // What is set after it goes before it.
    let client = server.builder_by_default().python_defaults().retries(0).build().unwrap();
    assert_eq!(failing(client.get("k")).await.1, secs(30));
}
