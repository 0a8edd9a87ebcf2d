//! What a full cache lets go under `CACHE_EVICTION_POLICY=lru`.

use crate::support::{
    Cache, Deployment,
    messages::{item, items, key, keys},
};

crate::rows![
    a_key_that_was_read_early_stays_while_keys_that_were_never_read_go,
    the_keys_that_go_are_the_oldest_in_the_order_of_use,
    every_shard_keeps_what_was_read_last,
];

async fn lru(on: Deployment, max_items: usize) -> (crate::support::Site, Cache) {
    let max_items = max_items.to_string();
    let site = on.start_with(&[
        ("CACHE_MAX_ITEMS", &max_items),
        ("CACHE_EVICTION_POLICY", "lru"),
        ("CACHE_MAX_MEMORY_MB", "64"),
        ("CACHE_MAX_VALUE_BYTES", "1000"),
    ]);
    let cache = site.connect().await;
    (site, cache)
}

async fn has(cache: &mut Cache, name: &str) -> bool {
    cache.get(key(name)).await.unwrap().found
}

/// The store applied all pending reads before all pending writes: `hot`, read after twenty
/// writes that were still pending, counted as older than they were.
async fn a_key_that_was_read_early_stays_while_keys_that_were_never_read_go(on: Deployment) {
    for (max_items, before) in [(100, 20), (100, 1), (100, 63), (1000, 20), (1000, 60)] {
        let (_site, mut cache) = lru(on, max_items).await;
        cache.set(item("hot", "v")).await.unwrap();
        for n in 0..before {
            cache.set(item(format!("before {n}"), "v")).await.unwrap();
        }
        for _ in 0..3 {
            assert!(has(&mut cache, "hot").await);
        }
        // Full with the last but one; with the last, one has to go.
        for n in 0..max_items - before {
            cache.set(item(format!("after {n}"), "v")).await.unwrap();
        }
        assert!(has(&mut cache, "hot").await, "{max_items} items, {before} before");
        assert!(!has(&mut cache, "before 0").await, "{max_items} items, {before} before");
        for n in 1..before {
            assert!(has(&mut cache, &format!("before {n}")).await, "{n} of {before}");
        }
    }
}

async fn the_keys_that_go_are_the_oldest_in_the_order_of_use(on: Deployment) {
    let (_site, mut cache) = lru(on, 100).await;
    let name = |n: usize| format!("k{n}");
    cache.multi_set(items((0..100).map(|n| item(name(n), "v")))).await.unwrap();
    // Used anew: by a read, a batch of reads, a write, and writes that were refused.
    assert!(has(&mut cache, "k0").await);
    cache.multi_get(keys(["k1", "k2"])).await.unwrap();
    cache.set(item("k3", "w")).await.unwrap();
    cache.set_if_absent(item("k4", "w")).await.unwrap();
    for n in 0..50 {
        cache.set(item(format!("new {n}"), "v")).await.unwrap();
    }
    let names: Vec<_> = (0..100).map(name).collect();
    let found = cache.multi_get(keys(&names)).await.unwrap().items;
    let there: Vec<_> = found.iter().map(|item| item.found).collect();
    let expected: Vec<_> = (0..100).map(|n| !(5..55).contains(&n)).collect();
    assert_eq!(there, expected);
}

/// Keys fall into shards at random, so a shard's share of 5000 is off by some 70.
async fn every_shard_keeps_what_was_read_last(on: Deployment) {
    const ITEMS: usize = 20_000;
    let (site, mut cache) = lru(on, ITEMS).await;
    let mut fill = async |name: &str, count: usize| {
        let names: Vec<_> = (0..count).map(|n| format!("{name} {n}")).collect();
        for batch in names.chunks(1000) {
            cache.multi_set(items(batch.iter().map(|name| item(name, "v")))).await.unwrap();
        }
    };
    fill("hot", 100).await;
    fill("before", ITEMS / 5).await;
    let hot: Vec<_> = (0..100).map(|n| format!("hot {n}")).collect();
    let mut reader = site.connect().await;
    let mut there = async || {
        let found = reader.multi_get(keys(&hot)).await.unwrap().items;
        found.iter().filter(|item| item.found).count()
    };
    assert_eq!(there().await, 100);
    fill("after", ITEMS * 9 / 10).await;
    assert_eq!(there().await, 100);
    let oldest: Vec<_> = (0..100).map(|n| format!("before {n}")).collect();
    let found = cache.multi_get(keys(&oldest)).await.unwrap().items;
    assert_eq!(found.iter().filter(|item| item.found).count(), 0);
}
