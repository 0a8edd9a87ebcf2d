//! Writes, conditional ones among them, and what they count.

use std::time::Duration;

use super::{MIB, advance, handle_of, hit, key, roomy, seconds, store};
use crate::store::{EvictionPolicy, Lookup, Outcome, Refused, StoreHandle, Ttl};

#[test]
fn a_value_is_read_back_and_gone_after_its_deletion() {
    let handle = roomy(8);
    assert_eq!(handle.get(key("k")), Lookup::Miss);
    handle.set(key("k"), b"v", Ttl::Forever).unwrap();
    assert_eq!(handle.get(key("k")), hit(b"v"));
    handle.delete(key("k"));
    assert_eq!(handle.get(key("k")), Lookup::Miss);
    let stats = handle.store().stats();
    assert_eq!((stats.hits, stats.misses, stats.entries, stats.memory_bytes), (1, 2, 0, 0));
}

#[test]
fn set_if_absent_stores_once_and_again_after_expiry() {
    let handle = roomy(8);
    let k = key("k");
    assert_eq!(handle.set_if_absent(k, b"1", seconds(5)), Ok(Outcome::Stored));
    assert_eq!(handle.set_if_absent(k, b"2", seconds(5)), Ok(Outcome::Exists));
    assert_eq!(handle.get(k), hit(b"1"));
    advance(&handle, Duration::from_secs(5));
    assert_eq!(handle.set_if_absent(k, b"3", Ttl::Forever), Ok(Outcome::Stored));
    assert_eq!(handle.get(k), hit(b"3"));
    assert_eq!(handle.store().stats().expired_removals, 1);
}

#[test]
fn compare_and_set_tells_missing_from_mismatch() {
    let handle = roomy(8);
    let k = key("k");
    assert_eq!(handle.compare_and_set(k, b"", b"1", Ttl::Forever), Ok(Outcome::NotFound));
    handle.set(k, b"1", Ttl::Forever).unwrap();
    assert_eq!(handle.compare_and_set(k, b"x", b"2", Ttl::Forever), Ok(Outcome::Mismatch));
    assert_eq!(handle.compare_and_set(k, b"1", b"2", Ttl::Forever), Ok(Outcome::Stored));
    assert_eq!(handle.get(k), hit(b"2"));
}

#[test]
fn conditions_are_decided_before_the_size_is_looked_at() {
    let handle = roomy(8);
    let k = key("k");
    let oversize = vec![0; MIB as usize + 1];
    assert_eq!(handle.compare_and_set(k, b"", &oversize, Ttl::Forever), Ok(Outcome::NotFound));
    assert_eq!(handle.set_if_absent(k, &oversize, Ttl::Forever), Err(Refused::Oversize));
    handle.set(k, b"1", Ttl::Forever).unwrap();
    assert_eq!(handle.set_if_absent(k, &oversize, Ttl::Forever), Ok(Outcome::Exists));
    assert_eq!(handle.compare_and_set(k, b"x", &oversize, Ttl::Forever), Ok(Outcome::Mismatch));
    assert_eq!(handle.compare_and_set(k, b"1", &oversize, Ttl::Forever), Err(Refused::Oversize));
    assert_eq!(handle.set(k, &oversize, Ttl::Forever), Err(Refused::Oversize));
    assert_eq!(handle.get(k), hit(b"1"));
    assert_eq!(handle.store().stats().rejected_oversize, 3);
}

#[test]
fn conditional_writes_count_neither_hits_nor_misses() {
    let handle = roomy(8);
    handle.set_if_absent(key("k"), b"1", Ttl::Forever).unwrap();
    handle.set_if_absent(key("k"), b"1", Ttl::Forever).unwrap();
    handle.compare_and_set(key("k"), b"1", b"2", Ttl::Forever).unwrap();
    handle.compare_and_set(key("none"), b"1", b"2", Ttl::Forever).unwrap();
    let stats = handle.store().stats();
    assert_eq!((stats.hits, stats.misses), (0, 0));
}

#[test]
fn a_value_is_kept_at_its_exact_size_and_not_as_a_slice_of_the_request() {
    let handle = roomy(1);
    let received = vec![7; 1 << 16];
    handle.set(key("k"), &received[100..200], Ttl::Forever).unwrap();
    let Lookup::Hit(kept) = handle.get(key("k")) else { panic!("a miss") };
    assert_eq!(kept.len(), 100);
    let range = received.as_ptr() as usize..received.as_ptr() as usize + received.len();
    assert!(!range.contains(&(kept.as_ptr() as usize)));
}

/// Inserts, overwrites, deletes and expired removals.
fn changes(handle: &StoreHandle) -> [u64; 4] {
    let stats = handle.store().stats();
    [stats.inserts, stats.overwrites, stats.deletes, stats.expired_removals]
}

#[test]
fn a_write_is_an_insert_or_an_overwrite_of_what_was_alive() {
    let handle = roomy(8);
    let (k, other) = (key("k"), key("other"));
    handle.set(k, b"1", seconds(10)).unwrap();
    assert_eq!(changes(&handle), [1, 0, 0, 0]);
    handle.set(k, b"2", seconds(10)).unwrap();
    handle.compare_and_set(k, b"2", b"3", seconds(10)).unwrap();
    handle.set_if_absent(k, b"4", seconds(10)).unwrap();
    handle.set_if_absent(other, b"1", seconds(10)).unwrap();
    assert_eq!(changes(&handle), [2, 2, 0, 0]);
    advance(&handle, Duration::from_secs(10));
    // Both are past their deadlines: one is written over, one is deleted.
    handle.set(k, b"5", Ttl::Forever).unwrap();
    handle.delete(other);
    assert_eq!(changes(&handle), [3, 2, 0, 2]);
    handle.delete(k);
    handle.delete(k);
    assert_eq!(changes(&handle), [3, 2, 1, 2]);
}

#[test]
fn a_write_that_took_a_millisecond_is_a_stall() {
    let handle = handle_of(&store(64 * MIB, 0, 1, EvictionPolicy::Lru));
    handle.store().shards[0].clock().pass_at_each_look(Duration::from_millis(1));
    handle.set(key("a"), b"v", Ttl::Forever).unwrap();
    handle.set(key("b"), b"v", Ttl::Forever).unwrap();
    assert_eq!(handle.store().stats().write_stalls, 2);
}

#[test]
fn the_shards_hold_together_what_the_store_holds() {
    let handle = roomy(8);
    for i in 0..1_000 {
        handle.set(key(&format!("k{i}")), b"v", seconds(1 + i % 2)).unwrap();
    }
    advance(&handle, Duration::from_secs(1));
    let detail = handle.store().detail();
    assert_eq!((detail.shards.len(), detail.whole.entries), (8, 500));
    assert_eq!(detail.shards.iter().map(|shard| shard.entries).sum::<u64>(), 500);
    let bytes = detail.shards.iter().map(|shard| shard.memory_bytes).sum::<u64>();
    assert_eq!(bytes, detail.whole.memory_bytes);
}
