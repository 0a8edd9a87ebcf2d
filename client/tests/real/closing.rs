//! Closing a client.

use futures::future::join_all;
use tiny_cache_client::{ErrorKind, testing::TestServer};

use crate::figure;

#[tokio::test]
async fn closing_lets_calls_finish_and_ends_the_connections() {
    let server = TestServer::start().await.unwrap();
    let client = server.client().await.unwrap();
    let value = vec![7; 1 << 20];
    let sets = (0..20).map(|n| {
        let (client, value) = (client.clone(), value.clone());
        async move { client.set(&n.to_string(), value).await }
    });
    let closing = async {
        // The calls were begun before.
        tokio::task::yield_now().await;
        client.close().await;
    };
    let (sets, ()) = tokio::join!(join_all(sets), closing);
    for set in sets {
        set.unwrap();
    }
    let again = server.client().await.unwrap();
    assert_eq!(again.stats().await.unwrap().entries, 20);
    while figure(&server, "connections_open").await > 1.0 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_tasks_can_close_a_client_that_many_others_use() {
    let server = TestServer::start().await.unwrap();
    for _ in 0..10 {
        let client = server.client().await.unwrap();
        let callers = (0..32).map(|n| {
            let client = client.clone();
            tokio::spawn(async move {
                let key = n.to_string();
                loop {
                    match client.set(&key, "v").await {
                        Ok(()) => {}
                        Err(error) => return error,
                    }
                }
            })
        });
        let callers: Vec<_> = callers.collect();
        client.set("k", "v").await.unwrap();
        let closers = (0..8).map(|_| {
            let client = client.clone();
            tokio::spawn(async move { client.close().await })
        });
        for closer in join_all(closers).await {
            closer.unwrap();
        }
        for error in join_all(callers).await {
            let error = error.unwrap();
            assert_eq!(error.kind(), ErrorKind::Connection);
            assert_eq!(error.to_string(), "the client is closed");
            assert!(!error.may_have_been_applied());
        }
        assert!(!client.ping().await);
    }
}
