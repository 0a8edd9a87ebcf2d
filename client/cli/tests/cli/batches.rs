//! `mget`, `mset` and `mdelete`.

use std::fs;

use serde_json::json;

use crate::cache::Cache;

#[test]
fn many_are_written_read_and_removed() {
    let cache = Cache::start();
    cache.run(["mset", "a=1", "b=x=y", "c="]).ended(0, "");
    cache.run(["mget", "b", "a", "c", "a"]).ended(0, "b\tx=y\na\t1\nc\t\na\t1\n");
    cache.run(["mget", "a", "d"]).ended(1, "a\t1\nd\n");
    cache.run(["mdelete", "a", "d"]).ended(0, "");
    let run = cache.run(["mdelete", "a", "b", "--output", "json"]);
    run.ended(0, "{\"accepted\":2,\"refused\":[]}\n");
    cache.run(["mget", "a", "b", "c"]).ended(1, "a\nb\nc\t\n");
}

#[test]
fn a_line_of_mget_is_a_line_whatever_the_value() {
    let cache = Cache::start();
    cache.run(["mset", "tab\tkey=a\tb\\\nc"]).ended(0, "");
    cache.run_with_stdin(["set", "bytes"], b"\xffe\x1b").ended(0, "");
    let run = cache.run(["mget", "tab\tkey", "bytes"]);
    run.ended(0, "tab\\tkey\ta\\tb\\\\\\nc\nbytes\t\\xffe\\x1b\n");
    cache.run(["mget", "bytes", "--format", "hex"]).ended(0, "bytes\tff651b\n");
    cache.run(["mget", "bytes", "--format", "base64"]).ended(0, "bytes\t/2Ub\n");
    let run = cache.run(["mget", "bytes", "--format", "hex", "--output", "json"]);
    assert_eq!(run.json()["items"][0]["value_hex"], "ff651b");
    let run = cache.run(["mget", "tab\tkey", "--format", "base64", "--output", "json"]);
    assert_eq!(run.json()["items"][0]["value_base64"], "YQliXApj");
    let run = cache.run(["mget", "bytes", "--format", "escaped", "--output", "json"]);
    assert!(run.error().starts_with("--format escaped has no meaning in JSON"), "{run:?}");
}

#[test]
fn mget_in_json_has_an_item_for_each_key() {
    let cache = Cache::start();
    cache.run(["mset", "a=1"]).ended(0, "");
    cache.run_with_stdin(["set", "bytes"], b"\xff").ended(0, "");
    let run = cache.run(["mget", "a", "no", "bytes", "--output", "json"]);
    assert_eq!(run.code, 1);
    let expected = json!({
        "items": [
            { "key": "a", "found": true, "value": "1" },
            { "key": "no", "found": false },
            { "key": "bytes", "found": true, "value_base64": "/w==" },
        ],
        "hits": 2,
        "misses": 1,
    });
    assert_eq!(run.json(), expected);
}

#[test]
fn keys_come_from_stdin_where_a_dash_stands() {
    let cache = Cache::start();
    cache.run(["mset", "a=1", "b c=2", "--", "-=3"]).ended(0, "");
    let run = cache.run_with_stdin(["mget", "a", "-"], b"b c\n\n-\n");
    run.ended(0, "a\t1\nb c\t2\n-\t3\n");
    cache.run_with_stdin(["mdelete", "-"], b"b c\n-").ended(0, "");
    cache.run(["mget", "a", "b c"]).ended(1, "a\t1\nb c\n");
    let run = cache.run_with_stdin(["mget", "-"], b"a\n\xff\n");
    assert!(run.error().starts_with("line 2 of stdin is not UTF-8"));
}

/// The hyphen was refused as no pair, though mget and mdelete read stdin in its place.
#[test]
fn pairs_come_from_stdin_where_a_dash_stands() {
    let cache = Cache::start();
    let pairs = b"\xef\xbb\xbfa=1\r\n\n b =x=y\nempty=\nbytes=\xff\0\n{tag}=2";
    let run = cache.run_with_stdin(["mset", "-", "z=9", "-", "--output", "json"], pairs);
    run.ended(0, "{\"stored\":6,\"refused\":[]}\n");
    cache
        .run(["mget", "a", " b ", "empty", "{tag}", "z"])
        .ended(0, "a\t1\n b \tx=y\nempty\t\n{tag}\t2\nz\t9\n");
    cache.run(["get", "bytes"]).ended(0, b"\xff\0");
    cache.run_with_stdin(["mset", "-"], b"").ended(0, "");

    for (stdin, expected) in [
        (&b"a=1\n\nnovalue\n"[..], "stdin:3: expected KEY=VALUE"),
        (b"\xff=1", "stdin:1: the key is not UTF-8"),
        (b"{\"key\":\"a\",\"value\":\"b=c\"}", "stdin:1: a JSON object, not KEY=VALUE; read them"),
    ] {
        let run = cache.run_with_stdin(["mset", "-"], stdin);
        assert!(run.error().starts_with(expected), "{run:?}");
    }
    let run = cache.run_with_stdin(["mset", "-", "--file", "-"], b"a=1");
    assert!(run.error().starts_with("stdin cannot be both"), "{run:?}");
}

#[test]
fn items_come_from_a_file_of_json_lines() {
    let (cache, dir) = (Cache::start(), tempfile::tempdir().unwrap());
    let path = dir.path().join("items.jsonl");
    let lines = "{\"key\":\"a=b\",\"value\":\"1\"}\n{\"key\":\"c\",\"value_base64\":\"/wA=\",\"ttl\":\"30s\"}\n";
    fs::write(&path, lines).unwrap();
    let run = cache.run(["mset", "--file", path.to_str().unwrap(), "--output", "json"]);
    run.ended(0, "{\"stored\":2,\"refused\":[]}\n");
    cache.run(["mget", "a=b", "c"]).ended(0, "a=b\t1\nc\t\\xff\\x00\n");

    cache.run_with_stdin(["mset", "x=y", "--file", "-"], lines.as_bytes()).ended(0, "");
    cache.run(["get", "x"]).ended(0, "y");
    let hex = b"{\"key\":\"hex\",\"value_hex\":\"00FF\"}";
    cache.run_with_stdin(["mset", "--file", "-"], hex).ended(0, "");
    cache.run(["get", "hex"]).ended(0, b"\0\xff");
    let run = cache.run_with_stdin(["mset", "--file", "-"], b"{\"key\":\"a\"}");
    let line = run.error();
    assert!(line.starts_with("stdin:1: expected one of"), "{line}");
    let run = cache.run_with_stdin(
        ["mset", "--file", "-"],
        b"\xef\xbb\xbf{\"key\":\"m\",\"value\":\"1\"}\r\n[1]",
    );
    assert!(run.error().starts_with("stdin:2: expected a JSON object"), "{run:?}");
}

#[test]
fn what_is_refused_is_named_and_the_rest_is_done() {
    let cache = Cache::start_with(&[("CACHE_MAX_VALUE_BYTES", "10")]);
    let run = cache.run(["mset", "a=1", "b=this is too long", "=empty", "c=3", "--output", "json"]);
    let line = run.error();
    assert!(line.starts_with("2 of 4 keys were refused, the first `b`: Value exceeds"), "{line}");
    assert_eq!(run.json()["stored"], 2);
    assert_eq!(run.json()["refused"][1]["error"], "Key cannot be empty");
    cache.run(["mget", "a", "c"]).ended(0, "a\t1\nc\t3\n");

    let run = cache.run(["mset", "a=1", "b=this is too long"]);
    assert!(run.error().starts_with("1 of 2 keys was refused, `b`: Value exceeds"), "{run:?}");

    let long = "k".repeat(257);
    let run = cache.run(["mget", "a", &long, "--output", "json"]);
    assert!(run.error().contains("Key is too long (max 256)"));
    assert_eq!(run.json()["items"][0]["value"], "1");
    assert!(
        cache.run(["mdelete", &long]).error().starts_with("the key was refused: Key is too long")
    );
}

#[test]
fn more_items_than_a_server_takes_in_one_call_are_divided() {
    let cache = Cache::start();
    let keys: String = (0..10_050).map(|n| format!("key-{n}\n")).collect();
    let items: String =
        (0..10_050).map(|n| format!("{{\"key\":\"key-{n}\",\"value\":\"{n}\"}}\n")).collect();
    let run = cache.run_with_stdin(["mset", "--file", "-", "--output", "json"], items.as_bytes());
    assert_eq!(run.json()["stored"], 10_050, "{}", run.stderr);
    let run = cache.run_with_stdin(["mget", "-"], keys.as_bytes());
    let expected: String = (0..10_050).map(|n| format!("key-{n}\t{n}\n")).collect();
    run.ended(0, expected);
    cache.run_with_stdin(["mdelete", "-"], keys.as_bytes()).ended(0, "");
    assert_eq!(cache.run(["mget", "key-7"]).code, 1);
}
