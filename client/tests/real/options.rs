//! What can be said for a client or a call. How long tries and pauses last is tested with the
//! clock paused, elsewhere.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tiny_cache_client::{Client, ErrorKind, testing::TestServer};
use tokio::net::TcpStream;

use crate::figure;

#[tokio::test]
async fn a_namespace_is_a_keyspace_of_its_own() {
    let server = TestServer::start().await.unwrap();
    let client = Client::builder(server.address()).namespace("team").connect().await.unwrap();
    let other = client.in_namespace("other").unwrap();
    let shared = client.in_namespace("").unwrap();
    client.set("k", "team's").await.unwrap();
    other.set("k", "other's").await.unwrap();
    shared.set("k", "everybody's").await.unwrap();
    for (name, value) in [("team", "team's"), (" other ", "other's"), ("", "everybody's")] {
        for client in [&client, &other, &shared] {
            assert_eq!(client.get_text("k").namespace(name).await.unwrap().unwrap(), value);
        }
    }
    assert_eq!(other.get_text("k").await.unwrap().unwrap(), "other's");
    other.delete("k").await.unwrap();
    assert_eq!(other.get("k").await.unwrap(), None);
    assert_eq!(client.get_text("k").await.unwrap().unwrap(), "team's");
    assert!(other.set_if_absent("k", "again").await.unwrap().is_stored());
    assert!(other.compare_and_set("k", "again", "twice").await.unwrap().is_stored());
}

#[tokio::test]
async fn the_request_id_reaches_the_server_and_comes_back() {
    let server = TestServer::start_with([("CACHE_MAX_VALUE_BYTES", "10")]).await.unwrap();
    let client = server.client().await.unwrap();
    let error = client.set("k", vec![0; 11]).request_id("id-7").await.unwrap_err();
    assert_eq!(error.request_id(), Some("id-7"));
    // Without one the server makes one, for each call another.
    let first = client.set("k", vec![0; 11]).await.unwrap_err();
    let second = client.set("k", vec![0; 11]).await.unwrap_err();
    assert!(first.request_id().is_some());
    assert_ne!(first.request_id(), second.request_id());
    // What was refused here has none.
    assert_eq!(client.get("").request_id("id-7").await.unwrap_err().request_id(), None);
}

#[tokio::test]
async fn metadata_of_client_and_call_reach_the_server() {
    let server = TestServer::start().await.unwrap();
    let client = Client::builder(server.address())
        .metadata("x-request-id", "of-the-client")
        .connect()
        .await
        .unwrap();
    let refused = client.set("k", vec![0; 5 << 20]).await.unwrap_err();
    assert_eq!(refused.request_id(), Some("of-the-client"));
    let call = client.set("k", vec![0; 5 << 20]).metadata("x-request-id", "of-the-call");
    assert_eq!(call.await.unwrap_err().request_id(), Some("of-the-call"));
}

#[tokio::test]
async fn a_client_opens_as_many_connections_as_it_was_allowed() {
    for connections in [1, 2, 5] {
        let server = TestServer::start().await.unwrap();
        let client =
            Client::builder(server.address()).connections(connections).connect().await.unwrap();
        assert_eq!(figure(&server, "connections_open").await, 1.0);
        let tasks = (0..32).map(|n| {
            let client = client.clone();
            tokio::spawn(async move {
                for _ in 0..50 {
                    client.set(&format!("{n}"), vec![0; 10_000]).await.unwrap();
                }
            })
        });
        for task in futures::future::join_all(tasks).await {
            task.unwrap();
        }
        assert_eq!(figure(&server, "connections_open").await, connections as f64);
        assert_eq!(figure(&server, "connections_accepted_total").await, connections as f64);
        client.close().await;
    }
}

#[tokio::test]
async fn a_client_that_is_only_built_does_not_connect() {
    let server = TestServer::start().await.unwrap();
    let client = Client::builder(server.address()).build().unwrap();
    assert_eq!(figure(&server, "connections_accepted_total").await, 0.0);
    client.set("k", "v").await.unwrap();
    assert_eq!(figure(&server, "connections_accepted_total").await, 1.0);
}

#[tokio::test]
async fn a_client_reaches_the_server_over_a_connector() {
    let server = TestServer::start().await.unwrap();
    let address = server.address().to_owned();
    let dials = Arc::new(AtomicUsize::new(0));
    let counted = dials.clone();
    let client = Client::builder("sidecar:7")
        .connections(1)
        .connector(move || {
            counted.fetch_add(1, Ordering::Relaxed);
            TcpStream::connect(address.clone())
        })
        .connect()
        .await
        .unwrap();
    client.set("k", "v").await.unwrap();
    assert_eq!(client.get("k").await.unwrap().unwrap(), "v");
    assert_eq!(client.address().to_string(), "grpc://sidecar:7");
    assert_eq!(dials.load(Ordering::Relaxed), 1);
}

#[cfg(unix)]
#[tokio::test]
async fn a_client_reaches_the_server_over_a_unix_socket() {
    use tokio::net::{UnixListener, UnixStream};

    let server = TestServer::start().await.unwrap();
    let address = server.address().to_owned();
    let path = std::env::temp_dir().join(format!("tiny-cache-{}.sock", std::process::id()));
    let _ = std::fs::remove_file(&path);
    let listener = UnixListener::bind(&path).unwrap();
    let proxy = tokio::spawn(async move {
        loop {
            let (mut near, _) = listener.accept().await.unwrap();
            let mut far = TcpStream::connect(&address).await.unwrap();
            // As proxies do: a small piece would wait for the acknowledgement of the one before.
            far.set_nodelay(true).unwrap();
            tokio::spawn(async move { tokio::io::copy_bidirectional(&mut near, &mut far).await });
        }
    });
    let socket = path.clone();
    let client = Client::builder("sidecar")
        .connector(move || UnixStream::connect(socket.clone()))
        .connect()
        .await
        .unwrap();
    client.set("k", vec![7; 1 << 20]).await.unwrap();
    assert_eq!(client.get("k").await.unwrap().unwrap().len(), 1 << 20);
    proxy.abort();
    std::fs::remove_file(&path).unwrap();
}

#[tokio::test]
async fn a_reply_beyond_the_limit_is_refused() {
    let server = TestServer::start().await.unwrap();
    let client = Client::builder(server.address()).max_reply_bytes(1_000).connect().await.unwrap();
    // Two bytes for `found`, three before the value.
    client.set("k", vec![0; 995]).await.unwrap();
    assert_eq!(client.get("k").await.unwrap().unwrap().len(), 995);
    client.set("k", vec![0; 996]).await.unwrap();
    let error = client.get("k").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ResourceExhausted);
    let expected = ": the reply has 1001 bytes; max_reply_bytes allows 1000";
    assert!(error.to_string().ends_with(expected), "{error}");
    // A batch is read in parts that are small enough.
    let keys: Vec<_> = (0..20).map(|n| format!("small:{n}")).collect();
    client.set_many(keys.iter().map(|key| (key, vec![7; 500]))).await.unwrap();
    let found = client.get_many(keys.iter().chain([&"k".to_owned()])).await.unwrap();
    let (large, small) = found.split_last().unwrap();
    assert!(small.iter().all(|value| value.as_ref().unwrap().as_ref().unwrap().len() == 500));
    assert_eq!(large.as_ref().unwrap_err().kind(), ErrorKind::ResourceExhausted);
}

#[tokio::test]
async fn a_client_waits_for_a_server_that_starts() {
    let server = TestServer::start().await.unwrap();
    let address = server.address().to_owned();
    let port = address.rsplit(':').next().unwrap().to_owned();
    server.shutdown().await;

    let waiting = Client::builder(&address).ready_within(Duration::from_secs(20)).connect();
    let waiting = tokio::spawn(waiting);
    let error = Client::builder(&address)
        .ready_within(Duration::from_millis(120))
        .connect()
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout);
    assert!(error.to_string().contains("is not ready within 120ms: cannot connect"), "{error}");

    let _server = TestServer::start_with([("CACHE_PORT", port)]).await.unwrap();
    let client = waiting.await.unwrap().unwrap();
    assert!(client.ping().await);
}

#[tokio::test]
async fn every_option_of_a_call_is_taken_by_every_operation() {
    let server = TestServer::start().await.unwrap();
    let client = Client::builder(server.address())
        .deadline(Duration::from_secs(20))
        .total_deadline(Duration::from_secs(40))
        .retries(1)
        .first_backoff(Duration::from_millis(1))
        .longest_backoff(Duration::from_millis(2))
        .retry_budget(0.5, 5)
        .connect_timeout(Duration::from_secs(3))
        .health_check_interval(Duration::from_secs(1))
        .health_check_deadline(Duration::from_secs(2))
        .max_connection_age(Duration::from_secs(60))
        .connect()
        .await
        .unwrap();
    macro_rules! with_options {
        ($($call:expr),+ $(,)?) => {
            $(
                let _ = $call
                    .deadline(Duration::from_secs(20))
                    .total_deadline(Duration::from_secs(30))
                    .retries(2)
                    .first_backoff(Duration::from_millis(1))
                    .longest_backoff(Duration::from_millis(2))
                    .namespace("team")
                    .request_id("id-7")
                    .metadata("x-more", "1")
                    .await
                    .unwrap();
            )+
        };
    }
    with_options!(
        client.set("k", "v"),
        client.get("k"),
        client.get_text("k"),
        client.set_if_absent("l", "v"),
        client.compare_and_set("l", "v", "w"),
        client.delete("l"),
        client.set_many([("m", "v")]),
        client.get_many(["k", "m"]),
        client.delete_many(["m"]),
        client.stats(),
        client.health(),
    );
    assert!(client.ping().deadline(Duration::from_secs(20)).namespace("team").await);
    assert_eq!(client.get("k").await.unwrap(), None);
    assert_eq!(client.get_text("k").namespace("team").await.unwrap().unwrap(), "v");
}
