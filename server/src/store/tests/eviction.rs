//! What gives way when the store is full.

use std::time::Duration;

use super::{
    MIB, POLICIES, advance, assert_books_balance, handle_of, hit, key, seconds, store, sweep,
};
use crate::store::{ENTRY_OVERHEAD_BYTES, EvictionPolicy, Lookup, Ttl};

#[test]
fn an_item_limit_holds_exactly_on_one_shard() {
    for policy in POLICIES {
        let store = store(64 * MIB, 3, 8, policy);
        let handle = handle_of(&store);
        assert_eq!(store.shard_count(), 1);
        for k in ["a", "b", "c"] {
            handle.set(key(k), b"v", Ttl::Forever).unwrap();
        }
        assert_eq!(store.stats().entries, 3);
        handle.set(key("d"), b"v", Ttl::Forever).unwrap();
        assert_eq!(store.stats().entries, 3);
        assert_books_balance(&store);
    }
}

#[test]
fn lru_lets_the_new_key_in_and_the_oldest_go() {
    let store = store(64 * MIB, 3, 1, EvictionPolicy::Lru);
    let handle = handle_of(&store);
    for k in ["a", "b", "c"] {
        handle.set(key(k), b"v", Ttl::Forever).unwrap();
    }
    handle.get(key("a"));
    handle.set(key("d"), b"v", Ttl::Forever).unwrap();
    assert_eq!(handle.get(key("b")), Lookup::Miss);
    for k in ["a", "c", "d"] {
        assert_eq!(handle.get(key(k)), hit(b"v"), "{k}");
    }
    let stats = store.stats();
    assert_eq!((stats.lru_evictions, stats.admission_rejections), (1, 0));
    assert_eq!(stats.evictions(), 1);
}

/// moka was told of a use now and then only, as in a large shard: what was read last went.
#[test]
fn a_shard_for_few_entries_keeps_the_exact_order_of_use() {
    let store = store(64 * MIB, 20, 1, EvictionPolicy::Window);
    assert_eq!(store.policy(), EvictionPolicy::Lru);
    let handle = handle_of(&store);
    let name = |n: usize| format!("{n}");
    (0..20).for_each(|n| handle.set(key(&name(n)), b"v", Ttl::Forever).unwrap());
    for (read, goes, comes) in [(0, 1, 20), (2, 3, 21), (4, 5, 22)] {
        assert_eq!(handle.get(key(&name(read))), hit(b"v"));
        handle.set(key(&name(comes)), b"v", Ttl::Forever).unwrap();
        assert_eq!(handle.get(key(&name(goes))), Lookup::Miss, "{goes}");
        assert_eq!(handle.get(key(&name(read))), hit(b"v"), "{read}");
    }
    assert_books_balance(&store);
}

#[test]
fn tiny_lfu_turns_unknown_keys_away_from_a_full_hot_shard_and_counts_them() {
    let store = store(4 * MIB, 0, 1, EvictionPolicy::TinyLfu);
    let handle = handle_of(&store);
    let hot: Vec<String> = (0..8_000).map(|i| format!("hot:{i}")).collect();
    for _ in 0..4 {
        for k in &hot {
            if handle.get(key(k)) == Lookup::Miss {
                handle.set(key(k), &[7; 200], Ttl::Forever).unwrap();
            }
        }
    }
    let before = store.stats();
    for i in 0..1_000 {
        handle.set(key(&format!("new:{i}")), &[7; 200], Ttl::Forever).unwrap();
    }
    let after = store.stats();
    let readable = (0..1_000).filter(|i| handle.get(key(&format!("new:{i}"))) != Lookup::Miss);
    let readable = readable.count() as u64;
    let turned_away = after.admission_rejections - before.admission_rejections;
    assert!(readable < 100, "{readable} of 1000 unknown keys were let in");
    assert!(turned_away >= 900, "{turned_away} of 1000 unknown keys were counted");
}

/// Reads that miss are what a new key has to show for itself.
#[test]
fn tiny_lfu_lets_a_key_in_that_was_asked_for_before_it_was_there() {
    let store = store(4 * MIB, 0, 1, EvictionPolicy::TinyLfu);
    let handle = handle_of(&store);
    for i in 0..20_000 {
        handle.set(key(&format!("cold:{i}")), &[7; 200], Ttl::Forever).unwrap();
    }
    let name = |i: u32| format!("wanted:{i}");
    for i in 0..100 {
        for _ in 0..10 {
            assert_eq!(handle.get(key(&name(i))), Lookup::Miss);
        }
        handle.set(key(&name(i)), &[7; 200], Ttl::Forever).unwrap();
    }
    store.stats();
    let readable = (0..100).filter(|&i| handle.get(key(&name(i))) != Lookup::Miss).count();
    assert!(readable >= 95, "{readable} of 100 were let in");
}

#[test]
fn accounted_memory_stays_within_the_limit_and_its_slack() {
    let sizes = [100, 64 << 10, 1 << 20];
    for (value, policy) in sizes.into_iter().flat_map(|size| POLICIES.map(|each| (size, each))) {
        let store = store(16 * MIB, 0, 4, policy);
        let handle = handle_of(&store);
        let value = vec![7; value];
        let mut peak = 0;
        for i in 0..(64 * MIB as usize / (value.len() + ENTRY_OVERHEAD_BYTES)) {
            handle.set(key(&format!("k{i}")), &value, Ttl::Forever).unwrap();
            let held: u64 = store.shards.iter().map(|s| s.ledger().all().bytes()).sum();
            peak = peak.max(held);
        }
        assert!(peak <= 16 * MIB * 105 / 100, "{} B {policy:?}: {peak}", value.len());
        assert!(peak >= 12 * MIB, "{} B {policy:?}: {peak}", value.len());
        assert_books_balance(&store);
    }
}

#[test]
fn every_entry_that_came_is_there_or_has_left_by_one_of_the_ways() {
    for policy in POLICIES {
        let store = store(64 * MIB, 4_000, 2, policy);
        let handle = handle_of(&store);
        for i in 0..20_000_u32 {
            let name = format!("{}", i.wrapping_mul(2_654_435_761) % 8_000);
            let ttl = if i % 3 == 0 { Ttl::Forever } else { seconds(u64::from(i % 50) + 1) };
            match i % 10 {
                0 => handle.delete(key(&name)),
                _ => handle.set(key(&name), &[7; 100], ttl).unwrap(),
            }
            if i % 4_000 == 0 {
                advance(&handle, Duration::from_secs(10));
            }
        }
        sweep(&store);
        let stats = store.stats();
        assert!(stats.overwrites > 0 && stats.deletes > 0 && stats.evictions() > 0, "{stats:?}");
        let left = stats.deletes + stats.expired_removals + stats.evictions();
        assert_eq!(stats.inserts, stats.entries + left, "{stats:?}");
        assert_eq!(stats.inserts + stats.overwrites, 18_000);
    }
}

#[test]
fn a_write_that_made_room_itself_is_counted() {
    let store = store(4 * MIB, 0, 1, EvictionPolicy::Lru);
    let handle = handle_of(&store);
    handle.set(key("a"), &vec![7; MIB as usize], Ttl::Forever).unwrap();
    assert_eq!(store.stats().forced_maintenance, 0);
    for i in 0..4 {
        handle.set(key(&format!("{i}")), &vec![7; MIB as usize], Ttl::Forever).unwrap();
    }
    assert_eq!(store.stats().forced_maintenance, 2);
}
