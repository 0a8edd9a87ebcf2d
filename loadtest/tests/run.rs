//! The command `run` against a small cache server: counts, errors, exit codes, and what a
//! stall does to the two kinds of latency. A request may be sent as late as it likes
//! (`--max-slip`) where slip is not what is tested.

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

/// Options of an open loop that any machine keeps up with.
const OPEN: [&str; 4] = ["--rate", "2000", "--max-slip", "1h"];

fn run(target: &str, options: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tiny-cache-loadtest"));
    command.args(["run", "--connect-timeout", "300ms", "--target", target]).args(options);
    command.output().unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// Runs with these options and expects this exit code; gives the JSON report back.
fn report(server: &FakeServer, options: &[&str], code: i32) -> Value {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("report.json");
    let output = run(&server.target(), &[options, &["--json", path.to_str().unwrap()]].concat());
    assert_eq!(output.status.code(), Some(code), "{}{}", stdout(&output), stderr(&output));
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

/// Expects a refusal: exit code 2 and one line, which is returned.
fn refusal(target: &str, options: &[&str]) -> String {
    let output = run(target, options);
    let line = stderr(&output);
    assert_eq!(output.status.code(), Some(2), "{line}");
    assert_eq!(line.lines().count(), 1, "{line}");
    assert_eq!(stdout(&output), "");
    line
}

#[test]
fn an_open_loop_makes_every_planned_request() {
    let server = FakeServer::start(Manners::default());
    for arrivals in ["constant", "poisson"] {
        let options = ["--arrivals", arrivals, "--requests", "501", "--threads", "2"];
        let report = report(&server, &[&OPEN[..], &options].concat(), 0);
        assert_eq!((&report["requests"], &report["failed"]), (&501.into(), &0.into()), "{report}");
        assert_eq!(report["settings"]["arrivals"], arrivals);
        assert_eq!(report["kept_up"], true);
        for field in ["response_us", "service_us", "slip_us"] {
            assert!(report[field]["p99.9"].as_f64().unwrap() >= 0.0, "{field} in {report}");
        }
    }
}

#[test]
fn a_closed_loop_makes_so_many_requests() {
    let server = FakeServer::start(Manners::default());
    let options = ["--rate", "max", "--requests", "1001", "--in-flight", "7", "--threads", "2"];
    let report = report(&server, &options, 0);
    assert_eq!(report["requests"], 1001);
    assert_eq!((&report["response_us"], &report["slip_us"]), (&Value::Null, &Value::Null));
    assert!(report["service_us"]["p50"].as_f64().unwrap() > 0.0);
    assert!(report["answered_per_second"].as_f64().unwrap() > 0.0);
}

#[test]
fn a_duration_ends_both_loops() {
    let server = FakeServer::start(Manners::default());
    let options = ["--duration", "100ms", "--warm-up", "100ms"];
    let open = report(&server, &[&OPEN[..], &options].concat(), 0);
    assert_eq!((&open["requests"], &open["warm_up_requests"]), (&200.into(), &200.into()));
    let closed = report(&server, &[&["--rate", "max"][..], &options].concat(), 0);
    assert!(closed["requests"].as_u64().unwrap() > 0);
    assert!(closed["warm_up_requests"].as_u64().unwrap() > 0);
}

#[test]
fn a_prefill_writes_every_key_once_so_that_every_read_hits() {
    let server = FakeServer::start(Manners::default());
    let options = ["--prefill", "--keys", "300", "--key-size", "5", "--namespace", "team"];
    let more = ["--value-size", "10..20", "--ttl", "1m", "--mix", "get=1", "--requests", "400"];
    let report = report(&server, &[&OPEN[..], &options, &more].concat(), 0);
    assert_eq!((&report["hits"], &report["misses"]), (&400.into(), &0.into()));
    let keys: Vec<String> = (0..300).map(|key| format!("team/{key:05}")).collect();
    assert_eq!(server.keys(), keys);
    for key in keys {
        let (size, ttl) = server.entry(&key).unwrap();
        assert!((10..=20).contains(&size) && ttl == 60, "{key}: {size} bytes, {ttl} s");
    }
}

#[test]
fn every_operation_is_made_and_its_outcome_counted() {
    let server = FakeServer::start(Manners::default());
    let mix = "get=1,set=1,set-if-absent=1,compare-and-set=1,mget=1,mset=1";
    let options = ["--prefill", "--keys", "50", "--mix", mix, "--batch", "4", "--requests", "600"];
    let report = report(&server, &[&OPEN[..], &options].concat(), 0);
    let count = |name: &str| report["operations"][name]["requests"].as_u64().unwrap();
    assert_eq!(report["operations"].as_object().unwrap().len(), 6, "{report}");
    assert_eq!(report["hits"], count("get") + 4 * count("mget"));
    assert_eq!(report["misses"], 0);
    assert_eq!(report["stored"], count("compare-and-set"), "it knows what is there");
    assert_eq!(report["not_stored"], count("set-if-absent"));
}

#[test]
fn deletes_leave_nothing() {
    let server = FakeServer::start(Manners::default());
    let options = ["--prefill", "--keys", "50", "--mix", "delete=1", "--requests", "50"];
    let distribution = ["--key-distribution", "sequential", "--threads", "2"];
    report(&server, &[&OPEN[..], &options, &distribution].concat(), 0);
    assert!(server.keys().is_empty(), "{:?}", server.keys());
}

#[test]
fn some_errors_exit_with_1_and_the_first_is_shown_in_full() {
    let server = FakeServer::start(Manners { reply_error: true, ..Manners::default() });
    let options = ["--requests", "400", "--mix", "get=50,set=50"];
    let output = run(&server.target(), &[&OPEN[..], &options].concat());
    assert_eq!(output.status.code(), Some(1));
    let table = stdout(&output);
    assert!(table.contains(" REPLY_NOT_OK, the first by a set after "), "{table}");
    assert!(table.contains(" s: the reply's own status is 2, not OK\n"), "{table}");
}

#[test]
fn only_errors_exit_with_2_and_the_report() {
    let server = FakeServer::start(Manners { refuse_gets: true, ..Manners::default() });
    for rate in [&OPEN[..], &["--rate", "max"]] {
        let options = ["--requests", "40", "--mix", "get=1"];
        let output = run(&server.target(), &[rate, &options].concat());
        assert_eq!(output.status.code(), Some(2));
        assert_eq!(stderr(&output), "error: every request failed\n");
        assert!(stdout(&output).contains("  40 INTERNAL, the first by a get"), "{output:?}");
    }
}

#[test]
fn a_prefill_that_fails_is_one_line() {
    let server = FakeServer::start(Manners { reply_error: true, ..Manners::default() });
    let line = refusal(&server.target(), &["--prefill", "--keys", "10"]);
    assert_eq!(
        line,
        "error: the prefill failed: REPLY_NOT_OK: the reply's own status is 2, not OK\n"
    );
}

/// Coordinated omission: while the server stands still, a few requests are on the wire and
/// those that should follow wait. Counted from the sending, the few alone were slow; counted
/// from the instants that were planned, all of them were.
#[test]
fn a_stall_shows_in_the_response_times_and_not_in_the_service_times() {
    let options = ["--mix", "get=1", "--requests", "2000", "--keys", "10"];
    let open = ["--rate", "1000", "--max-slip", "1h", "--in-flight", "4"];
    let closed = ["--rate", "max", "--in-flight", "1"];
    let [open, closed] = [&open[..], &closed].map(|pace| {
        let server = FakeServer::start(Manners { stall_at: Some(300), ..Manners::default() });
        report(&server, &[pace, &options].concat(), 0)
    });
    let at = |report: &Value, time: &str, point: &str| report[time][point].as_f64().unwrap() / 1e6;
    // Half of the requests are planned for the second of the stall.
    assert!(at(&open, "response_us", "p90") > 0.5, "{open}");
    assert!(at(&open, "service_us", "max") > 0.7, "{open}");
    for report in [&open, &closed] {
        assert!(at(report, "service_us", "p99") < 0.2, "{report}");
    }
}

#[test]
fn several_namespaces_have_the_same_keys_each() {
    let server = FakeServer::start(Manners::default());
    let options = ["--namespace", "one,two", "--prefill", "--keys", "3", "--requests", "100"];
    let report = report(&server, &[&OPEN[..], &options].concat(), 0);
    assert_eq!(report["settings"]["namespaces"], serde_json::json!(["one", "two"]));
    let keys = ["one", "two"].map(|space| (0..3).map(move |key| format!("{space}/{key:016}")));
    assert_eq!(server.keys(), keys.into_iter().flatten().collect::<Vec<_>>());
}

#[test]
fn rates_are_run_one_after_the_other() {
    let server = FakeServer::start(Manners::default());
    let options = ["--rate", "500,2000,1000", "--max-slip", "1h", "--requests", "300"];
    let report = report(&server, &options, 0);
    assert_eq!(report["requests"], 900);
    let steps = report["steps"].as_array().unwrap();
    let rates: Vec<_> =
        steps.iter().map(|step| step["requests_per_second"].as_u64().unwrap()).collect();
    assert_eq!(rates, [500, 2000, 1000]);
    assert!(
        steps.iter().all(|step| step["requests"] == 300 && step["kept_up"] == true),
        "{report}"
    );
}

#[test]
fn the_seconds_of_a_run_add_up_to_it() {
    let server = FakeServer::start(Manners::default());
    for pace in [&OPEN[..], &["--rate", "max", "--in-flight", "2"]] {
        let options = ["--duration", "1200ms", "--warm-up", "100ms", "--threads", "2"];
        let report = report(&server, &[pace, &options].concat(), 0);
        let seconds = report["seconds"].as_array().unwrap();
        let sum = |field: &str| seconds.iter().map(|of| of[field].as_u64().unwrap()).sum::<u64>();
        assert_eq!(seconds.len(), 2, "{report}");
        for field in ["requests", "hits", "misses", "failed"] {
            assert_eq!(report[field], sum(field), "{field} in {report}");
        }
    }
}

#[test]
fn a_generator_that_cannot_keep_up_fails_and_says_so() {
    // A nanosecond between two: no machine sends at that rate.
    let options = ["--rate", "1000000000", "--requests", "20000", "--max-slip", "100us"];
    let output = run("null", &options);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let line = stderr(&output);
    assert!(line.starts_with("error: the generator could not keep up"), "{line}");
    assert!(line.contains("above --max-slip 100µs"), "{line}");
}

#[test]
fn too_many_requests_under_way_break_the_run_off() {
    let server = FakeServer::start(Manners { stall_at: Some(1), ..Manners::default() });
    let options = ["--mix", "get=1", "--max-in-flight", "50", "--duration", "1m", "--threads", "1"];
    let output = run(&server.target(), &[&OPEN[..], &options].concat());
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let line = stderr(&output);
    assert!(line.starts_with("error: broken off: more than --max-in-flight"), "{line}");
    assert!(stdout(&output).contains("requests                    50\n"), "{}", stdout(&output));
}

/// Those that waited for the wire when the run was stopped were missing from every figure.
#[test]
fn requests_that_were_due_and_never_sent_are_told() {
    let server = FakeServer::start(Manners { stall_at: Some(1), ..Manners::default() });
    let pace = ["--rate", "2000", "--max-slip", "1h", "--in-flight", "8", "--max-in-flight", "50"];
    let options = ["--mix", "get=1", "--threads", "1"];
    let report = report(&server, &[&pace[..], &options].concat(), 1);
    assert_eq!((&report["requests"], &report["unsent"]["requests"]), (&8.into(), &42.into()));
    assert!(report["unsent"]["longest_seconds"].as_f64().unwrap() > 0.0, "{report}");
}

/// The rate was of the time to the last reply: three requests in two seconds and a bit.
#[test]
fn the_rate_is_of_the_time_that_was_planned() {
    let options = ["--rate", "20", "--duration", "250ms", "--max-slip", "1h", "--json"];
    let dir = tempfile::tempdir().unwrap();
    let json = dir.path().join("report.json");
    let output = run("null", &[&options[..], &[json.to_str().unwrap()]].concat());
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let report: Value = serde_json::from_slice(&fs::read(json).unwrap()).unwrap();
    assert_eq!(report["requests"], 5);
    assert!(report["duration_seconds"].as_f64().unwrap() >= 0.25, "{report}");
}

#[test]
fn a_run_that_does_not_begin_leaves_no_empty_report() {
    let port = FakeServer::port();
    let target = port.local_addr().unwrap().to_string();
    let dir = tempfile::tempdir().unwrap();
    let [new, old] = ["new.json", "old.html"].map(|name| dir.path().join(name));
    fs::write(&old, "kept").unwrap();
    refusal(&target, &["--json", new.to_str().unwrap(), "--html", old.to_str().unwrap()]);
    assert!(!new.exists());
    assert_eq!(fs::read_to_string(old).unwrap(), "kept");
}

/// Schedulers end a process so, and the report was lost.
#[cfg(unix)]
#[test]
fn sigterm_ends_a_run_as_ctrl_c_does() {
    let server = FakeServer::start(Manners::default());
    let child = Command::new(env!("CARGO_BIN_EXE_tiny-cache-loadtest"))
        .args(["run", "--target", &server.target(), "--duration", "10m", "--mix", "get=1"])
        .args(["--max-slip", "1h"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    server.wait_for_gets(50);
    assert!(Command::new("kill").arg(child.id().to_string()).status().unwrap().success());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130), "{output:?}");
    assert!(stdout(&output).contains(", interrupted\n"), "{}", stdout(&output));
}

#[test]
fn the_null_target_answers_at_once() {
    for rate in [&OPEN[..], &["--rate", "max"]] {
        let output = run("null", &[rate, &["--requests", "1000", "--prefill"]].concat());
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        assert!(
            stdout(&output).contains("hit ratio               100.00 %\n"),
            "{}",
            stdout(&output)
        );
    }
}

#[test]
fn a_cache_aside_run_fetches_what_misses_and_reports_the_origins_load() {
    let server = FakeServer::start(Manners::default());
    let keys = ["--keys", "40", "--key-distribution", "sequential", "--no-namespace"];
    let options = [&["--origin", "1ms"], &keys[..]].concat();
    // One request at a time: each key misses once and is there on the next round.
    let pace = ["--rate", "max", "--in-flight", "1", "--mix", "get=1", "--requests", "100"];
    let report = report(&server, &[&options[..], &pace].concat(), 0);
    assert_eq!((&report["hits"], &report["misses"]), (&60.into(), &40.into()));
    assert_eq!(report["origin"]["fetches"], 40);
    assert_eq!(report["origin"]["share_of_gets"], 0.4);
    assert_eq!((&report["requests"], server.keys().len()), (&100.into(), 40));
    assert!(report["origin"]["fetches_per_second"].as_f64().unwrap() > 0.0);
}

#[test]
fn a_fill_that_fails_is_an_error() {
    let server = FakeServer::start(Manners { reply_error: true, ..Manners::default() });
    let options = ["--origin", "1ms", "--mix", "get=1", "--requests", "20"];
    let report = report(&server, &[&OPEN[..], &options].concat(), 1);
    assert_eq!((&report["requests"], &report["failed"]), (&20.into(), &20.into()));
    assert_eq!(report["errors"][0]["first"]["call"], "fill");
}

#[test]
fn presets_are_listed_and_run() {
    let server = FakeServer::start(Manners::default());
    let binary = env!("CARGO_BIN_EXE_tiny-cache-loadtest");
    let list = stdout(&Command::new(binary).arg("presets").output().unwrap());
    for name in
        ["twitter/52", "twitter/12", "twitter/15", "twitter/18", "twitter/4", "meta/kvcache_reg"]
    {
        assert!(list.lines().any(|line| line.starts_with(&format!("{name} "))), "{list}");
        let options = ["--preset", name, "--keys", "100", "--prefill", "--requests", "100"];
        let options = [&OPEN[..], &options, &["--no-namespace"]].concat();
        let report = report(&server, &options, 0);
        assert_eq!((&report["requests"], &report["failed"]), (&100.into(), &0.into()));
        assert_eq!(report["settings"]["workload"]["preset"], name);
    }
    assert_eq!(server.entry(&format!("{:020}", 7)).unwrap().0, 273, "a value of cluster 52");
}

#[test]
fn bad_flags_are_one_line() {
    for (options, expected) in [
        (
            &["--rate", "fast"][..],
            "expected requests/s above 0 and up to 1000000000, such as 2000 or 0.5, several with \
             commas between, or max",
        ),
        (&["--rate", "max", "--max-slip", "1ms"], "--max-slip is for a rate"),
        (&["--rate", "max", "--arrivals", "poisson"], "--arrivals is for a rate"),
        (&["--key-size", "3"], "50000 keys take 5 to 256 characters"),
        (&["--key-distribution", "zipf"], "zipf:EXPONENT"),
        (&["--keys", "1", "--key-distribution", "hot:10%:90%"], "2 --keys or more"),
        (&["--keys", "0"], "'0' for '--keys <N>': expected a whole number of 1 or more"),
        (&["--requests", "0"], "expected a whole number of 1 or more"),
        (&["--threads", "0"], "expected a number from 1 to 1000000"),
        (&["--mix", "fetch=1"], "no operation \"fetch\"; expected one of get, set"),
        (&["--value-size", "file:/nowhere"], "/nowhere: No such file"),
        (&["--preset", "twitter/5"], "`tiny-cache-loadtest presets` lists"),
        (&["--ttl", "soon"], "expected a duration"),
        (&["--batch", "100001"], "--batch 100001 exceeds 100000 keys"),
        (&["--duration", "1s", "--requests", "5"], "cannot be used with"),
        (&["--no-such-flag"], "unexpected argument"),
    ] {
        let line = refusal("null", options);
        assert!(line.contains(expected), "{options:?}: {line}");
    }
}

#[test]
fn no_command_at_all_gets_the_help() {
    let output = Command::new(env!("CARGO_BIN_EXE_tiny-cache-loadtest")).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    for command in ["replay", "run", "presets"] {
        assert!(stderr(&output).contains(&format!("\n  {command} ")), "{}", stderr(&output));
    }
}

#[test]
fn an_unreachable_server_is_one_line() {
    let port = FakeServer::port();
    let target = port.local_addr().unwrap().to_string();
    let line = refusal(&target, &[]);
    assert!(line.starts_with(&format!("error: cannot reach grpc://{target} within")), "{line}");
}

#[test]
fn a_rate_below_one_a_second_is_kept_and_reported() {
    let server = FakeServer::start(Manners::default());
    let options = ["--rate", "0.5", "--duration", "100ms", "--max-slip", "1h"];
    let report = report(&server, &options, 0);
    assert_eq!(
        (&report["requests"], &report["settings"]["requests_per_second"]),
        (&1.into(), &0.5.into())
    );
    let rates = ["--rate", "2.5,40", "--requests", "2", "--max-slip", "1h"];
    let output = run(&server.target(), &rates);
    let table = stdout(&output);
    assert!(table.contains("\n  2.5 ") && table.contains("\n  40 "), "{table}");
}

/// With many connections, the 1024 descriptors that most shells give were not enough.
#[cfg(unix)]
#[test]
fn the_soft_limit_on_open_files_is_raised_and_the_hard_one_is_named() {
    let server = FakeServer::start(Manners::default());
    let limited = |limits: &str, options: &[&str]| {
        Command::new("sh")
            .args(["-c", &format!("{limits}; exec \"$0\" \"$@\"")])
            .arg(env!("CARGO_BIN_EXE_tiny-cache-loadtest"))
            .args(["run", "--target", &server.target(), "--rate", "max", "--requests", "200"])
            .args(options)
            .output()
            .unwrap()
    };
    let many = ["--connections", "150", "--in-flight", "150", "--threads", "2"];
    let output = limited("ulimit -S -n 60", &many);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let output = limited("ulimit -n 100", &many);
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    let expected =
        "error: --connections 150 needs 230 open files, and the hard limit is 100; raise";
    assert!(stderr(&output).starts_with(expected), "{output:?}");
}
