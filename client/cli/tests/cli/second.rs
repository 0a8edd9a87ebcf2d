//! `read`, `write`, `remove`, `touch`, `incr` and `invalidate`.

use serde_json::Value;
use tiny_cache_test_support::process::{Ended, Run};

use crate::cache::Cache;

fn json(run: &Ended) -> Value {
    serde_json::from_slice(&run.stdout).unwrap()
}

/// A read of a key, as JSON.
fn read(cache: &Cache, key: &str) -> Value {
    json(&cache.run(["read", key, "--output", "json"]))
}

#[test]
fn a_read_shows_version_and_times() {
    let cache = Cache::start();
    cache.run(["read", "k"]).ended(1, "");
    cache.run(["read", "k", "--output", "json"]).ended(1, "{\"key\":\"k\",\"found\":false}\n");
    cache.run(["set", "k", "a\tb", "--ttl", "10m"]).ended(0, "");
    let found = read(&cache, "k");
    assert_eq!((&found["found"], &found["value"]), (&true.into(), &"a\tb".into()));
    let left = found["ttl_left_ms"].as_u64().unwrap();
    assert!((500_000..=600_000).contains(&left), "{found}");
    let version = found["version"].to_string();

    let run = cache.run(["read", "k"]);
    let text = String::from_utf8(run.stdout).unwrap();
    assert!(text.starts_with(&format!("version {version}\nage_ms ")), "{text}");
    assert!(text.ends_with("\nvalue a\\tb\n"), "{text}");
    let run = cache.run(["read", "k", "--unless-version", &version, "--output", "json"]);
    let found = json(&run);
    assert_eq!((&found["not_modified"], found.get("value")), (&true.into(), None));
    let run = cache.run(["read", "k", "--exists", "--output", "json"]);
    assert_eq!(json(&run).get("value"), None);
    let run = cache.run(["read", "k", "--unless-version", "0"]);
    assert!(run.error().contains("`0` is no version"), "{run:?}");
}

#[test]
fn a_write_reports_what_it_did() {
    let cache = Cache::start();
    let outcome = |args: &[&str]| {
        let args = [&["write", "k"], args, &["--output", "json"]].concat();
        json(&cache.command(args).run())["outcome"].as_str().unwrap().to_owned()
    };
    assert_eq!(outcome(&["1", "--if-present"]), "not_found");
    assert_eq!(outcome(&["1", "--if-absent"]), "applied");
    assert_eq!(outcome(&["2", "--if-absent"]), "exists");
    assert_eq!(outcome(&["2", "--if-value", "0"]), "mismatch");
    assert_eq!(outcome(&["2", "--if-value", "1"]), "applied");
    let version = read(&cache, "k")["version"].to_string();
    assert_eq!(outcome(&["3", "--if-version", &version]), "applied");
    assert_eq!(outcome(&["4", "--if-version", &version]), "mismatch");
    let of_3 = "4e07408562bedb8b60ce05c1decfe3ad16b72230967de01f640b7e4729b49fce";
    assert_eq!(outcome(&["4", "--if-sha256", of_3]), "applied");

    let run = cache.run(["write", "k", "5", "--previous"]);
    let version = read(&cache, "k")["version"].to_string();
    run.ended(0, format!("applied {version}\n4\n"));
    let run = cache.run(["write", "k", "6", "--if-absent", "--if-present"]);
    assert!(run.error().contains("cannot be used with"), "{run:?}");
    let run = cache.run(["write", "k", "6", "--if-sha256", "00"]);
    assert!(run.error().starts_with("bad --if-sha256: it has 1 bytes"), "{run:?}");
}

#[test]
fn several_keys_are_read_in_one_call() {
    let cache = Cache::start();
    cache.run(["set", "a", "1", "--ttl", "0"]).ended(0, "");
    cache.run(["set", "b", "2", "--ttl", "0"]).ended(0, "");
    let run = cache.run(["read", "a", "b"]);
    let facts: Vec<_> = run.text().lines().map(|line| line.split(' ').next().unwrap()).collect();
    let each = ["key", "version", "age_ms", "ttl_left_ms", "value"];
    assert_eq!((run.code, facts), (0, [each, each].concat()), "{run:?}");
    let run = cache.run(["read", "b", "x", "--exists"]);
    assert_eq!(run.code, 1, "{run:?}");
    assert!(run.text().starts_with("key b\nversion ") && run.text().ends_with("\nkey x\nmiss\n"));
    let run = cache.run(["read", "x", "a", "--output", "json"]);
    let lines: Vec<Value> =
        run.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((run.code, lines.len()), (1, 2), "{run:?}");
    assert_eq!(lines[0], serde_json::json!({ "key": "x", "found": false }));
    assert_eq!((&lines[1]["key"], &lines[1]["value"]), (&"a".into(), &"1".into()));
}

#[test]
fn a_write_takes_its_spans() {
    let cache = Cache::start();
    let run =
        cache.run(["write", "k", "v", "--ttl", "1s", "--stale-for", "1h", "--ttl-jitter", "9"]);
    assert_eq!(run.code, 0, "{run:?}");
    assert!(read(&cache, "k")["ttl_left_ms"].as_u64().unwrap() <= 1000);
    let run = cache.run(["write", "k", "v", "--ttl", "1s", "--refresh-before", "2s"]);
    assert!(
        run.error().contains("bad --refresh-before: 2s is longer than the --ttl, 1s"),
        "{run:?}"
    );
    for span in ["--stale-for", "--refresh-before"] {
        let run = cache.run(["write", "k", "v", "--ttl", "0", span, "1s"]);
        assert!(run.error().contains("need a --ttl"), "{run:?}");
    }
}

#[test]
fn a_lock_is_released_by_its_holder_alone() {
    let cache = Cache::start();
    cache.run(["set", "lock", "mine"]).ended(0, "");
    let run = cache.run(["remove", "lock", "--if-value", "yours", "--output", "json"]);
    assert_eq!(json(&run)["outcome"], "mismatch");
    cache.run(["remove", "lock", "--if-value", "mine", "--previous"]).ended(0, "applied\nmine\n");
    cache.run(["remove", "lock", "--if-value", "mine"]).ended(1, "not_found\n");
}

#[test]
fn a_touch_keeps_the_version() {
    let cache = Cache::start();
    assert_eq!(cache.run(["touch", "k"]).code, 1);
    cache.run(["set", "k", "v", "--ttl", "10s"]).ended(0, "");
    let before = read(&cache, "k");
    let touched = json(&cache.run(["touch", "k", "--ttl", "1h", "--output", "json"]));
    assert_eq!(touched["version"], before["version"]);
    assert!(touched["ttl_left_ms"].as_u64().unwrap() > 3_000_000, "{touched}");
    let touched = json(&cache.run(["touch", "k", "--ttl", "0", "--output", "json"]));
    assert_eq!(touched["ttl_left_ms"], Value::Null);
}

#[test]
fn a_tag_and_a_namespace_are_invalidated() {
    let cache = Cache::start();
    let write = |key, tag| cache.run(["write", key, "v", "--tag", tag, "--tag", "all"]);
    assert_eq!((write("a", "red").code, write("b", "blue").code), (0, 0));
    cache.run(["invalidate", "red", "unknown"]).ended(0, "invalidated\n");
    assert_eq!((cache.run(["get", "a"]).code, cache.run(["get", "b"]).code), (1, 0));
    let run = cache.run(["invalidate", "all", "--output", "json"]);
    assert_eq!(json(&run)["invalidated"], serde_json::json!(["all"]));
    assert_eq!(cache.run(["get", "b"]).code, 1);

    cache.run(["set", "c", "v"]).ended(0, "");
    cache.run(["--namespace", "team", "set", "c", "v"]).ended(0, "");
    let run = cache.run(["--namespace", "team", "invalidate", "--all", "--output", "json"]);
    assert_eq!(json(&run)["invalidated"], "namespace");
    assert_eq!(cache.run(["--namespace", "team", "get", "c"]).code, 1);
    cache.run(["get", "c"]).ended(0, "v");
    assert!(cache.run(["invalidate"]).error().contains("--all"));
    let long = "x".repeat(129);
    let run = cache.run(["write", "k", "v", "--tag", &long]);
    assert!(run.error().contains("a tag has 129 bytes: it has 1 to 128"), "{run:?}");
}

#[test]
fn a_counter_counts_within_its_bounds() {
    let cache = Cache::start();
    cache.run(["incr", "n", "--ttl", "0"]).ended(0, "1\n");
    cache.run(["incr", "n", "-3", "--ttl", "0"]).ended(0, "-2\n");
    cache.run(["get", "n"]).ended(0, "-2");
    cache.run(["incr", "n", "--least=-2", "-1"]).ended(1, "-2\n");
    cache.run(["incr", "n", "9", "--most", "5", "--saturate"]).ended(1, "5\n");
    let run = cache.run(["incr", "m", "--initial", "9", "--ttl", "1h", "--output", "json"]);
    let counter = json(&run);
    assert_eq!((&counter["outcome"], &counter["value"]), (&"added".into(), &10.into()));
    assert!(counter["ttl_left_ms"].as_u64().unwrap() > 3_000_000, "{counter}");
    cache.run(["set", "text", "x"]).ended(0, "");
    assert!(cache.run(["incr", "text"]).error().contains("The value is no counter"));
}
