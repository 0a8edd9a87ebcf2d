//! Values of the caller's own types, as JSON.

use std::{
    collections::HashMap,
    convert::Infallible,
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use serde::{Deserialize, Serialize};
use tiny_cache_client::{Client, ErrorKind, FillError, testing::TestServer};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct User {
    name: String,
    visits: u64,
}

fn alice() -> User {
    User { name: "Alice \u{1f600}".to_owned(), visits: u64::MAX }
}

async fn client() -> (TestServer, Client) {
    let server = TestServer::start().await.unwrap();
    let client = server.client().await.unwrap();
    (server, client)
}

#[tokio::test]
async fn a_value_is_read_as_the_type_that_was_written() {
    let (_server, client) = client().await;
    assert_eq!(client.get_json::<User>("user:7").await.unwrap(), None);
    client.set_json("user:7", &alice()).ttl(Duration::from_secs(60)).await.unwrap();
    assert_eq!(client.get_json("user:7").await.unwrap(), Some(alice()));
    // Others read it, too.
    let text = client.get_text("user:7").await.unwrap().unwrap();
    assert_eq!(serde_json::from_str::<User>(&text).unwrap(), alice());
}

#[tokio::test]
async fn what_is_no_json_of_the_type_is_an_error_that_names_the_key() {
    let (_server, client) = client().await;
    client.set("user:7", "{\"name\":7}").await.unwrap();
    let error = client.get_json::<User>("user:7").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotJson);
    assert!(error.to_string().contains("`user:7`"), "{error}");
    let no_text = HashMap::from([(vec![1], 2)]);
    let error = client.set_json("user:7", &no_text).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Validation);
}

/// A deploy that changes a type meets values of the old one: they are made anew, once.
#[tokio::test]
async fn a_value_of_another_type_is_made_anew_and_replaced() {
    let (_server, client) = client().await;
    client.set("user:7", "{\"name\":\"Alice\"}").await.unwrap();
    let asked = AtomicUsize::new(0);
    for _ in 0..3 {
        asked.fetch_add(1, Ordering::Relaxed);
        let calls = asked.load(Ordering::Relaxed) as u64;
        let load = move || async move { Ok::<_, Infallible>(User { visits: calls, ..alice() }) };
        let user = client.get_or_fill_json("user:7", load).await.unwrap();
        assert_eq!(user.visits, 1);
    }
    let stored = client.get_json::<User>("user:7").await.unwrap();
    assert_eq!(stored.map(|user| user.visits), Some(1));

    let failed = client.get_or_fill_json("user:8", || async { Err::<User, _>("none") }).await;
    assert!(matches!(failed, Err(FillError::Origin("none"))), "{failed:?}");
}
