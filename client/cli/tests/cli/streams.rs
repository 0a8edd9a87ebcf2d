//! Large and binary values through stdin, stdout and files, and readers that go away.

use std::{fs, io::Read};

use tiny_cache_test_support::process::Run;

use crate::cache::Cache;

/// Every byte value in every place of a word, and no period that a buffer would have.
fn bytes(len: usize) -> Vec<u8> {
    (0..len).map(|n| (n ^ (n >> 8) ^ (n >> 16)) as u8).collect()
}

#[test]
fn a_mebibyte_of_all_byte_values_goes_through_stdin_and_stdout_unchanged() {
    let (cache, value) = (Cache::start(), bytes(1 << 20));
    cache.run_with_stdin(["set", "k"], &value).ended(0, "");
    let run = cache.run(["get", "k"]);
    assert!(run.stdout == value, "{} bytes came back", run.stdout.len());
    assert_eq!((run.code, run.stderr.as_str()), (0, ""));
}

#[test]
fn three_mebibytes_go_from_file_to_file_unchanged() {
    let (cache, value, dir) = (Cache::start(), bytes(3 << 20), tempfile::tempdir().unwrap());
    let (from, to) = (dir.path().join("from"), dir.path().join("to"));
    fs::write(&from, &value).unwrap();
    cache.run(["set", "k", "--file", from.to_str().unwrap()]).ended(0, "");
    cache.run(["get", "k", "--file", to.to_str().unwrap()]).ended(0, "");
    assert!(fs::read(&to).unwrap() == value);
}

#[test]
fn a_reader_that_has_seen_enough_ends_a_command_quietly() {
    let cache = Cache::start();
    cache.run_with_stdin(["set", "k"], &bytes(1 << 20)).ended(0, "");
    let endless = ["watch-stats", "--interval", "10ms"];
    for args in [&["get", "k"][..], &["get", "k", "--output", "json"], &endless] {
        let mut child = cache.command(args).spawn().unwrap();
        let mut stdout = child.stdout.take().unwrap();
        stdout.read_exact(&mut [0; 10]).unwrap();
        drop(stdout);
        let output = child.wait_with_output().unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{args:?}");
        assert_eq!(output.status.code(), Some(0), "{args:?}");
    }
}

#[test]
fn a_full_disk_is_an_error_line() {
    let cache = Cache::start();
    cache.run(["set", "k", "v"]).ended(0, "");
    let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let run = cache.command(["get", "k"]).stdout(full).run();
    assert!(run.error().starts_with("cannot write stdout: No space left on device"), "{run:?}");
}
