//! Which connection a call takes.

use std::collections::HashMap;

use futures::future::join_all;

use crate::{
    millis, secs,
    server::{Answer, FaultServer, Peer, SETTLED},
    succeeding,
};

/// Requests by connection.
fn by_connection(server: &FaultServer) -> HashMap<usize, usize> {
    let mut counts = HashMap::new();
    for seen in server.seen() {
        *counts.entry(seen.connection).or_default() += 1;
    }
    counts
}

#[tokio::test(start_paused = true)]
async fn one_call_at_a_time_needs_one_connection() {
    let server = FaultServer::default();
    let client = server.client();
    for _ in 0..100 {
        succeeding(client.get("k")).await;
    }
    assert_eq!((server.dials(), server.attempts()), (1, 100));
}

#[tokio::test(start_paused = true)]
async fn a_second_connection_is_opened_when_the_first_is_busy() {
    let server = FaultServer::always(Answer::after(secs(1), Answer::Reply));
    let client = server.client();
    succeeding(client.get("k")).await;
    assert_eq!(server.dials(), 1);
    join_all((0..2).map(|_| succeeding(client.get("k")))).await;
    assert_eq!((server.dials(), server.open()), (2, 2));
}

#[tokio::test(start_paused = true)]
async fn the_least_busy_connection_takes_the_call() {
    let server = FaultServer::always(Answer::after(secs(1), Answer::Reply));
    let client = server.builder().connections(4).build().unwrap();
    // Each round finds all connections busy, and opens one more.
    for _ in 0..4 {
        join_all((0..8).map(|_| succeeding(client.get("k")))).await;
    }
    assert_eq!(server.dials(), 4);
    let before = by_connection(&server);
    join_all((0..100).map(|_| succeeding(client.get("k")))).await;
    let after = by_connection(&server);
    for connection in 0..4 {
        assert_eq!(after[&connection] - before.get(&connection).unwrap_or(&0), 25);
    }
}

#[tokio::test(start_paused = true)]
async fn there_are_no_more_connections_than_were_allowed() {
    for connections in [1, 2, 3, 7] {
        let server = FaultServer::always(Answer::after(millis(5), Answer::Reply));
        let client = server.builder().connections(connections).build().unwrap();
        for _ in 0..20 {
            join_all((0..50).map(|_| succeeding(client.get("k")))).await;
        }
        assert_eq!((server.dials(), server.open()), (connections, connections));
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_takes_one_call_at_a_time_gets_one_at_a_time() {
    let server = FaultServer::always(Answer::after(secs(1), Answer::Reply));
    server.peer([Peer::ServesAtATime(1)]);
    let client = server.builder().connections(1).build().unwrap();
    let took = join_all((0..5).map(|_| succeeding(client.get("k")))).await;
    assert_eq!(took, [1, 2, 3, 4, 5].map(secs));
}

/// A call that waits for its turn and is given up must not keep the others from theirs.
#[tokio::test(start_paused = true)]
async fn calls_that_are_given_up_in_the_queue_leave_it() {
    let server = FaultServer::peers([Peer::ServesAtATime(1)]);
    let client = server.builder().connections(1).retries(0).build().unwrap();
    succeeding(client.get("k")).await;
    server.answer([Answer::after(millis(1_500), Answer::Reply)]);
    let first = succeeding(client.get("k"));
    let given_up = join_all((0..5).map(|_| crate::failing(client.get("k").deadline(secs(1)))));
    let last = async {
        tokio::time::sleep(secs(1)).await;
        succeeding(client.get("k")).await
    };
    let (first, _, last) = tokio::join!(first, given_up, last);
    assert_eq!((first, last), (millis(1_500), millis(500)));
    assert_eq!(succeeding(client.get("k")).await, secs(0));
    assert_eq!(server.dials(), 1);
}

#[tokio::test(start_paused = true)]
async fn clones_and_namespaces_share_the_connections() {
    let server = FaultServer::default();
    let client = server.client();
    let (clone, team) = (client.clone(), client.in_namespace("team").unwrap());
    for client in [&client, &clone, &team] {
        succeeding(client.get("k")).await;
    }
    assert_eq!((server.dials(), server.attempts()), (1, 3));
    drop((client, clone));
    succeeding(team.get("k")).await;
    assert_eq!(server.dials(), 1);
    drop(team);
    tokio::time::sleep(SETTLED).await;
    assert_eq!(server.open(), 0);
}
