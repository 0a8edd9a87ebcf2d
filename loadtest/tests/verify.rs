//! `run --verify` against a server that keeps its word, and against some that do not.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests, outside the functions that the lint knows to be tests"
)]

mod fake_server;
mod program;

use std::process::Command;

use fake_server::{FakeServer, Lie, Manners};
use program::{Load, Run, loadtest};

const MIX: &str = "--mix get=40,set=20,delete=5,set-if-absent=5,compare-and-set=10,mget=10,mset=10";

fn run(server: &FakeServer, options: &str) -> Command {
    let mut command = loadtest("run --verify --rate max --in-flight 8 --keys 20 --prefill");
    command.with("--requests 2000").against(server.target()).with(options);
    command
}

#[test]
fn a_server_that_keeps_its_word_is_not_blamed() {
    let server = FakeServer::start(Manners::default());
    for options in ["--batch 4 --threads 2", "--namespace one,two --threads 1"] {
        let figures = run(&server, MIX).with(options).report(0).figures;
        let found = figures.verification.unwrap();
        assert_eq!(found.violations, []);
        let reads = found.confirmed + found.unchecked + found.foreign;
        assert_eq!(reads, figures.hits + figures.misses, "{found:?}");
        assert!(found.confirmed > 500, "{found:?}");
    }
}

#[test]
fn values_of_an_earlier_run_are_told_from_those_of_this_one() {
    let server = FakeServer::start(Manners::default());
    run(&server, "--mix set=1").run();
    let figures = run(&server, "--mix get=1 --key-distribution sequential").report(0).figures;
    let foreign = figures.verification.unwrap().foreign;
    assert_eq!(foreign, 0, "the prefill has written every key anew");
}

#[test]
fn a_server_that_does_not_is_caught_and_the_run_fails() {
    for (lie, mix, kind) in [
        (Lie::KeepsOldValues, "--mix get=1,set=1", "stale"),
        (Lie::KeepsDeleted, "--mix get=1,delete=1", "stale"),
        (Lie::TurnsABit, "--mix get=1", "damaged"),
        (Lie::MixesKeys, "--mix get=1", "wrong-key"),
        (Lie::MixesNamespaces, "--mix get=1,set=1", "wrong-namespace"),
    ] {
        let server = FakeServer::start(Manners { lie: Some(lie), ..Manners::default() });
        let (ended, report) = run(&server, mix).with("--namespace one,two").reported(1);
        assert!(ended.stderr.contains("reads returned what may not be there"), "{ended:?}");
        let violations = report.figures.verification.unwrap().violations;
        let found = violations.iter().find(|found| found.kind == kind);
        let found = found.unwrap_or_else(|| panic!("{kind} in {violations:?}"));
        assert!(found.count > 0, "{found:?}");
        assert!(found.first.contains("one") || kind != "wrong-namespace", "{found:?}");
        assert!(ended.text().contains(&format!(" {kind}, the first: ")), "{ended:?}");
    }
}

#[test]
fn what_cannot_be_verified_is_refused() {
    let ended = loadtest("run --verify --target null").run();
    assert_eq!(ended.error(), "--verify works only with a tiny-cache server, not null");
}
