//! Where a run works: in a namespace of its own, which it leaves empty however it ends.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests, outside the functions that the lint knows to be tests"
)]

mod fake_server;
mod program;

use std::process::Command;

use fake_server::{FakeServer, Manners};
use program::{Load, Run, loadtest};

const NOTHING: [String; 0] = [];

/// An open loop that any machine keeps up with.
fn run(server: &FakeServer, options: &str) -> Command {
    let mut command = loadtest("run --rate 2000 --max-slip 1h --progress=none");
    command.against(server.target()).with(options);
    command
}

/// The first run of the README filled the cache, and the next one missed what it had not
/// evicted yet.
#[test]
fn a_run_works_in_a_namespace_of_its_own_and_leaves_it_empty() {
    let server = FakeServer::start(Manners::default());
    for mix in ["get=50,set=50", "set-if-absent=1", "compare-and-set=1", "mset=1,mget=1"] {
        for prefill in ["", "--prefill"] {
            let mut run = run(&server, "--keys 300 --requests 100 --mix");
            let report = run.arg(mix).with(prefill).report(0);
            let name = &report.settings.namespaces[0];
            assert!(name.starts_with("loadtest-"), "{name}");
            assert_eq!(server.keys(), NOTHING, "{mix} {prefill:?}");
        }
    }
    run(&server, "--origin 1ms --mix get=1 --requests 100 --keys 10").report(0);
    assert_eq!(server.keys(), NOTHING, "fills");
    loadtest("search --slo p99<1h --from 500 --to 500 --drain 1ms --step-duration 100ms")
        .with("--prefill --keys 50 --max-slip 1h")
        .against(server.target())
        .run();
    assert_eq!(server.keys(), NOTHING, "search");
}

#[test]
fn two_runs_at_a_time_do_not_meet() {
    let server = FakeServer::start(Manners::default());
    let [one, other] = [(); 2].map(|()| {
        let report = run(&server, "--prefill --keys 50 --requests 10").report(0);
        report.settings.namespaces
    });
    assert_ne!(one, other);
}

#[test]
fn a_namespace_that_somebody_named_and_the_shared_one_are_left_as_they_are() {
    let server = FakeServer::start(Manners::default());
    for namespace in ["--namespace team", "--no-namespace"] {
        run(&server, "--prefill --keys 2 --key-size 1 --requests 10").with(namespace).report(0);
    }
    assert_eq!(server.keys(), ["0", "1", "team/0", "team/1"]);
}

#[test]
fn what_was_written_goes_although_the_run_ended_badly() {
    let refusing = Manners { refuse_set_of: Some("x"), refuse_gets: true, ..Manners::default() };
    let server = FakeServer::start(refusing);
    run(&server, "--prefill --keys 300 --requests 100 --mix get=1").run().exited(2);
    assert_eq!(server.keys(), NOTHING);
}

#[cfg(unix)]
#[test]
fn an_interrupted_run_leaves_it_empty_too() {
    let server = FakeServer::start(Manners::default());
    let run = run(&server, "--duration 1h --prefill --keys 300").start();
    server.wait_for_gets(10);
    run.signal("-INT");
    run.end().exited(130);
    assert_eq!(server.keys(), NOTHING);
}

/// Before the first request there was no report to wait for, and the keys stayed.
#[cfg(unix)]
#[test]
fn an_interrupted_prefill_leaves_it_empty_too() {
    let server = FakeServer::start(Manners { per_second: Some(500), ..Manners::default() });
    let run = run(&server, "--duration 1h --prefill").start();
    while server.keys().is_empty() {
        std::thread::yield_now();
    }
    run.signal("-INT");
    run.end().exited(130);
    assert_eq!(server.keys(), NOTHING);
}

#[test]
fn a_namespace_that_cannot_be_emptied_is_named() {
    let server = FakeServer::start(Manners { refuse_removals: true, ..Manners::default() });
    let said = run(&server, "--prefill --keys 10 --requests 10").run().exited(0).stderr;
    assert!(said.starts_with("warning: the namespace loadtest-"), "{said}");
    assert!(said.contains(" was not emptied: PERMISSION_DENIED: not for you; "), "{said}");
}

/// 100,000 keys of 1 KiB do not fit into 100 MiB: the report showed 72 % hits, and "Clean".
#[test]
fn a_cache_too_small_for_the_prefill_is_said() {
    let server = FakeServer::start(Manners { room: Some(60), ..Manners::default() });
    let (ended, report) = loadtest("run --rate 2000 --max-slip 1h --progress=lines")
        .with("--prefill --keys 100 --requests 100 --mix get=1")
        .against(server.target())
        .reported(0);
    let note = "40 entries were evicted during the prefill: the keys do not fit into the server's \
                100.0 MiB, and reads of evicted keys miss; use fewer --keys, a smaller --value-size";
    assert!(ended.stderr.contains(&format!("prefill: {note}")), "{ended:?}");
    assert!(ended.text().contains(note), "{ended:?}");
    assert_eq!(report.server.prefilled.unwrap().evictions, 40);
}
