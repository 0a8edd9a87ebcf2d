//! The examples do what they say, against a real server.

#![expect(clippy::unwrap_used, reason = "a test fails where something is not as expected")]

use std::{
    env,
    path::PathBuf,
    process::{Command, Output},
};

use tiny_cache_client::testing::TestServer;
use tokio::net::TcpSocket;

/// Runs an example against a server and returns what it printed.
async fn run(name: &'static str) -> String {
    let server = TestServer::start().await.unwrap();
    let output = output(name, server.address()).await;
    let errors = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{name}: {errors}");
    String::from_utf8(output.stdout).unwrap()
}

/// Runs an example to its end. Cargo builds them beside the tests.
async fn output(name: &'static str, target: &str) -> Output {
    let mut example: PathBuf = env::current_exe().unwrap();
    example.pop();
    example.pop();
    example.push("examples");
    example.push(name);
    let target = target.to_owned();
    tokio::task::spawn_blocking(move || {
        Command::new(example).env("TINY_CACHE_TARGET", target).output().unwrap()
    })
    .await
    .unwrap()
}

/// An address on which nothing listens: the port was free a moment ago, and is kept by a socket
/// that does not listen.
fn nobody() -> (TcpSocket, String) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(([127, 0, 0, 1], 0).into()).unwrap();
    let address = socket.local_addr().unwrap().to_string();
    (socket, address)
}

#[tokio::test]
async fn the_quick_start_reads_what_it_wrote() {
    let output = run("quick_start").await;
    assert!(output.contains("read: Some(\"hello\")"), "{output}");
    assert!(output.contains("after the delete: None"), "{output}");
}

#[tokio::test]
async fn a_stampede_asks_the_origin_once() {
    let output = run("cache_aside").await;
    assert!(output.contains("the origin was asked 1 time(s)"), "{output}");
}

/// It promised that the cache is never the reason of a failure, and ended without one.
#[tokio::test]
async fn a_stampede_without_a_cache_is_served_by_the_origin() {
    let (_taken, address) = nobody();
    let output = output("cache_aside", &address).await;
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.starts_with(&format!("no cache at grpc://{address}; ")), "{text}");
    assert!(text.contains("100 callers were served"), "{text}");
    assert!(text.contains("the origin was asked 100 time(s)"), "{text}");
}

/// The error was printed in its debug form.
#[tokio::test]
async fn without_a_server_an_example_ends_in_one_line_that_names_the_remedy() {
    let (_taken, address) = nobody();
    for name in ["quick_start", "batch"] {
        let output = output(name, &address).await;
        assert_eq!(output.status.code(), Some(1), "{name}");
        let line = String::from_utf8(output.stderr).unwrap();
        let begin = format!("error: cannot connect to grpc://{address}: Connection refused");
        assert!(line.starts_with(&begin), "{line}");
        assert!(line.ends_with("TINY_CACHE_TARGET names another\n"), "{line}");
        assert_eq!(line.lines().count(), 1, "{line}");
    }
    for name in ["quick_start", "batch", "cache_aside"] {
        let output = output(name, "redis://cache:7").await;
        assert_eq!(output.status.code(), Some(1), "{name}");
        let line = String::from_utf8(output.stderr).unwrap();
        assert!(line.starts_with("error: bad address `redis://cache:7`: expected "), "{line}");
        assert_eq!(line.lines().count(), 1, "{line}");
    }
}

#[tokio::test]
async fn a_batch_is_larger_than_a_message() {
    let output = run("batch").await;
    assert!(output.contains("25000 values written, 0 refused"), "{output}");
    assert!(output.contains("square:24999 is 624950001"), "{output}");
    assert!(output.contains("square:no such number is not there"), "{output}");
}

#[tokio::test]
async fn tls_lets_in_whom_it_should() {
    let output = run("tls").await;
    assert!(output.contains("Some(\"sealed in transit\")"), "{output}");
    assert!(output.contains("without a certificate: cannot connect to grpcs://"), "{output}");
}
