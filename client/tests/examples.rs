//! The examples do what they say, against a real server.

#![expect(clippy::unwrap_used, reason = "a test fails where something is not as expected")]

use std::{env, path::PathBuf, process::Command};

use tiny_cache_client::testing::TestServer;

/// Runs an example and gives what it printed. Cargo builds them beside the tests.
async fn run(name: &'static str) -> String {
    let server = TestServer::start().await.unwrap();
    let mut example: PathBuf = env::current_exe().unwrap();
    example.pop();
    example.pop();
    example.push("examples");
    example.push(name);
    let output = tokio::task::spawn_blocking({
        let target = server.address().to_owned();
        move || Command::new(example).env("TINY_CACHE_TARGET", target).output().unwrap()
    })
    .await
    .unwrap();
    let errors = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{name}: {errors}");
    String::from_utf8(output.stdout).unwrap()
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
