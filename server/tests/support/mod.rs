//! What the test files share, one part a file: where the server under test
//! runs, and how a client reaches it.
#![allow(
    dead_code,
    unused_imports,
    reason = "each test binary compiles this module and uses its own part of it"
)]

pub(crate) mod certificates;
pub(crate) mod contention;
pub(crate) mod deployment;
pub(crate) mod frames;
pub(crate) mod http;
pub(crate) mod messages;
pub(crate) mod model;
pub(crate) mod mount;
pub(crate) mod process;
pub(crate) mod random_calls;
pub(crate) mod random_requests;
pub(crate) mod redis;
pub(crate) mod register;
pub(crate) mod rotation;
pub(crate) mod scrape;
pub(crate) mod wire;

pub(crate) use deployment::{Cache, Deployment, Second, Site};

use std::future::Future;

/// Runs a test's body on a runtime of its own. Two threads, so that clients of
/// one test do not take turns.
pub(crate) fn run<T>(body: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap()
        .block_on(body)
}
