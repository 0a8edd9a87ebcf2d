//! Keys and values at their limits.

use std::future::IntoFuture;

use bytes::Bytes;
use futures::future::join_all;
use tiny_cache_client::{Client, ErrorKind, testing::TestServer};

/// Bytes in which each part differs from the others.
fn pattern(len: usize) -> Bytes {
    (0..len).map(|n| (n ^ (n >> 8) ^ (n >> 16)) as u8).collect()
}

async fn passes_through(client: &Client, value: Bytes) {
    client.set("k", value.clone()).await.unwrap();
    // Not by assert_eq: nobody wants to read 4 MiB.
    assert!(client.get("k").await.unwrap().unwrap() == value, "{} bytes", value.len());
}

#[tokio::test]
async fn values_pass_through_as_they_are() {
    let server = TestServer::start().await.unwrap();
    let client = server.client().await.unwrap();
    // Around the sizes at which a value is sent by reference and HTTP/2 begins a new frame.
    for len in [0, 1, 127, 128, 1_000, 16_374, 16_383, 16_384, 16_385, 65_535, 65_536] {
        passes_through(&client, pattern(len)).await;
    }
    passes_through(&client, pattern(1 << 20)).await;
    passes_through(&client, pattern(4 << 20)).await;
}

#[tokio::test]
async fn large_values_pass_at_the_same_time() {
    let server = TestServer::start().await.unwrap();
    let client = server.client().await.unwrap();
    let values: Vec<_> = (0..20).map(|n| (n.to_string(), pattern((1 << 20) + n))).collect();
    let sets = values.iter().map(|(key, value)| client.set(key, value.clone()).into_future());
    join_all(sets).await.into_iter().collect::<Result<Vec<_>, _>>().unwrap();
    let gets = values.iter().map(|(key, _)| client.get(key).into_future());
    for (got, (key, value)) in join_all(gets).await.into_iter().zip(&values) {
        assert!(got.unwrap().unwrap() == value, "{key}");
    }
}

#[tokio::test]
async fn an_empty_value_is_no_miss() {
    let server = TestServer::start().await.unwrap();
    let client = server.client().await.unwrap();
    client.set("k", "").await.unwrap();
    assert_eq!(client.get("k").await.unwrap(), Some(Bytes::new()));
    assert_eq!(client.get_text("k").await.unwrap().as_deref(), Some(""));
    let got = client.get_many(["k", "l"]).await.unwrap();
    let got: Vec<_> = got.into_iter().map(Result::unwrap).collect();
    assert_eq!(got, [Some(Bytes::new()), None]);
}

#[tokio::test]
async fn a_value_of_the_limit_is_taken_and_one_byte_more_is_not() {
    let server = TestServer::start_with([("CACHE_MAX_VALUE_BYTES", "100000")]).await.unwrap();
    let client = server.client().await.unwrap();
    passes_through(&client, pattern(100_000)).await;
    for len in [100_001, 200_000, 3 << 20] {
        let error = client.set("k", pattern(len)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ResourceExhausted, "{len}");
        assert_eq!((error.tries(), error.may_have_been_applied()), (1, false));
        let error = client.set_if_absent("l", pattern(len)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ResourceExhausted, "{len}");
        // The old value stays.
        assert_eq!(client.get("k").await.unwrap().unwrap().len(), 100_000);
    }
}

#[tokio::test]
async fn keys_are_counted_in_characters() {
    let server = TestServer::start().await.unwrap();
    let client = server.client().await.unwrap();
    for letter in ["a", "ß", "世", "🦀"] {
        let longest = letter.repeat(256);
        client.set(&longest, letter).await.unwrap();
        assert_eq!(client.get(&longest).await.unwrap().unwrap(), letter);
        let error = client.get(&letter.repeat(257)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Validation);
        let text =
            format!("Key is too long (max 256): `{}`… has 257 characters", letter.repeat(32));
        assert_eq!((error.to_string(), error.tries()), (text, 0));
    }
    // The length, the name, and two colons count, too.
    let team = client.in_namespace("team").unwrap();
    team.set(&"a".repeat(256 - 7), "v").await.unwrap();
    let error = team.get(&"a".repeat(256 - 6)).await.unwrap_err();
    assert!(error.to_string().starts_with("Namespaced key is too long"), "{error}");
}

#[tokio::test]
async fn keys_may_have_any_characters() {
    let server = TestServer::start().await.unwrap();
    let client = server.client().await.unwrap();
    let keys = [" ", "\0", "a\nb", "4:team:x", "\u{feff}", "\u{10ffff}", "é", "e\u{301}"];
    for key in keys {
        assert!(client.set_if_absent(key, key).await.unwrap().is_stored());
    }
    for key in keys {
        assert_eq!(client.get_text(key).await.unwrap().unwrap(), key);
    }
}
