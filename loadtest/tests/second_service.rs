//! Operations of the second service in a mix, against the real server: versions and counters.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests, outside the functions that the lint knows to be tests"
)]

mod program;

use program::{Load, loadtest};
use tiny_cache_client::testing::TestServer;
use tokio::runtime::Runtime;

const MIX: &str = "get=20,read=20,set=10,replace=20,incr=20,compare-and-set=5,delete=5";

const RUN: &str = "run --rate max --in-flight 16 --connections 2 --threads 2 --keys 20 \
                   --requests 5000 --verify --mix";

fn servers(runtime: &Runtime, count: usize) -> Vec<TestServer> {
    let start = || runtime.block_on(TestServer::start()).unwrap();
    (0..count).map(|_| start()).collect()
}

#[test]
fn versions_and_counters_are_verified_under_contention() {
    let runtime = Runtime::new().unwrap();
    let servers = servers(&runtime, 2);
    let each: Vec<_> = servers.iter().map(TestServer::address).collect();
    for target in [each[0].to_string(), format!("a={},b={}", each[0], each[1])] {
        let report = loadtest(RUN).arg(MIX).against(&target).report(0);
        let figures = &report.figures;
        assert_eq!(figures.verification.as_ref().unwrap().violations, [], "{target}");
        for operation in ["read", "replace", "incr"] {
            assert!(figures.operations[operation].requests > 500, "{operation}");
        }
        assert!(figures.stored > 0 && figures.not_stored > 0);
        // The namespace of the run is left empty, counters included.
        for server in &servers {
            let client = runtime.block_on(server.client()).unwrap();
            let stats = runtime.block_on(async { client.stats().await }).unwrap();
            assert_eq!(stats.entries, 0, "{target}");
        }
    }
}

#[test]
fn without_a_peer_every_one_of_them_is_answered() {
    let mut run = loadtest("run --rate max --requests 2000 --mix");
    let report = run.arg(MIX).against("null").report(0);
    assert_eq!((report.figures.requests, report.figures.failed), (2000, 0));
}
