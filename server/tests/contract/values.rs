//! Rows `Get`, `Set`, `Delete`, and what is said of values.

use bytes::Bytes;
use tiny_cache_proto::cache::CacheStatus;
use tonic::Code;

use crate::support::{
    Deployment,
    messages::{item, items, key, keys, lasting, swap},
};

const TOO_LARGE: &str = "Value exceeds maximum allowed cache entry size";

crate::rows![
    a_miss_is_a_reply,
    a_value_is_any_bytes,
    a_set_replaces_the_value,
    other_connections_see_a_write_that_was_answered,
    a_delete_is_ok_whether_or_not_the_key_was_there,
    a_value_of_exactly_the_limit_is_accepted,
    a_refused_set_leaves_the_old_value,
    a_value_as_large_as_the_memory_is_accepted,
    a_refused_set_leaves_the_old_ttl,
];

async fn a_miss_is_a_reply(on: Deployment) {
    let site = on.start();
    let mut cache = site.connect().await;
    let found = cache.get(key("never written")).await.unwrap();
    assert!(!found.found);
    assert!(found.value.is_empty());
}

async fn a_value_is_any_bytes(on: Deployment) {
    let site = on.start();
    let mut cache = site.connect().await;
    let every_byte: Vec<u8> = (0..=255).collect();
    for length in [0, 1, 255, 256, 257, 1024, 16_384, 16_385, 65_536, 1 << 20] {
        let value: Bytes = every_byte.iter().copied().cycle().take(length).collect();
        let name = format!("{length} bytes");
        let set = cache.set(item(&name, value.clone())).await.unwrap();
        assert_eq!(set.status(), CacheStatus::Ok);
        let found = cache.get(key(&name)).await.unwrap();
        assert!(found.found, "{name}");
        assert!(found.value == value, "{name}");
    }
}

async fn a_set_replaces_the_value(on: Deployment) {
    let site = on.start();
    let mut cache = site.connect().await;
    for value in ["first", "a second one that is longer", "", "3"] {
        cache.set(item("k", value)).await.unwrap();
        let found = cache.get(key("k")).await.unwrap();
        assert!(found.found);
        assert_eq!(found.value, value);
    }
}

async fn other_connections_see_a_write_that_was_answered(on: Deployment) {
    let site = on.start();
    let mut writer = site.connect().await;
    let mut readers = Vec::new();
    for _ in 0..6 {
        readers.push(site.connect().await);
    }
    for round in 0..20 {
        let value = round.to_string();
        writer.set(item("k", value.clone())).await.unwrap();
        for reader in &mut readers {
            let found = reader.get(key("k")).await.unwrap();
            assert_eq!(found.value, value);
        }
    }
}

async fn a_delete_is_ok_whether_or_not_the_key_was_there(on: Deployment) {
    let site = on.start();
    let mut cache = site.connect().await;
    cache.set(item("k", "v")).await.unwrap();
    for _ in 0..2 {
        let deleted = cache.delete(key("k")).await.unwrap();
        assert_eq!(deleted.status(), CacheStatus::Ok);
        assert!(!cache.get(key("k")).await.unwrap().found);
    }
    cache.set(item("k", "again")).await.unwrap();
    let found = cache.get(key("k")).await.unwrap();
    assert_eq!(found.value, "again");
}

async fn a_value_of_exactly_the_limit_is_accepted(on: Deployment) {
    // Without a setting the limit is 4 MiB, or the memory where that is less.
    let cases: [(&[(&str, &str)], usize); 3] = [
        (&[], 4 << 20),
        (&[("CACHE_MAX_VALUE_BYTES", "1000")], 1000),
        (&[("CACHE_MAX_VALUE_BYTES", "6291456")], 6 << 20),
    ];
    for (vars, limit) in cases {
        let site = on.start_with(vars);
        let mut cache = site.connect().await;
        let largest = Bytes::from(vec![7; limit]);
        cache.set(item("k", largest.clone())).await.unwrap();
        let found = cache.get(key("k")).await.unwrap();
        assert!(found.value == largest, "{limit}");

        let error = cache.set(item("k", vec![7; limit + 1])).await.unwrap_err();
        assert_eq!(error.code(), Code::ResourceExhausted, "{limit}");
        assert_eq!(error.message(), TOO_LARGE);
    }
}

async fn a_refused_set_leaves_the_old_value(on: Deployment) {
    let site = on.start_with(&[("CACHE_MAX_VALUE_BYTES", "100")]);
    let mut cache = site.connect().await;
    cache.set(item("k", "old")).await.unwrap();
    let too_large = vec![0; 101];

    let error = cache.set(item("k", too_large.clone())).await.unwrap_err();
    assert_eq!(error.message(), TOO_LARGE);
    let swap = swap("k", "old", too_large.clone());
    let error = cache.compare_and_set(swap).await.unwrap_err();
    assert_eq!(error.code(), Code::ResourceExhausted);
    assert_eq!(error.message(), TOO_LARGE);
    let set = cache.multi_set(items([item("k", too_large.clone())]));
    let set = set.await.unwrap();
    assert_eq!(set.items[0].status(), CacheStatus::Error);
    assert_eq!(set.items[0].error, TOO_LARGE);
    let error = cache.set_if_absent(item("other", too_large)).await;
    let error = error.unwrap_err();
    assert_eq!(error.code(), Code::ResourceExhausted);
    assert_eq!(error.message(), TOO_LARGE);

    let found = cache.multi_get(keys(["k", "other"])).await.unwrap();
    let found = found.items;
    assert_eq!(found[0].value, "old");
    assert!(!found[1].found);
}

async fn a_value_as_large_as_the_memory_is_accepted(on: Deployment) {
    let site = on.start_with(&[("CACHE_MAX_MEMORY_MB", "1"), ("CACHE_MAX_VALUE_BYTES", "1048576")]);
    let mut cache = site.connect().await;
    for round in 0..3 {
        cache.set(item("k", vec![round; 1 << 20])).await.unwrap();
        let found = cache.get(key("k")).await.unwrap();
        assert!(found.value == vec![round; 1 << 20]);
    }
}

async fn a_refused_set_leaves_the_old_ttl(on: Deployment) {
    let site = on.start_with(&[("CACHE_MAX_VALUE_BYTES", "100")]);
    let mut cache = site.connect().await;
    cache.set(lasting("short", "old", 1)).await.unwrap();
    let written = tokio::time::Instant::now();
    let refused = cache.set(lasting("short", vec![0; 101], 60)).await;
    refused.unwrap_err();
    tokio::time::sleep_until(written + std::time::Duration::from_secs(1)).await;
    assert!(!cache.get(key("short")).await.unwrap().found);
}
