//! Rows `SetIfAbsent` and `CompareAndSet`. What they promise under contention
//! is in `linearizability`.

use tiny_cache_proto::cache::ConditionalCacheStatus::{Exists, Mismatch, NotFound, Stored};
use tonic::Code;

use crate::support::{
    Deployment,
    messages::{item, key, swap},
};

crate::rows![
    set_if_absent_stores_once,
    set_if_absent_stores_after_a_delete,
    compare_and_set_needs_the_expected_value,
    an_empty_value_is_a_value_to_compare_with,
    exists_is_decided_before_the_size_is_looked_at,
    not_found_and_mismatch_are_decided_before_the_size_is_looked_at,
    conditional_writes_are_neither_hits_nor_misses,
];

async fn set_if_absent_stores_once(on: Deployment) {
    let site = on.start();
    let mut cache = site.connect().await;
    for (value, status) in [("first", Stored), ("second", Exists), ("first", Exists)] {
        let set = cache.set_if_absent(item("k", value)).await.unwrap();
        assert_eq!(set.status(), status, "{value}");
    }
    let found = cache.get(key("k")).await.unwrap();
    assert_eq!(found.value, "first");
}

async fn set_if_absent_stores_after_a_delete(on: Deployment) {
    let site = on.start();
    let mut cache = site.connect().await;
    for _ in 0..3 {
        let set = cache.set_if_absent(item("k", "v")).await.unwrap();
        assert_eq!(set.status(), Stored);
        cache.delete(key("k")).await.unwrap();
    }
}

async fn compare_and_set_needs_the_expected_value(on: Deployment) {
    let site = on.start();
    let mut cache = site.connect().await;
    let mut swapped = async |expected: &'static str, value: &'static str| {
        let swapped = cache.compare_and_set(swap("k", expected, value)).await;
        let found = cache.get(key("k")).await.unwrap();
        (swapped.unwrap().status(), found.value)
    };
    assert_eq!(swapped("", "one").await, (NotFound, "".into()));

    let mut setter = site.connect().await;
    setter.set(item("k", "one")).await.unwrap();
    assert_eq!(swapped("two", "three").await, (Mismatch, "one".into()));
    assert_eq!(swapped("on", "three").await, (Mismatch, "one".into()));
    assert_eq!(swapped("one\0", "three").await, (Mismatch, "one".into()));
    assert_eq!(swapped("one", "two").await, (Stored, "two".into()));
    assert_eq!(swapped("one", "three").await, (Mismatch, "two".into()));
    assert_eq!(swapped("two", "two").await, (Stored, "two".into()));

    setter.delete(key("k")).await.unwrap();
    assert_eq!(swapped("two", "three").await, (NotFound, "".into()));
}

async fn an_empty_value_is_a_value_to_compare_with(on: Deployment) {
    let site = on.start();
    let mut cache = site.connect().await;
    cache.set(item("k", "")).await.unwrap();
    let set = cache.set_if_absent(item("k", "v")).await.unwrap();
    assert_eq!(set.status(), Exists);
    let swapped = cache.compare_and_set(swap("k", "x", "v")).await.unwrap();
    assert_eq!(swapped.status(), Mismatch);
    let swapped = cache.compare_and_set(swap("k", "", "v")).await.unwrap();
    assert_eq!(swapped.status(), Stored);
    let swapped = cache.compare_and_set(swap("k", "", "w")).await.unwrap();
    assert_eq!(swapped.status(), Mismatch);
}

async fn exists_is_decided_before_the_size_is_looked_at(on: Deployment) {
    let site = on.start_with(&[("CACHE_MAX_VALUE_BYTES", "100")]);
    let mut cache = site.connect().await;
    cache.set(item("k", "v")).await.unwrap();
    let set = cache.set_if_absent(item("k", vec![0; 101])).await.unwrap();
    assert_eq!(set.status(), Exists);
}

async fn not_found_and_mismatch_are_decided_before_the_size_is_looked_at(on: Deployment) {
    let site = on.start_with(&[("CACHE_MAX_VALUE_BYTES", "100")]);
    let mut cache = site.connect().await;
    let too_large = vec![0; 101];
    let swapped = cache.compare_and_set(swap("k", "v", too_large.clone()));
    assert_eq!(swapped.await.unwrap().status(), NotFound);
    cache.set(item("k", "v")).await.unwrap();
    let swapped = cache.compare_and_set(swap("k", "w", too_large.clone()));
    assert_eq!(swapped.await.unwrap().status(), Mismatch);
    let refused = cache.compare_and_set(swap("k", "v", too_large)).await;
    assert_eq!(refused.unwrap_err().code(), Code::ResourceExhausted);
}

async fn conditional_writes_are_neither_hits_nor_misses(on: Deployment) {
    let site = on.start();
    let mut cache = site.connect().await;
    cache.compare_and_set(swap("k", "v", "w")).await.unwrap();
    cache.set_if_absent(item("k", "v")).await.unwrap();
    cache.set_if_absent(item("k", "v")).await.unwrap();
    cache.compare_and_set(swap("k", "x", "w")).await.unwrap();
    cache.compare_and_set(swap("k", "v", "w")).await.unwrap();
    let stats = cache.stats(tiny_cache_proto::cache::Empty {}).await;
    let stats = stats.unwrap();
    assert_eq!((stats.hits, stats.misses), (0, 0));
}
