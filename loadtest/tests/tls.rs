//! The binary against the real server over TLS, which asks the client for a certificate.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests, outside the functions that the lint knows to be tests"
)]

mod program;

use std::fs;

use program::{Ended, Load, Run, loadtest};
use tempfile::TempDir;
use tiny_cache_client::testing::TestServer;
use tiny_cache_test_support::certificates::Authority;
use tokio::runtime::Runtime;

/// The one name in the server's certificate: not that of the address.
const SERVER_NAME: &str = "cache.internal";

/// A server with TLS, and a directory with the certificates and a trace in it.
struct Bench {
    dir: TempDir,
    server: TestServer,
    _runtime: Runtime,
}

impl Bench {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let file = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
        fs::write(file("t.lis"), "1 3 0 0\n2 2 0 1\n").unwrap();

        let [authority, stranger] = ["authority", "stranger"].map(Authority::new);
        fs::write(file("ca.pem"), authority.pem()).unwrap();
        fs::write(file("stranger.pem"), stranger.pem()).unwrap();
        authority.sign(&[SERVER_NAME]).write(dir.path(), "server");
        authority.sign(&["client"]).write(dir.path(), "client");

        let runtime = Runtime::new().unwrap();
        let server = runtime
            .block_on(TestServer::start_with([
                ("CACHE_WORKERS", "1".to_owned()),
                ("CACHE_TLS_ENABLED", "true".to_owned()),
                ("CACHE_TLS_CERT_PATH", file("server.pem")),
                ("CACHE_TLS_KEY_PATH", file("server.key")),
                ("CACHE_TLS_REQUIRE_CLIENT_AUTH", "true".to_owned()),
                ("CACHE_TLS_CLIENT_CA_PATH", file("ca.pem")),
            ]))
            .unwrap();
        Self { dir, server, _runtime: runtime }
    }

    /// Replays the trace, in the directory of the certificates, on a system that trusts these
    /// authorities.
    fn replay(&self, scheme: &str, trusted: &str, options: &str) -> Ended {
        loadtest("replay t.lis --connect-timeout 2s --in-flight 1")
            .current_dir(&self.dir)
            .env("SSL_CERT_FILE", self.dir.path().join(trusted))
            .env_remove("SSL_CERT_DIR")
            .against(format!("{scheme}{}", self.server.address()))
            .with(options)
            .run()
    }
}

#[test]
fn a_trace_is_replayed_over_tls_with_both_sides_shown_to_each_other() {
    let bench = Bench::new();
    let identity = "--cert client.pem --key client.key";
    let named = format!("{identity} --server-name {SERVER_NAME}");

    for (trusted, ca) in [("stranger.pem", "--ca ca.pem"), ("ca.pem", "")] {
        let ended = bench.replay("grpcs://", trusted, &format!("{named} {ca}")).exited(0);
        let target = format!("grpcs://{}", bench.server.address());
        assert!(ended.text().contains(&target), "{ended:?}");
    }

    for (options, expected) in [
        (named, "no trusted authority signed the server's certificate"),
        (format!("--ca ca.pem {identity}"), "not valid for name `127.0.0.1`"),
        (format!("--ca ca.pem --server-name {SERVER_NAME}"), "within 2s: "),
    ] {
        let ended = bench.replay("grpcs://", "stranger.pem", &options);
        let line = ended.error();
        assert!(line.starts_with("cannot reach grpcs://"), "{line}");
        assert!(line.contains(expected), "{line}");
    }
}

#[test]
fn a_server_with_tls_is_not_reached_without() {
    let ended = Bench::new().replay("", "stranger.pem", "");
    let remedy = "if the server speaks TLS, write grpcs://";
    assert!(ended.error().contains(remedy), "{ended:?}");
}
