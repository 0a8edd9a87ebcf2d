//! The client against a server that fails as it is told to, with the clock paused: how often
//! a call is tried, how long that takes, and what its caller learns.
#![expect(clippy::unwrap_used, reason = "a test says what it expects by unwrapping it")]

mod server;

mod defaults; // nothing is set
mod retries; // of calls whose repetition is harmless
mod conditional; // of the others
mod budget;
mod deadlines;
mod goaway;
mod hangup;
mod connecting;
mod pool;
mod replies;
mod statuses; // in every shape that they come in
mod health;
mod age;
mod metadata;
mod batches;
mod ending; // dropped calls, closed clients

use std::{error::Error as _, future::IntoFuture, time::Duration};

use tiny_cache_client::{Error, ErrorKind, Result};
use tokio::time::Instant;

/// Seconds and milliseconds, as tests speak of them.
fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// Makes a call that fails, and gives the error and how long that took.
async fn failing<T: std::fmt::Debug>(
    call: impl IntoFuture<Output = Result<T>>,
) -> (Error, Duration) {
    let begin = Instant::now();
    let error = call.await.unwrap_err();
    let took = begin.elapsed();
    let text = error.to_string();
    assert!(!text.is_empty() && !text.contains(char::is_control), "not one line: {text:?}");
    if error.kind() != ErrorKind::Validation && text != "the client is closed" {
        assert!(error.source().is_some(), "no cause: {text}");
    }
    (error, took)
}

/// Makes a call that succeeds, and tells how long that took.
async fn succeeding<T>(call: impl IntoFuture<Output = Result<T>>) -> Duration {
    let begin = Instant::now();
    if let Err(error) = call.await {
        panic!("{error}");
    }
    begin.elapsed()
}
