//! The hottest keys, as the requests of workers tell them.

use std::{collections::HashMap, num::NonZeroUsize, sync::Arc, time::Duration};

use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64;
use tiny_cache_proto::key::{Key, Namespace};

use super::{advance, key, roomy};
use crate::store::{EvictionPolicy, HotReport, Store, StoreHandle, StoreLimits, Ttl};

fn report(handle: &StoreHandle, most: usize) -> HotReport {
    let mut sums = handle.store().hot_keys();
    while sums.step() {}
    sums.report(most)
}

fn hottest(handle: &StoreHandle) -> Vec<(String, u64)> {
    report(handle, 10).hottest.into_iter().map(|hot| (hot.key, hot.requests)).collect()
}

/// A handle for each of two workers of one store.
fn workers() -> [StoreHandle; 2] {
    let limits = StoreLimits { max_bytes: 64 << 20, max_items: None, max_value_bytes: 1 << 20 };
    let (shards, workers) = (NonZeroUsize::MIN, NonZeroUsize::new(2).unwrap());
    let store = Store::new(limits, EvictionPolicy::Window, shards, workers);
    [0, 1].map(|worker| StoreHandle::new(Arc::clone(&store), worker))
}

#[test]
fn what_several_workers_saw_adds_up() {
    let [first, second] = workers();
    for _ in 0..3 {
        first.get(key("a"));
        second.get(key("a"));
        second.set(key("b"), b"12345", Ttl::Forever).unwrap();
    }
    assert_eq!(hottest(&first), [("a".to_owned(), 6), ("b".to_owned(), 3)]);
    let HotReport { requests, largest, hottest, .. } = report(&second, 1);
    assert_eq!((requests, hottest.len(), hottest[0].error), (9, 1, 0));
    assert_eq!((largest.len(), largest[0].key.as_str(), largest[0].value_bytes), (1, "b", 5));
}

#[test]
fn what_is_older_than_a_minute_is_forgotten() {
    let handle = roomy(1);
    let many = |name: &str, times: u64| (0..times).for_each(|_| drop(handle.get(key(name))));
    handle.set(key("old"), &[0; 9000], Ttl::Forever).unwrap();
    many("old", 9);
    assert!(report(&handle, 1).span < Duration::from_secs(30));
    advance(&handle, Duration::from_secs(55));
    many("new", 2);
    many("old", 1);
    assert_eq!(hottest(&handle), [("old".to_owned(), 11), ("new".to_owned(), 2)]);
    advance(&handle, Duration::from_secs(10));
    assert_eq!(hottest(&handle), [("new".to_owned(), 2), ("old".to_owned(), 1)]);
    let span = report(&handle, 1).span.as_secs();
    assert!((60..=65).contains(&span), "{span}");
    advance(&handle, Duration::from_secs(300));
    let HotReport { requests, hottest, largest, .. } = report(&handle, 10);
    assert_eq!((requests, hottest.len(), largest.len()), (0, 0, 0));
}

#[test]
fn a_large_value_is_seen_however_few_requests_are_looked_at() {
    let handle = roomy(1);
    let team = Namespace::parse("team").unwrap();
    for number in 0..200_000 {
        if number == 150_000 {
            handle.set(Key::parse(team, "large").unwrap(), &[0; 500_000], Ttl::Forever).unwrap();
        }
        handle.set(key(&format!("k:{}", number % 100)), &[0; 100], Ttl::Forever).unwrap();
    }
    let large = report(&handle, 1).largest.remove(0);
    assert_eq!((large.namespace.as_str(), large.key.as_str()), ("team", "large"));
    assert_eq!(large.value_bytes, 500_000);
}

/// Zipf's law with 0.99 over a million keys, 100,000 requests a second for 50 seconds.
#[test]
fn the_ten_hottest_of_a_million_keys_are_found_with_their_requests() {
    const KEYS: usize = 1_000_000;
    const REQUESTS: usize = 5_000_000;
    let [first, second] = workers();
    let sums: Vec<_> = (1..=KEYS)
        .scan(0.0, |sum, rank| {
            *sum += (rank as f64).powf(-0.99);
            Some(*sum)
        })
        .collect();
    let mut random = Pcg64::seed_from_u64(1);
    let mut exact = HashMap::<usize, u64>::new();
    let clock = first.store().shards[0].clock().clone();
    let begun = clock.now();
    for number in 0..REQUESTS {
        let at = random.random::<f64>() * sums[KEYS - 1];
        let rank = sums.partition_point(|sum| *sum < at);
        if rank < 20 {
            *exact.entry(rank).or_default() += 1;
        }
        let handle = if number % 3 == 0 { &first } else { &second };
        let name = format!("k:{rank}");
        handle.note_request(handle.store().locate(key(&name)).key, 100);
        if number % 1000 == 0 {
            // What the loop itself takes is a part of it.
            let planned = Duration::from_millis(number as u64 / 100);
            let passed = clock.now().since(begun);
            advance(handle, planned.saturating_sub(passed));
        }
    }
    let mut expected: Vec<_> =
        exact.into_iter().map(|(rank, n)| (format!("k:{rank}"), n)).collect();
    expected.sort_by_key(|(_, n)| std::cmp::Reverse(*n));
    let HotReport { hottest, requests, .. } = report(&first, 10);
    assert!(requests.abs_diff(REQUESTS as u64) < REQUESTS as u64 / 100, "{requests}");
    for (key, exact) in &expected[..10] {
        let found = hottest.iter().find(|hot| hot.key == *key);
        let found = found.unwrap_or_else(|| panic!("{key} of {exact} is not in {hottest:?}"));
        let off = found.requests.abs_diff(*exact);
        assert!(off * 10 <= *exact, "{key} has {exact}: {found:?}");
        assert!(off <= found.error && found.error * 5 <= *exact, "{key} has {exact}: {found:?}");
    }
}
