//! Several servers as one target: the client library's ring chooses among them.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests, outside the functions that the lint knows to be tests"
)]

mod fake_server;
mod program;

use std::process::Command;

use fake_server::{FakeServer, Lie, Manners};
use program::{Load, Run, loadtest};
use tiny_cache_loadtest::report::Report;

const MIX: &str = "--mix get=40,set=20,delete=5,set-if-absent=5,compare-and-set=10,mget=10,mset=10";

fn target(servers: &[&FakeServer]) -> String {
    let named = servers.iter().zip(["a", "b", "c"]);
    named.map(|(server, name)| format!("{name}={}", server.target())).collect::<Vec<_>>().join(",")
}

fn run(target: &str) -> Command {
    let mut command = loadtest("run --verify --rate max --in-flight 8 --keys 60 --batch 8");
    command.with("--prefill --requests 3000 --threads 2").against(target).with(MIX);
    command
}

/// The sum of one figure over all servers.
fn sum(report: &Report, of: fn(&tiny_cache_loadtest::report::ServerPart) -> u64) -> u64 {
    report.servers.iter().map(of).sum()
}

#[test]
fn a_verified_run_over_a_ring_has_a_part_for_each_server() {
    let servers = [(); 3].map(|()| FakeServer::start(Manners::default()));
    let (ended, report) = run(&target(&servers.each_ref())).reported(0);
    let names: Vec<_> = report.servers.iter().map(|part| part.name.as_str()).collect();
    assert_eq!(names, ["a", "b", "c"]);
    let figures = &report.figures;
    assert_eq!(figures.verification.as_ref().unwrap().violations, []);
    assert!(figures.verification.as_ref().unwrap().confirmed > 500);
    assert_eq!(sum(&report, |part| part.hits), figures.hits);
    assert_eq!(sum(&report, |part| part.misses), figures.misses);
    assert_eq!(sum(&report, |part| part.failed), 0);
    // A batch is a request at each server that has part of it.
    assert!(sum(&report, |part| part.requests) > figures.requests);
    for (part, server) in report.servers.iter().zip(&servers) {
        assert!(part.requests > 300 && part.service_us.is_some(), "{part:?}");
        assert_eq!(part.address, Some(server.target()));
        assert!(part.before.is_some() && part.after.is_some(), "{part:?}");
    }
    assert!(ended.text().contains("each server"), "{ended:?}");
    // What the run wrote is removed from every server.
    let entries: i32 =
        report.servers.iter().map(|part| part.before.as_ref().unwrap().entries).sum();
    assert_eq!(entries, 0);
}

#[test]
fn one_server_of_the_ring_that_lies_is_caught() {
    let honest = FakeServer::start(Manners::default());
    let lie = Some(Lie::TurnsABit);
    let liar = FakeServer::start(Manners { lie, ..Manners::default() });
    let report = run(&target(&[&honest, &liar])).report(1);
    let violations = report.figures.verification.unwrap().violations;
    assert!(violations.iter().any(|found| found.kind == "damaged"), "{violations:?}");
}

#[test]
fn a_ring_of_servers_that_do_not_exist_measures_this_program_and_the_ring() {
    let target = "null,null,null";
    let mut command = loadtest("run --rate max --requests 9000 --keys 900 --mix get=1");
    let report = command.against(target).report(0);
    assert_eq!(report.settings.target, target);
    assert_eq!((report.figures.hits, report.figures.failed), (9000, 0));
    assert_eq!(sum(&report, |part| part.requests), 9000);
    assert_eq!(report.servers.len(), 3);
    for part in &report.servers {
        assert!((2000..4000).contains(&part.requests), "{part:?}");
        assert_eq!((part.address.as_ref(), part.hit_ratio), (None, Some(1.0)));
    }
}

#[test]
fn a_server_that_is_not_there_at_the_start_is_named() {
    let server = FakeServer::start(Manners::default());
    let target = format!("a={},b=127.0.0.1:1", server.target());
    let ended = loadtest("run --connect-timeout 300ms --requests 1").against(&target).run();
    let ended = ended.exited(2);
    let error = ended.error();
    assert!(error.starts_with("cannot reach b within 300ms: "), "{error}");
}

#[test]
fn what_does_not_fit_a_ring_is_refused() {
    for (options, error) in [
        (
            "--target a:1,b:1 --server-metrics http://h/",
            "1 of --server-metrics for 2 servers; give one for each, or none",
        ),
        (
            "--target null,null --verify",
            "--verify works only with a tiny-cache server, not null,null",
        ),
        (
            "--target null --key-metadata",
            "--key-metadata works only with a tiny-cache server, not null",
        ),
    ] {
        let ended = loadtest("run --requests 1").with(options).run();
        assert_eq!(ended.exited(2).error(), error);
    }
}
