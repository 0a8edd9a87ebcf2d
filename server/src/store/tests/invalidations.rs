//! Tags and namespaces that are invalidated at once, before and after the upkeep has taken their
//! entries out.

use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

use proptest::prelude::*;
use tiny_cache_proto::key::{Key, Namespace};

use super::{
    MIB, POLICIES, advance, assert_books_balance, handle_of, key, roomy, seconds, store, sweep,
};
use crate::store::{
    Addition, Beyond, Claimed, Condition, Content, EvictionPolicy, Life, Lookup, On, Outcome,
    Scope, StoreHandle, Tags, TooManyInvalidations, Ttl, TtlOf, invalidations,
};

fn team() -> Namespace<'static> {
    Namespace::parse("team").unwrap()
}

fn write(handle: &StoreHandle, key: Key<'_>, tags: &[&str], lease: Option<u64>) -> Outcome {
    let tags: Tags<'_> = tags.iter().copied().collect();
    let content = Content { value: b"v", life: Ttl::Forever.into(), tags };
    let on = On { condition: Condition::Always, lease, wants_previous: false };
    handle.write_at(handle.store().locate(key), content, on).unwrap().outcome
}

fn is_there(handle: &StoreHandle, key: Key<'_>) -> bool {
    handle.get(key) != Lookup::Miss
}

fn invalidate(handle: &StoreHandle, tags: &[&str]) {
    handle.invalidate(Namespace::SHARED, Scope::Tags(tags)).unwrap();
}

#[test]
fn a_tag_takes_the_entries_that_have_it_and_no_others() {
    let handle = roomy(8);
    for (name, tags) in
        [("a", &["red"][..]), ("b", &["red", "round"]), ("c", &["round"]), ("d", &[])]
    {
        write(&handle, key(name), tags, None);
    }
    let other = Key::parse(team(), "a").unwrap();
    write(&handle, other, &["red"], None);
    invalidate(&handle, &["red", "unknown"]);
    for swept in [false, true] {
        for (name, stays) in [("a", false), ("b", false), ("c", true), ("d", true)] {
            assert_eq!(is_there(&handle, key(name)), stays, "{name}, swept: {swept}");
        }
        assert!(is_there(&handle, other));
        let stats = handle.store().stats();
        assert_eq!((stats.entries, stats.deletes, stats.evictions()), (3, 0, 0));
        sweep(handle.shared());
    }
    assert_eq!(handle.store().stats().invalidated_removals, 2);
    // Written again, it is there.
    write(&handle, key("a"), &["red"], None);
    assert!(is_there(&handle, key("a")));
    assert_books_balance(handle.store());
}

#[test]
fn a_namespace_is_dropped_whole_and_its_figures_with_it() {
    let handle = roomy(8);
    for i in 0..1000 {
        let name = format!("k{i}");
        handle.set(Key::parse(team(), &name).unwrap(), b"value", seconds(60)).unwrap();
        handle.set(key(&name), b"value", Ttl::Forever).unwrap();
    }
    handle.invalidate(team(), Scope::Namespace).unwrap();
    let held = |name: &str| {
        let detail = handle.store().detail();
        let found = detail.namespaces.into_iter().find(|namespace| namespace.name == name);
        found.map(|namespace| (namespace.entries, namespace.memory_bytes))
    };
    let shared = held("_shared").unwrap();
    for _ in 0..2 {
        assert_eq!(held("team"), Some((0, 0)));
        assert_eq!(held("_shared"), Some(shared));
        let stats = handle.store().stats();
        assert_eq!((stats.entries, stats.memory_bytes), shared);
        assert!(!is_there(&handle, Key::parse(team(), "k7").unwrap()));
        sweep(handle.shared());
    }
    handle.invalidate(Namespace::SHARED, Scope::Namespace).unwrap();
    assert_eq!(handle.store().stats().entries, 0);
    handle.set(key("k1"), b"new", Ttl::Forever).unwrap();
    assert_eq!(handle.store().stats().entries, 1);
    sweep(handle.shared());
    assert_eq!(handle.store().stats().entries, 1);
    assert_books_balance(handle.store());
}

/// Of very many entries that had been invalidated, Stats held its worker for a third of a second.
#[test]
fn counting_what_was_invalidated_goes_in_steps() {
    const ENTRIES: u64 = 60_000;
    let handle = roomy(8);
    for i in 0..ENTRIES {
        let tag = if i % 2 == 0 { "even" } else { "odd" };
        write(&handle, key(&i.to_string()), &[tag], None);
    }
    invalidate(&handle, &["even"]);
    let mut census = handle.store().census();
    let mut steps = 1;
    while census.step() {
        steps += 1;
    }
    assert_eq!(census.stats().entries, ENTRIES / 2);
    assert!(steps >= ENTRIES / 4096, "{steps}");
}

#[test]
fn whatever_meets_an_invalidated_entry_takes_it_for_absent() {
    for policy in POLICIES {
        let handle = handle_of(&store(64 * MIB, 0, 1, policy));
        let again = || {
            write(&handle, key("k"), &["t"], None);
            invalidate(&handle, &["t"]);
        };
        again();
        assert_eq!(handle.read(key("k"), Some(Ttl::Forever)), None);
        assert_eq!(handle.set_if_absent(key("k"), b"new", Ttl::Forever), Ok(Outcome::Stored));
        again();
        let swapped = handle.compare_and_set(key("k"), b"v", b"w", Ttl::Forever);
        assert_eq!(swapped, Ok(Outcome::NotFound));
        let place = handle.store().locate(key("k"));
        let removed = handle.remove_at(place, Condition::Present, true);
        assert_eq!((removed.outcome, removed.previous), (Outcome::NotFound, None));
        again();
        let stats = handle.store().stats();
        handle.delete(key("k"));
        assert_eq!(handle.store().stats().deletes, stats.deletes);
        assert_books_balance(handle.store());
    }
}

#[test]
fn a_stale_entry_that_was_invalidated_is_not_served() {
    let handle = roomy(1);
    let life = Life { stale: Duration::from_secs(60), ..seconds(1).into() };
    let content = Content { value: b"v", life, tags: Tags::from_iter(["t"]) };
    let on = On { condition: Condition::Always, lease: None, wants_previous: false };
    let place = handle.store().locate(key("k"));
    handle.write_at(place, content, on).unwrap();
    advance(&handle, Duration::from_secs(2));
    let claim = || handle.claim_at(place, None, (Duration::from_secs(1), false));
    let is_found = |claimed| matches!(claimed, Claimed::Found(..));
    assert!(is_found(claim()));
    invalidate(&handle, &["t"]);
    assert!(!is_found(claim()));
}

#[test]
fn a_counter_keeps_its_tags_and_a_plain_write_drops_them() {
    let handle = roomy(1);
    let addition = Addition {
        delta: 1,
        initial: 0,
        bounds: (i64::MIN, i64::MAX),
        beyond: Beyond::Refuse,
        ttl: Ttl::Forever,
        ttl_of: TtlOf::Creation,
    };
    let tags = Tags::from_iter(["t"]);
    for name in ["counter", "plain"] {
        let content = Content { value: b"7", life: Ttl::Forever.into(), tags };
        let on = On { condition: Condition::Always, lease: None, wants_previous: false };
        handle.write_at(handle.store().locate(key(name)), content, on).unwrap();
    }
    let place = handle.store().locate(key("counter"));
    assert_eq!(handle.add_at(place, addition).unwrap().value, 8);
    handle.set(key("plain"), b"7", Ttl::Forever).unwrap();
    invalidate(&handle, &["t"]);
    assert!(is_there(&handle, key("plain")) && !is_there(&handle, key("counter")));
    assert_eq!(handle.add_at(place, addition).unwrap().value, 1);
}

/// What an origin made before the invalidation is not stored after it, though the upkeep has long
/// been through.
#[test]
fn a_lease_from_before_an_invalidation_writes_nothing_that_it_names() {
    for (scope, tags, stores) in [
        (Scope::Namespace, &[][..], false),
        (Scope::Tags(&["t"]), &["t"], false),
        (Scope::Tags(&["t"]), &["u", "t"], false),
        (Scope::Tags(&["t"]), &["u"], true),
    ] {
        let handle = roomy(1);
        let place = handle.store().locate(key("k"));
        let lasts = Duration::from_secs(60);
        let Claimed::Granted(grant) = handle.claim_at(place, None, (lasts, false)) else {
            panic!("nothing is there");
        };
        handle.invalidate(Namespace::SHARED, scope).unwrap();
        sweep(handle.shared());
        let outcome = write(&handle, key("k"), tags, Some(grant.token()));
        assert_eq!(outcome == Outcome::Stored, stores, "{scope:?} {tags:?}");
        // The lease is free for the next one.
        let claimed = handle.claim_at(place, None, (lasts, false));
        assert!(stores || matches!(claimed, Claimed::Granted(_)), "{claimed:?}");
    }
}

#[test]
fn records_go_when_no_lease_can_be_older() {
    let handle = roomy(1);
    invalidate(&handle, &["a", "b"]);
    handle.invalidate(team(), Scope::Namespace).unwrap();
    sweep(handle.shared());
    assert_eq!(handle.store().records(), 3);
    advance(&handle, Duration::from_secs(62));
    sweep(handle.shared());
    assert_eq!(handle.store().records(), 0);
}

#[test]
fn more_records_than_there_is_room_for_are_refused_until_the_upkeep_has_been_through() {
    let handle = roomy(1);
    let place = handle.store().locate(key("k"));
    let Claimed::Granted(grant) = handle.claim_at(place, None, (Duration::from_secs(60), false))
    else {
        panic!("nothing is there");
    };
    let names: Vec<_> = (0..invalidations::MOST).map(|i| i.to_string()).collect();
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    invalidate(&handle, &names);
    let more = || handle.invalidate(Namespace::SHARED, Scope::Tags(&["more"]));
    assert_eq!(more(), Err(TooManyInvalidations));
    sweep(handle.shared());
    assert_eq!(more(), Ok(()));
    // Its record is forgotten, so the lease counts as one from before it.
    assert_eq!(handle.store().records(), 1);
    assert_eq!(write(&handle, key("k"), &[names[0]], Some(grant.token())), Outcome::Mismatch);
}

#[derive(Clone, Debug)]
enum Op {
    Set(u8),
    Write(u8, Vec<u8>),
    Delete(u8),
    Tag(u8),
    Namespace,
    Read(u8),
    Sweep,
}

fn op() -> impl Strategy<Value = Op> {
    let (k, tag) = (0u8..6, 0u8..4);
    prop_oneof![
        k.clone().prop_map(Op::Set),
        (k.clone(), prop::collection::vec(tag.clone(), 0..4)).prop_map(|(k, t)| Op::Write(k, t)),
        k.clone().prop_map(Op::Delete),
        tag.prop_map(Op::Tag),
        Just(Op::Namespace),
        k.prop_map(Op::Read),
        Just(Op::Sweep),
    ]
}

proptest! {
    /// However writes, invalidations and sweeps follow each other: what is there, and what is
    /// counted, is what a map of keys and their tags says.
    #[test]
    fn invalidations_are_those_of_a_map(ops in prop::collection::vec(op(), 0..60)) {
        const TAGS: [&str; 4] = ["t0", "t1", "t2", "t3"];
        let handle = handle_of(&store(64 * MIB, 0, 2, EvictionPolicy::Window));
        let mut model: HashMap<u8, HashSet<u8>> = HashMap::new();
        let names: Vec<_> = (0..6).map(|k| format!("k{k}")).collect();
        for op in ops {
            let of = |k: u8| key(&names[usize::from(k)]);
            match op {
                Op::Set(k) => {
                    handle.set(of(k), b"v", Ttl::Forever).unwrap();
                    model.insert(k, HashSet::new());
                }
                Op::Write(k, tags) => {
                    let given: Vec<_> = tags.iter().map(|&tag| TAGS[usize::from(tag)]).collect();
                    prop_assert_eq!(write(&handle, of(k), &given, None), Outcome::Stored);
                    model.insert(k, tags.into_iter().collect());
                }
                Op::Delete(k) => {
                    handle.delete(of(k));
                    model.remove(&k);
                }
                Op::Tag(tag) => {
                    invalidate(&handle, &[TAGS[usize::from(tag)]]);
                    model.retain(|_, tags| !tags.contains(&tag));
                }
                Op::Namespace => {
                    handle.invalidate(Namespace::SHARED, Scope::Namespace).unwrap();
                    model.clear();
                }
                Op::Read(k) => {
                    prop_assert_eq!(is_there(&handle, of(k)), model.contains_key(&k));
                }
                Op::Sweep => sweep(handle.shared()),
            }
            prop_assert_eq!(handle.store().stats().entries, model.len() as u64);
        }
        for k in 0..6 {
            let there = is_there(&handle, key(&names[usize::from(k)]));
            prop_assert_eq!(there, model.contains_key(&k));
        }
        assert_books_balance(handle.store());
    }
}
