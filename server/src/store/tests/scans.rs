//! What a scan promises: whatever is written meanwhile, a key that is there throughout is listed
//! once, and no key twice.

use std::{collections::HashMap, iter, time::Duration};

use proptest::prelude::*;
use tiny_cache_proto::key::{Key, Namespace};

use super::{advance, key, roomy, seconds};
use crate::store::{Listed, Lookup, Page, Stats, StoreHandle, Ttl};

fn name(text: &str) -> Namespace<'_> {
    Namespace::parse(text).unwrap()
}

/// The pages of a whole scan, with what is done `between` two of them.
fn pages(
    handle: &StoreHandle,
    asked: (Namespace<'_>, &str),
    most: usize,
    mut between: impl FnMut(usize),
) -> Vec<Vec<Listed>> {
    let (mut pages, mut cursor) = (Vec::new(), Vec::new());
    loop {
        let mut scan = handle.store().scan(asked, &cursor, most).unwrap();
        while scan.step() {}
        let Page { entries, cursor: next } = scan.page();
        pages.push(entries);
        if next.is_empty() {
            return pages;
        }
        cursor = next;
        between(pages.len());
    }
}

/// How often each key is listed.
fn counts(pages: &[Vec<Listed>]) -> HashMap<String, usize> {
    let mut counts = HashMap::new();
    for listed in pages.iter().flatten() {
        *counts.entry(listed.key.clone()).or_default() += 1;
    }
    counts
}

#[test]
fn a_scan_lists_each_key_of_its_namespace_with_its_prefix_once() {
    for shards in [1, 8] {
        let handle = roomy(shards);
        for number in 0..5000 {
            for namespace in ["", "a", "ab"] {
                let text = format!("{}:{number}", if number % 2 == 0 { "even" } else { "odd" });
                let key = Key::parse(name(namespace), &text).unwrap();
                handle.set(key, b"value", Ttl::Forever).unwrap();
            }
        }
        for (namespace, prefix, expected) in [
            ("", "", 5000),
            ("a", "", 5000),
            ("ab", "even:", 2500),
            ("a", "even:42", 56),
            ("a", "Even", 0),
            ("b", "", 0),
        ] {
            for most in [1, 7, 1000, 10_000].into_iter().skip(usize::from(expected > 2500)) {
                let pages = pages(&handle, (name(namespace), prefix), most, |_| {});
                assert!(pages.iter().all(|page| page.len() <= most));
                let counts = counts(&pages);
                assert_eq!(counts.len(), expected, "{namespace:?} {prefix:?} {most}");
                assert!(counts.iter().all(|(key, n)| *n == 1 && key.starts_with(prefix)));
            }
        }
    }
}

#[test]
fn a_page_is_bounded_in_work_where_nothing_is_listed() {
    let handle = roomy(1);
    for number in 0..40_000 {
        handle.set(key(&format!("key:{number}")), b"", Ttl::Forever).unwrap();
    }
    let asked = (Namespace::SHARED, "other");
    let pages = pages(&handle, asked, 10_000, |_| {});
    assert!(pages.iter().all(Vec::is_empty));
    assert!((4..=6).contains(&pages.len()), "{}", pages.len());
    let mut scan = handle.store().scan(asked, &[], 10_000).unwrap();
    let steps = iter::repeat_with(|| scan.step()).take_while(|more| *more).count();
    assert!((4..=10).contains(&steps), "others go first after each step: {steps}");
}

#[test]
fn a_page_of_long_keys_is_bounded_in_bytes() {
    let handle = roomy(8);
    for number in 0..2000 {
        let long = format!("{number:04}{}", "é".repeat(250));
        handle.set(key(&long), b"", Ttl::Forever).unwrap();
    }
    let pages = pages(&handle, (Namespace::SHARED, ""), 10_000, |_| {});
    let bytes = |page: &Vec<Listed>| page.iter().map(|listed| listed.key.len()).sum::<usize>();
    assert!(pages.iter().all(|page| bytes(page) <= 513 << 10));
    assert!(pages.len() > 1);
    assert_eq!(counts(&pages).len(), 2000);
}

#[test]
fn an_entry_is_listed_with_what_is_known_of_it_and_not_used_by_it() {
    let handle = roomy(8);
    handle.set(key("k"), b"12345", seconds(10)).unwrap();
    handle.set(key("for ever"), b"", Ttl::Forever).unwrap();
    handle.set(key("short"), b"", seconds(1)).unwrap();
    advance(&handle, Duration::from_secs(2));
    let pages = pages(&handle, (Namespace::SHARED, ""), 10, |_| {});
    let mut listed: Vec<_> = pages.into_iter().flatten().collect();
    listed.sort_by(|a, b| a.key.cmp(&b.key));
    let [ever, k] = &listed[..] else { panic!("{listed:?}") };
    assert_eq!((ever.key.as_str(), ever.value_bytes, ever.ttl_left), ("for ever", 0, None));
    assert_eq!((k.key.as_str(), k.value_bytes), ("k", 5));
    let left = k.ttl_left.unwrap();
    assert!((Duration::from_secs(7)..Duration::from_secs(9)).contains(&left), "{left:?}");
    let Stats { hits, misses, window_hits, .. } = handle.store().stats();
    assert_eq!((hits, misses, window_hits), (0, 0, 0));
    assert_eq!(k.version, handle.read(key("k"), None).unwrap().version);
}

/// What is done to a key between two pages.
#[derive(Clone, Copy, Debug)]
enum Change {
    Set,
    Delete,
    /// A crowd comes that has tables grow, or goes, so that they shrink.
    Crowd(bool),
}

fn changes() -> impl Strategy<Value = Vec<(u8, Change)>> {
    let change = prop_oneof![
        4 => Just(Change::Set),
        4 => Just(Change::Delete),
        1 => any::<bool>().prop_map(Change::Crowd),
    ];
    prop::collection::vec((0..40u8, change), 0..60)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn a_key_that_stays_is_listed_once_whatever_is_written_meanwhile(
        changes in changes(),
        most in 1..30usize,
    ) {
        let handle = roomy(1);
        for number in 0..100 {
            handle.set(key(&format!("stays:{number}")), b"v", Ttl::Forever).unwrap();
        }
        let mut changes = changes.into_iter();
        let pages = pages(&handle, (Namespace::SHARED, ""), most, |_| {
            // What stays may be written over, and used.
            handle.set(key("stays:7"), b"another", Ttl::Forever).unwrap();
            assert!(matches!(handle.get(key("stays:8")), Lookup::Hit(_)));
            for (number, change) in changes.by_ref().take(3) {
                let name = format!("comes:{number}");
                match change {
                    Change::Set => handle.set(key(&name), b"v", Ttl::Forever).unwrap(),
                    Change::Delete => handle.delete(key(&name)),
                    Change::Crowd(comes) => crowd(&handle, comes),
                }
            }
        });
        let counts = counts(&pages);
        let is_listed = |number: i32| counts.contains_key(&format!("stays:{number}"));
        prop_assert!((0..100).all(is_listed));
        prop_assert!(counts.values().all(|n| *n == 1), "{:?}", counts);
    }
}

fn crowd(handle: &StoreHandle, comes: bool) {
    for number in 0..20_000 {
        let name = format!("crowd:{number}");
        if comes {
            handle.set(key(&name), b"", Ttl::Forever).unwrap();
        } else {
            handle.delete(key(&name));
        }
    }
}
