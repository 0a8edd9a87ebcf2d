//! The client against the real server in this process: every operation, every option and
//! every kind of error.
#![expect(clippy::unwrap_used, reason = "a test says what it expects by unwrapping it")]

#[allow(dead_code, reason = "shared with the server's tests, which use more of it")]
#[path = "../../../server/tests/support/certificates.rs"]
mod certificates;
#[allow(dead_code, reason = "shared with the server's tests, which use more of it")]
#[path = "../../../server/tests/support/http.rs"]
mod http;

mod operations;
mod fill;
mod json;
mod values;
mod ttls;
mod batches;
mod options;
mod errors;
mod connections;
mod addresses; // of a name that has several
mod ring; // several servers
mod inside; // what shows the entries themselves
mod closing;
mod runtimes;
mod tls;
mod tokens;
mod settings;
mod steps; // those that are refused

use tiny_cache_client::testing::TestServer;

/// A figure of the server, by its name behind `tiny_cache_`.
async fn figure(server: &TestServer, name: &str) -> f64 {
    let mut http = http::Http::connect(server.http_address()).await.unwrap();
    let metrics = http.get("/metrics").await.unwrap().body;
    http::sample(&metrics, &format!("tiny_cache_{name}")).unwrap()
}
