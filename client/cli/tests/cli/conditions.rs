//! `set-if-absent` and `compare-and-set`.

use std::fs;

use tiny_cache_test_support::process::Run;

use crate::cache::Cache;

#[test]
fn of_two_that_set_if_absent_the_first_stores() {
    let cache = Cache::start();
    cache.run(["set-if-absent", "lock", "me", "--ttl", "10m"]).ended(0, "stored\n");
    cache.run(["set-if-absent", "lock", "you"]).ended(1, "exists\n");
    cache.run(["get", "lock"]).ended(0, "me");

    let run = cache.run(["set-if-absent", "lock", "you", "--output", "json"]);
    run.ended(1, "{\"key\":\"lock\",\"stored\":false,\"outcome\":\"exists\"}\n");
    let run = cache.run(["set-if-absent", "other", "you", "--output", "json"]);
    run.ended(0, "{\"key\":\"other\",\"stored\":true,\"outcome\":\"stored\"}\n");
}

#[test]
fn compare_and_set_says_what_was_there() {
    let cache = Cache::start();
    cache.run(["compare-and-set", "count", "--expected", "1", "2"]).ended(1, "not_found\n");
    cache.run(["set", "count", "1"]).ended(0, "");
    cache.run(["compare-and-set", "count", "--expected", "1", "2"]).ended(0, "stored\n");
    cache.run(["compare-and-set", "count", "--expected", "1", "3"]).ended(1, "mismatch\n");
    let run = cache.run(["compare-and-set", "count", "--expected=-1", "3", "--output", "json"]);
    run.ended(1, "{\"key\":\"count\",\"stored\":false,\"outcome\":\"mismatch\"}\n");
    cache.run(["get", "count"]).ended(0, "2");
}

#[test]
fn both_values_of_compare_and_set_may_be_files() {
    let (cache, dir) = (Cache::start(), tempfile::tempdir().unwrap());
    let (old, new) = (dir.path().join("old"), dir.path().join("new"));
    fs::write(&old, b"\0old\xff").unwrap();
    fs::write(&new, b"\0new\xff").unwrap();
    let (old, new) = (old.to_str().unwrap(), new.to_str().unwrap());
    cache.run(["set", "k", "--file", old]).ended(0, "");
    let run = cache.run(["compare-and-set", "k", "--expected-file", old, "--file", new]);
    run.ended(0, "stored\n");
    cache.run(["get", "k"]).ended(0, b"\0new\xff");
    let args = ["compare-and-set", "k", "--expected-file", "-", "--file", old];
    cache.run_with_stdin(args, b"\0new\xff").ended(0, "stored\n");
}

#[test]
fn stdin_cannot_be_both_values() {
    let cache = Cache::start();
    let run = cache.run(["compare-and-set", "k", "--expected-file", "-"]);
    assert!(run.error().starts_with("stdin cannot be both values"));
    let run = cache.run(["compare-and-set", "k", "v"]);
    assert!(run.error().contains("--expected"), "{run:?}");
}

#[test]
fn both_values_of_a_comparison_may_be_base64_or_hex() {
    let cache = Cache::start();
    cache.run(["set", "k", "--hex", "00ff"]).ended(0, "");
    let compare = |args: &[&str], stdin: &[u8]| {
        let args = [&["compare-and-set", "k"], args].concat();
        cache.command(args).run_with_stdin(stdin)
    };
    compare(&["--expected-hex", "00fe", "--hex", "01"], b"").ended(1, "mismatch\n");
    compare(&["--expected-hex", "00ff", "--base64", "AQ=="], b"").ended(0, "stored\n");
    compare(&["--expected-base64", "AQ==", "--hex", "-"], b"02\n").ended(0, "stored\n");
    compare(&["--expected-hex", "-", "plain"], b"02\n").ended(0, "stored\n");
    cache.run(["get", "k"]).ended(0, "plain");
    for args in [
        &["--expected-hex", "-", "--base64", "-"][..],
        &["--expected-base64", "-"],
        &["--expected-file", "-", "--hex", "-"],
    ] {
        assert!(compare(args, b"00").error().starts_with("stdin cannot be both"), "{args:?}");
    }
    let run = compare(&["--expected", "a", "--expected-hex", "00", "v"], b"");
    assert!(run.error().contains("cannot be used with"), "{run:?}");
    let run = compare(&["--expected-base64", "a b", "v"], b"");
    assert!(run.error().starts_with("bad --expected-base64: it has 2 characters"), "{run:?}");
}
