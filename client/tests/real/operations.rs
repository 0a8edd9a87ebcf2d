//! What each operation does, and says.

use std::future::IntoFuture;

use bytes::Bytes;
use futures::future::join_all;
use tiny_cache_client::{
    CompareAndSetOutcome, ErrorKind, Health, SetIfAbsentOutcome, testing::TestServer,
};

#[tokio::test]
async fn a_value_that_was_set_is_got() {
    let server = TestServer::start().await.unwrap();
    let client = server.client().await.unwrap();
    assert_eq!(client.get("k").await.unwrap(), None);
    client.set("k", "one").await.unwrap();
    client.set("k", vec![1, 2]).await.unwrap();
    assert_eq!(client.get("k").await.unwrap().unwrap(), [1, 2][..]);
    client.set("k", String::from("three")).await.unwrap();
    assert_eq!(client.get("k").await.unwrap().unwrap(), "three");
    client.set("k", Bytes::from_static(b"four")).await.unwrap();
    assert_eq!(client.get("k").await.unwrap().unwrap(), "four");
}

#[tokio::test]
async fn text_is_got_as_text_and_nothing_else_is() {
    let server = TestServer::start().await.unwrap();
    let client = server.client().await.unwrap();
    assert_eq!(client.get_text("k").await.unwrap(), None);
    client.set("k", "Grüße, 世界").await.unwrap();
    assert_eq!(client.get_text("k").await.unwrap().unwrap(), "Grüße, 世界");
    client.set("k", vec![b'a', 0xff]).await.unwrap();
    let error = client.get_text("k").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotText);
    assert!(
        error.to_string().starts_with("the value of `k` is not text; get reads its bytes: "),
        "{error}"
    );
    assert!(!error.may_have_been_applied());
}

#[tokio::test]
async fn a_deleted_value_is_gone() {
    let server = TestServer::start().await.unwrap();
    let client = server.client().await.unwrap();
    client.set("k", "v").await.unwrap();
    for _ in 0..2 {
        client.delete("k").await.unwrap();
        assert_eq!(client.get("k").await.unwrap(), None);
    }
}

#[tokio::test]
async fn a_value_is_set_only_where_none_is() {
    let server = TestServer::start().await.unwrap();
    let client = server.client().await.unwrap();
    let first = client.set_if_absent("k", "one").await.unwrap();
    assert!(first.is_stored());
    let second = client.set_if_absent("k", "two").await.unwrap();
    assert_eq!((second, second.is_stored()), (SetIfAbsentOutcome::Exists, false));
    assert_eq!(client.get("k").await.unwrap().unwrap(), "one");
}

#[tokio::test]
async fn a_value_is_replaced_only_where_it_is_the_expected_one() {
    use CompareAndSetOutcome::{Mismatch, NotFound, Stored};

    let server = TestServer::start().await.unwrap();
    let client = server.client().await.unwrap();
    assert_eq!(client.compare_and_set("k", "", "one").await.unwrap(), NotFound);
    client.set("k", "one").await.unwrap();
    assert_eq!(client.compare_and_set("k", "two", "three").await.unwrap(), Mismatch);
    assert_eq!(client.compare_and_set("k", "one", "").await.unwrap(), Stored);
    let outcome = client.compare_and_set("k", "", "two").await.unwrap();
    assert!(outcome.is_stored());
    assert_eq!(client.get("k").await.unwrap().unwrap(), "two");
}

#[tokio::test]
async fn of_many_callers_at_once_one_wins() {
    let server = TestServer::start().await.unwrap();
    let client = server.client().await.unwrap();
    let calls = (0..50).map(|n| client.set_if_absent("lock", format!("{n}")).into_future());
    let stored = join_all(calls).await.into_iter().filter(|set| set.as_ref().unwrap().is_stored());
    assert_eq!(stored.count(), 1);

    let held = client.get("lock").await.unwrap().unwrap();
    let swap = |n| client.compare_and_set("lock", held.clone(), format!("next {n}")).into_future();
    let swapped = join_all((0..50).map(swap)).await;
    assert_eq!(swapped.into_iter().filter(|swap| swap.as_ref().unwrap().is_stored()).count(), 1);
}

#[tokio::test]
async fn many_tasks_at_once_get_their_own_replies() {
    let server = TestServer::start().await.unwrap();
    let client = server.client().await.unwrap();
    let tasks = (0..200).map(|n| {
        let client = client.clone();
        tokio::spawn(async move {
            let key = format!("key-{n}");
            for round in 0..10 {
                let value = format!("{n}/{round}").repeat(1 + n % 40 * 100);
                client.set(&key, value.clone()).await.unwrap();
                assert_eq!(client.get(&key).await.unwrap().unwrap(), value);
            }
        })
    });
    for task in join_all(tasks).await {
        task.unwrap();
    }
}

#[tokio::test]
async fn the_figures_are_those_of_the_server() {
    let server = TestServer::start_with([
        ("CACHE_MAX_MEMORY_MB", "8"),
        ("CACHE_MAX_ITEMS", "1000"),
        ("CACHE_MAX_VALUE_BYTES", "1000"),
    ])
    .await
    .unwrap();
    let client = server.client().await.unwrap();
    client.set("k", "v").await.unwrap();
    client.set("l", vec![0; 1001]).await.unwrap_err();
    for key in ["k", "k", "k", "m"] {
        client.get(key).await.unwrap();
    }
    let stats = client.stats().await.unwrap();
    assert_eq!((stats.entries, stats.hits, stats.misses), (1, 3, 1));
    assert!((stats.hit_ratio - 0.75).abs() < 1e-9);
    assert_eq!((stats.rejected_oversize, stats.rejected_capacity), (1, 0));
    assert_eq!((stats.evictions, stats.lru_evictions, stats.expired_removals), (0, 0, 0));
    assert_eq!((stats.max_items, stats.max_value_bytes), (1000, 1000));
    assert_eq!(stats.max_memory_bytes, 8 << 20);
    assert!((1..10_000).contains(&stats.memory_usage_bytes));
}

#[tokio::test]
async fn a_server_that_serves_says_so_and_one_that_is_gone_does_not() {
    let server = TestServer::start().await.unwrap();
    let client = server.client().await.unwrap();
    assert_eq!(client.health().await.unwrap(), Health::Serving);
    assert!(client.ping().await);
    server.shutdown().await;
    assert!(!client.ping().await);
    let error = client.health().retries(0).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Connection);
}

#[tokio::test]
async fn dropping_a_call_leaves_the_client_as_it_was() {
    let server = TestServer::start().await.unwrap();
    let client = server.client().await.unwrap();
    for n in 0..100 {
        let call = client.set("k", vec![0; 1 << 20]).into_future();
        let patience = std::time::Duration::from_micros(n * 50);
        let _ = tokio::time::timeout(patience, call).await;
    }
    client.set("k", "v").await.unwrap();
    assert_eq!(client.get("k").await.unwrap().unwrap(), "v");
}
