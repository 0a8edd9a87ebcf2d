//! The command `search` from end to end: what it prints and how it exits. A step may end as
//! late as it likes: an origin of an hour, which nobody asks where every read hits, allows for
//! it, and `--max-slip` for requests that are sent late.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests, outside the functions that the lint knows to be tests"
)]

mod fake_server;

use std::{
    fs,
    process::{Command, Output, Stdio},
};

use fake_server::{FakeServer, Manners};
use serde_json::Value;

/// Options of a search that any machine keeps up with.
const PATIENT: [&str; 8] =
    ["--origin", "1h", "--max-slip", "1h", "--drain", "0s", "--step-duration", "50ms"];

fn search(target: &str, options: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tiny-cache-loadtest"));
    command.args(["search", "--connect-timeout", "300ms", "--target", target]).args(options);
    command
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// Searches with these options and expects this exit code; gives the JSON report as well.
fn report(target: &str, options: &[&str], code: i32) -> (Output, Value) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("report.json");
    let json = ["--json", path.to_str().unwrap()];
    let output = search(target, &[options, &json].concat()).output().unwrap();
    assert_eq!(output.status.code(), Some(code), "{output:?}");
    (output, serde_json::from_slice(&fs::read(path).unwrap()).unwrap())
}

fn rates(report: &Value) -> Vec<u64> {
    let steps = report["steps"].as_array().unwrap().iter();
    steps.map(|step| step["requests_per_second"].as_u64().unwrap()).collect()
}

#[test]
fn where_every_rate_holds_the_highest_is_found() {
    let server = FakeServer::start(Manners::default());
    let options = ["--slo", "p99<1h,errors<1%", "--from", "100", "--to", "300", "--prefill"];
    let more = ["--keys", "50", "--confirm", "2"];
    let options = [&PATIENT[..], &options, &more].concat();
    let (output, report) = report(&server.target(), &options, 0);
    assert_eq!(rates(&report), [100, 200, 300, 300, 300]);
    assert!(report["steps"].as_array().unwrap().iter().all(|step| step["held"] == true));
    let found = &report["search"];
    assert_eq!(
        (&found["found_requests_per_second"], &found["precision"]),
        (&300.into(), &0.02.into())
    );
    assert_eq!(
        (&found["limited_by"], &found["slo"]),
        (&"highest_rate".into(), &"p99<3600s,errors<1%".into())
    );
    assert_eq!((&report["command"], &report["requests"]), (&"search".into(), &15.into()));
    assert_eq!(report["seconds"].as_array().unwrap().len(), 5);
    assert!(server.connections() <= 5, "four, and one for the figures, of all steps");

    let table = text(&output.stdout);
    for line in ["held up to        300 requests/s\n", "figures           of 300 requests/s\n"] {
        assert!(table.contains(line), "{table}");
    }
    let steps = text(&output.stderr);
    assert!(steps.starts_with("search: 100/s held: p99 "), "{steps}");
    assert_eq!(steps.lines().count(), 5, "{steps}");
}

#[test]
fn the_curve_is_sorted_by_rate_and_says_why_a_rate_did_not_hold() {
    // A fifth of a second for each request, of which it makes up for a part: far above any slip.
    let server = FakeServer::start(Manners { per_second: Some(5), ..Manners::default() });
    let options = ["--slo", "p50<1ms", "--from", "4", "--mix", "get=1", "--max-slip", "1h"];
    let steps = ["--drain", "0s", "--step-duration", "50ms"];
    let (output, report) = report(&server.target(), &[&steps[..], &options].concat(), 1);
    assert_eq!(rates(&report), [4, 4, 2, 2, 1, 1]);
    assert_eq!(report["search"]["found_requests_per_second"], Value::Null);
    assert_eq!(report["search"]["limited_by"], "server", "{report}");
    assert!(report["steps"][0]["why_not"].as_str().unwrap().starts_with("p50 "), "{report}");
    let error = "error: the promise held at no rate, not even at 1/s: p50 ";
    assert!(text(&output.stderr).contains(error), "{output:?}");
    let table = text(&output.stdout);
    let curve = table.lines().filter(|line| line.contains("  p50 "));
    let first = curve.filter_map(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    assert_eq!(first.collect::<Vec<_>>(), [1, 1, 2, 2, 4, 4], "{table}");
}

/// It went down to one request a second, and said that the server was too slow for that.
#[test]
fn a_server_that_answers_nothing_ends_the_search() {
    let server = FakeServer::start(Manners { refuse_gets: true, ..Manners::default() });
    let options = ["--slo", "errors<1%", "--from", "40", "--mix", "get=1"];
    let (output, report) = report(&server.target(), &[&PATIENT[..], &options].concat(), 2);
    assert_eq!((rates(&report), &report["ending"]), (vec![40], &"no_answer".into()));
    assert_eq!(report["search"]["limited_by"], Value::Null);
    let error =
        "error: broken off: not one request was answered at 40/s; is the server still there";
    assert!(text(&output.stderr).contains(error), "{output:?}");
}

#[test]
fn a_generator_that_cannot_keep_up_is_the_limit_and_not_the_server() {
    // A nanosecond between two: no machine sends at that rate, and any sends one request.
    let rates = ["--from", "1000", "--growth", "1000", "--precision", "100%", "--confirm", "0"];
    let steps = ["--step-duration", "500us", "--drain", "0s", "--max-slip", "20ms"];
    let options = ["--slo", "p50<1h", "--origin", "1h"];
    let (output, report) = report("null", &[&rates[..], &steps, &options].concat(), 1);
    let error = "error: the generator, not the server, was the limit at ";
    assert!(text(&output.stderr).contains(error), "{output:?}");
    assert_eq!(report["search"]["limited_by"], "generator");
    assert!(report["search"]["found_requests_per_second"].as_u64().unwrap() >= 1000);
    assert_eq!(report["kept_up"], false);
}

#[test]
fn an_interrupted_search_reports_what_ran() {
    let server = FakeServer::start(Manners::default());
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("report.json");
    let options = ["--step-duration", "1h", "--mix", "get=1", "--json", path.to_str().unwrap()];
    let mut command = search(&server.target(), &options);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    server.wait_for_gets(10);
    let sent = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(sent.success());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130), "{output:?}");
    assert!(
        text(&output.stdout).contains("limit             not met: the search was broken off\n")
    );
    let report: Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
    assert_eq!((&report["ending"], rates(&report)), (&"interrupted".into(), vec![1000]));
    assert_eq!(
        (&report["steps"][0]["held"], &report["search"]["limited_by"]),
        (&Value::Null, &Value::Null)
    );
}

#[test]
fn ctrl_c_between_two_steps_ends_the_search() {
    let server = FakeServer::start(Manners::default());
    let options = ["--mix", "get=1", "--slo", "p50<1h", "--drain", "1h", "--from", "100"];
    let mut command = search(&server.target(), &options);
    command.args(["--step-duration", "50ms"]);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    server.wait_for_gets(5);
    let sent = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(sent.success());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130), "{output:?}");
    assert!(text(&output.stdout).contains("open loop         1 steps, constant, interrupted\n"));
}

#[test]
fn what_makes_no_search_is_one_line() {
    for (options, expected) in [
        (&["--slo", "p100<1ms"][..], "below p100, such as p99.9, or mean, max or errors"),
        (&["--slo", "slip<1ms"], "is no figure of a promise"),
        (&["--from", "0"], "expected whole requests/s from 1 to 1000000000"),
        (&["--from", "2", "--to", "1"], "--from 2 is above --to 1"),
        (&["--growth", "1"], "expected a factor above 1"),
        (&["--precision", "2"], "expected a percentage above 0%"),
        (&["--confirm", "1001"], "0..=1000"),
        (&["--drain", "soon"], "expected a duration"),
        (&["--step-duration", "0s"], "above zero"),
        (&["--rate", "5"], "unexpected argument"),
    ] {
        let output = search("null", options).output().unwrap();
        let line = text(&output.stderr);
        assert_eq!((output.status.code(), line.lines().count()), (Some(2), 1), "{line}");
        assert!(line.contains(expected), "{options:?}: {line}");
    }
}

#[test]
fn a_server_that_is_not_there_is_one_line() {
    let port = FakeServer::port();
    let target = port.local_addr().unwrap().to_string();
    let output = search(&target, &[]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).starts_with(&format!("error: cannot reach grpc://{target}")));
}
