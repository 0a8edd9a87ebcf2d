//! Several servers on a ring: where keys are, batches over all of them, and servers that come and
//! go.

use std::{
    collections::BTreeSet,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use tiny_cache_client::{
    Builder, Client, ErrorKind, Health, Server, ServerState, SetIfAbsentOutcome, Stats,
    testing::TestServer,
};

/// Longer than any of these tests takes.
const LONG: Duration = Duration::from_secs(60);

async fn start(count: usize) -> Vec<TestServer> {
    let mut servers = Vec::new();
    for _ in 0..count {
        servers.push(TestServer::start().await.unwrap());
    }
    servers
}

/// The servers are `node-0`, `node-1` and so on.
fn over(servers: &[TestServer]) -> Builder {
    let named = servers.iter().enumerate();
    let named = named.map(|(n, server)| Server::new(server.address()).name(format!("node-{n}")));
    Client::builder("").servers(named)
}

fn keys(count: usize) -> Vec<String> {
    (0..count).map(|n| format!("key-{n}")).collect()
}

/// Starts a server at an address that was one's before.
async fn restart(address: &str) -> TestServer {
    let port = address.rsplit_once(':').unwrap().1;
    TestServer::start_with([("CACHE_PORT", port), ("CACHE_WORKERS", "1")]).await.unwrap()
}

/// Waits until a condition on the client's view of a server holds.
async fn until(client: &Client, name: &str, state: ServerState) {
    let reached = async {
        loop {
            let servers = client.servers().await.unwrap();
            if servers.iter().any(|server| server.name() == name && server.state() == state) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(LONG, reached).await.unwrap();
}

#[tokio::test]
async fn each_key_is_on_its_server_and_on_no_other() {
    let servers = start(3).await;
    let client = over(&servers).connect().await.unwrap();
    let team = client.in_namespace("team").unwrap();
    let mut used = BTreeSet::new();
    for client in [&client, &team] {
        for key in keys(60) {
            client.set(&key, key.clone()).await.unwrap();
            assert_eq!(client.get(&key).await.unwrap(), Some(Bytes::from(key.clone())));
            let owner = client.server_of(&key).await.unwrap();
            for server in client.servers().await.unwrap() {
                let alone = client.on_server(server.name()).await.unwrap();
                let found = alone.get(&key).await.unwrap().is_some();
                assert_eq!(found, server == owner, "{key} on {}", server.name());
            }
            used.insert((owner.name().to_owned(), key));
        }
    }
    let names: BTreeSet<_> = used.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, BTreeSet::from(["node-0", "node-1", "node-2"]));
    // The same key of two namespaces may have two servers.
    assert!(used.len() > 60);

    let outcome = client.set_if_absent("key-1", "other").await.unwrap();
    assert_eq!(outcome, SetIfAbsentOutcome::Exists);
    client.delete("key-1").await.unwrap();
    assert_eq!(client.get("key-1").await.unwrap(), None);
    assert_eq!(team.get("key-1").await.unwrap(), Some(Bytes::from("key-1")));
}

#[tokio::test]
async fn two_clients_that_know_the_same_names_find_the_same_keys() {
    let servers = start(3).await;
    let one = over(&servers).connect().await.unwrap();
    let text = |n: usize| format!("node-{n}={}", servers[n].address());
    let other = Client::builder([text(2), text(0), text(1)].join(", ")).connect().await.unwrap();
    for key in keys(50) {
        one.set(&key, "1").await.unwrap();
        assert_eq!(other.get(&key).await.unwrap(), Some(Bytes::from("1")));
    }
}

#[tokio::test]
async fn a_batch_is_divided_by_server_and_its_results_are_in_order() {
    let servers = start(3).await;
    let client = over(&servers).connect().await.unwrap();
    let keys = keys(2500);
    let items = keys.iter().map(|key| (key.clone(), key.clone()));
    let set = client.set_many(items).await.unwrap();
    assert_eq!(set.iter().filter(|result| result.is_ok()).count(), 2500);

    let mut asked: Vec<&str> = keys.iter().map(String::as_str).rev().collect();
    asked.insert(7, "missing");
    asked.insert(3, "");
    asked.push("key-5");
    let got = client.get_many(asked.iter().copied()).await.unwrap();
    assert_eq!(got.len(), asked.len());
    for (key, result) in asked.iter().zip(got) {
        match *key {
            "" => assert_eq!(result.unwrap_err().kind(), ErrorKind::Validation),
            "missing" => assert_eq!(result.unwrap(), None),
            key => assert_eq!(result.unwrap(), Some(Bytes::from(key.to_owned()))),
        }
    }

    let mut sum = 0;
    for server in client.servers().await.unwrap() {
        let stats = client.on_server(server.name()).await.unwrap().stats().await.unwrap();
        assert!((500..1200).contains(&stats.entries), "{server:?} has {}", stats.entries);
        sum += stats.entries;
    }
    let Stats { entries, hits, misses, hit_ratio, .. } = client.stats().await.unwrap();
    assert_eq!((entries, hits, misses), (2500, 2501, 1));
    assert_eq!(sum, 2500);
    assert!((hit_ratio - 2501.0 / 2502.0).abs() < 1e-9);

    // The servers simulate ten times a second.
    let what_if = loop {
        let what_if = client.what_if().await.unwrap();
        if what_if.reads == 2502 {
            break what_if;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    assert!((what_if.hit_ratio - hit_ratio).abs() < 1e-9, "{what_if:?}");
    for size in &what_if.sizes {
        // Of so many calls at a time not all keys are sampled.
        assert!((2000..3000).contains(&size.entries), "{what_if:?}");
        assert!((size.hit_ratio - hit_ratio).abs() < 1e-9, "{what_if:?}");
    }

    client.delete_many(keys.iter()).await.unwrap();
    assert_eq!(client.stats().await.unwrap().entries, 0);
}

#[tokio::test]
async fn the_next_server_takes_the_keys_of_one_that_is_down_until_it_is_back() {
    let mut servers = start(3).await;
    let client = over(&servers).warm_up(Duration::ZERO).connect().await.unwrap();
    let keys = keys(90);
    let mut of_one = Vec::new();
    for key in &keys {
        client.set(key, "before").await.unwrap();
        if client.server_of(key).await.unwrap().name() == "node-1" {
            of_one.push(key.as_str());
        }
    }
    let address = servers[1].address().to_owned();
    servers.remove(1).shutdown().await;

    // No call fails: the keys of the others are where they were, those of node-1 are lost.
    for key in &keys {
        let expected = (!of_one.contains(&key.as_str())).then(|| Bytes::from("before"));
        assert_eq!(client.get(key).await.unwrap(), expected, "{key}");
    }
    until(&client, "node-1", ServerState::Down).await;
    let set = client.set_many(keys.iter().map(|key| (key.clone(), "meanwhile"))).await.unwrap();
    assert!(set.iter().all(Result::is_ok));
    let got = client.get_many(keys.iter()).await.unwrap();
    assert!(got.iter().all(|value| value.as_ref().unwrap().as_deref() == Some(b"meanwhile")));
    assert_eq!(client.health().await.unwrap(), Health::Serving);

    let _back = restart(&address).await;
    until(&client, "node-1", ServerState::Up).await;
    for key in &keys {
        let expected = (!of_one.contains(&key.as_str())).then(|| Bytes::from("meanwhile"));
        assert_eq!(client.get(key).await.unwrap(), expected, "{key}");
    }
}

/// The share of reads of one key that each server gets, of many at once.
async fn shares_of_one_key(builder: Builder, servers: &[TestServer]) -> Vec<u64> {
    let client = builder.connect().await.unwrap();
    // Connects to each server: a call to one without a connection is not in flight yet.
    for server in client.servers().await.unwrap() {
        client.on_server(server.name()).await.unwrap().stats().await.unwrap();
    }
    let reads = (0..90).map(|_| async { client.get("hot").await.unwrap() });
    futures::future::join_all(reads).await;
    let mut shares = Vec::new();
    for n in 0..servers.len() {
        let one = client.on_server(&format!("node-{n}")).await.unwrap();
        shares.push(one.stats().await.unwrap().misses);
    }
    shares.sort_unstable();
    shares
}

#[tokio::test]
async fn a_bounded_load_spreads_the_calls_of_a_hot_key_and_no_bound_does_not() {
    let servers = start(3).await;
    assert_eq!(shares_of_one_key(over(&servers), &servers).await, [0, 0, 90]);
    let servers = start(3).await;
    let shares = shares_of_one_key(over(&servers).bounded_load(1.25), &servers).await;
    assert_eq!(shares.iter().sum::<u64>(), 90);
    // 90 / 3 * 1.25, rounded up, is the most that one may have in flight.
    assert!(shares[2] <= 38 && shares[0] >= 14, "{shares:?}");
}

#[tokio::test]
async fn the_holder_of_a_key_is_its_owner_or_the_server_that_stands_in() {
    let mut servers = start(3).await;
    let client = over(&servers).connect().await.unwrap();
    let keys = keys(60);
    for key in &keys {
        let owner = client.server_of(key).await.unwrap();
        assert_eq!(client.holder_of(key).unwrap().as_deref(), Some(owner.name()));
    }
    servers.remove(1).shutdown().await;
    for key in &keys {
        client.get(key).await.unwrap();
    }
    until(&client, "node-1", ServerState::Down).await;
    for key in &keys {
        let (owner, holder) =
            (client.server_of(key).await.unwrap(), client.holder_of(key).unwrap());
        assert_ne!(holder.as_deref(), Some("node-1"));
        assert!(owner.name() == "node-1" || holder.as_deref() == Some(owner.name()));
    }
    assert_eq!(client.holder_of("").unwrap_err().kind(), ErrorKind::Validation);
    // A name that was not looked up has no servers yet.
    let unknown = Client::builder("dns:///localhost:1").build().unwrap();
    assert_eq!(unknown.holder_of("key").unwrap(), None);
}

#[tokio::test]
async fn a_batch_moves_the_items_of_a_server_that_goes_down_under_it() {
    let mut servers = start(3).await;
    let client = over(&servers).connect().await.unwrap();
    let keys = keys(300);
    servers.remove(0).shutdown().await;
    let set = client.set_many(keys.iter().map(|key| (key.clone(), "v"))).await.unwrap();
    assert!(set.iter().all(Result::is_ok), "{:?}", set.iter().find(|result| result.is_err()));
    assert_eq!(client.get_many(keys.iter()).await.unwrap().len(), 300);
}

#[tokio::test]
async fn without_failover_the_items_of_a_server_that_is_down_fail_and_name_it() {
    let mut servers = start(3).await;
    let client = over(&servers).failover(false).retries(1).connect().await.unwrap();
    let keys = keys(90);
    let address = servers[2].address().to_owned();
    servers.remove(2).shutdown().await;
    let set = client.set_many(keys.iter().map(|key| (key.clone(), "v"))).await.unwrap();
    let mut failed = 0;
    for (key, result) in keys.iter().zip(set) {
        let on_it = client.server_of(key).await.unwrap().name() == "node-2";
        assert_eq!(result.is_err(), on_it, "{key}");
        if let Err(error) = result {
            assert_eq!(error.kind(), ErrorKind::Connection);
            assert!(error.to_string().contains(&address), "{error}");
            failed += 1;
        }
    }
    assert!(failed > 0);
    let lost = keys.iter().position(|key| key == "key-0").unwrap();
    let owner = client.server_of(&keys[lost]).await.unwrap();
    assert_eq!(client.get(&keys[lost]).await.is_err(), owner.name() == "node-2");
    // The sum would lack a server.
    assert!(client.stats().await.unwrap_err().to_string().contains(&address));
}

#[tokio::test]
async fn a_client_connects_if_one_server_is_there_and_not_if_none_is() {
    let servers = start(1).await;
    let text = format!("a={},b=127.0.0.1:1", servers[0].address());
    let client = Client::builder(&text).connect().await.unwrap();
    for key in keys(20) {
        client.set(&key, "v").await.unwrap();
    }
    let error = Client::connect("a=127.0.0.1:1,b=127.0.0.1:2").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Connection);
    assert!(error.to_string().contains("127.0.0.1:"), "{error}");
    Client::builder(text).ready_within(LONG).connect().await.unwrap();
    client.close().await;
    let error = client.get("key").await.unwrap_err();
    assert_eq!(error.to_string(), "the client is closed");
}

#[tokio::test]
async fn a_server_that_accepts_and_hangs_loses_its_keys() {
    let servers = start(1).await;
    let hangs = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let text = format!("a={},b={}", servers[0].address(), hangs.local_addr().unwrap());
    let client = Client::builder(text).build().unwrap();
    for key in keys(10) {
        client.set(&key, "v").await.unwrap();
    }
    until(&client, "b", ServerState::Down).await;
    assert_eq!(client.stats().retries(0).await.unwrap_err().kind(), ErrorKind::Timeout);
    let alone = client.on_server("a").await.unwrap();
    assert_eq!(alone.stats().await.unwrap().entries, 10);
}

#[tokio::test]
async fn servers_at_the_addresses_of_a_name_come_and_go() {
    let servers = start(3).await;
    let address = |n: usize| servers[n].address().parse::<SocketAddr>().unwrap();
    let found = Arc::new(Mutex::new(vec![address(0), address(1)]));
    let shown = found.clone();
    let client = Client::builder("dns:///tiny-cache-nodes:50051")
        .resolver(move |host, port| {
            assert_eq!((host, port), ("tiny-cache-nodes", 50051));
            let found = shown.lock().unwrap().clone();
            async move { Ok(found) }
        })
        .look_up_interval(Duration::from_millis(1))
        .build()
        .unwrap();
    let names = || async {
        let servers = client.servers().await.unwrap();
        servers.iter().map(|server| server.name().to_owned()).collect::<BTreeSet<_>>()
    };
    let named = |places: &[usize]| -> BTreeSet<String> {
        places.iter().map(|n| servers[*n].address().to_owned()).collect()
    };
    client.set("key", "v").await.unwrap();
    assert_eq!(names().await, named(&[0, 1]));

    *found.lock().unwrap() = vec![address(2), address(1)];
    let changed = async {
        while names().await != named(&[1, 2]) {
            client.get("key").await.unwrap();
        }
    };
    tokio::time::timeout(LONG, changed).await.unwrap();
    for key in keys(30) {
        client.set(&key, "v").await.unwrap();
    }
    let sum = client.stats().await.unwrap();
    assert!((30..=31).contains(&sum.entries), "{}", sum.entries);
}

#[tokio::test]
async fn a_name_that_cannot_be_looked_up_fails_calls_until_it_can() {
    let servers = start(1).await;
    let address = servers[0].address().parse::<SocketAddr>().unwrap();
    let known = Arc::new(Mutex::new(false));
    let shown = known.clone();
    let client = Client::builder("dns:///nodes")
        .resolver(move |_, _| {
            let known = *shown.lock().unwrap();
            async move {
                if known { Ok(vec![address]) } else { Err(std::io::Error::other("no such name")) }
            }
        })
        .build()
        .unwrap();
    let error = client.get("key").await.unwrap_err();
    assert_eq!(error.to_string(), "cannot connect to grpc://nodes:50051: no such name");
    *known.lock().unwrap() = true;
    assert_eq!(client.get("key").await.unwrap(), None);
    // Once known, servers stay while the resolver is down.
    *known.lock().unwrap() = false;
    assert_eq!(client.get("key").await.unwrap(), None);
}

#[tokio::test]
async fn settings_of_several_servers_are_checked() {
    for (builder, text) in [
        (Client::builder("a:1,a:2"), "two servers have the name `a`"),
        (Client::builder("").servers(Vec::<Server>::new()), "no servers"),
        (Client::builder("a:1,b:1").ring_size(2, 1), "ring size of 2 to 1"),
        (Client::builder("a:1,b:1").ring_size(0, 1), "ring size of 0 to 1"),
        (Client::builder("a:1,b:1").points_per_server(0), "0 points for each server"),
        (Client::builder("a:1,b:1").bounded_load(1.0), "bounded load of 1 times the average"),
        (Client::builder("a:1,b:1").bounded_load(f64::NAN), "bounded load of NaN times"),
        (
            Client::builder("a:1,b:1").bounded_load(2.0).failover(false),
            "a bounded load gives keys more than one holder",
        ),
        (Client::builder("a:1,b:x"), "bad address `b:x`"),
        (Client::builder("dns:///grpcs://a"), "bad address `dns:///grpcs://a`"),
        (
            Client::builder("a:1,b:1").connector(|| async { Ok(tokio::io::empty()) }),
            "a connector leads to one server",
        ),
    ] {
        let error = builder.build().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Validation);
        assert!(error.to_string().starts_with(text), "{error}");
    }
    let client = Client::builder("a:1,b:1").build().unwrap();
    let error = client.on_server("c").await.unwrap_err();
    assert_eq!(error.to_string(), "no server has the name `c`; Client::servers lists them");
}
