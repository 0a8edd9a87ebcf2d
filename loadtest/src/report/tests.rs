//! The arithmetic of a report, and the table and JSON it becomes.

use clap::Parser;
use serde_json::{Value, json};
use tiny_cache_client::transport::Failure;

use super::*;
use crate::{
    cli::{Cli, Command},
    replay::Call,
    trace::Format,
    transport::{CallError, Lookup},
};

fn settings() -> Settings {
    let command =
        Cli::parse_from(["x", "replay", "t.lis", "--timeout", "500ms", "--namespace", "team"])
            .command;
    let Command::Replay(args) = command else { panic!("another command") };
    Settings::new(&args, Format::Arc)
}

fn report(tally: &Tally, duration: Duration) -> Report {
    Report::new(settings(), &Verdict::Clean, tally, duration)
}

/// 1000 hits of 1 to 1000 µs, 3 misses and their writes, and 2 errors.
fn tally() -> Tally {
    let mut tally = Tally::default();
    for micros in 1..=1000 {
        tally.access();
        tally.get(micros, Duration::from_micros(micros), Ok(Lookup::Hit("value".into())));
    }
    for line in 1001..=1003 {
        tally.access();
        tally.get(line, Duration::from_micros(500), Ok(Lookup::Miss));
        tally.call(Call::Set, line, Duration::from_millis(2), Ok(()));
    }
    for line in [1005, 1004] {
        tally.access();
        tally.get(
            line,
            Duration::ZERO,
            Err(CallError::from(Failure::BadReply(format!("line\n{line}")))),
        );
    }
    tally
}

#[test]
fn counts_ratios_and_rates_add_up() {
    let report = report(&tally(), Duration::from_secs(2));
    assert_eq!((report.accesses, report.requests), (1005, 1008));
    assert_eq!(
        (report.gets, report.hits, report.misses, report.sets, report.failed),
        (1005, 1000, 3, 3, 2)
    );
    assert_eq!(report.hit_ratio, Some(1000.0 / 1003.0));
    assert_eq!(report.requests_per_second, 504.0);
    assert_eq!(report.accesses_per_second, 502.5);
    assert_eq!(report.errors.len(), 1);
    assert_eq!(report.errors[0].first.trace_line, 1004);
}

#[test]
fn percentiles_are_within_the_histograms_three_digits() {
    let latency = report(&tally(), Duration::from_secs(1)).latency_us;
    let near = |found: f64, expected: f64| (found / expected - 1.0).abs() < 2e-3;
    let get = latency.get.unwrap();
    assert!(near(get.p50, 500.0) && near(get.p99, 990.0) && near(get.max, 1000.0), "{get:?}");
    assert!(near(latency.set.unwrap().p50, 2000.0));
    assert!(near(latency.all.unwrap().max, 2000.0));
    assert_eq!(latency.delete, None);
}

#[test]
fn a_run_of_nothing_divides_by_nothing() {
    let report = report(&Tally::default(), Duration::ZERO);
    assert_eq!((report.hit_ratio, report.requests_per_second), (None, 0.0));
    assert!(report.to_string().contains("hit ratio              -\n"), "{report}");
}

#[test]
fn json_names_its_units() {
    let json: Value = serde_json::to_value(report(&tally(), Duration::from_secs(2))).unwrap();
    assert_eq!(json["ending"], "completed");
    assert_eq!(json["tool"]["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(json["duration_seconds"], 2.0);
    assert_eq!(json["settings"]["timeout_seconds"], 0.5);
    assert_eq!(json["settings"]["namespace"], "team");
    assert_eq!(json["settings"]["format"], "arc");
    assert!(json["latency_us"]["get"]["p99.9"].is_f64());
    assert_eq!(
        json["errors"],
        json!([{"kind": "BAD_REPLY", "count": 2,
                "first": {"call": "get", "trace_line": 1004, "message": "bad reply: line\n1004"}}])
    );
}

#[test]
fn the_table_shows_the_first_error_of_a_kind_on_one_line() {
    let table = report(&tally(), Duration::from_secs(2)).to_string();
    assert!(
        table
            .contains("  2 BAD_REPLY, the first by the get of line 1004: bad reply: line\\n1004\n"),
        "{table}"
    );
    assert!(table.contains("  hit ratio          99.70 %\n"), "{table}");
    assert!(table.contains("throughput             504 requests/s\n"), "{table}");
    assert!(table.ends_with("server stats  not available\n"), "{table}");
}
