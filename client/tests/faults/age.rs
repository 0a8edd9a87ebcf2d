//! Connections that have reached their age.

use futures::future::join_all;
use tokio::time::sleep;

use crate::{
    failing, secs,
    server::{Answer, FaultServer, Peer, SETTLED},
    succeeding,
};

#[tokio::test(start_paused = true)]
async fn a_connection_is_replaced_at_its_age_or_a_fifth_earlier() {
    let mut ages = Vec::new();
    for _ in 0..50 {
        let server = FaultServer::default();
        let client = server.builder().max_connection_age(secs(100)).build().unwrap();
        succeeding(client.get("k")).await;
        let begin = tokio::time::Instant::now();
        while server.dials() == 1 {
            sleep(secs(1)).await;
        }
        ages.push(begin.elapsed());
        sleep(SETTLED).await;
        assert_eq!((server.dials(), server.open()), (2, 1));
        succeeding(client.get("k")).await;
        assert_eq!(server.seen()[1].connection, 1);
    }
    let (least, most) = (ages.iter().min().unwrap(), ages.iter().max().unwrap());
    assert!(*least >= secs(80) && *most <= secs(102), "{ages:?}");
    // Fifty draws within a tenth of the range: once in 10^40 runs.
    assert!(*most - *least > secs(2), "{ages:?}");
}

#[tokio::test(start_paused = true)]
async fn calls_under_way_are_answered_over_the_old_connection() {
    let server = FaultServer::answering([Answer::after(secs(25), Answer::Reply)]);
    let client = server.builder().max_connection_age(secs(10)).retries(0).build().unwrap();
    let others = async {
        sleep(secs(10) + SETTLED).await;
        succeeding(client.get("k")).await;
        assert_eq!(server.seen()[1].connection, 1);
    };
    let (took, ()) = tokio::join!(succeeding(client.compare_and_set("k", "v", "w")), others);
    assert_eq!(took, secs(25));
    sleep(SETTLED).await;
    assert_eq!(server.open(), 1);
}

/// The old connection is as good as it was while there is no other.
#[tokio::test(start_paused = true)]
async fn an_old_connection_serves_until_another_is_there() {
    let server = FaultServer::peers([Peer::Serves]);
    server.peer_always(Peer::Refuses);
    let client = server.builder().max_connection_age(secs(10)).retries(0).build().unwrap();
    for _ in 0..60 {
        succeeding(client.get("k")).await;
        sleep(secs(1)).await;
    }
    assert!((3..=15).contains(&server.dials()), "{}", server.dials());
    assert_eq!(server.open(), 1);
    server.peer_always(Peer::Serves);
    sleep(secs(6)).await;
    succeeding(client.get("k")).await;
    assert!(server.seen().last().unwrap().connection > 1);
    assert_eq!(server.open(), 1);
}

#[tokio::test(start_paused = true)]
async fn several_connections_grow_old_without_a_failure() {
    let server = FaultServer::always(Answer::after(secs(1), Answer::Reply));
    let client = server.builder().connections(3).max_connection_age(secs(20)).build().unwrap();
    for _ in 0..100 {
        join_all((0..6).map(|_| succeeding(client.get("k").retries(0)))).await;
        // Those that finish their calls among them.
        assert!(server.open() <= 2 * 3, "{}", server.open());
    }
    assert!(server.dials() >= 3 * 5, "{}", server.dials());
}

#[tokio::test(start_paused = true)]
async fn with_an_age_of_zero_connections_stay() {
    let server = FaultServer::default();
    let client = server.builder().build().unwrap();
    succeeding(client.get("k")).await;
    sleep(secs(86_400)).await;
    succeeding(client.get("k")).await;
    assert_eq!(server.dials(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_closed_client_replaces_nothing() {
    let server = FaultServer::default();
    let client = server.builder().max_connection_age(secs(10)).build().unwrap();
    succeeding(client.get("k")).await;
    client.close().await;
    sleep(secs(60)).await;
    let _ = failing(client.get("k")).await;
    assert_eq!((server.dials(), server.open()), (1, 0));
}
