//! What the window and its ghost promise: new keys are readable, what proves itself stays, and what
//! does not gives way.

use std::time::Duration;

use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64;

use super::{
    EvictionPolicy, MIB, advance, assert_books_balance, handle_of, hit, key, seconds, store, sweep,
};
use crate::store::{Lookup, StoreHandle, Ttl, shard::Shard};

const VALUE: [u8; 1000] = [7; 1000];

/// A store of `items` entries in one shard, or in eight.
fn windowed(items: usize, shards: usize) -> StoreHandle {
    handle_of(&store(1024 * MIB, items, shards, EvictionPolicy::Window))
}

/// Reads, and fills on a miss. Returns whether it was a hit.
fn ask(handle: &StoreHandle, name: &str) -> bool {
    let found = matches!(handle.get(key(name)), Lookup::Hit(_));
    if !found {
        handle.set(key(name), &VALUE, Ttl::Forever).unwrap();
    }
    found
}

/// Hit ratio of `accesses` to keys drawn from Zipf's distribution with exponent 0.9.
fn zipf(handle: &StoreHandle, name: &str, keys: usize, accesses: usize, seed: u64) -> f64 {
    let mut sums = Vec::with_capacity(keys);
    let mut sum = 0.0;
    for rank in 1..=keys {
        sum += (rank as f64).powf(-0.9);
        sums.push(sum);
    }
    let mut random = Pcg64::seed_from_u64(seed);
    let mut hits = 0;
    for _ in 0..accesses {
        let at = random.random::<f64>() * sum;
        let rank = sums.partition_point(|&sum| sum < at);
        hits += usize::from(ask(handle, &format!("{name}:{rank}")));
    }
    hits as f64 / accesses as f64
}

fn readable(handle: &StoreHandle, names: impl Iterator<Item = String>) -> usize {
    names.filter(|name| handle.get(key(name)) != Lookup::Miss).count()
}

#[test]
fn every_fresh_key_is_readable_in_a_full_hot_store() {
    let handle = windowed(20_000, 1);
    zipf(&handle, "hot", 40_000, 200_000, 1);
    let fresh = |n: usize| format!("fresh:{n}");
    for n in 0..1_000 {
        handle.set(key(&fresh(n)), &VALUE, Ttl::Forever).unwrap();
    }
    assert_eq!(readable(&handle, (0..1_000).map(fresh)), 1_000);
    assert_books_balance(handle.store());
}

#[test]
fn fresh_keys_stay_readable_while_a_large_store_is_read() {
    let handle = windowed(200_000, 8);
    zipf(&handle, "hot", 400_000, 800_000, 1);
    let fresh = |n: usize| format!("fresh:{n}");
    for n in 0..1_000 {
        handle.set(key(&fresh(n)), &VALUE, Ttl::Forever).unwrap();
    }
    zipf(&handle, "hot", 400_000, 50_000, 2);
    assert_eq!(readable(&handle, (0..1_000).map(fresh)), 1_000);
    assert_books_balance(handle.store());
}

#[test]
fn a_scan_costs_hot_keys_little() {
    let handle = windowed(10_000, 1);
    zipf(&handle, "hot", 10_000, 300_000, 1);
    let before = zipf(&handle, "hot", 10_000, 100_000, 2);
    for n in 0..100_000 {
        ask(&handle, &format!("scan:{n}"));
    }
    let after = zipf(&handle, "hot", 10_000, 100_000, 2);
    assert!(before - after <= 0.02, "{before} before the scan, {after} after it");
}

#[test]
fn a_new_hot_set_is_learnt_within_four_fillings() {
    let handle = windowed(10_000, 1);
    let mut random = Pcg64::seed_from_u64(1);
    let mut filling = |name: &str| {
        let hot = (0..10_000)
            .filter(|_| ask(&handle, &format!("{name}:{}", random.random_range(0..9_000))));
        hot.count()
    };
    let old: usize = (0..20).map(|_| filling("old")).sum();
    assert!(old > 180_000, "{old} of 200000");
    let new: Vec<_> = (0..8).map(|_| filling("new")).collect();
    assert!(new[4] >= 9_500, "{new:?} of 10000 each");
}

/// A loop a little larger than the store: the least recently used is always the next to be asked
/// for, and LRU hits nothing.
#[test]
fn a_loop_that_is_larger_than_the_store_is_held_in_part() {
    let handle = windowed(10_000, 1);
    let lap = || (0..12_000).filter(|n| ask(&handle, &format!("loop:{n}"))).count();
    for _ in 0..10 {
        lap();
    }
    let hits: usize = (0..5).map(|_| lap()).sum();
    assert!(hits > 5 * 12_000 / 3, "{hits} of 60000");
}

/// TinyLFU never let it in: its weight is that of hundreds of others.
#[test]
fn a_large_value_that_is_hot_is_kept() {
    let handle = handle_of(&store(64 * MIB, 0, 8, EvictionPolicy::Window));
    let large = vec![7; 256 << 10];
    let (mut asked, mut hits) = (0, 0);
    let mut random = Pcg64::seed_from_u64(1);
    for step in 0..300_000 {
        if step % 250 == 0 {
            asked += 1;
            match handle.get(key("large")) {
                Lookup::Hit(_) => hits += 1,
                Lookup::Miss => handle.set(key("large"), &large, Ttl::Forever).unwrap(),
            }
        }
        ask(&handle, &format!("small:{}", random.random_range(0..400_000)));
    }
    assert!(hits * 100 >= asked * 95, "{hits} of {asked}");
}

#[test]
fn a_store_that_is_not_full_asks_moka_for_nothing() {
    let handle = windowed(10_000, 1);
    for n in 0..9_000 {
        ask(&handle, &format!("{n}"));
        ask(&handle, &format!("{n}"));
    }
    let stats = handle.store().stats();
    assert_eq!((stats.entries, stats.window_entries, stats.window_hits), (9_000, 9_000, 9_000));
    assert_eq!(stats.graduated_by_hits + stats.graduated_by_ghost, 0);
}

#[test]
fn what_left_the_window_is_told_apart() {
    let handle = windowed(1_000, 1);
    for n in 0..1_000 {
        ask(&handle, &format!("{n}"));
    }
    // The first hundred prove themselves, the others do not.
    for n in (0..100).chain(0..100) {
        assert!(ask(&handle, &format!("{n}")));
    }
    for n in 0..300 {
        handle.set(key(&format!("new:{n}")), &VALUE, Ttl::Forever).unwrap();
    }
    // 300 had to go, the hundred before them became residents.
    let stats = handle.store().stats();
    assert_eq!((stats.graduated_by_hits, stats.dropped, stats.graduated_by_ghost), (100, 300, 0));
    assert_eq!((stats.evictions(), stats.admission_rejections), (300, 300));
    // Some of those that went come back: the ghost knows them, but for one in fifty or so, whose
    // slots others have taken.
    for n in 150..160 {
        ask(&handle, &format!("{n}"));
    }
    let stats = handle.store().stats();
    assert_eq!((stats.graduated_by_hits, stats.dropped), (100, 310));
    assert!((6..=10).contains(&stats.graduated_by_ghost), "{stats:?}");
    assert_eq!(readable(&handle, (0..100).map(|n| n.to_string())), 100);
    assert_books_balance(handle.store());
}

#[test]
fn how_long_a_new_key_stays_is_told_while_keys_leave() {
    let store = store(1024 * MIB, 1_000, 1, EvictionPolicy::Window);
    let handle = handle_of(&store);
    assert_eq!(store.detail().window_stay_seconds(), 0.0);
    for n in 0..5_000 {
        ask(&handle, &format!("{n}"));
    }
    sweep(&store);
    assert!(store.detail().window_stay_seconds() > 0.0);
}

#[test]
fn an_overwrite_of_the_same_size_keeps_its_place() {
    for policy in super::POLICIES {
        let store = store(64 * MIB, 0, 1, policy);
        let handle = handle_of(&store);
        handle.set(key("k"), b"one", Ttl::Forever).unwrap();
        let inserts = store.shards[0].ledger().residents_let_in();
        for n in 0..1_000 {
            handle.set(key("k"), format!("{n:03}").as_bytes(), Ttl::Forever).unwrap();
        }
        assert_eq!(handle.get(key("k")), hit(b"999"));
        assert_eq!(store.shards[0].ledger().residents_let_in(), inserts, "{policy:?}");
        let stats = store.stats();
        assert_eq!((stats.inserts, stats.overwrites, stats.entries), (1, 1_000, 1));
        assert_books_balance(&store);
    }
}

/// moka forgets the difference of the weights when a handle is removed before it has applied the
/// change: a shard that lost a little each time would hold less and less.
#[test]
fn overwrites_of_other_sizes_that_are_deleted_leave_nothing_behind() {
    for policy in super::POLICIES {
        let store = store(64 * MIB, 0, 1, policy);
        let handle = handle_of(&store);
        for n in 0..1_000 {
            handle.set(key("k"), &vec![7; 100 + n * 37 % 5_000], Ttl::Forever).unwrap();
            handle.set(key("k"), &vec![7; 100 + n * 91 % 7_000], Ttl::Forever).unwrap();
            handle.delete(key("k"));
        }
        assert_books_balance(&store);
        assert_eq!(store.shards[0].ledger().all().weight(), 0, "{policy:?}");
    }
}

#[test]
fn deletes_and_expiry_leave_no_queue_behind() {
    let store = store(64 * MIB, 0, 1, EvictionPolicy::Window);
    let handle = handle_of(&store);
    handle.set(key("stays"), b"v", Ttl::Forever).unwrap();
    for n in 0..50_000 {
        let name = format!("{n}");
        handle.set(key(&name), b"v", if n % 2 == 0 { seconds(1) } else { Ttl::Forever }).unwrap();
        if n % 2 == 1 && n % 1_000 != 1 {
            handle.delete(key(&name));
        }
    }
    assert_eq!(store.shards.iter().map(Shard::queued).sum::<usize>(), 50_001);
    advance(&handle, Duration::from_secs(2));
    sweep(&store);
    assert_eq!(store.stats().entries, 51);
    let queued = store.shards.iter().map(Shard::queued).sum::<usize>();
    assert!(queued < 1_200, "{queued}");
    assert_eq!(handle.get(key("stays")), hit(b"v"));
    assert_books_balance(&store);
}
