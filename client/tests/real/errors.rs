//! One error of each kind that the real server, or its absence, can bring.

use std::{error::Error as _, time::Duration};

use tiny_cache_client::{Client, Error, ErrorKind, testing::TestServer};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

/// Checks what holds for every error, and gives its text.
fn checked(error: &Error, kind: ErrorKind, applied: bool) -> String {
    let text = error.to_string();
    assert_eq!((error.kind(), error.may_have_been_applied()), (kind, applied), "{text}");
    assert!(!text.is_empty() && !text.contains('\n'), "{text:?}");
    if error.tries() > 0 {
        assert!(error.source().is_some(), "{text}");
    }
    // It goes where errors go: over threads, and into boxes.
    let boxed: Box<dyn std::error::Error + Send + Sync> = Box::new(error.clone());
    assert_eq!(boxed.to_string(), text);
    text
}

#[tokio::test]
async fn what_is_wrong_before_anything_is_sent_is_validation() {
    let server = TestServer::start().await.unwrap();
    let client = server.client().await.unwrap();
    for (error, text) in [
        (client.get("").await.unwrap_err(), "Key cannot be empty"),
        (client.set("", "v").await.unwrap_err(), "Key cannot be empty"),
        (client.delete("").await.unwrap_err(), "Key cannot be empty"),
        (client.set_if_absent("", "v").await.unwrap_err(), "Key cannot be empty"),
        (client.compare_and_set("", "v", "w").await.unwrap_err(), "Key cannot be empty"),
    ] {
        assert_eq!(checked(&error, ErrorKind::Validation, false), text);
        assert_eq!(error.tries(), 0);
    }
    for name in ["no name", "-team", "t/eam", "ä", &"x".repeat(65)] {
        let error = client.get("k").namespace(name).await.unwrap_err();
        checked(&error, ErrorKind::Validation, false);
        checked(&client.in_namespace(name).unwrap_err(), ErrorKind::Validation, false);
        let error = Client::builder(server.address()).namespace(name).build().unwrap_err();
        checked(&error, ErrorKind::Validation, false);
        let error = client.stats().namespace(name).await.unwrap_err();
        checked(&error, ErrorKind::Validation, false);
    }
    assert!(!client.ping().namespace("no name").await);
}

#[tokio::test]
async fn a_server_that_is_not_there_is_a_connection_error() {
    let server = TestServer::start().await.unwrap();
    let client = server.client().await.unwrap();
    let address = server.address().to_owned();
    server.shutdown().await;
    let call = client.set_if_absent("k", "v").retries(1).first_backoff(Duration::ZERO);
    let error = call.await.unwrap_err();
    let text = checked(&error, ErrorKind::Connection, false);
    assert!(text.starts_with(&format!("cannot connect to grpc://{address}: ")), "{text}");
    assert!(text.ends_with("(after 2 tries)"), "{text}");

    let error = Client::connect(&address).await.unwrap_err();
    checked(&error, ErrorKind::Connection, false);
    let error = Client::connect("no-such-host.invalid").await.unwrap_err();
    let text = checked(&error, ErrorKind::Connection, false);
    assert!(text.starts_with("cannot connect to grpc://no-such-host.invalid:50051: "), "{text}");
}

#[tokio::test]
async fn a_peer_that_says_nothing_is_a_connection_error_or_a_timeout() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let builder = Client::builder(&address).retries(0);
    let short = builder.clone().connect_timeout(Duration::from_millis(50)).build().unwrap();
    let error = short.set("k", "v").await.unwrap_err();
    let text = checked(&error, ErrorKind::Connection, false);
    assert!(text.ends_with("no answer within 50ms"), "{text}");

    let long = builder.deadline(Duration::from_millis(50)).build().unwrap();
    let error = long.set("k", "v").await.unwrap_err();
    let text = checked(&error, ErrorKind::Timeout, false);
    assert!(text.ends_with(": no connection within 50ms"), "{text}");
}

/// A port that takes a connection, reads, and closes it without a word.
#[tokio::test]
async fn a_port_of_another_kind_is_named_as_such() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let mute = tokio::spawn(async move {
        let (mut peer, _) = listener.accept().await.unwrap();
        peer.shutdown().await.unwrap();
        let mut read = Vec::new();
        let _ = peer.read_to_end(&mut read).await;
    });
    let error = Client::connect(address.to_string()).await.unwrap_err();
    let text = checked(&error, ErrorKind::Connection, false);
    let cause = "the server closed the connection without HTTP/2; it may have no place for another \
                 connection, or not be a gRPC port";
    assert_eq!(text, format!("cannot connect to grpc://{address}: {cause}"));
    mute.await.unwrap();
}

#[tokio::test]
async fn what_the_server_refuses_has_its_kind_and_its_words() {
    let server = TestServer::start_with([("CACHE_MAX_VALUE_BYTES", "1000")]).await.unwrap();
    let client = server.client().await.unwrap();
    // More metadata than the server takes.
    let call = client.get("k").metadata("x-much", "m".repeat(20_000));
    checked(&call.await.unwrap_err(), ErrorKind::ResourceExhausted, false);

    let error = client.set("k", vec![0; 1001]).await.unwrap_err();
    let text = checked(&error, ErrorKind::ResourceExhausted, false);
    let expected = format!(
        "{}: Value exceeds maximum allowed cache entry size \
         (the value has 1001 bytes; stats has max_value_bytes)",
        client.address()
    );
    assert_eq!(text, expected);
    assert!(error.request_id().is_some());
}

#[tokio::test]
async fn a_server_that_cannot_start_says_why() {
    let server = TestServer::start().await.unwrap();
    let port = server.address().rsplit(':').next().unwrap();
    let error = TestServer::start_with([("CACHE_PORT", port)]).await.unwrap_err();
    let text = checked(&error, ErrorKind::Other, false);
    assert!(text.starts_with("the test server cannot start: "), "{text}");
    let error = TestServer::start_with([("CACHE_MAX_MEMORY_MB", "much")]).await.unwrap_err();
    let text = checked(&error, ErrorKind::Validation, false);
    assert!(text.contains("CACHE_MAX_MEMORY_MB"), "{text}");
}
