//! What clients and servers do with their connections.

use std::{future::IntoFuture, time::Duration};

use futures::{FutureExt, future::join_all};
use tiny_cache_client::{
    Client,
    testing::TestServer,
    transport::{Connection, Endpoint, Head, rpc},
};

use crate::figure;

#[tokio::test]
async fn clones_and_namespaces_share_the_connections() {
    let server = TestServer::start().await.unwrap();
    let client = server.client().await.unwrap();
    let clones: Vec<_> = (0..10).map(|_| client.clone()).collect();
    let team = client.in_namespace("team").unwrap();
    for client in clones.iter().chain([&client, &team]) {
        client.set("k", "v").await.unwrap();
    }
    assert_eq!(figure(&server, "connections_accepted_total").await, 1.0);
}

#[tokio::test]
async fn the_last_clone_takes_the_connections_with_it() {
    let server = TestServer::start().await.unwrap();
    let client = server.client().await.unwrap();
    let clone = client.clone();
    drop(client);
    clone.set("k", "v").await.unwrap();
    assert_eq!(figure(&server, "connections_open").await, 1.0);
    drop(clone);
    while figure(&server, "connections_open").await > 0.0 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_client_outlives_its_server() {
    let server = TestServer::start().await.unwrap();
    let address = server.address().to_owned();
    let port = address.rsplit(':').next().unwrap().to_owned();
    let client = server.client().await.unwrap();
    client.set("k", "v").await.unwrap();
    for _ in 0..3 {
        // The last one's shutdown ends before the next one starts.
        let server = TestServer::start_with([("CACHE_PORT", "0")]).await.unwrap();
        drop(server);
    }
    server.shutdown().await;
    let server = TestServer::start_with([("CACHE_PORT", port)]).await.unwrap();
    assert_eq!(client.get("k").await.unwrap(), None);
    assert!(client.set_if_absent("k", "v").await.unwrap().is_stored());
    server.shutdown().await;
}

#[tokio::test]
async fn localhost_and_ipv6_addresses_are_connected_to() {
    let server = TestServer::start_with([("CACHE_HOST", "[::]")]).await.unwrap();
    let port = server.address().rsplit(':').next().unwrap().to_owned();
    for address in [
        format!("127.0.0.1:{port}"),
        format!("localhost:{port}"),
        format!("grpc://localhost:{port}"),
        format!("http://localhost:{port}/"),
        format!("[::1]:{port}"),
        format!("grpc://[::1]:{port}"),
    ] {
        let client = Client::connect(&address).await.unwrap_or_else(|error| panic!("{error}"));
        client.set("k", "v").await.unwrap();
    }
}

#[tokio::test]
async fn a_connection_counts_its_calls_down_however_they_end() {
    use std::time::Duration;

    let server = TestServer::start_with([("CACHE_MAX_VALUE_BYTES", "1000")]).await.unwrap();
    let endpoint = Endpoint::new(server.address().parse().unwrap());
    let connection = Connection::open(&endpoint).await.unwrap();
    let head = Head::default();
    let large = bytes::Bytes::from(vec![0; 2_000]);
    for n in 0..50 {
        let get = rpc::Get { key: "k" };
        let set = rpc::Set { key: "k", value: &large, ttl: 0 };
        connection.call(&get, &head).await.unwrap();
        connection.call(&set, &head).await.unwrap_err();
        let _ = connection.call_within(&get, &head, Duration::ZERO).await;
        let _ = tokio::time::timeout(Duration::from_micros(n), connection.call(&set, &head)).await;
        drop(connection.call(&get, &head));
        assert_eq!(connection.calls(), 0);
    }
    {
        let call = connection.call(&rpc::Stats, &head);
        let mut call = std::pin::pin!(call);
        assert!(call.as_mut().now_or_never().is_none());
        assert_eq!(connection.calls(), 1);
        call.await.unwrap();
    }
    assert_eq!((connection.calls(), connection.is_retired()), (0, false));
    server.shutdown().await;
    connection.call(&rpc::Stats, &head).await.unwrap_err();
    assert_eq!((connection.calls(), connection.is_retired()), (0, true));
}

/// The server took a fan-out that is cancelled together for an attack, and ended the
/// connection for the other calls as well.
#[tokio::test]
async fn a_fan_out_that_is_cancelled_does_not_harm_other_calls() {
    let server = TestServer::start().await.unwrap();
    let client = Client::builder(server.address()).connections(1).connect().await.unwrap();
    client.set("k", "v").await.unwrap();
    for _ in 0..30 {
        let other = tokio::spawn({
            let client = client.clone();
            async move { client.compare_and_set("k", "v", "v").await }
        });
        let calls = (0..200).map(|_| client.get("k").into_future());
        let _ = tokio::time::timeout(Duration::from_micros(1), join_all(calls)).await;
        assert!(other.await.unwrap().unwrap().is_stored());
    }
}
