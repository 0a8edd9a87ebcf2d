//! What versions promise: no key has one twice, a touch keeps it, and conditions go by it.

use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

use proptest::prelude::*;
use ring::digest::{SHA256, digest};

use super::{
    POLICIES, advance, assert_books_balance, handle_of, key, roomy, seconds, store, sweep,
};
use crate::store::{
    Changed, Condition, Content, Lookup, On, Outcome, Seen, StoreHandle, Ttl, ValueHash,
};

fn hash(value: &[u8]) -> ValueHash {
    digest(&SHA256, value).as_ref().try_into().unwrap()
}

fn write(handle: &StoreHandle, name: &str, value: &[u8], condition: Condition<'_>) -> Changed {
    let place = handle.store().locate(key(name));
    let on = On { condition, lease: None, wants_previous: false };
    handle.write_at(place, Content::plain(value, Ttl::Forever), on).unwrap()
}

fn remove(handle: &StoreHandle, name: &str, condition: Condition<'_>) -> Changed {
    handle.remove_at(handle.store().locate(key(name)), condition, true)
}

fn read(handle: &StoreHandle, name: &str) -> Seen {
    handle.read(key(name), None).unwrap()
}

#[test]
fn every_write_of_a_key_has_a_higher_version() {
    let handle = roomy(1);
    let mut last = 0;
    for round in 0..2000 {
        if round % 7 == 0 {
            handle.delete(key("k"));
        }
        handle.set(key("k"), b"v", Ttl::Forever).unwrap();
        let version = read(&handle, "k").version.get();
        assert!(version > last, "{version} after {last}");
        assert_eq!(read(&handle, "k").version.get(), version);
        last = version;
    }
}

#[test]
fn an_entry_tells_its_age_and_what_is_left_of_its_time() {
    let handle = roomy(8);
    handle.set(key("k"), b"v", seconds(10)).unwrap();
    advance(&handle, Duration::from_secs(4));
    let Seen { ttl_left, age, .. } = read(&handle, "k");
    let (left, second) = (ttl_left.unwrap(), Duration::from_secs(1));
    assert!((5 * second..=6 * second).contains(&left), "{left:?}");
    assert!((4 * second..5 * second).contains(&age), "{age:?}");
    advance(&handle, Duration::from_secs(6));
    assert_eq!(handle.read(key("k"), None), None);

    handle.set(key("forever"), b"v", Ttl::Forever).unwrap();
    assert_eq!(read(&handle, "forever").ttl_left, None);
}

#[test]
fn a_touch_gives_another_deadline_and_keeps_version_and_age() {
    for policy in POLICIES {
        let store = store(64 << 20, 0, 1, policy);
        let handle = handle_of(&store);
        handle.set(key("k"), b"v", seconds(10)).unwrap();
        let version = read(&handle, "k").version;
        for (ttl, left) in
            [(seconds(100), Some(100)), (Ttl::Forever, None), (seconds(20), Some(20))]
        {
            advance(&handle, Duration::from_secs(4));
            let seen = handle.read(key("k"), Some(ttl)).unwrap();
            assert_eq!(seen.version, version);
            let seen = read(&handle, "k");
            // A deadline is a number of milliseconds behind the write, rounded up.
            let span = left.map(|left| 1000 * (left - 1)..=1000 * left + 1);
            assert_eq!(seen.ttl_left.is_some(), span.is_some());
            let ms = seen.ttl_left.map(|left| left.as_millis() as u64);
            assert!(span.is_none_or(|span| span.contains(&ms.unwrap())), "{ms:?}");
            assert_books_balance(&store);
        }
        assert!(read(&handle, "k").age >= Duration::from_secs(12));
        advance(&handle, Duration::from_millis(20_001));
        sweep(&store);
        assert_eq!(handle.get(key("k")), Lookup::Miss);
        assert_eq!(store.stats().entries, 0);
        assert_eq!(handle.read(key("k"), Some(seconds(9))), None, "what is gone stays so");
    }
}

#[test]
fn touches_keep_a_full_store_within_its_limit() {
    for policy in POLICIES {
        let store = store(1 << 20, 0, 1, policy);
        let handle = handle_of(&store);
        let names: Vec<_> = (0..4000).map(|n| format!("k{n}")).collect();
        for name in &names {
            handle.set(key(name), b"v", Ttl::Forever).unwrap();
        }
        for name in &names {
            handle.read(key(name), Some(seconds(60)));
        }
        let stats = store.stats();
        assert!(stats.entries > 1000, "{stats:?}");
        assert!(stats.memory_bytes <= stats.max_memory_bytes, "{policy}: {stats:?}");
        assert_books_balance(&store);
    }
}

#[test]
fn a_change_is_made_if_its_condition_holds() {
    let handle = roomy(8);
    assert_eq!(write(&handle, "k", b"1", Condition::Present).outcome, Outcome::NotFound);
    assert_eq!(write(&handle, "k", b"1", Condition::Version(1)).outcome, Outcome::NotFound);
    assert_eq!(write(&handle, "k", b"1", Condition::Absent).outcome, Outcome::Stored);
    let first = read(&handle, "k").version;
    let refused = write(&handle, "k", b"2", Condition::Absent);
    assert_eq!((refused.outcome, refused.version), (Outcome::Exists, Some(first)));

    let second = write(&handle, "k", b"2", Condition::Version(first.get()));
    assert_eq!(second.outcome, Outcome::Stored);
    assert_eq!(second.version, Some(read(&handle, "k").version));
    assert_eq!(second.previous.unwrap().version, first);
    let late = write(&handle, "k", b"3", Condition::Version(first.get()));
    assert_eq!((late.outcome, late.version), (Outcome::Mismatch, second.version));

    assert_eq!(write(&handle, "k", b"3", Condition::Value(b"1")).outcome, Outcome::Mismatch);
    assert_eq!(write(&handle, "k", b"3", Condition::Value(b"2")).outcome, Outcome::Stored);
    assert_eq!(write(&handle, "k", b"4", Condition::Hash(hash(b"2"))).outcome, Outcome::Mismatch);
    assert_eq!(write(&handle, "k", b"4", Condition::Hash(hash(b"3"))).outcome, Outcome::Stored);

    assert_eq!(remove(&handle, "k", Condition::Hash(hash(b"3"))).outcome, Outcome::Mismatch);
    let removed = remove(&handle, "k", Condition::Hash(hash(b"4")));
    assert_eq!((removed.outcome, removed.version), (Outcome::Stored, None));
    assert_eq!(removed.previous.unwrap().value.as_deref(), Some(&b"4"[..]));
    assert_eq!(remove(&handle, "k", Condition::Always).outcome, Outcome::NotFound);
    assert_eq!(handle.get(key("k")), Lookup::Miss);
}

/// Whoever saw a version has seen all that the entry is: an entry that is written back to an earlier
/// value is another one.
#[test]
fn a_version_is_no_value() {
    let handle = roomy(1);
    write(&handle, "k", b"a", Condition::Always);
    let seen = read(&handle, "k").version;
    write(&handle, "k", b"b", Condition::Always);
    write(&handle, "k", b"a", Condition::Always);
    let swapped = write(&handle, "k", b"c", Condition::Version(seen.get()));
    assert_eq!(swapped.outcome, Outcome::Mismatch);
}

#[derive(Clone, Debug)]
enum Op {
    Set(u8, u8, i32),
    Write(u8, u8, i32, Test),
    Remove(u8, Test),
    Read(u8),
    Touch(u8, i32),
    Delete(u8),
    Pass(u16),
    Sweep,
}

#[derive(Clone, Copy, Debug)]
enum Test {
    Always,
    Absent,
    Present,
    /// That of the entry as it was so many writes ago.
    Version(u8),
    Value(u8),
    Hash(u8),
}

fn test() -> impl Strategy<Value = Test> {
    prop_oneof![
        Just(Test::Always),
        Just(Test::Absent),
        Just(Test::Present),
        (0u8..2).prop_map(Test::Version),
        (0u8..3).prop_map(Test::Value),
        (0u8..3).prop_map(Test::Hash),
    ]
}

fn op() -> impl Strategy<Value = Op> {
    let (k, v, t) = (0u8..5, 0u8..3, 0i32..4);
    prop_oneof![
        (k.clone(), v.clone(), t.clone()).prop_map(|(k, v, t)| Op::Set(k, v, t)),
        (k.clone(), v, t.clone(), test()).prop_map(|(k, v, t, c)| Op::Write(k, v, t, c)),
        (k.clone(), test()).prop_map(|(k, c)| Op::Remove(k, c)),
        k.clone().prop_map(Op::Read),
        (k.clone(), t).prop_map(|(k, t)| Op::Touch(k, t)),
        k.prop_map(Op::Delete),
        (0u16..1500).prop_map(Op::Pass),
        Just(Op::Sweep),
    ]
}

/// The plainest thing that could be right: for each key its value, deadline and past versions.
#[derive(Default)]
struct Model {
    now: u64,
    entries: HashMap<u8, (u8, u64)>,
    versions: HashMap<u8, Vec<u64>>,
    all: HashSet<(u8, u64)>,
}

impl Model {
    fn live(&self, k: u8) -> Option<u8> {
        self.entries.get(&k).filter(|(_, deadline)| *deadline > self.now).map(|(value, _)| *value)
    }

    fn version(&self, k: u8, back: u8) -> u64 {
        let versions = self.versions.get(&k).map_or(&[][..], Vec::as_slice);
        versions.iter().rev().nth(back.into()).copied().unwrap_or(1)
    }

    fn deadline(&self, ttl: i32) -> u64 {
        if ttl == 0 { u64::MAX } else { self.now + ttl as u64 * 1000 }
    }

    fn outcome(&self, k: u8, test: Test) -> Outcome {
        let holds = match (test, self.live(k)) {
            (Test::Always, _) | (Test::Absent, None) => return Outcome::Stored,
            (Test::Absent, Some(_)) => return Outcome::Exists,
            (_, None) => return Outcome::NotFound,
            (Test::Present, _) => true,
            (Test::Version(back), _) => back == 0,
            (Test::Value(v) | Test::Hash(v), Some(value)) => v == value,
        };
        if holds { Outcome::Stored } else { Outcome::Mismatch }
    }

    fn note(&mut self, k: u8, (value, ttl): (u8, i32), version: u64) {
        assert!(self.all.insert((k, version)), "the version {version} of {k} was there before");
        assert!(version > self.version(k, 0));
        self.entries.insert(k, (value, self.deadline(ttl)));
        self.versions.entry(k).or_default().push(version);
    }
}

fn condition<'a>(model: &Model, k: u8, test: Test, value: &'a [u8; 1]) -> Condition<'a> {
    match test {
        Test::Always => Condition::Always,
        Test::Absent => Condition::Absent,
        Test::Present => Condition::Present,
        Test::Version(back) => Condition::Version(model.version(k, back)),
        Test::Value(_) => Condition::Value(value),
        Test::Hash(_) => Condition::Hash(hash(value)),
    }
}

impl Test {
    fn value(self) -> [u8; 1] {
        match self {
            Self::Value(v) | Self::Hash(v) => [v],
            _ => [0],
        }
    }
}

fn agree(handle: &StoreHandle, ops: &[Op]) {
    let mut model = Model::default();
    let names: Vec<_> = (0..5).map(|k| format!("k{k}")).collect();
    for op in ops {
        let place = |k: &u8| handle.store().locate(key(&names[usize::from(*k)]));
        match op {
            Op::Set(k, v, t) => {
                handle.set_at(place(k), &[*v], Ttl::from_seconds(*t)).unwrap();
                let seen = handle.read_at(place(k), None).unwrap();
                model.note(*k, (*v, *t), seen.version.get());
            }
            Op::Write(k, v, t, test) => {
                let (expected, was) = (model.outcome(*k, *test), model.live(*k));
                let (bytes, ttl) = (test.value(), Ttl::from_seconds(*t));
                let condition = condition(&model, *k, *test, &bytes);
                let on = On { condition, lease: None, wants_previous: true };
                let did = handle.write_at(place(k), Content::plain(&[*v], ttl), on).unwrap();
                assert_eq!(did.outcome, expected, "{op:?}");
                let previous = did.previous.as_ref();
                let value = previous.map(|previous| previous.value.as_ref().unwrap()[0]);
                assert_eq!(value, was);
                if was.is_some() {
                    assert_eq!(previous.unwrap().version.get(), model.version(*k, 0));
                }
                if expected == Outcome::Stored {
                    model.note(*k, (*v, *t), did.version.unwrap().get());
                }
            }
            Op::Remove(k, Test::Absent) | Op::Delete(k) => {
                handle.delete_at(place(k));
                model.entries.remove(k);
            }
            Op::Remove(k, test) => {
                let expected = match model.outcome(*k, *test) {
                    Outcome::Stored if model.live(*k).is_none() => Outcome::NotFound,
                    outcome => outcome,
                };
                let bytes = test.value();
                let condition = condition(&model, *k, *test, &bytes);
                let did = handle.remove_at(place(k), condition, false);
                assert_eq!(did.outcome, expected, "{op:?}");
                if expected == Outcome::Stored {
                    model.entries.remove(k);
                }
            }
            Op::Read(k) => {
                let seen = handle.read_at(place(k), None);
                assert_eq!(seen.as_ref().map(|seen| seen.value[0]), model.live(*k), "{op:?}");
                if let Some(seen) = seen {
                    assert_eq!(seen.version.get(), model.version(*k, 0));
                }
            }
            Op::Touch(k, t) => {
                let seen = handle.read_at(place(k), Some(Ttl::from_seconds(*t)));
                assert_eq!(seen.is_some(), model.live(*k).is_some(), "{op:?}");
                let deadline = model.deadline(*t);
                if seen.is_some() {
                    model.entries.get_mut(k).unwrap().1 = deadline;
                }
            }
            Op::Pass(ms) => {
                // Not to a moment near a deadline: the store's clock runs on beside the model's, and
                // a touch rounds up to a millisecond.
                let mut by = u64::from(*ms);
                while model.entries.values().any(|(_, end)| end.abs_diff(model.now + by) <= 20) {
                    by += 41;
                }
                model.now += by;
                advance(handle, Duration::from_millis(by));
            }
            Op::Sweep => {
                let shard = &handle.store().shards[0];
                for stripe in 0..shard.stripes() {
                    shard.expire(stripe);
                }
            }
        }
    }
    assert_books_balance(handle.store());
}

proptest! {
    #[test]
    fn a_store_agrees_with_a_model_of_versions(ops in prop::collection::vec(op(), 0..120)) {
        for policy in POLICIES {
            agree(&handle_of(&store(64 << 20, 0, 1, policy)), &ops);
        }
    }
}
