//! Cache-aside runs with leases against the real server: one of those that miss a key goes to the
//! origin.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests, outside the functions that the lint knows to be tests"
)]

mod program;

use program::{Load, Run, loadtest};
use tiny_cache_client::testing::TestServer;
use tiny_cache_loadtest::report::Report;
use tokio::runtime::Runtime;

/// Callers at once, who all want the same few keys at the start.
const RUN: &str = "run --rate max --in-flight 40 --connections 2 --threads 2 --mix get=1 --keys 4 \
                   --requests 400 --origin 200ms --verify --timeout 20s";

fn report(target: &str, options: &str) -> Report {
    loadtest(RUN).against(target).with(options).report(0)
}

fn servers(runtime: &Runtime, count: usize) -> Vec<TestServer> {
    let start = || runtime.block_on(TestServer::start()).unwrap();
    (0..count).map(|_| start()).collect()
}

#[test]
fn with_leases_each_key_is_fetched_once() {
    let runtime = Runtime::new().unwrap();
    let servers = servers(&runtime, 2);
    let each: Vec<_> = servers.iter().map(TestServer::address).collect();
    for target in [each[0].to_string(), format!("a={},b={}", each[0], each[1])] {
        let report = report(&target, "--leases");
        let figures = &report.figures;
        assert!(report.settings.leases);
        assert_eq!(figures.origin.as_ref().unwrap().fetches, 4, "{target}");
        assert_eq!((figures.hits, figures.misses, figures.stored), (396, 4, 4));
        assert_eq!(figures.verification.as_ref().unwrap().violations, []);
    }
}

#[test]
fn without_leases_all_that_miss_fetch() {
    let runtime = Runtime::new().unwrap();
    let servers = servers(&runtime, 1);
    let report = report(servers[0].address(), "");
    let fetches = report.figures.origin.as_ref().unwrap().fetches;
    assert!(!report.settings.leases && fetches > 20, "{fetches}");
}

#[test]
fn leases_are_of_tiny_cache_and_of_an_origin() {
    let mut redis = loadtest("run --leases --origin 1ms --duration 1s");
    let ended = redis.against("redis://localhost").run().exited(2);
    assert!(ended.error().contains("--leases works only with a tiny-cache server"), "{ended:?}");
    let ended = loadtest("run --leases --duration 1s").against("localhost").run().exited(2);
    assert!(ended.error().contains("--origin"), "{ended:?}");
}
