//! Row `MultiGet`, `MultiSet`, `MultiDelete`.

use tiny_cache_proto::cache::{CacheLookup, CacheOperationResult, CacheStatus, Empty};

use crate::support::{
    Deployment,
    messages::{item, items, key, keys},
};

const EMPTY: &str = "Key cannot be empty";
const TOO_LONG: &str = "Key is too long (max 256)";
const TOO_LARGE: &str = "Value exceeds maximum allowed cache entry size";

crate::rows![
    a_batch_answers_in_the_order_asked_with_duplicates,
    a_batch_of_nothing_is_answered_with_nothing,
    an_items_error_is_its_own,
    of_two_writes_to_one_key_in_a_batch_the_later_stays,
    a_batch_of_reads_counts_each_hit_and_miss,
    a_batch_spans_every_shard,
];

async fn a_batch_answers_in_the_order_asked_with_duplicates(on: Deployment) {
    let site = on.start();
    let mut cache = site.connect().await;
    let names = ["d", "a", "c", "a", "b", "b", "a"];

    let batch = items(names.iter().map(|name| item(*name, *name)));
    let set = cache.multi_set(batch).await.unwrap().items;
    assert_eq!(set, names.map(done));

    let asked = ["a", "x", "d", "a", "x", "c"];
    let got = cache.multi_get(keys(asked)).await.unwrap();
    assert_eq!(
        got.items,
        [hit("a", "a"), miss("x"), hit("d", "d"), hit("a", "a"), miss("x"), hit("c", "c"),]
    );

    let deleted = cache.multi_delete(keys(["x", "a", "a", "c"])).await;
    let deleted = deleted.unwrap().items;
    assert_eq!(deleted, ["x", "a", "a", "c"].map(done));
    let got = cache.multi_get(keys(["a", "b", "c"])).await.unwrap();
    let got = got.items;
    assert_eq!(got, [miss("a"), hit("b", "b"), miss("c")]);
}

async fn a_batch_of_nothing_is_answered_with_nothing(on: Deployment) {
    let site = on.start();
    let mut cache = site.connect().await;
    let nothing: [&str; 0] = [];
    let got = cache.multi_get(keys(nothing)).await.unwrap();
    assert_eq!(got.items, []);
    let set = cache.multi_set(items([])).await.unwrap();
    assert_eq!(set.items, []);
    let deleted = cache.multi_delete(keys(nothing)).await.unwrap();
    assert_eq!(deleted.items, []);
}

async fn an_items_error_is_its_own(on: Deployment) {
    let site = on.start_with(&[("CACHE_MAX_VALUE_BYTES", "100")]);
    let mut cache = site.connect().await;
    let long = "k".repeat(257);

    let batch = items([
        item("a", "1"),
        item("", "2"),
        item(&long, "3"),
        item("b", vec![0; 101]),
        item("c", "5"),
    ]);
    let set = cache.multi_set(batch).await.unwrap().items;
    assert_eq!(
        set,
        [done("a"), failed("", EMPTY), failed(&long, TOO_LONG), failed("b", TOO_LARGE), done("c"),]
    );

    let asked = ["a", "", long.as_str(), "b", "c"];
    let got = cache.multi_get(keys(asked)).await.unwrap();
    let wrong = |key: &str, error: &str| CacheLookup { error: error.to_owned(), ..miss(key) };
    assert_eq!(
        got.items,
        [hit("a", "1"), wrong("", EMPTY), wrong(&long, TOO_LONG), miss("b"), hit("c", "5"),]
    );

    let deleted = cache.multi_delete(keys(asked)).await.unwrap();
    assert_eq!(
        deleted.items,
        [done("a"), failed("", EMPTY), failed(&long, TOO_LONG), done("b"), done("c"),]
    );
}

async fn of_two_writes_to_one_key_in_a_batch_the_later_stays(on: Deployment) {
    let site = on.start();
    let mut cache = site.connect().await;
    let batch = (0..200).map(|n| item(format!("k{}", n % 7), n.to_string()));
    cache.multi_set(items(batch)).await.unwrap();
    for n in 193..200 {
        let found = cache.get(key(format!("k{}", n % 7))).await.unwrap();
        assert_eq!(found.value, n.to_string());
    }
}

async fn a_batch_of_reads_counts_each_hit_and_miss(on: Deployment) {
    let site = on.start();
    let mut cache = site.connect().await;
    cache.set(item("a", "v")).await.unwrap();
    let asked = keys(["a", "x", "a", "y", "z"]);
    cache.multi_get(asked).await.unwrap();
    let stats = cache.stats(Empty {}).await.unwrap();
    assert_eq!((stats.hits, stats.misses), (2, 3));
}

async fn a_batch_spans_every_shard(on: Deployment) {
    let site = on.start();
    let mut cache = site.connect().await;
    let names: Vec<String> = (0..2000).map(|n| format!("key {n}")).collect();
    let batch = items(names.iter().map(|name| item(name, name.clone())));
    let set = cache.multi_set(batch).await.unwrap().items;
    assert!(set.iter().all(|result| result.status() == CacheStatus::Ok));
    let got = cache.multi_get(keys(&names)).await.unwrap();
    for (name, found) in names.iter().zip(&got.items) {
        assert_eq!(*found, hit(name, name));
    }
    let stats = cache.stats(Empty {}).await.unwrap();
    assert_eq!(stats.size, 2000);
    cache.multi_delete(keys(&names)).await.unwrap();
    let stats = cache.stats(Empty {}).await.unwrap();
    assert_eq!((stats.size, stats.memory_usage_bytes), (0, 0));
}

fn done(key: &str) -> CacheOperationResult {
    CacheOperationResult {
        key: key.to_owned(),
        status: CacheStatus::Ok.into(),
        error: String::new(),
    }
}

fn failed(key: &str, error: &str) -> CacheOperationResult {
    CacheOperationResult {
        key: key.to_owned(),
        status: CacheStatus::Error.into(),
        error: error.to_owned(),
    }
}

fn hit(key: &str, value: &str) -> CacheLookup {
    CacheLookup {
        key: key.to_owned(),
        found: true,
        value: value.to_owned().into(),
        error: String::new(),
    }
}

fn miss(key: &str) -> CacheLookup {
    CacheLookup { key: key.to_owned(), ..CacheLookup::default() }
}
