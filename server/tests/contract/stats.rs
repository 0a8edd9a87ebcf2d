//! Row `Stats`: each field, and that one reply speaks for the whole server.

use tiny_cache_proto::cache::{CacheStats, Empty};

use crate::support::{
    Cache, Deployment,
    messages::{item, items, key, keys, swap, within},
};

crate::rows![hits_and_misses_are_counted_for_the_whole_server,];

crate::store_rows![
    entries_and_their_memory_are_counted_at_once,
    every_value_that_is_too_large_is_counted,
    a_limit_on_the_count_evicts,
    a_limit_on_memory_evicts,
    a_fresh_server_has_counted_nothing,
    limits_are_reported_as_set,
];

async fn stats(cache: &mut Cache) -> CacheStats {
    cache.stats(Empty {}).await.unwrap()
}

async fn a_fresh_server_has_counted_nothing(on: Deployment) {
    let site = on.start();
    let mut cache = site.connect().await;
    let expected = CacheStats {
        // 100 MB of memory, of which a value takes 4 MiB at most.
        max_memory_bytes: 100 << 20,
        max_value_bytes: 4 << 20,
        ..CacheStats::default()
    };
    assert_eq!(stats(&mut cache).await, expected);
}

async fn limits_are_reported_as_set(on: Deployment) {
    let site = on.start_with(&[
        ("CACHE_MAX_ITEMS", "5000"),
        ("CACHE_MAX_MEMORY_MB", "3"),
        ("CACHE_MAX_VALUE_BYTES", "70000"),
    ]);
    let mut cache = site.connect().await;
    let reported = stats(&mut cache).await;
    assert_eq!(reported.max_items, 5000);
    assert_eq!(reported.max_memory_bytes, 3 << 20);
    assert_eq!(reported.max_value_bytes, 70_000);

    // Not set: the memory where that is less than 4 MiB.
    let site = on.start_with(&[("CACHE_MAX_MEMORY_MB", "3")]);
    let mut cache = site.connect().await;
    assert_eq!(stats(&mut cache).await.max_value_bytes, 3 << 20);
}

async fn hits_and_misses_are_counted_for_the_whole_server(on: Deployment) {
    let site = on.start();
    let mut caches = Vec::new();
    for _ in 0..4 {
        caches.push(site.connect().await);
    }
    caches[0].set(item("k", "v")).await.unwrap();
    let inside = within("team", item("k", "v"));
    caches[0].set(inside).await.unwrap();
    for cache in &mut caches {
        for _ in 0..5 {
            cache.get(key("k")).await.unwrap();
        }
        cache.get(within("team", key("k"))).await.unwrap();
        for _ in 0..2 {
            cache.get(key("absent")).await.unwrap();
        }
    }
    for cache in &mut caches {
        let reported = stats(cache).await;
        assert_eq!((reported.hits, reported.misses), (24, 8));
        assert!((reported.hit_rate - 0.75).abs() < 1e-9, "{reported:?}");
        assert_eq!(reported.size, 2);
    }
}

async fn entries_and_their_memory_are_counted_at_once(on: Deployment) {
    let site = on.start();
    let mut cache = site.connect().await;
    for n in 1..=50 {
        cache.set(item(format!("k{n}"), "v")).await.unwrap();
        let reported = stats(&mut cache).await;
        assert_eq!(reported.size, n);
        assert!(reported.memory_usage_bytes > 3 * i64::from(n));
    }
    let before = stats(&mut cache).await.memory_usage_bytes;
    cache.set(item("k1", vec![0; 10_001])).await.unwrap();
    let after = stats(&mut cache).await;
    assert_eq!(after.size, 50);
    assert!(after.memory_usage_bytes >= before + 10_000);
    for n in 1..=50 {
        cache.delete(key(format!("k{n}"))).await.unwrap();
        assert_eq!(stats(&mut cache).await.size, 50 - n);
    }
    assert_eq!(stats(&mut cache).await.memory_usage_bytes, 0);
    // What was deleted or replaced was not evicted.
    assert_eq!(stats(&mut cache).await.evictions, 0);
}

async fn every_value_that_is_too_large_is_counted(on: Deployment) {
    let site = on.start_with(&[("CACHE_MAX_VALUE_BYTES", "100")]);
    let mut cache = site.connect().await;
    cache.set(item("a", "v")).await.unwrap();
    let too_large = || vec![0; 101];
    cache.set(item("k", too_large())).await.unwrap_err();
    cache.set_if_absent(item("k", too_large())).await.unwrap_err();
    cache.compare_and_set(swap("a", "v", too_large())).await.unwrap_err();
    let batch = items([item("a", too_large()), item("b", "v"), item("c", too_large())]);
    cache.multi_set(batch).await.unwrap();
    // Decided before the size was looked at.
    cache.set_if_absent(item("a", too_large())).await.unwrap();
    cache.compare_and_set(swap("a", "w", too_large())).await.unwrap();
    let reported = stats(&mut cache).await;
    assert_eq!(reported.rejected_oversize, 5);
    assert_eq!((reported.rejected_capacity, reported.size), (0, 2));
}

async fn a_limit_on_the_count_evicts(on: Deployment) {
    for policy in ["window", "lru", "tinylfu"] {
        let site = on.start_with(&[("CACHE_MAX_ITEMS", "1000"), ("CACHE_EVICTION_POLICY", policy)]);
        let mut cache = site.connect().await;
        for batch in 0..10 {
            let batch = (0..1000).map(|n| item(format!("{batch} {n}"), "v"));
            cache.multi_set(items(batch)).await.unwrap();
        }
        let reported = settled(&mut cache, |stats| stats.size <= 1000).await;
        assert!(reported.size > 500, "{policy}: {reported:?}");
        // What is neither there nor refused was evicted.
        let gone = 10_000 - reported.size;
        assert_eq!(reported.evictions, gone, "{policy}: {reported:?}");
        let by_lru = if policy == "lru" { gone } else { 0 };
        assert_eq!(reported.lru_evictions, by_lru, "{policy}: {reported:?}");
        assert_eq!(reported.expired_removals, 0);
    }
}

async fn a_limit_on_memory_evicts(on: Deployment) {
    for policy in ["window", "lru", "tinylfu"] {
        let site = on.start_with(&[
            ("CACHE_MAX_MEMORY_MB", "2"),
            ("CACHE_MAX_VALUE_BYTES", "10000"),
            ("CACHE_EVICTION_POLICY", policy),
        ]);
        let mut cache = site.connect().await;
        for n in 0..1000 {
            let large = item(format!("k{n}"), vec![0; 10_000]);
            cache.set(large).await.unwrap();
        }
        let reported = settled(&mut cache, |stats| stats.memory_usage_bytes <= 2 << 20).await;
        assert!(reported.size > 100, "{policy}: {reported:?}");
        assert_eq!(reported.evictions, 1000 - reported.size, "{policy}");
        let names: Vec<String> = (0..1000).map(|n| format!("k{n}")).collect();
        let got = cache.multi_get(keys(&names)).await.unwrap();
        let readable = got.items.iter().filter(|item| item.found).count();
        assert_eq!(i32::try_from(readable).unwrap(), reported.size, "{policy}");
    }
}

/// The limits hold a moment after the writes at the latest; upkeep is not part
/// of a write.
async fn settled(cache: &mut Cache, holds: impl Fn(&CacheStats) -> bool) -> CacheStats {
    let give_up = std::time::Instant::now() + std::time::Duration::from_secs(5);
    loop {
        let reported = stats(cache).await;
        if holds(&reported) {
            return reported;
        }
        assert!(std::time::Instant::now() < give_up, "{reported:?}");
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
}
