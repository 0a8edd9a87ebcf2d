//! `run --verify` against a server that keeps its word, and against some that do not.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests, outside the functions that the lint knows to be tests"
)]

mod fake_server;

use std::{
    fs,
    process::{Command, Output},
};

use fake_server::{FakeServer, Lie, Manners};
use serde_json::Value;

const OPTIONS: [&str; 10] = [
    "--verify",
    "--rate",
    "max",
    "--in-flight",
    "8",
    "--keys",
    "20",
    "--prefill",
    "--requests",
    "2000",
];

const MIX: &str = "get=40,set=20,delete=5,set-if-absent=5,compare-and-set=10,mget=10,mset=10";

/// Runs, and gives what was said and the JSON report back.
fn run(server: &FakeServer, options: &[&str]) -> (Output, Value) {
    let dir = tempfile::tempdir().unwrap();
    let json = dir.path().join("report.json");
    let output = Command::new(env!("CARGO_BIN_EXE_tiny-cache-loadtest"))
        .args(["run", "--target", &server.target()])
        .args(OPTIONS)
        .args(options)
        .arg("--json")
        .arg(&json)
        .output()
        .unwrap();
    (output, serde_json::from_slice(&fs::read(json).unwrap()).unwrap())
}

#[test]
fn a_server_that_keeps_its_word_is_not_blamed() {
    let server = FakeServer::start(Manners::default());
    for options in [
        &["--mix", MIX, "--batch", "4", "--threads", "2"][..],
        &["--mix", MIX, "--namespace", "one,two", "--threads", "1"],
    ] {
        let (output, report) = run(&server, options);
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        let found = &report["verification"];
        assert_eq!(found["violations"], Value::Array(Vec::new()), "{report}");
        let reads =
            ["confirmed", "unchecked", "foreign"].map(|field| found[field].as_u64().unwrap());
        let keys_read = report["hits"].as_u64().unwrap() + report["misses"].as_u64().unwrap();
        assert_eq!(reads.iter().sum::<u64>(), keys_read, "{report}");
        assert!(reads[0] > 500, "{report}");
    }
}

#[test]
fn values_of_an_earlier_run_are_told_from_those_of_this_one() {
    let server = FakeServer::start(Manners::default());
    run(&server, &["--mix", "set=1"]);
    let (output, report) = run(&server, &["--mix", "get=1", "--key-distribution", "sequential"]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert_eq!(report["verification"]["foreign"], 0, "the prefill has written every key anew");
}

#[test]
fn a_server_that_does_not_is_caught_and_the_run_fails() {
    for (lie, mix, kind) in [
        (Lie::KeepsOldValues, "get=1,set=1", "stale"),
        (Lie::KeepsDeleted, "get=1,delete=1", "stale"),
        (Lie::TurnsABit, "get=1", "damaged"),
        (Lie::MixesKeys, "get=1", "wrong-key"),
        (Lie::MixesNamespaces, "get=1,set=1", "wrong-namespace"),
    ] {
        let server = FakeServer::start(Manners { lie: Some(lie), ..Manners::default() });
        let (output, report) = run(&server, &["--mix", mix, "--namespace", "one,two"]);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{kind}: {output:?}");
        assert!(said.contains("reads returned what may not be there"), "{said}");
        let violations = report["verification"]["violations"].as_array().unwrap();
        let found = violations.iter().find(|found| found["kind"] == kind);
        let found = found.unwrap_or_else(|| panic!("{kind} in {report}"));
        assert!(found["count"].as_u64().unwrap() > 0, "{report}");
        assert!(found["first"].as_str().unwrap().contains("one") || kind != "wrong-namespace");
        let table = String::from_utf8_lossy(&output.stdout);
        assert!(table.contains(&format!(" {kind}, the first: ")), "{table}");
    }
}

#[test]
fn what_cannot_be_verified_is_refused() {
    let output = Command::new(env!("CARGO_BIN_EXE_tiny-cache-loadtest"))
        .args(["run", "--verify", "--target", "null"])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(
        (output.status.code(), said.trim_end()),
        (Some(2), "error: --verify is for a tiny-cache server")
    );
}
