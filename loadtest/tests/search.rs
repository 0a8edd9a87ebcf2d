//! The command `search` from end to end: what it prints and how it exits. A step may end as
//! late as it likes: an origin of an hour, which nobody asks where every read hits, allows for
//! it, and `--max-slip` for requests that are sent late.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests, outside the functions that the lint knows to be tests"
)]

mod fake_server;
mod program;

use std::process::Command;

use fake_server::{FakeServer, Manners};
use program::{Load, Run, loadtest, read};
use tiny_cache_loadtest::report::{Ending, LimitedBy, Report};
use tiny_cache_test_support::nowhere::Nowhere;

/// Options of a search that any machine keeps up with.
const PATIENT: &str = "--origin 1h --max-slip 1h --drain 0s --step-duration 50ms";

fn search(target: &str, options: &str) -> Command {
    let mut command = loadtest("search --connect-timeout 300ms");
    command.against(target).with(options);
    command
}

fn rates(report: &Report) -> Vec<String> {
    let rates = report.steps.iter().map(|step| step.requests_per_second.unwrap().to_string());
    rates.collect()
}

#[test]
fn where_every_rate_holds_the_highest_is_found() {
    let server = FakeServer::start(Manners::default());
    let (ended, report) = search(&server.target(), PATIENT)
        .with("--slo p99<1h,errors<1% --from 100 --to 300 --prefill --keys 50 --confirm 2")
        .reported(0);
    assert_eq!(rates(&report), ["100", "200", "300", "300", "300"]);
    assert!(report.steps.iter().all(|step| step.held == Some(true)));
    let found = report.search.unwrap();
    assert_eq!((found.found_requests_per_second, found.precision), (Some(300), 0.02));
    assert_eq!(found.limited_by, Some(LimitedBy::HighestRate));
    assert_eq!(found.slo, "p99<3600s,errors<1%");
    assert_eq!((report.command.as_str(), report.figures.requests), ("search", 15));
    assert_eq!(report.seconds.len(), 5);
    assert!(server.connections() <= 5, "four, and one for the figures, of all steps");

    for line in ["held up to        300 requests/s\n", "figures           of 300 requests/s\n"] {
        assert!(ended.text().contains(line), "{ended:?}");
    }
    let steps = &ended.stderr;
    assert!(steps.starts_with("search: 100/s held: p99 "), "{steps}");
    assert_eq!(steps.lines().count(), 5, "{steps}");
}

#[test]
fn the_curve_is_sorted_by_rate_and_says_why_a_rate_did_not_hold() {
    // A fifth of a second for each request, of which it makes up for a part: far above any slip.
    let server = FakeServer::start(Manners { per_second: Some(5), ..Manners::default() });
    let options = "--drain 0s --step-duration 50ms --slo p50<1ms --from 4 --mix get=1";
    let (ended, report) = search(&server.target(), options).with("--max-slip 1h").reported(1);
    assert_eq!(rates(&report), ["4", "4", "2", "2", "1", "1"]);
    assert!(report.steps[0].why_not.as_ref().unwrap().starts_with("p50 "), "{report:?}");
    let found = report.search.unwrap();
    assert_eq!(found.found_requests_per_second, None);
    assert_eq!(found.limited_by, Some(LimitedBy::Server));
    let error = "error: the promise held at no rate, not even at 1/s: p50 ";
    assert!(ended.stderr.contains(error), "{ended:?}");
    let curve = ended.text().lines().filter(|line| line.contains("  p50 "));
    let first = curve.filter_map(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    assert_eq!(first.collect::<Vec<_>>(), [1, 1, 2, 2, 4, 4], "{ended:?}");
}

/// It went down to one request a second, and said that the server was too slow for that.
#[test]
fn a_server_that_answers_nothing_ends_the_search() {
    let server = FakeServer::start(Manners { refuse_gets: true, ..Manners::default() });
    let mut search = search(&server.target(), PATIENT);
    let (ended, report) = search.with("--slo errors<1% --from 40 --mix get=1").reported(2);
    assert_eq!((rates(&report), report.ending), (vec!["40".to_owned()], Ending::NoAnswer));
    assert_eq!(report.search.unwrap().limited_by, None);
    let error =
        "error: broken off: not one request was answered at 40/s; is the server still there";
    assert!(ended.stderr.contains(error), "{ended:?}");
}

#[test]
fn a_generator_that_cannot_keep_up_is_the_limit_and_not_the_server() {
    // A nanosecond between two: no machine sends at that rate, and any sends one request.
    let (ended, report) = search("null", "--slo p50<1h --origin 1h")
        .with("--from 1000 --growth 1000 --precision 100% --confirm 0")
        .with("--step-duration 500us --drain 0s --max-slip 20ms")
        .reported(1);
    let error = "error: the generator, not the server, was the limit at ";
    assert!(ended.stderr.contains(error), "{ended:?}");
    let found = report.search.unwrap();
    assert_eq!(found.limited_by, Some(LimitedBy::Generator));
    assert!(found.found_requests_per_second.unwrap() >= 1000);
    assert_eq!(report.kept_up, Some(false));
}

#[test]
fn an_interrupted_search_reports_what_ran() {
    let server = FakeServer::start(Manners::default());
    let dir = tempfile::tempdir().unwrap();
    let mut search = search(&server.target(), "--step-duration 1h --mix get=1 --json report.json");
    let search = search.current_dir(&dir).start();
    server.wait_for_gets(10);
    search.signal("-INT");
    let ended = search.end().exited(130);
    let line = "limit             not met: the search was broken off\n";
    assert!(ended.text().contains(line), "{ended:?}");
    let report = read(dir.path().join("report.json"));
    assert_eq!((report.ending, rates(&report)), (Ending::Interrupted, vec!["1000".to_owned()]));
    assert_eq!((report.steps[0].held, report.search.unwrap().limited_by), (None, None));
}

#[test]
fn ctrl_c_between_two_steps_ends_the_search() {
    let server = FakeServer::start(Manners::default());
    let options = "--mix get=1 --slo p50<1h --drain 1h --from 100 --step-duration 50ms";
    let search = search(&server.target(), options).start();
    server.wait_for_gets(5);
    search.signal("-INT");
    let ended = search.end().exited(130);
    let line = "open loop         1 steps, constant, interrupted\n";
    assert!(ended.text().contains(line), "{ended:?}");
}

#[test]
fn what_makes_no_search_is_one_line() {
    for (options, expected) in [
        ("--slo p100<1ms", "below p100, such as p99.9, or mean, max or errors"),
        ("--slo slip<1ms", "is no figure of a promise"),
        ("--from 0", "expected whole requests/s from 1 to 1000000000"),
        ("--from 2 --to 1", "--from 2 is above --to 1"),
        ("--growth 1", "expected a factor above 1"),
        ("--precision 2", "expected a percentage above 0%"),
        ("--confirm 1001", "0..=1000"),
        ("--drain soon", "expected a duration"),
        ("--step-duration 0s", "above zero"),
        ("--rate 5", "unexpected argument"),
    ] {
        let ended = search("null", options).run();
        assert!(ended.error().contains(expected), "{options:?}: {ended:?}");
    }
}

#[test]
fn a_server_that_is_not_there_is_one_line() {
    let nowhere = Nowhere::find().unwrap();
    let ended = search(nowhere.address(), "").run();
    let expected = format!("cannot reach grpc://{}", nowhere.address());
    assert!(ended.error().starts_with(&expected), "{ended:?}");
}
