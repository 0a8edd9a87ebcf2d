//! Namespaces with a quota.

use std::{
    num::{NonZeroU32, NonZeroU64},
    time::Duration,
};

use tiny_cache_proto::key::{Key, Namespace};

use super::{
    MIB, POLICIES, advance, assert_books_balance, handle_of, key, seconds, sweep, with_quotas,
};
use crate::store::{
    EvictionPolicy, Lookup, NamespaceStats, Outcome, QuotaLimits, QuotaRules, RateLimit, Refused,
    Store, StoreHandle, Ttl,
};

pub(super) fn within<'a>(name: &'a str, text: &'a str) -> Key<'a> {
    Key::parse(Namespace::parse(name).unwrap(), text).unwrap()
}

/// Limits on bytes and entries; 0: none.
pub(super) fn limits(max_bytes: u64, max_entries: u64) -> QuotaLimits {
    let (max_bytes, max_entries) = (NonZeroU64::new(max_bytes), NonZeroU64::new(max_entries));
    QuotaLimits { max_bytes, max_entries, rate: None }
}

pub(super) fn rules<const N: usize>(named: [(&str, QuotaLimits); N]) -> QuotaRules {
    let named = named.map(|(name, limits)| (name.to_owned(), limits));
    QuotaRules { named: named.into(), ..QuotaRules::default() }
}

/// Whether a namespace keeps to its quota.
pub(super) fn is_kept(store: &Store, name: &str) -> bool {
    let slot = store.namespaces.find(name);
    !store.quotas.as_ref().unwrap().of(slot).is_exceeded()
}

fn of(store: &Store, name: &str) -> NamespaceStats {
    let namespaces = store.detail().namespaces;
    namespaces.into_iter().find(|namespace| namespace.name == name).unwrap()
}

fn has(handle: &StoreHandle, key: Key<'_>) -> bool {
    matches!(handle.get(key), Lookup::Hit(_))
}

fn set(handle: &StoreHandle, key: Key<'_>, len: usize) -> Result<(), Refused> {
    handle.set(key, &vec![7; len], Ttl::Forever)
}

fn refusal(refused: Result<(), Refused>) -> String {
    match refused {
        Err(Refused::OverQuota(over)) => over.to_string(),
        other => panic!("{other:?}"),
    }
}

/// A store that is not full, and one that is.
#[test]
fn a_namespace_at_its_quota_evicts_its_own_entries_and_no_others() {
    for policy in POLICIES {
        for (shards, entries) in [(1, 500), (8, 500), (8, 3)] {
            let quotas = rules([("small", limits(0, entries)), ("bytes", limits(100_000, 0))]);
            let store = with_quotas(64 * MIB, (0, shards), policy, Some(&quotas));
            let handle = handle_of(&store);
            let names: Vec<_> = (0..2_000).map(|n| format!("k{n}")).collect();
            for name in &names {
                set(&handle, key(name), 100).unwrap();
                set(&handle, within("free", name), 100).unwrap();
            }
            for name in &names {
                set(&handle, within("small", name), 100).unwrap();
                set(&handle, within("bytes", name), 1_000).unwrap();
                assert!(is_kept(&store, "small") && is_kept(&store, "bytes"), "{policy:?}");
            }
            for name in &names {
                assert!(
                    has(&handle, key(name)) && has(&handle, within("free", name)),
                    "{policy:?}"
                );
            }
            // All that it may have, and the newest of its entries.
            assert_eq!(of(&store, "small").entries, entries);
            let newest = &names[names.len() - entries as usize..];
            assert!(newest.iter().all(|name| has(&handle, within("small", name))), "{policy:?}");
            let bytes = of(&store, "bytes").memory_bytes;
            assert!((98_000..=100_000).contains(&bytes), "{bytes}");

            let whole = store.stats();
            let evicted = |name| of(&store, name).quota.unwrap().evictions;
            assert_eq!(whole.quota_evictions, evicted("small") + evicted("bytes"));
            assert_eq!(whole.evictions(), whole.quota_evictions);
            assert_eq!(evicted("small"), 2_000 - entries);
            assert_eq!((evicted("free"), of(&store, "free").evictions), (0, 0));
            assert_books_balance(&store);
        }
    }
}

/// In a full cache, a namespace that stays within its quota takes no room from the others: each of
/// its writes makes its own.
#[test]
fn in_a_full_cache_a_flood_within_a_quota_pushes_out_nothing_of_others() {
    for policy in POLICIES {
        let quotas = rules([("noisy", limits(100_000, 0))]);
        let store = with_quotas(2 * MIB, (0, 1), policy, Some(&quotas));
        let handle = handle_of(&store);
        for n in 0..200 {
            set(&handle, within("noisy", &format!("old{n}")), 1_000).unwrap();
        }
        for n in 0..5_000 {
            set(&handle, key(&format!("k{n}")), 1_000).unwrap();
        }
        // Back to all that it may have: from here on it is at its quota.
        for n in 0..200 {
            set(&handle, within("noisy", &format!("warm{n}")), 1_000).unwrap();
        }
        sweep(&store);
        let before = of(&store, "_shared");
        assert!(before.evictions > 2_000, "the cache is full");
        for n in 0..20_000 {
            set(&handle, within("noisy", &format!("k{n}")), 1_000).unwrap();
        }
        sweep(&store);
        let after = of(&store, "_shared");
        let gone = after.evictions - before.evictions;
        // TinyLFU turns newcomers away, so that `noisy` may have been below its quota.
        let most = if policy == EvictionPolicy::TinyLfu { 100 } else { 2 };
        assert!(gone <= most, "{policy:?}: {gone} of the others evicted");
        assert_books_balance(&store);
    }
}

#[test]
fn what_was_used_stays_longer_than_what_was_not() {
    for policy in POLICIES {
        let store = with_quotas(64 * MIB, (0, 4), policy, Some(&rules([("a", limits(0, 100))])));
        let handle = handle_of(&store);
        for n in 0..1_000 {
            set(&handle, within("a", &format!("k{n}")), 10).unwrap();
            assert!(has(&handle, within("a", "k0")), "{policy:?}, {n}");
            if n >= 100 {
                assert_eq!(of(&store, "a").entries, 100);
            }
        }
        assert!(!has(&handle, within("a", "k1")));
    }
}

#[test]
fn a_value_that_grows_in_place_counts_as_what_it_is() {
    for policy in POLICIES {
        let quotas = rules([("a", limits(100_000, 0))]);
        let store = with_quotas(64 * MIB, (0, 4), policy, Some(&quotas));
        let handle = handle_of(&store);
        for len in [100, 1_000, 5_000, 20_000, 70_000, 10, 10] {
            for n in 0..40 {
                set(&handle, within("a", &format!("k{n}")), len).unwrap();
                assert!(is_kept(&store, "a"), "{policy:?}, {len}, {n}");
                assert!(has(&handle, within("a", &format!("k{n}"))), "{policy:?}, {len}, {n}");
            }
        }
        assert_eq!(of(&store, "a").entries, 40);
        assert_books_balance(&store);
    }
}

#[test]
fn an_entry_may_take_all_of_a_quota_and_a_larger_one_is_refused_by_its_name() {
    for policy in POLICIES {
        // Header, length, namespace and key, and the value: a block of 65,536 bytes.
        let (len, block) = (65_536 - 42 - 3, 65_536);
        let most = block + 144 + 312 + 32;
        let quotas = rules([("a", limits(most, 0)), ("b", limits(most - 1, 0))]);
        let store = with_quotas(64 * MIB, (0, 4), policy, Some(&quotas));
        let handle = handle_of(&store);
        for n in 0..100 {
            set(&handle, within("a", &format!("{n}")), 100).unwrap();
        }
        set(&handle, within("a", "k"), len).unwrap();
        assert!(has(&handle, within("a", "k")) && is_kept(&store, "a"));

        set(&handle, within("b", "k"), 5).unwrap();
        let said = format!(
            "quota max_bytes={} of namespace \"b\" is less than the {most} bytes that this entry \
             counts as; write a smaller value or raise it in CACHE_QUOTAS_PATH",
            most - 1
        );
        assert_eq!(refusal(set(&handle, within("b", "k"), len)), said);
        let large = vec![7; len];
        let swapped =
            |expected| handle.compare_and_set(within("b", "k"), expected, &large, Ttl::Forever);
        assert_eq!(swapped(b"other"), Ok(Outcome::Mismatch));
        assert_eq!(refusal(swapped(&[7; 5]).map(drop)), said);
        let absent = |name| handle.set_if_absent(within("b", name), &large, Ttl::Forever);
        assert_eq!(absent("k"), Ok(Outcome::Exists));
        assert_eq!(refusal(absent("n").map(drop)), said);
        assert!(matches!(handle.get(within("b", "k")), Lookup::Hit(value) if value.len() == 5));

        // Not another's: what "b" may not, the shared keyspace may.
        set(&handle, key("k"), len).unwrap();
        let stats = of(&store, "b");
        assert_eq!((stats.quota.unwrap().refused_entries, stats.refusals), (3, 3));
        assert_eq!(of(&store, "a").quota.unwrap().refused_entries, 0);
        assert_books_balance(&store);
    }
}

#[test]
fn the_only_entry_that_a_quota_allows_can_be_written_over() {
    let store = with_quotas(64 * MIB, (0, 4), POLICIES[0], Some(&rules([("a", limits(0, 1))])));
    let handle = handle_of(&store);
    set(&handle, within("a", "k"), 1).unwrap();
    for n in 1..100 {
        let swap = (vec![7; n], vec![7; n + 1]);
        let done = handle.compare_and_set(within("a", "k"), &swap.0, &swap.1, Ttl::Forever);
        assert_eq!(done, Ok(Outcome::Stored));
    }
    assert_eq!(store.stats().evictions(), 0);
    set(&handle, within("a", "l"), 1).unwrap();
    assert!(!has(&handle, within("a", "k")) && has(&handle, within("a", "l")));
}

#[test]
fn entries_that_leave_otherwise_make_room_in_a_quota_and_leave_no_trace_in_its_queue() {
    let quotas = rules([("a", limits(0, 10))]);
    let store = with_quotas(64 * MIB, (0, 4), POLICIES[0], Some(&quotas));
    let handle = handle_of(&store);
    for n in 0..20_000 {
        let name = format!("k{n}");
        let ttl = if n % 2 == 0 { Ttl::Forever } else { seconds(1) };
        handle.set(within("a", &name), b"v", ttl).unwrap();
        if n % 2 == 0 {
            handle.delete(within("a", &name));
        } else if n % 100 == 1 {
            advance(&handle, Duration::from_secs(1));
            sweep(&store);
        }
    }
    advance(&handle, Duration::from_secs(1));
    sweep(&store);
    let quota = store.quotas.as_ref().unwrap().of(store.namespaces.find("a"));
    assert_eq!(quota.held(), (0, 0));
    assert!(quota.queued() < 2_000, "{}", quota.queued());
    assert_books_balance(&store);
}

#[test]
fn each_namespace_without_a_section_has_what_others_have() {
    let quotas = QuotaRules {
        shared: Some(limits(0, 5)),
        others: limits(0, 10),
        ..rules([("a", limits(0, 20)), ("b", QuotaLimits::default())])
    };
    let store = with_quotas(64 * MIB, (0, 4), POLICIES[0], Some(&quotas));
    let handle = handle_of(&store);
    for n in 0..100 {
        let name = format!("k{n}");
        set(&handle, key(&name), 1).unwrap();
        for namespace in ["a", "b", "c", "d"] {
            set(&handle, within(namespace, &name), 1).unwrap();
        }
    }
    let entries = ["_shared", "a", "b", "c", "d"].map(|name| of(&store, name).entries);
    assert_eq!(entries, [5, 20, 100, 10, 10]);

    // A caller that makes up names gets no more than a hundred of them, and one for the rest.
    for n in 0..300 {
        let namespace = format!("made-up{n}");
        (0..12).for_each(|n| set(&handle, within(&namespace, &format!("{n}")), 1).unwrap());
    }
    assert_eq!(of(&store, "_other").entries, 10);
    assert_eq!(store.stats().entries, 5 + 20 + 100 + 100 * 10 + 10);
    assert_books_balance(&store);
}

#[test]
fn new_quotas_hold_for_what_is_there_and_lifted_ones_for_nothing() {
    for policy in POLICIES {
        let store = with_quotas(64 * MIB, (0, 4), policy, Some(&QuotaRules::default()));
        let handle = handle_of(&store);
        // So that "late" has no figures of its own.
        for n in 0..100 {
            set(&handle, within(&format!("n{n}"), "k0"), 1).unwrap();
        }
        for n in 0..1_000 {
            set(&handle, within("n1", &format!("k{n}")), 100).unwrap();
            set(&handle, within("late", &format!("k{n}")), 100).unwrap();
            set(&handle, key(&format!("k{n}")), 100).unwrap();
        }
        assert_eq!(of(&store, "_other").entries, 1_000);
        let before = store.stats().memory_bytes;

        store.set_quotas(&rules([("n1", limits(0, 50)), ("late", limits(50_000, 0))])).unwrap();
        assert_books_balance(&store);
        assert_eq!((of(&store, "_other").entries, of(&store, "late").entries), (0, 1_000));
        // A ticket takes memory, and no more than that.
        assert_eq!(store.stats().memory_bytes, before + 2_000 * 32);
        sweep(&store);
        assert!(is_kept(&store, "n1") && is_kept(&store, "late"));
        assert_eq!(of(&store, "n1").entries, 50);
        assert!(of(&store, "late").memory_bytes > 49_000);
        assert_eq!((of(&store, "_shared").entries, of(&store, "_shared").evictions), (1_000, 0));
        assert_books_balance(&store);

        store.set_quotas(&QuotaRules::default()).unwrap();
        for n in 0..1_000 {
            set(&handle, within("n1", &format!("k{n}")), 100).unwrap();
        }
        sweep(&store);
        assert_eq!(of(&store, "n1").entries, 1_000);
        assert_books_balance(&store);
        // Entries that had tickets count again, and once.
        store.set_quotas(&rules([("n1", limits(0, 2_000))])).unwrap();
        assert_books_balance(&store);
        let quota = store.quotas.as_ref().unwrap().of(store.namespaces.find("n1"));
        assert_eq!(quota.held().0, 1_000);
    }
}

#[test]
fn requests_beyond_the_rate_are_refused_by_name_and_those_of_others_are_not() {
    let number = |n| NonZeroU32::new(n).unwrap();
    // One in a thousand seconds would be needed for the test to see a new one.
    let rate = Some(RateLimit { per_second: number(1), burst: number(1_000) });
    let quotas = rules([("a", QuotaLimits { rate, ..QuotaLimits::default() })]);
    let store = with_quotas(64 * MIB, (0, 4), POLICIES[0], Some(&quotas));
    let handle = handle_of(&store);
    let namespace = |name| Namespace::parse(name).unwrap();
    let admit = |items| handle.admit(namespace("a"), items);
    let said = |refused| refusal(refused);
    assert!(
        said(admit(1_001)).starts_with("quota burst=1000 of namespace \"a\" is less than the 1001")
    );
    assert_eq!(admit(0), Ok(()), "a call without items is one");
    assert_eq!(admit(999), Ok(()));
    let refused = said(admit(450));
    assert!(
        refused.starts_with(
            "quota requests_per_second=1 of namespace \"a\" is used up; try again in 4"
        ),
        "{refused}"
    );
    assert_eq!(handle.admit(namespace("b"), 5_000), Ok(()));
    assert_eq!(handle.admit(Namespace::SHARED, 5_000), Ok(()));
    let stats = of(&store, "a");
    assert_eq!((stats.quota.unwrap().refused_requests, stats.refusals), (2, 2));

    // The same rate again is the same limiter.
    store.set_quotas(&quotas).unwrap();
    said(admit(450));
    store.set_quotas(&QuotaRules::default()).unwrap();
    assert_eq!(admit(5_000), Ok(()));
}

/// Writers on threads of their own: no entry is counted twice or lost, and none is over in the end.
#[test]
fn writers_of_one_namespace_keep_its_quota_together() {
    for policy in POLICIES {
        let quotas = rules([("a", limits(100_000, 300))]);
        let store = with_quotas(4 * MIB, (0, 4), policy, Some(&quotas));
        std::thread::scope(|threads| {
            for thread in 0..4 {
                let handle = handle_of(&store);
                threads.spawn(move || {
                    for n in 0..5_000 {
                        let name = format!("k{}", n * 7 % 900);
                        match n % 5 {
                            0 => handle.delete(within("a", &name)),
                            1 => drop(handle.get(within("a", &name))),
                            2 => set(&handle, key(&format!("{thread} {n}")), 500).unwrap(),
                            _ => set(&handle, within("a", &name), n % 700).unwrap(),
                        }
                    }
                });
            }
        });
        sweep(&store);
        assert!(is_kept(&store, "a"), "{policy:?}");
        assert_books_balance(&store);
    }
}
