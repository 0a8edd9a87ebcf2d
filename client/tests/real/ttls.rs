//! How long entries live.

use std::time::{Duration, Instant};

use tiny_cache_client::{Client, Item, testing::TestServer};

const HALF: Duration = Duration::from_millis(500);

/// Waits until the entry is gone, and tells how long that took.
async fn gone(client: &Client, key: &str) -> Duration {
    let begin = Instant::now();
    while client.get(key).await.unwrap().is_some() {
        assert!(begin.elapsed() < Duration::from_secs(20), "{key} does not go");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    begin.elapsed()
}

/// A part of a second counts as one, in every operation that writes; zero is for ever, in
/// place of a default of a second. All of it at once, since it takes time.
#[tokio::test]
async fn every_write_has_the_ttl_that_it_names_or_that_of_the_client() {
    let server = TestServer::start().await.unwrap();
    let client = Client::builder(server.address()).ttl(HALF).connect().await.unwrap();
    for key in ["a", "b"] {
        client.set(key, "for ever").ttl(Duration::ZERO).await.unwrap();
    }
    let begin = Instant::now();
    let day = Duration::from_secs(86_400);
    client.set("default", "v").await.unwrap();
    client.set("set", "v").ttl(HALF).await.unwrap();
    assert!(client.set_if_absent("absent", "v").ttl(HALF).await.unwrap().is_stored());
    let swap = client.compare_and_set("a", "for ever", "v").ttl(HALF);
    assert!(swap.await.unwrap().is_stored());
    let items = [Item::new("batch", "v"), Item::new("own", "v").ttl(HALF)];
    client.set_many(items).ttl(HALF).await.unwrap();
    client.set_many([("batch default", "v")]).await.unwrap();

    let items = [Item::new("batch stays", "v"), Item::new("goes", "v").ttl(HALF)];
    client.set_many(items).ttl(day).await.unwrap();
    client.set("stays", "v").ttl(day).await.unwrap();
    let set = client.set_if_absent("absent stays", "v").ttl(Duration::ZERO);
    assert!(set.await.unwrap().is_stored());

    let short = ["default", "set", "absent", "a", "batch", "own", "batch default", "goes"];
    for key in short {
        gone(&client, key).await;
        // Half a second counts as one, and not as none.
        assert!(begin.elapsed() >= Duration::from_secs(1), "{key}");
    }
    assert!(begin.elapsed() < Duration::from_secs(5));
    for key in ["b", "batch stays", "stays", "absent stays"] {
        assert!(client.get(key).await.unwrap().is_some(), "{key}");
    }
}

#[tokio::test]
async fn a_ttl_beyond_68_years_is_refused() {
    use tiny_cache_client::ErrorKind::Validation;

    let server = TestServer::start().await.unwrap();
    let client = server.client().await.unwrap();
    let long = Duration::from_secs(1 << 31);
    assert_eq!(client.set("k", "v").ttl(long).await.unwrap_err().kind(), Validation);
    assert_eq!(client.set_if_absent("k", "v").ttl(long).await.unwrap_err().kind(), Validation);
    let call = client.compare_and_set("k", "v", "w").ttl(long);
    assert_eq!(call.await.unwrap_err().kind(), Validation);
    let items = [Item::new("k", "v"), Item::new("l", "v").ttl(long)];
    assert_eq!(client.set_many(items).await.unwrap_err().kind(), Validation);
    assert_eq!(client.get("k").await.unwrap(), None);
    let error = Client::builder(server.address()).ttl(long).build().unwrap_err();
    assert_eq!(
        error.to_string(),
        "ttl of 2147483648 seconds exceeds 2147483647 seconds, about 68 years; zero never expires"
    );
}
