//! Many items at once.

use bytes::Bytes;
use tiny_cache_client::{ErrorKind, Item, testing::TestServer};

fn keys(count: usize) -> Vec<String> {
    (0..count).map(|n| format!("key-{n}")).collect()
}

#[tokio::test]
async fn results_are_in_the_order_that_was_asked_duplicates_included() {
    let server = TestServer::start().await.unwrap();
    let client = server.client().await.unwrap();
    client.set_many([("a", "1"), ("b", "2"), ("c", "3")]).await.unwrap();
    let got = client.get_many(["c", "x", "a", "c", "b", "a"]).await.unwrap();
    let got: Vec<_> = got.into_iter().map(|value| value.unwrap()).collect();
    let expected = [Some("3"), None, Some("1"), Some("3"), Some("2"), Some("1")];
    assert_eq!(got, expected.map(|value| value.map(Bytes::from)));

    let deleted = client.delete_many(["a", "x", "a"]).await.unwrap();
    assert_eq!(deleted.len(), 3);
    assert!(deleted.iter().all(Result::is_ok));
    assert_eq!(client.get("a").await.unwrap(), None);
}

#[tokio::test]
async fn an_invalid_item_is_an_error_in_its_own_place() {
    let server =
        TestServer::start_with([("CACHE_MAX_VALUE_BYTES", "1000"), ("CACHE_MAX_BATCH_ITEMS", "2")])
            .await
            .unwrap();
    let client = server.client().await.unwrap();
    let long = "k".repeat(257);
    let items = [
        Item::new("", "v"),
        Item::new("a", "1"),
        Item::new("big", vec![0; 1001]),
        Item::new(&long, "v"),
        Item::new("b", "2"),
    ];
    let set = client.set_many(items).await.unwrap();
    let kinds: Vec<_> =
        set.iter().map(|set| set.as_ref().err().map(tiny_cache_client::Error::kind)).collect();
    let (invalid, large) = (Some(ErrorKind::Validation), Some(ErrorKind::ResourceExhausted));
    assert_eq!(kinds, [invalid, None, large, invalid, None]);
    let text = set[2].as_ref().unwrap_err().to_string();
    assert!(text.starts_with("Value exceeds maximum allowed cache entry size (the value has "));

    let got = client.get_many(["a", "", "big", long.as_str(), "b"]).await.unwrap();
    let values: Vec<_> = got.iter().map(|got| got.as_ref().ok().cloned().flatten()).collect();
    assert_eq!(values, [Some("1".into()), None, None, None, Some(Bytes::from("2"))]);
    let failed: Vec<_> = got.iter().map(Result::is_err).collect();
    assert_eq!(failed, [false, true, false, true, false]);

    let deleted = client.delete_many(["", "a"]).await.unwrap();
    assert_eq!(deleted[0].as_ref().unwrap_err().to_string(), "Key cannot be empty");
    assert!(deleted[1].is_ok());

    // Nothing but invalid items makes no call.
    let got = client.get_many(["", ""]).await.unwrap();
    assert!(got.iter().all(Result::is_err));
}

#[tokio::test]
async fn a_batch_of_more_than_the_server_takes_is_sent_in_parts() {
    let server = TestServer::start_with([("CACHE_MAX_BATCH_ITEMS", "10")]).await.unwrap();
    let client = server.client().await.unwrap();
    let keys = keys(137);
    for _ in 0..2 {
        let set = client.set_many(keys.iter().map(|key| (key.clone(), key.clone()))).await;
        assert!(set.unwrap().iter().all(Result::is_ok));
        let got = client.get_many(&keys).await.unwrap();
        for (key, value) in keys.iter().zip(got) {
            assert_eq!(value.unwrap().unwrap(), *key);
        }
        assert_eq!(client.delete_many(&keys).await.unwrap().len(), 137);
        assert_eq!(client.stats().await.unwrap().entries, 0);
    }
}

#[tokio::test]
async fn twenty_five_thousand_keys_are_a_batch_like_any_other() {
    let server = TestServer::start().await.unwrap();
    let client = server.client().await.unwrap();
    let keys = keys(25_000);
    let set = client.set_many(keys.iter().map(|key| (key.clone(), key.clone()))).await.unwrap();
    assert_eq!(set.len(), 25_000);
    assert!(set.iter().all(Result::is_ok));
    assert_eq!(client.stats().await.unwrap().entries, 25_000);
    let got = client.get_many(keys.iter().rev()).await.unwrap();
    assert_eq!(got.len(), 25_000);
    for (key, value) in keys.iter().rev().zip(got) {
        assert_eq!(value.unwrap().unwrap(), *key);
    }
    assert_eq!(client.delete_many(&keys).await.unwrap().len(), 25_000);
    assert_eq!(client.stats().await.unwrap().entries, 0);
}

#[tokio::test]
async fn values_that_fit_into_no_one_reply_come_in_several() {
    let server = TestServer::start().await.unwrap();
    let client = server.client().await.unwrap();
    let keys = keys(40);
    let value = |n: usize| Bytes::from(vec![n as u8; 1 << 20]);
    let items = keys.iter().enumerate().map(|(n, key)| (key.clone(), value(n)));
    assert!(client.set_many(items).await.unwrap().iter().all(Result::is_ok));
    let got = client.get_many(&keys).await.unwrap();
    assert_eq!(got.len(), 40);
    for (n, got) in got.into_iter().enumerate() {
        assert!(got.unwrap().unwrap() == value(n), "{n}");
    }
}

#[tokio::test]
async fn a_batch_works_in_its_namespace() {
    let server = TestServer::start().await.unwrap();
    let client = server.client().await.unwrap();
    client.set_many([("a", "1")]).namespace("team").await.unwrap();
    assert_eq!(client.get("a").await.unwrap(), None);
    let got = client.get_many(["a"]).namespace("team").await.unwrap();
    assert!(got[0].as_ref().unwrap().is_some());
    let error = client.get_many(["a"]).namespace("no name").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Validation);
    client.delete_many(["a"]).namespace("team").await.unwrap();
    assert_eq!(client.stats().await.unwrap().entries, 0);
}

#[tokio::test]
async fn many_batches_at_once_do_not_mix() {
    let server = TestServer::start_with([("CACHE_MAX_BATCH_ITEMS", "16")]).await.unwrap();
    let client = server.client().await.unwrap();
    let batches = (0..20).map(|batch| {
        let client = client.clone();
        tokio::spawn(async move {
            let keys: Vec<_> = (0..100).map(|n| format!("{batch}/{n}")).collect();
            client.set_many(keys.iter().map(|key| (key.clone(), key.clone()))).await.unwrap();
            for (key, value) in keys.iter().zip(client.get_many(&keys).await.unwrap()) {
                assert_eq!(value.unwrap().unwrap(), *key);
            }
        })
    });
    for batch in futures::future::join_all(batches).await {
        batch.unwrap();
    }
}

/// A batch that its namespace's quota of requests refused was sent again in halves, and these in
/// halves: a flood of calls of which none could pass.
#[tokio::test]
async fn a_batch_beyond_the_rate_of_its_namespace_is_not_sent_again_in_parts() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let quotas = "[namespace.shop]\nrequests_per_second = 1\nburst = 1000\nmax_bytes = 1000000\n";
    std::fs::write(file.path(), quotas).unwrap();
    let path = file.path().to_str().unwrap();
    let server = TestServer::start_with([("CACHE_QUOTAS_PATH", path)]).await.unwrap();
    let client = server.client().await.unwrap().in_namespace("shop").unwrap();
    let large = vec![0; 1_000_000 - 100];
    let error = client.set("large", large).await.unwrap_err().to_string();
    assert!(error.contains("quota max_bytes=1000000 of namespace \"shop\""), "{error}");
    assert!(!error.contains("stats has max_value_bytes"), "{error}");

    let set = client.set_many((0..900).map(|n| (format!("k{n}"), "v"))).await.unwrap();
    assert!(set.iter().all(Result::is_ok));
    let error = client.get_many(&keys(800)).await.unwrap_err();
    assert_eq!((error.kind(), error.tries()), (ErrorKind::ResourceExhausted, 1));
    let text = error.to_string();
    assert!(text.contains("quota requests_per_second=1 of namespace \"shop\""), "{text}");
    // No part of it was let through.
    client.get("k1").await.unwrap();
    client.get_many(&keys(50)).await.unwrap();
}
