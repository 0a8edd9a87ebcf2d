//! What is told of an entry, and that telling it changes nothing.

use std::time::Duration;

use super::{POLICIES, advance, handle_of, key, roomy, seconds, store};
use crate::store::{
    Content, Description, EvictionPolicy, Life, Lookup, Standing, Stats, StoreHandle, Ttl,
};

fn describe(handle: &StoreHandle, name: &str) -> Option<Description> {
    handle.store().describe(key(name))
}

fn get(handle: &StoreHandle, name: &str) {
    assert!(matches!(handle.get(key(name)), Lookup::Hit(_)));
}

#[test]
fn an_entry_is_described_with_its_size_and_its_times() {
    let handle = roomy(8);
    assert_eq!(describe(&handle, "k"), None);
    handle.set(key("k"), &[7; 1000], seconds(10)).unwrap();
    advance(&handle, Duration::from_secs(4));
    let told = describe(&handle, "k").unwrap();
    assert_eq!(told.value_bytes, 1000);
    assert_eq!(told.memory_bytes, handle.store().stats().memory_bytes);
    assert!(
        (4..5).contains(&told.age.as_secs()) && (5..6).contains(&told.ttl_left.unwrap().as_secs())
    );
    assert_eq!((told.is_stale, told.stale_left), (false, Duration::ZERO));
    advance(&handle, Duration::from_secs(6));
    assert_eq!(describe(&handle, "k"), None);
    handle.set(key("k"), b"", Ttl::Forever).unwrap();
    assert_eq!(describe(&handle, "k").unwrap().ttl_left, None);
}

#[test]
fn a_stale_entry_is_described_as_one() {
    let handle = roomy(1);
    let life = Life { stale: Duration::from_secs(60), ..seconds(10).into() };
    let on = crate::store::On {
        condition: crate::store::Condition::Always,
        lease: None,
        wants_previous: false,
    };
    handle.write_at(handle.store().locate(key("k")), Content::plain(b"v", life), on).unwrap();
    let told = describe(&handle, "k").unwrap();
    assert_eq!((told.is_stale, told.stale_left.as_secs()), (false, 60));
    advance(&handle, Duration::from_secs(30));
    let told = describe(&handle, "k").unwrap();
    assert_eq!((told.is_stale, told.ttl_left), (true, Some(Duration::ZERO)));
    assert!((39..=40).contains(&told.stale_left.as_secs()), "{told:?}");
    advance(&handle, Duration::from_secs(41));
    assert_eq!(describe(&handle, "k"), None);
}

#[test]
fn reads_in_the_window_are_told_and_descriptions_are_none() {
    let handle = roomy(1);
    handle.set(key("k"), b"v", Ttl::Forever).unwrap();
    for reads in [0, 1, 2, 2] {
        for _ in 0..3 {
            assert_eq!(describe(&handle, "k").unwrap().standing, Standing::Window { reads });
        }
        get(&handle, "k");
    }
    let Stats { hits, misses, .. } = handle.store().stats();
    assert_eq!((hits, misses), (4, 0));
}

#[test]
fn of_a_resident_it_is_told_how_many_came_since_its_last_use() {
    let handle = handle_of(&store(4 << 20, 0, 1, EvictionPolicy::Window));
    let write = |name: &str, reads: u64| {
        handle.set(key(name), &[0; 100], Ttl::Forever).unwrap();
        (0..reads).for_each(|_| get(&handle, name));
    };
    handle.set(key("k"), b"v", Ttl::Forever).unwrap();
    // Of four that come one becomes a resident.
    for number in 0..40_000 {
        write(&format!("{number}"), 2 * u64::from(number % 4 == 0));
        get(&handle, "k");
    }
    let since = |handle: &StoreHandle| match describe(handle, "k").unwrap().standing {
        Standing::Resident { residents_since_use: Some(since) } => since,
        other => panic!("{other:?}"),
    };
    let soon = since(&handle);
    assert!(soon <= 600, "a sixteenth of the residents, and a step: {soon}");
    for number in 0..4000 {
        write(&format!("more:{number}"), 2 * u64::from(number % 4 == 0));
    }
    let late = since(&handle);
    assert!(late >= soon + 200, "{soon} {late}");
    get(&handle, "k");
    assert!(since(&handle) < late);
}

#[test]
fn policies_without_a_window_know_no_reads() {
    for policy in POLICIES.into_iter().filter(|policy| *policy != EvictionPolicy::Window) {
        let handle = handle_of(&store(64 << 20, 0, 1, policy));
        handle.set(key("k"), b"v", Ttl::Forever).unwrap();
        let expected = Standing::Resident { residents_since_use: None };
        assert_eq!(describe(&handle, "k").unwrap().standing, expected);
    }
}
