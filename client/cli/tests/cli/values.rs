//! `get`, `set` and `delete`.

use std::{ffi::OsStr, fs, os::unix::ffi::OsStrExt, time::Duration};

use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use serde_json::json;

use tiny_cache_test_support::process::{PATIENCE, Run};

use crate::cache::Cache;

#[test]
fn a_value_is_read_back_as_it_was_written() {
    let cache = Cache::start();
    cache.run(["set", "greeting", "hello"]).ended(0, "");
    cache.run(["get", "greeting"]).ended(0, "hello");
    cache.run(["set", "greeting", ""]).ended(0, "");
    cache.run(["get", "greeting"]).ended(0, "");
    cache.run(["set", "number", "-5"]).ended(0, "");
    cache.run(["get", "number"]).ended(0, "-5");
    cache.run(["set", "option", "--", "--ttl"]).ended(0, "");
    cache.run(["get", "option"]).ended(0, "--ttl");
}

#[test]
fn a_miss_is_exit_code_1_and_silent() {
    let cache = Cache::start();
    cache.run(["get", "nothing"]).ended(1, "");
    let run = cache.run(["get", "nothing", "--output", "json"]);
    run.ended(1, "{\"key\":\"nothing\",\"found\":false}\n");
}

#[test]
fn an_argument_may_be_any_bytes_but_a_key_is_text() {
    let cache = Cache::start();
    let set = ["set", "k"].map(OsStr::new).into_iter().chain([OsStr::from_bytes(b"\xff\x01")]);
    cache.command(set).run().ended(0, "");
    cache.run(["get", "k"]).ended(0, b"\xff\x01");

    let get = cache.command([OsStr::new("get"), OsStr::from_bytes(b"k\xff")]).run();
    assert!(get.error().contains("'k\u{fffd}' for '<KEY>': not UTF-8"), "{get:?}");
}

#[test]
fn get_shows_a_value_in_the_form_that_is_asked_for() {
    let cache = Cache::start();
    cache.run(["set", "text", "né"]).ended(0, "");
    for (format, shown) in
        [("raw", "né"), ("utf8", "né\n"), ("hex", "6ec3a9\n"), ("base64", "bsOp\n")]
    {
        cache.run(["get", "text", "--format", format]).ended(0, shown);
    }
    cache.run_with_stdin(["set", "bytes"], b"\xff\0").ended(0, "");
    cache.run(["get", "bytes"]).ended(0, b"\xff\0");
    cache.run(["get", "bytes", "--format", "base64"]).ended(0, "/wA=\n");
    let run = cache.run(["get", "bytes", "--format", "utf8"]);
    assert_eq!(
        run.error(),
        "the value of `bytes` is not UTF-8 from byte 1 of 2 on; choose --format raw, hex or base64"
    );
}

#[test]
fn json_tells_text_from_bytes() {
    let cache = Cache::start();
    let run = cache.run(["set", "text", "a \"b\"\n", "--output", "json"]);
    run.ended(0, "{\"key\":\"text\",\"stored\":true}\n");
    let run = cache.run(["--output", "json", "get", "text"]);
    assert_eq!(run.json(), json!({ "key": "text", "found": true, "value": "a \"b\"\n" }));

    cache.run_with_stdin(["set", "bytes"], b"\xff\0").ended(0, "");
    let run = cache.run(["get", "bytes", "--output", "json"]);
    assert_eq!(run.json(), json!({ "key": "bytes", "found": true, "value_base64": "/wA=" }));

    let run = cache.run(["get", "text", "--output", "json", "--format", "raw"]);
    assert!(run.error().starts_with("--format raw has no meaning in JSON; choose"));
}

/// Nothing, text with a NUL and a line end, what looks like text, and what is none.
const VALUES: [&[u8]; 4] = [b"", b"a\0b\r\n", "\u{feff}né\u{9b}".as_bytes(), b"caf\xe9\0\xff"];

#[test]
fn each_form_shows_each_value_whole() {
    let cache = Cache::start();
    for value in VALUES {
        cache.run_with_stdin(["set", "k"], value).ended(0, "");
        let (hex, base64) = (hex::encode(value), BASE64.encode(value));
        let get = |args: &[&str]| cache.command([&["get", "k"], args].concat()).run();
        get(&[]).ended(0, value);
        get(&["--format", "raw"]).ended(0, value);
        get(&["--format", "hex"]).ended(0, format!("{hex}\n"));
        get(&["--format", "base64"]).ended(0, format!("{base64}\n"));
        let json = |form: &[&str]| get(&[&["--output", "json"], form].concat());
        let found = |name: &str, value: &str| json!({ "key": "k", "found": true, name: value });
        assert_eq!(json(&["--format", "hex"]).json(), found("value_hex", &hex));
        assert_eq!(json(&["--format", "base64"]).json(), found("value_base64", &base64));
        let Ok(text) = str::from_utf8(value) else {
            assert_eq!(json(&[]).json(), found("value_base64", &base64));
            assert!(get(&["--format", "utf8"]).error().contains("from byte 4 of 6 on"));
            assert!(json(&["--format", "utf8"]).error().contains("not UTF-8"));
            continue;
        };
        assert_eq!(json(&[]).json(), found("value", text));
        assert_eq!(json(&["--format", "utf8"]).json(), found("value", text));
        get(&["--format", "utf8"]).ended(0, format!("{text}\n"));
    }
}

#[test]
fn a_value_is_given_in_base64_or_hex() {
    let cache = Cache::start();
    for value in VALUES {
        let (hex, base64) = (hex::encode_upper(value), BASE64.encode(value));
        for (option, text) in [
            ("--base64", &base64),
            ("--value-base64", &base64),
            ("--hex", &hex),
            ("--value-hex", &hex),
        ] {
            cache.run(["set", "k", option, text]).ended(0, "");
            cache.run(["get", "k"]).ended(0, value);
            cache.run(["set", "k", "other"]).ended(0, "");
            cache.run_with_stdin(["set", "k", option, "-"], text.as_bytes()).ended(0, "");
            cache.run(["get", "k"]).ended(0, value);
        }
        // What get writes is what set reads, as do the tools that break lines.
        let shown = cache.run(["get", "k", "--format", "base64"]).stdout;
        cache.run_with_stdin(["set", "copy", "--base64", "-"], &shown).ended(0, "");
        cache.run(["get", "copy"]).ended(0, value);
    }
    cache.run_with_stdin(["set", "k", "--hex", "-"], b"00 01\r\nff\n").ended(0, "");
    cache.run(["get", "k"]).ended(0, b"\0\x01\xff");
    cache.run(["set-if-absent", "new", "--hex", "ff"]).ended(0, "stored\n");
    cache.run(["get", "new"]).ended(0, b"\xff");
}

#[test]
fn a_value_is_given_in_one_way() {
    let cache = Cache::start();
    for args in [
        &["v", "--base64", "aGk="][..],
        &["v", "--hex", "00"],
        &["--file", "x", "--base64", "aGk="],
        &["--value-file", "x", "--hex", "00"],
        &["--base64", "aGk=", "--hex", "00"],
    ] {
        let run = cache.command([&["set", "k"], args].concat()).run();
        assert!(run.error().contains("cannot be used with"), "{run:?}");
    }
    cache.run(["get", "k"]).ended(1, "");
}

#[test]
fn text_that_is_no_base64_or_hex_is_refused_with_the_place() {
    let cache = Cache::start();
    for (option, text, expected) in [
        ("--base64", "aG!k", "bad --base64: character 3 is `!`; expected A-Z"),
        ("--base64", "aGk", "bad --base64: it has 3 characters, padding included; expected"),
        ("--base64", "-_8=", "bad --base64: character 1 is `-`, of the alphabet for URLs"),
        ("--hex", "0x00", "bad --hex: character 2 is `x`; leave out the 0x"),
        ("--hex", "000", "bad --hex: it has 3 digits"),
        ("--hex", "né", "bad --hex: character 1 is `n`; expected 0-9 and a-f"),
    ] {
        assert!(cache.run(["set", "k", option, text]).error().starts_with(expected), "{text}");
    }
    let run = cache.run_with_stdin(["set", "k", "--hex", "-"], b"00\n0g\n");
    assert!(run.error().starts_with("bad --hex - (stdin): character 5 is `g`"), "{run:?}");
    cache.run(["get", "k"]).ended(1, "");
}

#[test]
fn get_writes_to_a_file_and_leaves_it_alone_on_a_miss() {
    let (cache, dir) = (Cache::start(), tempfile::tempdir().unwrap());
    let path = dir.path().join("value");
    let file = path.to_str().unwrap();
    cache.run(["get", "k", "--file", file]).ended(1, "");
    assert!(!path.exists());

    cache.run_with_stdin(["set", "k"], b"\0\xff").ended(0, "");
    cache.run(["get", "k", "--file", file]).ended(0, "");
    assert_eq!(fs::read(&path).unwrap(), b"\0\xff");
    cache.run(["get", "k", "--file", "-"]).ended(0, b"\0\xff");

    let run = cache.run(["get", "k", "--file", file, "--output", "json"]);
    assert_eq!(run.json(), json!({ "key": "k", "found": true, "file": file, "bytes": 2 }));

    let run = cache.run(["get", "k", "--file", "/nowhere/at/all"]);
    assert!(run.error().starts_with("cannot write /nowhere/at/all: No such file"));
}

#[test]
fn set_reads_a_file_or_stdin_and_names_what_it_cannot_read() {
    let (cache, dir) = (Cache::start(), tempfile::tempdir().unwrap());
    let path = dir.path().join("value");
    fs::write(&path, b"from a file\n").unwrap();
    cache.run(["set", "k", "--file", path.to_str().unwrap()]).ended(0, "");
    cache.run(["get", "k"]).ended(0, "from a file\n");
    cache.run_with_stdin(["set", "k", "--file", "-"], b"piped").ended(0, "");
    cache.run(["get", "k"]).ended(0, "piped");

    let run = cache.run(["set", "k", "--file", "/nowhere/at/all"]);
    assert!(run.error().starts_with("cannot read /nowhere/at/all: No such file"));
    let run = cache.run(["set", "k", "--file", "/dev/zero"]);
    assert_eq!(run.error(), "/dev/zero has more than 256.0 MiB, the most that is read");
    let run = cache.run(["set", "k", "value", "--file", "x"]);
    assert!(run.error().contains("cannot be used with"), "{run:?}");
}

/// A hyphen was stored, and what was piped in was lost.
#[test]
fn a_hyphen_in_place_of_the_value_is_refused_with_both_remedies() {
    let cache = Cache::start();
    for args in [&["set", "k", "-"][..], &["set-if-absent", "k", "-"]] {
        let run = cache.command(args).run_with_stdin("piped");
        assert!(run.error().contains("--file - for stdin"), "{run:?}");
    }
    cache.run_with_stdin(["set", "k"], b"-").ended(0, "");
    cache.run(["get", "k"]).ended(0, "-");
}

#[test]
fn a_value_lives_as_long_as_its_ttl() {
    let cache = Cache::start();
    cache.run(["set", "short", "x", "--ttl", "1s"]).ended(0, "");
    cache.run(["set", "long", "x", "--ttl", "0"]).ended(0, "");
    let start = std::time::Instant::now();
    while cache.run(["get", "short"]).code == 0 {
        assert!(start.elapsed() < PATIENCE);
        std::thread::sleep(Duration::from_millis(50));
    }
    cache.run(["get", "long"]).ended(0, "x");
}

#[test]
fn delete_removes_a_value_and_is_content_with_none() {
    let cache = Cache::start();
    cache.run(["set", "k", "v"]).ended(0, "");
    cache.run(["delete", "k"]).ended(0, "");
    cache.run(["get", "k"]).ended(1, "");
    let run = cache.run(["delete", "k", "--output", "json"]);
    run.ended(0, "{\"key\":\"k\",\"accepted\":true}\n");
}

#[test]
fn namespaces_keep_keys_apart() {
    let cache = Cache::start();
    cache.run(["--namespace", "team", "set", "k", "v"]).ended(0, "");
    cache.run(["get", "k"]).ended(1, "");
    cache.run(["get", "k", "--namespace", "team"]).ended(0, "v");
    let run = cache.run(["get", "k", "--namespace", "a b"]);
    assert!(run.error().starts_with("bad --namespace `a b`: "));
    // A variable that was not set made this the shared keyspace.
    for blank in ["", " "] {
        let run = cache.run(["get", "k", "--namespace", blank]);
        assert_eq!(run.error(), "--namespace is blank; leave it out for the shared keyspace");
    }
}

#[test]
fn a_value_that_is_too_large_is_refused_in_one_line() {
    let cache = Cache::start_with(&[("CACHE_MAX_VALUE_BYTES", "1000")]);
    let run = cache.run_with_stdin(["set", "k"], &[0; 1001]);
    let expected = ": Value exceeds maximum allowed cache entry size (the value has 1001 bytes); \
                    the server takes values of up to 1000 bytes";
    assert!(run.error().ends_with(expected), "{run:?}");
    let run = cache.run_with_stdin(["set-if-absent", "k"], &[0; 1001]);
    assert!(run.error().ends_with(expected), "{run:?}");
    let run = cache.run(["mset", "a=1", &format!("b={}", "x".repeat(1002))]);
    let expected = "entry size (the value has 1002 bytes); the server takes values of up to 1000 \
                    bytes; the rest succeeded";
    assert!(run.error().ends_with(expected), "{run:?}");
    // What is at the limit goes in, in each form.
    cache.run_with_stdin(["set", "k"], &[0xff; 1000]).ended(0, "");
    cache.run(["get", "k", "--format", "hex"]).ended(0, "ff".repeat(1000) + "\n");
    cache.run(["set", "k", "--hex", &"00".repeat(1000)]).ended(0, "");
    cache.run(["get", "k"]).ended(0, [0; 1000]);
}
