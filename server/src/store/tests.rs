//! The store's behaviour on one shard and on several.

use std::{num::NonZeroUsize, sync::Arc, time::Duration};

use proptest::prelude::*;

use super::*;
use tiny_cache_proto::key::Namespace;

const MIB: u64 = 1 << 20;

fn store(max_bytes: u64, max_items: usize, shards: usize, policy: EvictionPolicy) -> Arc<Store> {
    let limits = StoreLimits {
        max_bytes,
        max_items: NonZeroUsize::new(max_items),
        max_value_bytes: MIB as usize,
    };
    let one = NonZeroUsize::MIN;
    Store::new(limits, policy, NonZeroUsize::new(shards).unwrap(), one)
}

fn roomy(shards: usize) -> Lane {
    store(64 * MIB, 0, shards, EvictionPolicy::TinyLfu).lane(0)
}

fn key(text: &str) -> Key<'_> {
    Key::parse(Namespace::SHARED, text).unwrap()
}

fn seconds(n: u64) -> Ttl {
    Ttl::For(Duration::from_secs(n))
}

fn hit(value: &'static [u8]) -> Lookup {
    Lookup::Hit(Bytes::from_static(value))
}

fn advance(lane: &Lane, by: Duration) {
    // The shards share one clock.
    lane.store().shards[0].clock().advance(by);
}

fn sweep(store: &Arc<Store>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(Upkeep::new(store.clone(), Duration::from_secs(1)).sweep_once());
}

/// The ledger and the index agree with moka once nothing is pending.
fn assert_books_balance(store: &Store) {
    for shard in &store.shards {
        shard.settle();
        let (count, weight) = shard.moka_count_and_weight();
        assert_eq!(shard.ledger().entries(), count);
        assert_eq!(shard.ledger().weight(), weight);
    }
}

#[test]
fn a_value_is_read_back_and_gone_after_its_deletion() {
    let lane = roomy(8);
    assert_eq!(lane.get(key("k")), Lookup::Miss);
    lane.set(key("k"), b"v", Ttl::Forever).unwrap();
    assert_eq!(lane.get(key("k")), hit(b"v"));
    lane.delete(key("k"));
    assert_eq!(lane.get(key("k")), Lookup::Miss);
    let stats = lane.store().stats();
    assert_eq!((stats.hits, stats.misses, stats.entries, stats.memory_bytes), (1, 2, 0, 0));
}

#[test]
fn an_entry_is_gone_exactly_at_its_deadline() {
    let lane = roomy(8);
    lane.set(key("k"), b"v", seconds(10)).unwrap();
    advance(&lane, Duration::from_millis(9_900));
    assert_eq!(lane.get(key("k")), hit(b"v"));
    advance(&lane, Duration::from_millis(100));
    assert_eq!(lane.get(key("k")), Lookup::Miss);
}

#[test]
fn an_overwrite_takes_the_new_ttl() {
    let lane = roomy(8);
    lane.set(key("longer"), b"1", seconds(1)).unwrap();
    lane.set(key("longer"), b"2", seconds(100)).unwrap();
    lane.set(key("forever"), b"1", seconds(1)).unwrap();
    lane.set(key("forever"), b"2", Ttl::Forever).unwrap();
    lane.set(key("shorter"), b"1", seconds(100)).unwrap();
    lane.set(key("shorter"), b"2", seconds(1)).unwrap();
    advance(&lane, Duration::from_secs(2));
    assert_eq!(lane.get(key("longer")), hit(b"2"));
    assert_eq!(lane.get(key("forever")), hit(b"2"));
    assert_eq!(lane.get(key("shorter")), Lookup::Miss);
}

#[test]
fn a_sweep_removes_what_is_past_its_deadline_and_nothing_else() {
    let store = store(64 * MIB, 0, 8, EvictionPolicy::TinyLfu);
    let lane = store.lane(0);
    for i in 0..5_000 {
        lane.set(key(&format!("short:{i}")), b"v", seconds(10)).unwrap();
        lane.set(key(&format!("long:{i}")), b"v", seconds(1000)).unwrap();
    }
    lane.set(key("forever"), b"v", Ttl::Forever).unwrap();
    advance(&lane, Duration::from_secs(11));
    sweep(&store);
    let stats = store.stats();
    assert_eq!((stats.entries, stats.expired_removals), (5_001, 5_000));
    assert_eq!(store.shards.iter().map(Shard::indexed).sum::<usize>(), 5_000);
    assert_books_balance(&store);
}

#[test]
fn what_is_past_its_deadline_is_not_counted_even_before_it_is_removed() {
    let lane = roomy(8);
    lane.set(key("short"), b"v", seconds(10)).unwrap();
    lane.set(key("long"), b"v", seconds(100)).unwrap();
    let both = lane.store().stats();
    advance(&lane, Duration::from_secs(10));
    let one = lane.store().stats();
    assert_eq!((both.entries, one.entries, one.expired_removals), (2, 1, 0));
    // "long" is a byte shorter than "short".
    assert_eq!(both.memory_bytes, 2 * one.memory_bytes + 1);
}

/// The clock counts the time of a suspend, the timers of the upkeep do not: after the resume an
/// entry whose TTL ran out meanwhile is absent for every operation before any sweep.
#[test]
fn what_ended_during_a_suspend_is_absent_at_once() {
    let lane = roomy(8);
    for k in ["get", "absent", "swap"] {
        lane.set(key(k), b"v", seconds(3600)).unwrap();
    }
    lane.set(key("later"), b"v", seconds(36_000)).unwrap();
    advance(&lane, Duration::from_secs(8 * 3600));
    assert_eq!(lane.get(key("get")), Lookup::Miss);
    assert_eq!(lane.get(key("later")), hit(b"v"));
    assert_eq!(lane.compare_and_set(key("swap"), b"v", b"w", Ttl::Forever), Ok(Outcome::NotFound));
    assert_eq!(lane.set_if_absent(key("absent"), b"w", Ttl::Forever), Ok(Outcome::Stored));
    let stats = lane.store().stats();
    assert_eq!((stats.entries, stats.expired_removals), (2, 1));
}

/// Two readings for a read would cost a third of its time.
#[test]
fn a_read_looks_at_the_clock_once_and_only_where_there_is_a_deadline() {
    let lane = roomy(1);
    lane.set(key("ends"), b"v", seconds(10)).unwrap();
    lane.set(key("stays"), b"v", Ttl::Forever).unwrap();
    let clock = lane.store().shards[0].clock().clone();
    clock.pass_at_each_look(Duration::from_secs(1));
    let reading = || clock.now();
    for (k, looks) in [("ends", 1), ("stays", 0), ("missing", 0)] {
        let before = reading();
        lane.get(key(k));
        // The reading before passed a second too.
        assert_eq!(reading().since(before).as_secs(), 1 + looks, "{k}");
    }
}

/// An index that kept the deadline of a replaced entry would, when that moment came, remove
/// the entry that took its place.
#[test]
fn a_replaced_deadline_does_not_remove_the_new_entry() {
    let store = store(64 * MIB, 0, 1, EvictionPolicy::TinyLfu);
    let lane = store.lane(0);
    lane.set(key("k"), b"1", seconds(5)).unwrap();
    lane.set(key("k"), b"2", seconds(500)).unwrap();
    lane.delete(key("gone"));
    advance(&lane, Duration::from_secs(6));
    sweep(&store);
    assert_eq!(lane.get(key("k")), hit(b"2"));
    assert_eq!(store.stats().expired_removals, 0);
}

#[test]
fn set_if_absent_stores_once_and_again_after_expiry() {
    let lane = roomy(8);
    let k = key("k");
    assert_eq!(lane.set_if_absent(k, b"1", seconds(5)), Ok(Outcome::Stored));
    assert_eq!(lane.set_if_absent(k, b"2", seconds(5)), Ok(Outcome::Exists));
    assert_eq!(lane.get(k), hit(b"1"));
    advance(&lane, Duration::from_secs(5));
    assert_eq!(lane.set_if_absent(k, b"3", Ttl::Forever), Ok(Outcome::Stored));
    assert_eq!(lane.get(k), hit(b"3"));
    assert_eq!(lane.store().stats().expired_removals, 1);
}

#[test]
fn compare_and_set_tells_missing_from_mismatch() {
    let lane = roomy(8);
    let k = key("k");
    assert_eq!(lane.compare_and_set(k, b"", b"1", Ttl::Forever), Ok(Outcome::NotFound));
    lane.set(k, b"1", Ttl::Forever).unwrap();
    assert_eq!(lane.compare_and_set(k, b"x", b"2", Ttl::Forever), Ok(Outcome::Mismatch));
    assert_eq!(lane.compare_and_set(k, b"1", b"2", Ttl::Forever), Ok(Outcome::Stored));
    assert_eq!(lane.get(k), hit(b"2"));
}

#[test]
fn conditions_are_decided_before_the_size_is_looked_at() {
    let lane = roomy(8);
    let k = key("k");
    let oversize = vec![0; MIB as usize + 1];
    assert_eq!(lane.compare_and_set(k, b"", &oversize, Ttl::Forever), Ok(Outcome::NotFound));
    assert_eq!(lane.set_if_absent(k, &oversize, Ttl::Forever), Err(Refused::Oversize));
    lane.set(k, b"1", Ttl::Forever).unwrap();
    assert_eq!(lane.set_if_absent(k, &oversize, Ttl::Forever), Ok(Outcome::Exists));
    assert_eq!(lane.compare_and_set(k, b"x", &oversize, Ttl::Forever), Ok(Outcome::Mismatch));
    assert_eq!(lane.compare_and_set(k, b"1", &oversize, Ttl::Forever), Err(Refused::Oversize));
    assert_eq!(lane.set(k, &oversize, Ttl::Forever), Err(Refused::Oversize));
    assert_eq!(lane.get(k), hit(b"1"));
    assert_eq!(lane.store().stats().rejected_oversize, 3);
}

#[test]
fn conditional_writes_count_neither_hits_nor_misses() {
    let lane = roomy(8);
    lane.set_if_absent(key("k"), b"1", Ttl::Forever).unwrap();
    lane.set_if_absent(key("k"), b"1", Ttl::Forever).unwrap();
    lane.compare_and_set(key("k"), b"1", b"2", Ttl::Forever).unwrap();
    lane.compare_and_set(key("none"), b"1", b"2", Ttl::Forever).unwrap();
    let stats = lane.store().stats();
    assert_eq!((stats.hits, stats.misses), (0, 0));
}

#[test]
fn an_item_limit_holds_exactly_on_one_shard() {
    for policy in [EvictionPolicy::TinyLfu, EvictionPolicy::Lru] {
        let store = store(64 * MIB, 3, 8, policy);
        let lane = store.lane(0);
        assert_eq!(store.shard_count(), 1);
        for k in ["a", "b", "c"] {
            lane.set(key(k), b"v", Ttl::Forever).unwrap();
        }
        assert_eq!(store.stats().entries, 3);
        lane.set(key("d"), b"v", Ttl::Forever).unwrap();
        assert_eq!(store.stats().entries, 3);
        assert_books_balance(&store);
    }
}

#[test]
fn lru_lets_the_new_key_in_and_the_oldest_go() {
    let store = store(64 * MIB, 3, 1, EvictionPolicy::Lru);
    let lane = store.lane(0);
    for k in ["a", "b", "c"] {
        lane.set(key(k), b"v", Ttl::Forever).unwrap();
    }
    lane.get(key("a"));
    lane.set(key("d"), b"v", Ttl::Forever).unwrap();
    assert_eq!(lane.get(key("b")), Lookup::Miss);
    for k in ["a", "c", "d"] {
        assert_eq!(lane.get(key(k)), hit(b"v"), "{k}");
    }
    let stats = store.stats();
    assert_eq!((stats.lru_evictions, stats.admission_rejections), (1, 0));
    assert_eq!(stats.evictions(), 1);
}

#[test]
fn tiny_lfu_turns_unknown_keys_away_from_a_full_hot_shard_and_counts_them() {
    let store = store(4 * MIB, 0, 1, EvictionPolicy::TinyLfu);
    let lane = store.lane(0);
    let hot: Vec<String> = (0..8_000).map(|i| format!("hot:{i}")).collect();
    for _ in 0..4 {
        for k in &hot {
            if lane.get(key(k)) == Lookup::Miss {
                lane.set(key(k), &[7; 200], Ttl::Forever).unwrap();
            }
        }
    }
    let before = store.stats();
    for i in 0..1_000 {
        lane.set(key(&format!("new:{i}")), &[7; 200], Ttl::Forever).unwrap();
    }
    let after = store.stats();
    let readable = (0..1_000).filter(|i| lane.get(key(&format!("new:{i}"))) != Lookup::Miss);
    let readable = readable.count() as u64;
    let turned_away = after.admission_rejections - before.admission_rejections;
    assert!(readable < 100, "{readable} of 1000 unknown keys were let in");
    assert!(turned_away >= 900, "{turned_away} of 1000 unknown keys were counted");
}

#[test]
fn accounted_memory_stays_within_the_limit_and_its_slack() {
    for (value, policy) in [
        (100, EvictionPolicy::TinyLfu),
        (100, EvictionPolicy::Lru),
        (64 << 10, EvictionPolicy::TinyLfu),
        (64 << 10, EvictionPolicy::Lru),
        (1 << 20, EvictionPolicy::TinyLfu),
        (1 << 20, EvictionPolicy::Lru),
    ] {
        let store = store(16 * MIB, 0, 4, policy);
        let lane = store.lane(0);
        let value = vec![7; value];
        let mut peak = 0;
        for i in 0..(64 * MIB as usize / (value.len() + ENTRY_OVERHEAD_BYTES)) {
            lane.set(key(&format!("k{i}")), &value, Ttl::Forever).unwrap();
            let held: u64 = store.shards.iter().map(|s| s.ledger().bytes()).sum();
            peak = peak.max(held);
        }
        assert!(peak <= 16 * MIB * 105 / 100, "{} B {policy:?}: {peak}", value.len());
        assert!(peak >= 12 * MIB, "{} B {policy:?}: {peak}", value.len());
        assert_books_balance(&store);
    }
}

#[test]
fn a_value_is_kept_at_its_exact_size_and_not_as_a_slice_of_the_request() {
    let lane = roomy(1);
    let received = Bytes::from(vec![7; 1 << 16]);
    lane.set(key("k"), &received.slice(100..200), Ttl::Forever).unwrap();
    let Lookup::Hit(kept) = lane.get(key("k")) else { panic!("a miss") };
    assert_eq!(kept.len(), 100);
    let range = received.as_ptr() as usize..received.as_ptr() as usize + received.len();
    assert!(!range.contains(&(kept.as_ptr() as usize)));
}

/// Inserts, overwrites, deletes and expired removals.
fn changes(lane: &Lane) -> [u64; 4] {
    let stats = lane.store().stats();
    [stats.inserts, stats.overwrites, stats.deletes, stats.expired_removals]
}

#[test]
fn a_write_is_an_insert_or_an_overwrite_of_what_was_alive() {
    let lane = roomy(8);
    let (k, other) = (key("k"), key("other"));
    lane.set(k, b"1", seconds(10)).unwrap();
    assert_eq!(changes(&lane), [1, 0, 0, 0]);
    lane.set(k, b"2", seconds(10)).unwrap();
    lane.compare_and_set(k, b"2", b"3", seconds(10)).unwrap();
    lane.set_if_absent(k, b"4", seconds(10)).unwrap();
    lane.set_if_absent(other, b"1", seconds(10)).unwrap();
    assert_eq!(changes(&lane), [2, 2, 0, 0]);
    advance(&lane, Duration::from_secs(10));
    // Both are past their deadlines: one is written over, one is deleted.
    lane.set(k, b"5", Ttl::Forever).unwrap();
    lane.delete(other);
    assert_eq!(changes(&lane), [3, 2, 0, 2]);
    lane.delete(k);
    lane.delete(k);
    assert_eq!(changes(&lane), [3, 2, 1, 2]);
}

#[test]
fn a_write_that_took_a_millisecond_is_a_stall() {
    let lane = roomy(1);
    lane.store().shards[0].clock().pass_at_each_look(Duration::from_millis(1));
    lane.set(key("a"), b"v", Ttl::Forever).unwrap();
    lane.set(key("b"), b"v", Ttl::Forever).unwrap();
    assert_eq!(lane.store().stats().write_stalls, 2);
}

#[test]
fn every_entry_that_came_is_there_or_has_left_by_one_of_the_ways() {
    for policy in [EvictionPolicy::TinyLfu, EvictionPolicy::Lru] {
        let store = store(2 * MIB, 0, 2, policy);
        let lane = store.lane(0);
        for i in 0..20_000_u32 {
            let name = format!("{}", i.wrapping_mul(2_654_435_761) % 8_000);
            let ttl = if i % 3 == 0 { Ttl::Forever } else { seconds(u64::from(i % 50) + 1) };
            match i % 10 {
                0 => lane.delete(key(&name)),
                _ => lane.set(key(&name), &[7; 100], ttl).unwrap(),
            }
            if i % 4_000 == 0 {
                advance(&lane, Duration::from_secs(10));
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
    let lane = store.lane(0);
    lane.set(key("a"), &vec![7; MIB as usize], Ttl::Forever).unwrap();
    assert_eq!(store.stats().forced_maintenance, 0);
    for i in 0..4 {
        lane.set(key(&format!("{i}")), &vec![7; MIB as usize], Ttl::Forever).unwrap();
    }
    assert_eq!(store.stats().forced_maintenance, 2);
}

#[test]
fn the_shards_hold_together_what_the_store_holds() {
    let lane = roomy(8);
    for i in 0..1_000 {
        lane.set(key(&format!("k{i}")), b"v", seconds(1 + i % 2)).unwrap();
    }
    advance(&lane, Duration::from_secs(1));
    let detail = lane.store().detail();
    assert_eq!((detail.shards.len(), detail.whole.entries), (8, 500));
    assert_eq!(detail.shards.iter().map(|shard| shard.entries).sum::<u64>(), 500);
    let bytes = detail.shards.iter().map(|shard| shard.memory_bytes).sum::<u64>();
    assert_eq!(bytes, detail.whole.memory_bytes);
}

/// Hits, misses, entries and bytes of a namespace.
fn of_namespace(lane: &Lane, name: &str) -> Option<[u64; 4]> {
    let namespaces = lane.store().detail().namespaces;
    let found = namespaces.into_iter().find(|namespace| namespace.name == name)?;
    Some([found.hits, found.misses, found.entries, found.memory_bytes])
}

#[test]
fn each_namespace_has_its_figures() {
    let store = store(64 * MIB, 0, 8, EvictionPolicy::TinyLfu);
    let lane = store.lane(0);
    let within = |name, text| Key::parse(Namespace::parse(name).unwrap(), text).unwrap();
    lane.get(within("made-up", "k"));
    assert_eq!(of_namespace(&lane, "made-up"), None);
    assert_eq!(of_namespace(&lane, "_other"), Some([0, 1, 0, 0]));

    lane.set(within("team", "k"), b"v", seconds(10)).unwrap();
    lane.set(key("k"), b"v", Ttl::Forever).unwrap();
    lane.get(within("team", "k"));
    lane.get(within("team", "none"));
    lane.get(key("k"));
    let whole = store.stats();
    let bytes = whole.memory_bytes / 2;
    // The namespaced key is four bytes longer.
    assert_eq!(of_namespace(&lane, "team"), Some([1, 1, 1, bytes + 2]));
    assert_eq!(of_namespace(&lane, "_shared"), Some([1, 0, 1, bytes - 2]));
    assert_eq!((whole.hits, whole.misses), (2, 2));

    // It counts its own bytes off, however it leaves, and keeps its name.
    lane.set(within("team", "k"), &[7; 1000], seconds(10)).unwrap();
    assert_eq!(of_namespace(&lane, "team").unwrap()[2..], [1, bytes + 2 - 16 + 1024]);
    advance(&lane, Duration::from_secs(10));
    sweep(&store);
    assert_eq!(of_namespace(&lane, "team"), Some([1, 1, 0, 0]));
    assert_eq!(of_namespace(&lane, "_shared"), Some([1, 0, 1, bytes - 2]));
}

#[test]
fn a_sweep_tells_how_late_it_was() {
    let store = store(64 * MIB, 0, 8, EvictionPolicy::TinyLfu);
    let lane = store.lane(0);
    let before = store.detail().sweeps;
    assert_eq!((before.durations.count(), before.lag), (0, Duration::ZERO));
    lane.set(key("a"), b"v", seconds(1)).unwrap();
    lane.set(key("b"), b"v", seconds(3)).unwrap();
    advance(&lane, Duration::from_secs(5));
    sweep(&store);
    let after = store.detail().sweeps;
    assert_eq!((after.durations.count(), after.lag.as_secs()), (1, 4));
    assert!(after.completed > before.completed);
    sweep(&store);
    let last = store.detail().sweeps;
    assert_eq!((last.durations.count(), last.lag), (2, Duration::ZERO));
}

#[derive(Clone, Debug)]
enum Op {
    Set(u8, u8, i32),
    Absent(u8, u8, i32),
    Swap(u8, u8, u8, i32),
    Delete(u8),
    Get(u8),
    Pass(u16),
    Sweep,
}

fn op() -> impl Strategy<Value = Op> {
    let (k, v, t) = (0u8..6, 0u8..3, -1i32..4);
    prop_oneof![
        (k.clone(), v.clone(), t.clone()).prop_map(|(k, v, t)| Op::Set(k, v, t)),
        (k.clone(), v.clone(), t.clone()).prop_map(|(k, v, t)| Op::Absent(k, v, t)),
        (k.clone(), v.clone(), v, t).prop_map(|(k, a, b, t)| Op::Swap(k, a, b, t)),
        k.clone().prop_map(Op::Delete),
        k.prop_map(Op::Get),
        (0u16..1500).prop_map(Op::Pass),
        Just(Op::Sweep),
    ]
}

/// The simplest thing that could be right: a map of values with a deadline in milliseconds
/// of the test's own clock, which runs a little behind the store's.
#[derive(Default)]
struct Model {
    now: u64,
    entries: std::collections::HashMap<u8, (u8, Option<u64>)>,
}

impl Model {
    fn live(&self, k: u8) -> Option<u8> {
        let &(value, end) = self.entries.get(&k)?;
        end.is_none_or(|end| self.now < end).then_some(value)
    }

    fn put(&mut self, k: u8, v: u8, ttl: i32) {
        let end = u64::try_from(ttl).ok().filter(|&t| t > 0).map(|t| self.now + t * 1000);
        self.entries.insert(k, (v, end));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_sequence_of_operations_agrees_with_a_plain_map(
        ops in prop::collection::vec(op(), 1..60),
        shards in prop_oneof![Just(1usize), Just(8)],
    ) {
        let store = store(64 * MIB, 0, shards, EvictionPolicy::TinyLfu);
        let lane = store.lane(0);
        let mut model = Model::default();
        let name = |k: u8| format!("key-{k}");
        for op in ops {
            match op {
                Op::Set(k, v, t) => {
                    lane.set(key(&name(k)), &[v], Ttl::from_seconds(t)).unwrap();
                    model.put(k, v, t);
                }
                Op::Absent(k, v, t) => {
                    let got = lane.set_if_absent(key(&name(k)), &[v], Ttl::from_seconds(t));
                    let want = if model.live(k).is_some() {
                        Outcome::Exists
                    } else {
                        model.put(k, v, t);
                        Outcome::Stored
                    };
                    prop_assert_eq!(got, Ok(want));
                }
                Op::Swap(k, a, b, t) => {
                    let ttl = Ttl::from_seconds(t);
                    let got = lane.compare_and_set(key(&name(k)), &[a], &[b], ttl);
                    let want = match model.live(k) {
                        None => Outcome::NotFound,
                        Some(v) if v != a => Outcome::Mismatch,
                        Some(_) => {
                            model.put(k, b, t);
                            Outcome::Stored
                        }
                    };
                    prop_assert_eq!(got, Ok(want));
                }
                Op::Delete(k) => {
                    lane.delete(key(&name(k)));
                    model.entries.remove(&k);
                }
                Op::Get(k) => {
                    let want = model.live(k).map_or(Lookup::Miss, |v| {
                        Lookup::Hit(Bytes::copy_from_slice(&[v]))
                    });
                    prop_assert_eq!(lane.get(key(&name(k))), want);
                }
                Op::Pass(ms) => {
                    // Whole tenths: the store's clock also runs by itself, for a few
                    // milliseconds in all.
                    let ms = u64::from(ms) / 100 * 100 + 50;
                    model.now += ms;
                    advance(&lane, Duration::from_millis(ms));
                }
                Op::Sweep => {
                    sweep(&store);
                    let live = (0..6).filter(|&k| model.live(k).is_some()).count() as u64;
                    prop_assert_eq!(store.stats().entries, live);
                }
            }
        }
        assert_books_balance(&store);
    }
}

/// What an exact LRU of a few entries holds, the least recently used first.
struct Recency {
    most: usize,
    order: Vec<u8>,
}

impl Recency {
    fn touch(&mut self, k: u8) -> bool {
        let found = self.order.iter().position(|&held| held == k);
        if let Some(at) = found {
            self.order.remove(at);
            self.order.push(k);
        }
        found.is_some()
    }

    fn put(&mut self, k: u8) {
        if !self.touch(k) {
            self.order.push(k);
            if self.order.len() > self.most {
                self.order.remove(0);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Below 64 items each is heavier than the slack, and settles its shard under any policy.
    #[test]
    fn one_shard_under_lru_holds_what_an_exact_lru_holds(
        most in prop_oneof![1_usize..12, 65_usize..100],
        ops in prop::collection::vec((0_u8..5, 0_u8..150), 1..800),
    ) {
        let store = store(64 * MIB, most, 1, EvictionPolicy::Lru);
        let lane = store.lane(0);
        let mut model = Recency { most, order: Vec::new() };
        let name = |k: u8| format!("key-{k}");
        for (op, k) in ops {
            let name = name(k);
            match op {
                0 => {
                    lane.set(key(&name), b"v", Ttl::Forever).unwrap();
                    model.put(k);
                }
                // A read is the more frequent, so that entries are used again.
                1 | 2 => {
                    let found = matches!(lane.get(key(&name)), Lookup::Hit(_));
                    prop_assert_eq!(found, model.touch(k), "key {}", k);
                }
                3 => {
                    let outcome = lane.set_if_absent(key(&name), b"v", Ttl::Forever).unwrap();
                    prop_assert_eq!(outcome == Outcome::Exists, model.order.contains(&k));
                    model.put(k);
                }
                _ => {
                    lane.delete(key(&name));
                    model.order.retain(|&held| held != k);
                }
            }
        }
        for k in 0..150 {
            let found = matches!(lane.get(key(&name(k))), Lookup::Hit(_));
            prop_assert_eq!(found, model.order.contains(&k), "key {}", k);
        }
        assert_books_balance(&store);
    }
}
