//! What the tier refuses: each refusal has a status of its own, and says what to do where.

use std::{
    io::Write,
    sync::{
        Arc,
        atomic::{AtomicU16, Ordering::Relaxed},
    },
};

use tiny_cache_proto::cache::{CompareAndSetRequest, Empty, MultiCacheKeyRequest};
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
};
use tonic::{Code, Request};

use crate::{
    nodes::{figure, get, is_up, node, set, until, warm},
    support::{
        messages::{item, key},
        redis::Redis,
        run,
    },
};

#[test]
#[ignore = "needs redis-server; run by `make test-tier`"]
fn a_tier_without_room_says_that_it_is_the_tier_and_what_to_set_there() {
    run(async {
        let redis = Redis::start(&[]);
        let site = node(&redis.url(), &[]);
        let mut cache = site.connect().await;
        redis.ask(&["CONFIG", "SET", "maxmemory", "1"]);
        let refused = cache.set(item("k", "v")).await.unwrap_err();
        assert_eq!(refused.code(), Code::ResourceExhausted);
        // The contract's words come first.
        let words =
            "Cache capacity exhausted and cannot accommodate new entry: the backend is full";
        assert!(refused.message().starts_with(words), "{refused:?}");
        assert!(refused.message().contains("maxmemory-policy"), "{refused:?}");
        assert!(is_up(&site).await);
    });
}

/// One key that holds no string fails no other of its pipeline.
#[test]
#[ignore = "needs redis-server; run by `make test-tier`"]
fn a_key_of_another_type_is_a_miss_and_harms_no_other() {
    run(async {
        let redis = Redis::start(&[]);
        let site = node(&redis.url(), &[]);
        let mut cache = site.connect().await;
        redis.ask(&["LPUSH", "tiny-cache::list", "v"]);
        redis.ask(&["SET", "tiny-cache::a", "1"]);
        redis.ask(&["SET", "tiny-cache::b", "2"]);
        let keys = ["a", "list", "b"].map(str::to_owned).to_vec();
        let request = tiny_cache_proto::cache::MultiCacheKeyRequest { keys };
        let found = cache.multi_get(request).await.unwrap().items;
        assert_eq!(found.iter().map(|item| item.found).collect::<Vec<_>>(), [true, false, true]);
    });
}

#[test]
#[ignore = "needs redis-server; run by `make test-tier`"]
fn a_write_that_depends_on_a_key_of_another_type_names_the_type_and_is_no_outage() {
    run(async {
        let redis = Redis::start(&[]);
        let site = node(&redis.url(), &[]);
        let mut cache = site.connect().await;
        redis.ask(&["HSET", "tiny-cache::k", "field", "v"]);
        let swap = CompareAndSetRequest {
            key: "k".into(),
            expected_value: "v".into(),
            value: "w".into(),
            ttl: 0,
        };
        // More often than the breaker takes.
        for _ in 0..20 {
            let refused = cache.compare_and_set(swap.clone()).await.unwrap_err();
            assert_eq!(refused.code(), Code::FailedPrecondition, "{refused:?}");
            assert!(refused.message().starts_with("The backend has a hash"), "{refused:?}");
            assert!(refused.message().contains("CACHE_BACKEND_PREFIX"), "{refused:?}");
            assert_eq!(get(&mut cache, "k").await, None);
        }
        for of_outages in [
            "tiny_cache_backend_not_sent_total",
            r#"tiny_cache_backend_reads_total{result="unanswered"}"#,
        ] {
            assert!(figure(&site, of_outages).await < 1.0, "{of_outages}");
        }
        // It is something, for who wants nothing to be there; and any write replaces it.
        let status = cache.set_if_absent(item("k", "v")).await.unwrap().status();
        assert_eq!(status.as_str_name(), "EXISTS");
        assert_eq!(set(&mut cache, "k", "v").await, Code::Ok);
        assert_eq!(cache.compare_and_set(swap).await.unwrap().status().as_str_name(), "STORED");
    });
}

/// An address that leads to one server or another, as one of a balancer or of a name does. What is
/// connected stays where it is.
async fn address_of(port: Arc<AtomicU16>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut from, _)) = listener.accept().await {
            let port = port.load(Relaxed);
            tokio::spawn(async move {
                let mut to = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
                let _ = copy_bidirectional(&mut from, &mut to).await;
            });
        }
    });
    format!("redis://{address}")
}

/// Nothing breaks when a primary is made a replica: its connections stay, and take no writes. A node
/// had stayed there for good.
#[test]
#[ignore = "needs redis-server; run by `make test-tier`"]
fn a_primary_that_has_become_a_replica_is_left_for_the_new_one() {
    run(async {
        let (old, new) = (Redis::start(&[]), Redis::start(&[]));
        let port = Arc::new(AtomicU16::new(old.port()));
        let site = node(&address_of(port.clone()).await, &[]);
        let mut cache = site.connect().await;
        assert_eq!(set(&mut cache, "k", "v").await, Code::Ok);
        warm(&site, &mut cache, "k").await;
        port.store(new.port(), Relaxed);
        new.ask(&["SET", "tiny-cache::k", "v"]);
        old.ask(&["REPLICAOF", "127.0.0.1", &new.port().to_string()]);
        let refused = cache.set(item("k", "w")).await.unwrap_err();
        assert_eq!(refused.code(), Code::Unavailable);
        assert!(refused.message().starts_with("The backend is a replica"), "{refused:?}");
        until("the new one is found", async || set(&mut cache, "k", "w").await == Code::Ok).await;
        assert!(new.ask(&["GET", "tiny-cache::k"]).contains('w'));
        until("it tells of changes", async || is_up(&site).await).await;
        warm(&site, &mut cache, "k").await;
        new.ask(&["SET", "tiny-cache::k", "x"]);
        until("a change is seen", async || get(&mut cache, "k").await.as_deref() == Some("x"))
            .await;
    });
}

/// A near value was counted as a hit before it was known whether the call was admitted.
#[test]
#[ignore = "needs redis-server; run by `make test-tier`"]
fn a_call_that_its_quota_refuses_is_no_hit() {
    run(async {
        let redis = Redis::start(&[]);
        let mut quotas = tempfile::NamedTempFile::new().unwrap();
        quotas.write_all(b"[namespace.shop]\nrequests_per_second = 1\nburst = 4\n").unwrap();
        let site = node(&redis.url(), &[("CACHE_QUOTAS_PATH", quotas.path().to_str().unwrap())]);
        let mut cache = site.connect().await;
        redis.ask(&["SET", "tiny-cache:shop:k", "v"]);
        let (mut hits, mut refused) = (0, 0);
        for n in 0..40 {
            // Both ways by which a near value is given.
            let answer = if n % 2 == 0 {
                let request = within_shop(key("k"));
                cache.get(request).await.map(|found| usize::from(found.found))
            } else {
                let request = within_shop(MultiCacheKeyRequest { keys: vec!["k".into()] });
                cache.multi_get(request).await.map(|found| found.items.len())
            };
            match answer {
                Ok(found) => hits += found,
                Err(status) => {
                    assert_eq!(status.code(), Code::ResourceExhausted);
                    refused += 1;
                }
            }
        }
        assert!(hits >= 4 && refused > 20, "{hits} hits, {refused} refused");
        assert_eq!(usize::try_from(cache.stats(Empty {}).await.unwrap().hits), Ok(hits));
    });
}

fn within_shop<T>(message: T) -> Request<T> {
    let mut request = Request::new(message);
    request.metadata_mut().insert("x-cache-namespace", "shop".parse().unwrap());
    request
}
