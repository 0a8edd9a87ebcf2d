//! What shows the entries themselves: scans, descriptions and hot keys.

use std::{collections::BTreeSet, time::Duration};

use tiny_cache_client::{Client, ErrorKind, Listed, Place, Server, testing::TestServer};

/// Every entry of a scan in pages of so many keys, with the name of the server that listed it.
async fn scan(client: &Client, prefix: &str, limit: u32) -> Vec<(Listed, Option<String>)> {
    let (mut listed, mut next) = (Vec::new(), None);
    loop {
        let page = client.scan(prefix).after(next).limit(limit).await.unwrap();
        let server = page.server.as_deref().map(str::to_owned);
        assert!(page.entries.len() <= limit as usize && page.process_id > 0);
        listed.extend(page.entries.into_iter().map(|entry| (entry, server.clone())));
        next = page.next;
        if next.is_none() {
            return listed;
        }
    }
}

fn keys(listed: &[(Listed, Option<String>)]) -> BTreeSet<String> {
    listed.iter().map(|(entry, _)| entry.key.clone()).collect()
}

#[tokio::test]
async fn a_scan_lists_every_key_once() {
    let server = TestServer::start().await.unwrap();
    let client = server.client().await.unwrap();
    for number in 0..50 {
        client.set(&format!("k:{number}"), "123").ttl(Duration::from_secs(60)).await.unwrap();
    }
    client.in_namespace("team").unwrap().set("k:x", "v").await.unwrap();
    for limit in [1, 7, 50, 1000] {
        let listed = scan(&client, "k:", limit).await;
        assert_eq!((listed.len(), keys(&listed).len()), (50, 50));
    }
    let (entry, from) = scan(&client, "k:7", 10).await.remove(0);
    assert_eq!((entry.key.as_str(), entry.value_bytes, from), ("k:7", 3, None));
    assert!(entry.ttl_left.unwrap() <= Duration::from_secs(60));
    assert_eq!(entry.version, client.read("k:7").await.unwrap().unwrap().version);

    let error = client.scan("").limit(10_001).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidArgument);
}

#[tokio::test]
async fn a_cursor_is_of_one_scan() {
    let server = TestServer::start().await.unwrap();
    let client = server.client().await.unwrap();
    client.set("a", "").await.unwrap();
    client.set("b", "").await.unwrap();
    let cursor = client.scan("").limit(1).await.unwrap().next;
    let error = client.scan("a").after(cursor).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidArgument);
}

#[tokio::test]
async fn a_scan_of_several_servers_goes_from_one_to_the_next() {
    let servers = [TestServer::start().await.unwrap(), TestServer::start().await.unwrap()];
    let named = servers.iter().zip(["b", "a"]);
    let named = named.map(|(server, name)| Server::new(server.address()).name(name));
    let client = Client::builder("").servers(named).connect().await.unwrap();
    for number in 0..40 {
        client.set(&format!("k:{number}"), "v").await.unwrap();
    }
    for limit in [3, 1000] {
        let listed = scan(&client, "k:", limit).await;
        assert_eq!((listed.len(), keys(&listed).len()), (40, 40));
        for (entry, from) in &listed {
            let owner = client.server_of(&entry.key).await.unwrap();
            assert_eq!(from.as_deref(), Some(owner.name()), "{}", entry.key);
        }
        assert!(listed.iter().any(|(_, from)| from.as_deref() == Some("a")));
        assert!(listed.iter().any(|(_, from)| from.as_deref() == Some("b")));
    }
    let only = client.on_server("b").await.unwrap();
    assert!(scan(&only, "", 1000).await.iter().all(|(_, from)| from.as_deref() == Some("b")));
}

#[tokio::test]
async fn an_entry_is_described_wherever_it_is() {
    let servers = [TestServer::start().await.unwrap(), TestServer::start().await.unwrap()];
    let named = servers.iter().zip(["a", "b"]);
    let named = named.map(|(server, name)| Server::new(server.address()).name(name));
    let client = Client::builder("").servers(named).connect().await.unwrap();
    for number in 0..10 {
        let key = format!("k:{number}");
        assert_eq!(client.describe(&key).await.unwrap(), None);
        client.set(&key, "123").ttl(Duration::from_secs(60)).await.unwrap();
        let told = client.describe(&key).await.unwrap().unwrap();
        assert_eq!((told.value_bytes, told.is_stale), (3, false));
        assert_eq!(told.place, Place::Window { reads: 0 });
        assert!(told.memory_bytes > 3 && told.ttl_left.unwrap() <= Duration::from_secs(60));
        assert!(told.stale_left.is_zero() && told.process_id > 0);
        let read = client.read(&key).await.unwrap().unwrap();
        assert_eq!(told.version, read.version);
    }
}

#[tokio::test]
async fn the_hottest_keys_of_several_servers_are_sorted_together() {
    let servers = [TestServer::start().await.unwrap(), TestServer::start().await.unwrap()];
    let named = servers.iter().zip(["a", "b"]);
    let named = named.map(|(server, name)| Server::new(server.address()).name(name));
    let client = Client::builder("").servers(named).connect().await.unwrap();
    for number in 1..=20_usize {
        let key = format!("k:{number}");
        client.set(&key, vec![7; number]).await.unwrap();
        for _ in 1..number {
            client.get(&key).await.unwrap();
        }
    }
    let hot = client.hot_keys().limit(12).await.unwrap();
    assert_eq!((hot.requests, hot.hottest.len(), hot.largest.len()), (210, 12, 12));
    for (number, (hottest, largest)) in (9..=20).rev().zip(hot.hottest.iter().zip(&hot.largest)) {
        let key = format!("k:{number}");
        assert_eq!((&hottest.key, hottest.requests, hottest.error), (&key, number, 0));
        assert_eq!((&largest.key, largest.value_bytes), (&key, number));
        let owner = client.server_of(&key).await.unwrap();
        assert_eq!(hottest.server.as_deref(), Some(owner.name()));
        assert_eq!(largest.server, hottest.server);
    }
    assert!(hot.span <= Duration::from_secs(65));
    assert_eq!(client.hot_keys().await.unwrap().hottest.len(), 10);
    let only = client.on_server("a").await.unwrap().hot_keys().limit(50).await.unwrap();
    assert!(only.hottest.iter().all(|hot| hot.server.as_deref() == Some("a")));
    let error = client.hot_keys().limit(51).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidArgument);
}
