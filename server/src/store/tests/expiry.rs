//! When an entry ends, and when it is removed.

use std::time::Duration;

use super::{
    MIB, advance, assert_books_balance, handle_of, hit, key, roomy, seconds, store, sweep,
};
use crate::store::{EvictionPolicy, Lookup, Outcome, Ttl, shard::Shard};

#[test]
fn an_entry_is_gone_exactly_at_its_deadline() {
    let handle = roomy(8);
    handle.set(key("k"), b"v", seconds(10)).unwrap();
    advance(&handle, Duration::from_millis(9_900));
    assert_eq!(handle.get(key("k")), hit(b"v"));
    advance(&handle, Duration::from_millis(100));
    assert_eq!(handle.get(key("k")), Lookup::Miss);
}

#[test]
fn an_overwrite_takes_the_new_ttl() {
    let handle = roomy(8);
    handle.set(key("longer"), b"1", seconds(1)).unwrap();
    handle.set(key("longer"), b"2", seconds(100)).unwrap();
    handle.set(key("forever"), b"1", seconds(1)).unwrap();
    handle.set(key("forever"), b"2", Ttl::Forever).unwrap();
    handle.set(key("shorter"), b"1", seconds(100)).unwrap();
    handle.set(key("shorter"), b"2", seconds(1)).unwrap();
    advance(&handle, Duration::from_secs(2));
    assert_eq!(handle.get(key("longer")), hit(b"2"));
    assert_eq!(handle.get(key("forever")), hit(b"2"));
    assert_eq!(handle.get(key("shorter")), Lookup::Miss);
}

#[test]
fn a_sweep_removes_what_is_past_its_deadline_and_nothing_else() {
    let store = store(64 * MIB, 0, 8, EvictionPolicy::Window);
    let handle = handle_of(&store);
    for i in 0..5_000 {
        handle.set(key(&format!("short:{i}")), b"v", seconds(10)).unwrap();
        handle.set(key(&format!("long:{i}")), b"v", seconds(1000)).unwrap();
    }
    handle.set(key("forever"), b"v", Ttl::Forever).unwrap();
    advance(&handle, Duration::from_secs(11));
    sweep(&store);
    let stats = store.stats();
    assert_eq!((stats.entries, stats.expired_removals), (5_001, 5_000));
    assert_eq!(store.shards.iter().map(Shard::indexed).sum::<usize>(), 5_000);
    assert_books_balance(&store);
}

#[test]
fn what_is_past_its_deadline_is_not_counted_even_before_it_is_removed() {
    let handle = roomy(8);
    handle.set(key("short"), b"v", seconds(10)).unwrap();
    handle.set(key("later"), b"v", seconds(100)).unwrap();
    let both = handle.store().stats();
    advance(&handle, Duration::from_secs(10));
    let one = handle.store().stats();
    assert_eq!((both.entries, one.entries, one.expired_removals), (2, 1, 0));
    assert_eq!(both.memory_bytes, 2 * one.memory_bytes);
}

/// The figures of a store in which very many entries had lapsed held a stripe for as long as it
/// took to count them.
#[test]
fn counting_what_lapsed_lets_writers_in_between() {
    let store = store(64 * MIB, 0, 1, EvictionPolicy::Window);
    let handle = handle_of(&store);
    for i in 0..140_000 {
        handle.set(key(&format!("{i}")), b"v", seconds(10)).unwrap();
    }
    advance(&handle, Duration::from_secs(11));
    let mut times = 0;
    let shard = &store.shards[0];
    let each = (0..shard.stripes()).map(|stripe| {
        shard.lapsed(stripe, || {
            times += 1;
            // Every stripe is free, or this would wait for ever.
            assert_eq!(shard.indexed(), 140_000);
        })
    });
    assert_eq!(each.map(|lapsed| lapsed.entries).sum::<u64>(), 140_000);
    assert!(times >= 64, "{times}");
}

/// The clock counts the time of a suspend, the timers of the upkeep do not: after the resume an
/// entry whose TTL ran out meanwhile is absent for every operation before any sweep.
#[test]
fn what_ended_during_a_suspend_is_absent_at_once() {
    let handle = roomy(8);
    for k in ["get", "absent", "swap"] {
        handle.set(key(k), b"v", seconds(3600)).unwrap();
    }
    handle.set(key("later"), b"v", seconds(36_000)).unwrap();
    advance(&handle, Duration::from_secs(8 * 3600));
    assert_eq!(handle.get(key("get")), Lookup::Miss);
    assert_eq!(handle.get(key("later")), hit(b"v"));
    assert_eq!(
        handle.compare_and_set(key("swap"), b"v", b"w", Ttl::Forever),
        Ok(Outcome::NotFound)
    );
    assert_eq!(handle.set_if_absent(key("absent"), b"w", Ttl::Forever), Ok(Outcome::Stored));
    let stats = handle.store().stats();
    assert_eq!((stats.entries, stats.expired_removals), (2, 1));
}

/// Two readings for a read would cost a third of its time. The few reads that are looked at for the
/// hottest keys have one more; so here the entry is read without that.
#[test]
fn a_read_looks_at_the_clock_once_and_only_where_there_is_a_deadline() {
    let handle = roomy(1);
    handle.set(key("ends"), b"v", seconds(10)).unwrap();
    handle.set(key("stays"), b"v", Ttl::Forever).unwrap();
    let clock = handle.store().shards[0].clock().clone();
    clock.pass_at_each_look(Duration::from_secs(1));
    let reading = || clock.now();
    for (k, looks) in [("ends", 1), ("stays", 0), ("missing", 0)] {
        let before = reading();
        // Without the look that the hottest keys take at some requests.
        handle.peek(key(k));
        // The reading before passed a second too.
        assert_eq!(reading().since(before).as_secs(), 1 + looks, "{k}");
    }
}

/// An index that kept the deadline of a replaced entry would, when that moment came, remove
/// the entry that took its place.
#[test]
fn a_replaced_deadline_does_not_remove_the_new_entry() {
    let store = store(64 * MIB, 0, 1, EvictionPolicy::Window);
    let handle = handle_of(&store);
    handle.set(key("k"), b"1", seconds(5)).unwrap();
    handle.set(key("k"), b"2", seconds(500)).unwrap();
    handle.delete(key("gone"));
    advance(&handle, Duration::from_secs(6));
    sweep(&store);
    assert_eq!(handle.get(key("k")), hit(b"2"));
    assert_eq!(store.stats().expired_removals, 0);
}

#[test]
fn a_sweep_tells_how_late_it_was() {
    let store = store(64 * MIB, 0, 8, EvictionPolicy::Window);
    let handle = handle_of(&store);
    let before = store.detail().sweeps;
    assert_eq!((before.durations.count(), before.lag), (0, Duration::ZERO));
    handle.set(key("a"), b"v", seconds(1)).unwrap();
    handle.set(key("b"), b"v", seconds(3)).unwrap();
    advance(&handle, Duration::from_secs(5));
    sweep(&store);
    let after = store.detail().sweeps;
    assert_eq!((after.durations.count(), after.lag.as_secs()), (1, 4));
    assert!(after.completed > before.completed);
    sweep(&store);
    let last = store.detail().sweeps;
    assert_eq!((last.durations.count(), last.lag), (2, Duration::ZERO));
}
