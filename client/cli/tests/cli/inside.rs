//! What shows the entries themselves: `scan`, `describe` and `hot`.

use std::collections::BTreeSet;

use tiny_cache_test_support::process::{Ended, Run};

use crate::cache::{Cache, command};

const KEYS: [&str; 8] = ["k1", "k2", "k3", "k4", "k5", "k6", "k7", "k8"];

/// Two caches that share the keys.
struct Pair([Cache; 2]);

impl Pair {
    fn with_keys() -> Self {
        let pair = Self([Cache::start(), Cache::start()]);
        for key in KEYS {
            pair.run(&["set", key, "v", "--ttl", "0"]).ended(0, "");
        }
        pair
    }

    fn run(&self, args: &[&str]) -> Ended {
        let [a, b] = &self.0;
        let target = format!("a={}, b={}", a.address(), b.address());
        command(["--target", &target].iter().chain(args)).run()
    }
}

#[test]
fn a_scan_lists_keys_with_size_and_time() {
    let cache = Cache::start();
    cache.run(["scan"]).ended(0, "");
    cache.run(["scan", "--output", "json"]).ended(0, "{\"items\":[]}\n");
    cache.run(["set", "user:1", "12345", "--ttl", "0"]).ended(0, "");
    cache.run(["set", "page:1", "v", "--ttl", "10m"]).ended(0, "");
    cache.run(["--namespace", "team", "set", "a\tb", "", "--ttl", "0"]).ended(0, "");
    cache.run(["scan", "user:"]).ended(0, "user:1\t5\tnone\n");
    cache.run(["--namespace", "team", "scan"]).ended(0, "a\\tb\t0\tnone\n");
    let run = cache.run(["scan", "page:"]);
    let text = String::from_utf8(run.stdout).unwrap();
    let fields: Vec<_> = text.trim_end().split('\t').collect();
    let ["page:1", "1", left] = fields[..] else { panic!("{text}") };
    assert!((500_000..=600_000).contains(&left.parse::<u64>().unwrap()), "{text}");

    let scanned = cache.run(["scan", "user:", "--output", "json"]).json();
    let item = &scanned["items"][0];
    assert_eq!((&item["key"], &item["value_bytes"]), (&"user:1".into(), &5.into()));
    assert!(item["ttl_left_ms"].is_null() && item.get("server").is_none(), "{item}");
    let read = cache.run(["read", "user:1", "--output", "json"]).json();
    assert_eq!(read["version"], item["version"]);
}

#[test]
fn a_scan_goes_through_its_pages_and_stops_at_its_limit() {
    let cache = Cache::start();
    let pairs: Vec<_> = (0..2500).map(|number| format!("k:{number}=v")).collect();
    cache.command([&["mset".to_owned()], &pairs[..]].concat()).run().ended(0, "");
    for (limit, lines) in [("1", 1), ("1001", 1001), ("9999", 2500)] {
        let run = cache.run(["scan", "k:", "--limit", limit]);
        let text = String::from_utf8(run.stdout).unwrap();
        let keys: BTreeSet<_> = text.lines().map(|line| line.split('\t').next().unwrap()).collect();
        assert_eq!((keys.len(), text.lines().count()), (lines, lines), "{limit}");
    }
    let scanned = cache.run(["scan", "--output", "json"]).json();
    assert_eq!(scanned["items"].as_array().unwrap().len(), 2500);
    let run = cache.run(["scan", "--limit", "0"]);
    assert!(run.error().contains("--limit"), "{run:?}");
}

#[test]
fn a_scan_of_several_servers_says_which_has_a_key() {
    let pair = Pair::with_keys();
    let run = |args: &[&str]| pair.run(args);
    let expected: BTreeSet<_> = KEYS
        .iter()
        .map(|key| {
            let server =
                run(&["where", key, "--output", "json"]).json()["items"][0]["server"].clone();
            format!("{key}\t1\tnone\t{}", server.as_str().unwrap())
        })
        .collect();
    let scanned = run(&["scan"]);
    let text = String::from_utf8(scanned.stdout).unwrap();
    assert_eq!(text.lines().map(str::to_owned).collect::<BTreeSet<_>>(), expected);
}

#[test]
fn an_entry_is_described() {
    let cache = Cache::start();
    cache.run(["describe", "k"]).ended(1, "");
    cache.run(["describe", "k", "--output", "json"]).ended(1, "{\"key\":\"k\",\"found\":false}\n");
    cache.run(["set", "k", "12345", "--ttl", "0"]).ended(0, "");
    cache.run(["get", "k"]).ended(0, "12345");
    let told = cache.run(["describe", "k", "--output", "json"]).json();
    assert_eq!((&told["found"], &told["state"]), (&true.into(), &"fresh".into()));
    assert_eq!((&told["value_bytes"], &told["place"]), (&5.into(), &"window".into()));
    assert_eq!((&told["window_reads"], told["ttl_left_ms"].is_null()), (&1.into(), true));
    let memory = &cache.run(["stats", "--output", "json"]).json()["memory_usage_bytes"];
    assert_eq!(&told["memory_bytes"], memory);

    let text = String::from_utf8(cache.run(["describe", "k"]).stdout).unwrap();
    assert!(
        text.starts_with(&format!("state fresh\nversion {}\nage_ms ", told["version"])),
        "{text}"
    );
    let end = format!(
        "\nttl_left_ms none\nstale_left_ms 0\nvalue_bytes 5\nmemory_bytes {memory}\n\
         place window\nwindow_reads 1\n"
    );
    assert!(text.ends_with(&end), "{text}");
    cache.run(["set", "k", "1", "--ttl", "1h"]).ended(0, "");
    let left = &cache.run(["describe", "k", "--output", "json"]).json()["ttl_left_ms"];
    assert!((3_000_000..=3_600_000).contains(&left.as_u64().unwrap()), "{left}");
}

#[test]
fn the_hottest_and_the_largest_keys_are_named() {
    let cache = Cache::start();
    cache.run(["set", "often", "1", "--ttl", "0"]).ended(0, "");
    cache
        .run(["mget", "often", "often", "often", "no\tkey"])
        .ended(1, "often\t1\noften\t1\noften\t1\nno\\tkey\n");
    cache
        .run(["--namespace", "team", "set", "large", &"x".repeat(5000), "--ttl", "0"])
        .ended(0, "");
    let text = String::from_utf8(cache.run(["hot"]).stdout).unwrap();
    let (head, tables) = text.split_once('\n').unwrap();
    assert!(head.starts_with("6 requests in ") && head.ends_with(" s"), "{text}");
    assert!(
        tables.starts_with(
            "\nrequests  off by up to  namespace  key\n4         0             _shared    often\n"
        ),
        "{text}"
    );
    assert!(tables.contains("\n1         0             _shared    no\\tkey\n"), "{text}");
    let largest =
        "\n\nvalue    namespace  key\n4.9 KiB  team       large\n1 B      _shared    often\n";
    assert!(tables.ends_with(largest), "{text}");

    let hot = cache.run(["hot", "--limit", "1", "--output", "json"]).json();
    assert_eq!((&hot["requests"], hot["hottest"].as_array().unwrap().len()), (&6.into(), 1));
    let first = &hot["hottest"][0];
    assert_eq!(
        (&first["key"], &first["requests"], &first["error"]),
        (&"often".into(), &4.into(), &0.into())
    );
    assert_eq!(
        (&hot["largest"][0]["namespace"], &hot["largest"][0]["value_bytes"]),
        (&"team".into(), &5000.into())
    );
    assert!(cache.run(["hot", "--limit", "51"]).error().contains("1..=50"));
}

#[test]
fn of_several_servers_the_one_that_has_a_hot_key_is_named() {
    let pair = Pair::with_keys();
    let run = |args: &[&str]| pair.run(args);
    let hot = run(&["hot", "--output", "json"]).json();
    assert_eq!((&hot["requests"], hot["hottest"].as_array().unwrap().len()), (&8.into(), 8));
    for kind in ["hottest", "largest"] {
        for item in hot[kind].as_array().unwrap() {
            let key = item["key"].as_str().unwrap();
            let place = run(&["where", key, "--output", "json"]).json();
            assert_eq!(item["server"], place["items"][0]["server"], "{key}");
        }
    }
    let text = String::from_utf8(run(&["hot"]).stdout).unwrap();
    assert!(text.contains("namespace  key  server\n"), "{text}");
}
