//! Row `ttl`. Time is the real one, since it is the server's; every entry of a
//! table is written at once, so that the table waits once.
//!
//! A reply proves what it says only together with when it was asked and when it
//! came: a hit counts as wrong when it was asked after the write's reply plus
//! the ttl, a miss when it came before the write's request plus the ttl.

use std::time::{Duration, Instant};

use tiny_cache_proto::cache::{
    CacheStatus, CompareAndSetRequest,
    ConditionalCacheStatus::{Exists, NotFound, Stored},
    Empty,
};

use crate::support::{
    Cache, Deployment,
    messages::{items, key, keys, lasting, swap},
};

crate::rows![
    an_entry_lives_for_its_ttl_and_no_longer,
    a_write_replaces_the_ttl,
    a_read_never_extends_the_ttl,
    an_expired_entry_is_absent_for_every_rpc,
];

crate::store_rows![an_expired_entry_leaves_the_stats_within_two_seconds];

const SECOND: Duration = Duration::from_secs(1);

async fn an_entry_lives_for_its_ttl_and_no_longer(on: Deployment) {
    let site = on.start();
    let mut cache = site.connect().await;
    for (name, ttl) in [("never", 0), ("negative", -1), ("least", i32::MIN)] {
        cache.set(lasting(name, "v", ttl)).await.unwrap();
    }
    for (name, ttl) in [("two", 2), ("hour", 3600), ("most", i32::MAX)] {
        cache.set(lasting(name, "v", ttl)).await.unwrap();
    }
    let asked = Instant::now();
    cache.set(lasting("one", "v", 1)).await.unwrap();
    let batch = items([lasting("batch one", "v", 1), lasting("batch never", "v", 0)]);
    cache.multi_set(batch).await.unwrap();
    let answered = Instant::now();

    // Reads all through the second, from several sides.
    loop {
        let sent = Instant::now();
        let names = ["one", "batch one"];
        let found = cache.multi_get(keys(names)).await.unwrap();
        let single = cache.get(key("one")).await.unwrap().found;
        let came = Instant::now();
        let hits = found.items.iter().map(|item| item.found).chain([single]);
        if came < asked + SECOND {
            assert!(hits.clone().all(|hit| hit), "gone before its time");
        }
        if sent >= answered + SECOND {
            assert!(hits.clone().all(|hit| !hit), "there after its time");
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    for name in ["two", "hour", "most", "never", "negative", "least"] {
        let found = cache.get(key(name)).await.unwrap();
        // `two` has a second left, unless the machine stood still.
        let too_late = name == "two" && asked.elapsed() >= 2 * SECOND;
        assert!(found.found || too_late, "{name}");
    }
    let found = cache.get(key("batch never")).await.unwrap();
    assert!(found.found);
}

async fn a_write_replaces_the_ttl(on: Deployment) {
    let site = on.start();
    let mut cache = site.connect().await;
    // The ttl before, the ttl after, and whether the entry outlives a second.
    let table = [(1, 60, true), (1, 0, true), (60, 1, false), (0, 1, false)];
    for (before, after, _) in table {
        let name = |how: &str| format!("{how} {before} {after}");
        for how in ["set", "swap", "batch", "delete"] {
            let first = lasting(name(how), "old", before);
            cache.set(first).await.unwrap();
        }
        let set = lasting(name("set"), "new", after);
        cache.set(set).await.unwrap();
        let batch = items([lasting(name("batch"), "new", after)]);
        cache.multi_set(batch).await.unwrap();
        let swap = CompareAndSetRequest { ttl: after, ..swap(name("swap"), "old", "new") };
        let swapped = cache.compare_and_set(swap).await.unwrap();
        assert_eq!(swapped.status(), Stored);
        cache.delete(key(name("delete"))).await.unwrap();
        let again = lasting(name("delete"), "new", after);
        let stored = cache.set_if_absent(again).await.unwrap();
        assert_eq!(stored.status(), Stored);
        // A conditional write that stores nothing leaves the ttl alone too.
        let exists = cache.set_if_absent(lasting(name("set"), "newer", before));
        assert_eq!(exists.await.unwrap().status(), Exists);
    }
    tokio::time::sleep(SECOND + Duration::from_millis(5)).await;
    for (before, after, outlives) in table {
        for how in ["set", "swap", "batch", "delete"] {
            let name = format!("{how} {before} {after}");
            let found = cache.get(key(&name)).await.unwrap();
            assert_eq!(found.found, outlives, "{name}");
        }
    }
}

async fn a_read_never_extends_the_ttl(on: Deployment) {
    let site = on.start();
    let mut cache = site.connect().await;
    cache.set(lasting("k", "v", 1)).await.unwrap();
    let answered = Instant::now();
    loop {
        let sent = Instant::now();
        let got = cache.get(key("k")).await.unwrap();
        let many = cache.multi_get(keys(["k"])).await.unwrap();
        if sent >= answered + SECOND {
            assert!(!got.found && !many.items[0].found);
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn an_expired_entry_is_absent_for_every_rpc(on: Deployment) {
    let site = on.start();
    let mut cache = site.connect().await;
    let names = ["get", "many", "absent", "swap", "delete", "deletes"];
    for name in names {
        cache.set(lasting(name, "old", 1)).await.unwrap();
    }
    tokio::time::sleep(SECOND + Duration::from_millis(5)).await;
    assert_absent(&mut cache).await;
}

async fn assert_absent(cache: &mut Cache) {
    let got = cache.get(key("get")).await.unwrap();
    assert!(!got.found);
    assert!(got.value.is_empty());
    let many = cache.multi_get(keys(["many"])).await.unwrap();
    assert!(!many.items[0].found);
    assert!(many.items[0].value.is_empty());
    assert_eq!(many.items[0].error, "");
    let swapped = cache.compare_and_set(swap("swap", "old", "new"));
    assert_eq!(swapped.await.unwrap().status(), NotFound);
    let stored = cache.set_if_absent(lasting("absent", "new", 60)).await;
    assert_eq!(stored.unwrap().status(), Stored);
    let deleted = cache.delete(key("delete")).await.unwrap();
    assert_eq!(deleted.status(), CacheStatus::Ok);
    let deleted = cache.multi_delete(keys(["deletes"])).await.unwrap();
    assert_eq!(deleted.items[0].status(), CacheStatus::Ok);
}

async fn an_expired_entry_leaves_the_stats_within_two_seconds(on: Deployment) {
    // Sweeps that are far apart must not be what keeps the promise.
    let site = on.start_with(&[("CACHE_CLEANUP_INTERVAL", "3600")]);
    let mut cache = site.connect().await;
    cache.set(lasting("stays", "v", 60)).await.unwrap();
    let alone = cache.stats(Empty {}).await.unwrap();
    for batch in 0..10 {
        let gone = (0..100).map(|n| lasting(format!("{batch} {n}"), vec![0; 100], 1));
        cache.multi_set(items(gone)).await.unwrap();
    }
    let answered = Instant::now();
    let full = cache.stats(Empty {}).await.unwrap();
    if answered.elapsed() < SECOND / 2 {
        assert_eq!(full.size, 1001);
        assert!(full.memory_usage_bytes >= alone.memory_usage_bytes + 100_000);
    }
    tokio::time::sleep_until((answered + 3 * SECOND).into()).await;
    let stats = cache.stats(Empty {}).await.unwrap();
    assert_eq!(stats.size, 1);
    assert_eq!(stats.memory_usage_bytes, alone.memory_usage_bytes);
    assert_eq!(stats.expired_removals, 1000);
}
