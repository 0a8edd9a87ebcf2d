//! Sequences of operations, compared with models that are plainly right.

use std::time::Duration;

use proptest::prelude::*;
use tiny_cache_proto::key::Key;

use super::{
    MIB, POLICIES, advance, assert_books_balance, handle_of, key,
    quotas::{is_kept, limits, rules, within},
    store, sweep, with_quotas,
};
use crate::store::{EvictionPolicy, Lookup, Outcome, Ttl, Value};

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
        policy in prop::sample::select(&POLICIES[..]),
    ) {
        let store = store(64 * MIB, 0, shards, policy);
        let handle = handle_of(&store);
        let mut model = Model::default();
        let name = |k: u8| format!("key-{k}");
        for op in ops {
            match op {
                Op::Set(k, v, t) => {
                    handle.set(key(&name(k)), &[v], Ttl::from_seconds(t)).unwrap();
                    model.put(k, v, t);
                }
                Op::Absent(k, v, t) => {
                    let got = handle.set_if_absent(key(&name(k)), &[v], Ttl::from_seconds(t));
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
                    let got = handle.compare_and_set(key(&name(k)), &[a], &[b], ttl);
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
                    handle.delete(key(&name(k)));
                    model.entries.remove(&k);
                }
                Op::Get(k) => {
                    let want = model.live(k).map_or(Lookup::Miss, |v| {
                        Lookup::Hit(Value::holding(&[v]))
                    });
                    prop_assert_eq!(handle.get(key(&name(k))), want);
                }
                Op::Pass(ms) => {
                    // Whole tenths: the store's clock also runs by itself, for a few
                    // milliseconds in all.
                    let ms = u64::from(ms) / 100 * 100 + 50;
                    model.now += ms;
                    advance(&handle, Duration::from_millis(ms));
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

fn key_of(k: usize, name: &str) -> Key<'_> {
    if k.is_multiple_of(3) { within("small", name) } else { key(name) }
}

/// A million operations on a store too small for their keys, and a tenth of them in a build without
/// optimisation. What is read is what was written last, or nothing: a cache may forget, and never
/// remembers wrongly. A third of the keys are of a namespace with a quota, which it keeps.
#[test]
fn a_million_random_operations_read_what_was_written_last_or_nothing() {
    use rand::{Rng, RngExt, SeedableRng};

    const KEYS: usize = 3_000;
    const STEPS: u32 = if cfg!(debug_assertions) { 100_000 } else { 1_000_000 };
    for policy in POLICIES {
        let quotas = rules([("small", limits(200_000, 250))]);
        let store = with_quotas(2 * MIB, (0, 2), policy, Some(&quotas));
        let handle = handle_of(&store);
        let mut random = rand_pcg::Pcg64::seed_from_u64(7);
        // Value, its length, and the end of its life in milliseconds.
        let mut last: Vec<Option<(u8, usize, u64)>> = vec![None; KEYS];
        let (mut now, mut hits) = (0, 0);
        for step in 0..STEPS {
            // Some keys are asked for more often than others.
            let k = random.random_range(0..KEYS).min(random.random_range(0..KEYS));
            let name = format!("key-{k}");
            let live = last[k].filter(|&(.., end)| now < end);
            let value = random.next_u32() as u8;
            let len = [1, 40, 200, 900, 3_000][random.random_range(0..5)];
            let ms = if random.random_bool(0.5) { u64::MAX } else { random.random_range(1..60) };
            let (ttl, end) = match ms {
                u64::MAX => (Ttl::Forever, u64::MAX),
                // A millisecond short, as the store's own clock runs ahead.
                seconds => (Ttl::For(Duration::from_secs(seconds)), now + 1000 * seconds),
            };
            let bytes = vec![value; len];
            let mut written = false;
            match random.random_range(0..20) {
                0..=9 => {
                    if let Lookup::Hit(found) = handle.get(key_of(k, &name)) {
                        let (value, len, _) = live.expect("an entry that is gone was read");
                        assert_eq!((found[0], found.len()), (value, len), "{policy:?}, {name}");
                        hits += 1;
                    }
                }
                10..=14 => {
                    handle.set(key_of(k, &name), &bytes, ttl).unwrap();
                    last[k] = Some((value, len, end));
                    written = true;
                }
                15 => {
                    let stored = handle.set_if_absent(key_of(k, &name), &bytes, ttl).unwrap();
                    if stored == Outcome::Stored {
                        last[k] = Some((value, len, end));
                    } else {
                        assert!(live.is_some(), "{policy:?}, {name}");
                    }
                }
                16 | 17 => {
                    let expected = live.map_or(vec![0], |(value, len, _)| vec![value; len]);
                    let swapped = handle.compare_and_set(key_of(k, &name), &expected, &bytes, ttl);
                    match swapped.unwrap() {
                        Outcome::Stored => last[k] = Some((value, len, end)),
                        Outcome::Mismatch => assert!(live.is_none(), "{policy:?}, {name}"),
                        _ => {}
                    }
                }
                18 => {
                    handle.delete(key_of(k, &name));
                    last[k] = None;
                }
                _ if step % 4 == 0 => {
                    now += 500;
                    advance(&handle, Duration::from_millis(500));
                }
                _ => {}
            }
            // One that becomes a resident with another's write weighs more from then on.
            if k % 3 == 0 && written {
                assert!(is_kept(&store, "small"), "{policy:?}, step {step}");
            }
            if step % (STEPS / 20) == 0 {
                sweep(&store);
                assert!(is_kept(&store, "small"), "{policy:?}, step {step}");
                assert_books_balance(&store);
            }
        }
        assert_books_balance(&store);
        assert!(hits > STEPS / 20, "{policy:?}: {hits} hits");
        assert!(store.stats().quota_evictions > u64::from(STEPS) / 100, "{policy:?}");
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
        let handle = handle_of(&store);
        let mut model = Recency { most, order: Vec::new() };
        let name = |k: u8| format!("key-{k}");
        for (op, k) in ops {
            let name = name(k);
            match op {
                0 => {
                    handle.set(key(&name), b"v", Ttl::Forever).unwrap();
                    model.put(k);
                }
                // A read is the more frequent, so that entries are used again.
                1 | 2 => {
                    let found = matches!(handle.get(key(&name)), Lookup::Hit(_));
                    prop_assert_eq!(found, model.touch(k), "key {}", k);
                }
                3 => {
                    let outcome = handle.set_if_absent(key(&name), b"v", Ttl::Forever).unwrap();
                    prop_assert_eq!(outcome == Outcome::Exists, model.order.contains(&k));
                    model.put(k);
                }
                _ => {
                    handle.delete(key(&name));
                    model.order.retain(|&held| held != k);
                }
            }
        }
        for k in 0..150 {
            let found = matches!(handle.get(key(&name(k))), Lookup::Hit(_));
            prop_assert_eq!(found, model.order.contains(&k), "key {}", k);
        }
        assert_books_balance(&store);
    }
}
