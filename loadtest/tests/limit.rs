//! `search` finds the limit of a server that answers so many requests in a second and no more.
//! It takes a minute, prints the figures that it judges, and is meant for an optimised build:
//!
//! ```text
//! cargo test --profile checks -p tiny-cache-loadtest --test limit -- --ignored --nocapture
//! ```
//!
//! The server goes by the clock, and the promise leaves room for a machine that is busy now and
//! then. One that is busy with something else for longer spoils an attempt, not the check: one
//! good attempt of three is enough.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests, outside the functions that the lint knows to be tests"
)]

mod fake_server;
mod program;

use fake_server::{FakeServer, Manners};
use program::{Load, Run, loadtest};
use tiny_cache_loadtest::report::Report;

/// What the server answers in a second.
const LIMIT: u32 = 2000;

/// How far from it the rate that was found may be.
const TOLERANCE: f64 = 0.05;

const ATTEMPTS: usize = 3;

#[test]
#[ignore = "takes a minute; meant for an optimised build"]
fn the_limit_of_a_throttled_server_is_found_within_5_percent() {
    for attempt in 1..=ATTEMPTS {
        let report = search();
        for step in &report.steps {
            println!(
                "attempt {attempt}: {:>5}/s, p99 {:>9.2} ms, held {}{}",
                step.requests_per_second.unwrap(),
                step.figures.response_us.map_or(f64::NAN, |times| times.p99) / 1e3,
                step.held.unwrap(),
                step.why_not.as_ref().map(|why| format!(": {why}")).unwrap_or_default()
            );
        }
        let found = report.search.unwrap().found_requests_per_second.unwrap_or_default();
        let off = found as f64 / f64::from(LIMIT) - 1.0;
        println!("attempt {attempt}: limit {LIMIT}/s, found {found}/s, {:+.1} %", off * 100.0);
        if off.abs() <= TOLERANCE {
            return;
        }
    }
    panic!("in none of {ATTEMPTS} attempts was the limit found");
}

/// Searches for the limit of a fresh server.
fn search() -> Report {
    let server = FakeServer::start(Manners { per_second: Some(LIMIT), ..Manners::default() });
    // The first rates are not factors of the limit, so the border is met by halving alone.
    loadtest("search --slo p99<200ms --from 300 --step-duration 4s --drain 100ms")
        .with("--max-slip 1h --max-in-flight 1000")
        .against(server.target())
        .report(0)
}
