//! The binary against a small cache server: counts, exit codes, error lines, reports.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests, outside the functions that the lint knows to be tests"
)]

mod fake_server;

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    thread,
    time::Duration,
};

use assert_cmd::assert::OutputAssertExt;
use fake_server::{FakeServer, Manners};
use serde_json::Value;
use tempfile::TempDir;

/// A directory with a trace in it, and what runs the binary there.
struct Bench {
    dir: TempDir,
    trace: PathBuf,
}

impl Bench {
    fn new(name: &str, bytes: impl AsRef<[u8]>) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let trace = dir.path().join(name);
        fs::write(&trace, bytes).unwrap();
        Self { dir, trace }
    }

    fn command(&self, target: &str) -> Command {
        let mut command = binary();
        command.arg("replay").arg(&self.trace).args([
            "--target",
            target,
            "--connect-timeout",
            "300ms",
        ]);
        command
    }

    fn json_path(&self) -> PathBuf {
        self.dir.path().join("report.json")
    }

    /// Runs with these options and expects this exit code; gives the JSON report back.
    fn report(&self, server: &FakeServer, options: &[&str], code: i32) -> Value {
        let path = self.json_path();
        let mut command = self.command(&server.target());
        command.args(options).arg("--json").arg(&path);
        command.assert().code(code);
        json(&path)
    }
}

/// The operations of a report and how many of each there were, by name.
fn made(report: &Value) -> Vec<(&str, u64)> {
    let operations = report["operations"].as_object().unwrap().iter();
    operations.map(|(name, of)| (name.as_str(), of["requests"].as_u64().unwrap())).collect()
}

fn binary() -> Command {
    Command::new(env!("CARGO_BIN_EXE_tiny-cache-loadtest"))
}

fn json(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// Runs a command that is refused: exit code 2, one line on stderr, which is returned.
fn refusal(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let line = stderr(&output);
    assert_eq!(output.status.code(), Some(2), "{line}");
    assert_eq!(line.lines().count(), 1, "{line}");
    assert_eq!(stdout(&output), "");
    line
}

const ARC: &str = "1 3 0 0\n2 2 0 1\n1 1 0 2\n9 1 0 3\n";

#[test]
fn an_arc_trace_in_order_gives_the_hits_of_its_reuse() {
    let server = FakeServer::start(Manners::default());
    let bench = Bench::new("t.lis", ARC);
    let report = bench.report(&server, &["--in-flight", "1"], 0);
    // 1 2 3, then 2 3 and 1 again, then 9.
    for (field, count) in [("requests", 7), ("hits", 3), ("misses", 4), ("failed", 0)] {
        assert_eq!(report[field], count, "{field} in {report}");
    }
    assert_eq!(made(&report), [("fill", 4), ("get", 7)]);
    assert_eq!(report["origin"]["fetches"], 4);
    assert_eq!(server.keys(), ["1", "2", "3", "9"]);
    assert_eq!(report["ending"], "completed");
    assert_eq!(report["settings"]["connections"], 1, "no more connections than requests in flight");
    assert_eq!(report["server"]["before"]["entries"], 0);
    assert_eq!(report["server"]["after"]["entries"], 4);
    assert!(report["operations"]["get"]["service_us"]["p99.9"].as_f64().unwrap() > 0.0);
}

#[test]
fn many_requests_in_flight_serve_every_access_once() {
    let server = FakeServer::start(Manners::default());
    let text: String = (0..3000).map(|n| format!("{} 2 0 {n}\n", n % 400)).collect();
    let bench = Bench::new("t.lis", zstd::encode_all(text.as_bytes(), 1).unwrap());
    let report =
        bench.report(&server, &["--in-flight", "32", "--connections", "3", "--threads", "2"], 0);
    assert_eq!(report["requests"], 6000);
    assert_eq!(report["hits"].as_u64().unwrap() + report["misses"].as_u64().unwrap(), 6000);
    assert_eq!(report["operations"]["fill"]["requests"], report["misses"]);
    assert_eq!(server.keys().len(), 401);
    assert_eq!(server.connections(), 4, "three for the replay, one for the figures");
}

#[test]
fn twitter_rows_are_read_written_and_deleted_with_their_size_and_ttl() {
    let server = FakeServer::start(Manners::default());
    let rows = "0,a,1,100,1,get,0\r\n1,a,1,0,1,gets,0\r\n1,b,1,7,1,cas,60\r\n\r\n2,c,1,0,1,get,0\r\n3,b,1,9,1,incr,0\r\n3,d,1,9,1,add,5\r\n4,d,1,0,1,delete,0";
    let bench = Bench::new("cluster.0", rows);
    let report =
        bench.report(&server, &["--in-flight", "1", "--value-size", "2KiB", "--ttl", "2m"], 0);
    assert_eq!((&report["requests"], &report["hits"]), (&7.into(), &1.into()), "{report}");
    assert_eq!(made(&report), [("delete", 1), ("fill", 2), ("get", 3), ("set", 3)]);
    assert_eq!(server.entry("a"), Some((100, 120)));
    assert_eq!(server.entry("b"), Some((9, 0)));
    assert_eq!(server.entry("c"), Some((2048, 120)));
    assert_eq!(server.entry("d"), None);
    assert_eq!(report["settings"]["trace"]["format"], "twitter");
}

#[test]
fn cachelib_rows_are_read_written_and_deleted_as_often_as_they_say() {
    let server = FakeServer::start(Manners::default());
    let rows = "op_time,key,key_size,op,op_count,size,cache_hits,ttl\n7,a,1,GET,3,100,3,0\n7,b,1,SET,2,7,0,60\n8,c,1,GET_LEASE,1,0,0,0\n9,d,1,SET_LEASE,1,9,0,5\n9,d,1,DELETE,1,0,0,0\n";
    let bench = Bench::new("kvcache.csv", rows);
    let report =
        bench.report(&server, &["--in-flight", "1", "--value-size", "2KiB", "--ttl", "2m"], 0);
    assert_eq!((&report["requests"], &report["hits"]), (&8.into(), &2.into()), "{report}");
    assert_eq!(made(&report), [("delete", 1), ("fill", 2), ("get", 4), ("set", 3)]);
    assert_eq!(server.entry("a"), Some((100, 120)));
    assert_eq!(server.entry("b"), Some((7, 60)));
    assert_eq!(server.entry("c"), Some((2048, 120)));
    assert_eq!(server.entry("d"), None);
    assert_eq!(report["settings"]["trace"]["format"], "cachelib");
}

/// Four rows in the first second and one two seconds later, ten times as fast.
#[test]
fn a_trace_can_keep_its_times() {
    let server = FakeServer::start(Manners::default());
    let rows =
        "9,a,1,1,1,get,0\n9,b,1,1,1,get,0\n9,c,1,1,1,get,0\n9,d,1,1,1,get,0\n11,e,1,1,1,get,0\n";
    let bench = Bench::new("cluster.0", rows);
    let report = bench.report(&server, &["--speed", "10", "--max-slip", "1h"], 0);
    assert_eq!((&report["requests"], &report["settings"]["speed"]), (&5.into(), &10.0.into()));
    assert!(report["duration_seconds"].as_f64().unwrap() >= 0.2, "{report}");
    assert!(report["slip_us"].is_object() && report["response_us"].is_object());

    let line = refusal(Bench::new("t.lis", ARC).command("null").args(["--speed", "1"]));
    assert!(line.contains("t.lis (arc) has none; leave it out"), "{line}");
    let line = refusal(Bench::new("t.lis", ARC).command("null").args(["--max-slip", "1s"]));
    assert_eq!(line, "error: --max-slip is for --speed\n");
}

#[test]
fn limit_prefix_and_namespace_do_what_they_say() {
    let server = FakeServer::start(Manners::default());
    let bench = Bench::new("t.lis", ARC);
    let options = ["--limit", "2", "--key-prefix", "p:", "--namespace", "team"];
    let report = bench.report(&server, &options, 0);
    assert_eq!(report["requests"], 2);
    assert_eq!(server.keys(), ["team/p:1", "team/p:2"]);
}

#[test]
fn a_large_value_passes_in_both_directions() {
    let server = FakeServer::start(Manners::default());
    let bench = Bench::new("t.lis", "1 1 0 0\n1 1 0 1\n");
    let report = bench.report(&server, &["--in-flight", "1", "--value-size", "6MiB"], 0);
    assert_eq!((&report["hits"], &report["failed"]), (&Value::from(1), &Value::from(0)));
    assert_eq!(server.entry("1"), Some((6 << 20, 3600)));
}

#[test]
fn some_errors_exit_with_1_and_the_first_of_each_kind_is_shown() {
    let server = FakeServer::start(Manners { refuse_set_of: Some("3"), ..Manners::default() });
    let bench = Bench::new("t.lis", ARC);
    let output = bench.command(&server.target()).args(["--in-flight", "1"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let table = stdout(&output);
    let expected = "  2 RESOURCE_EXHAUSTED, the first by a fill of line 1: Value exceeds maximum allowed cache entry size\n";
    assert!(table.contains(expected), "{table}");
    assert!(table.contains("errors                       2\n"), "{table}");
}

#[test]
fn a_reply_that_says_error_is_an_error() {
    let server = FakeServer::start(Manners { reply_error: true, ..Manners::default() });
    let report = Bench::new("t.lis", ARC).report(&server, &[], 1);
    assert_eq!(report["errors"][0]["kind"], "REPLY_NOT_OK");
}

#[test]
fn only_errors_exit_with_2_and_the_report() {
    let server = FakeServer::start(Manners { refuse_gets: true, ..Manners::default() });
    let output = Bench::new("t.lis", ARC).command(&server.target()).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(stderr(&output), "error: every request failed\n");
    assert!(stdout(&output).contains("7 INTERNAL"), "{}", stdout(&output));
}

#[test]
fn a_call_beyond_the_timeout_is_counted_as_such() {
    let server = FakeServer::start(Manners { hang_on: Some("9"), ..Manners::default() });
    let report = Bench::new("t.lis", ARC).report(&server, &["--timeout", "100ms"], 1);
    assert_eq!(report["errors"][0]["kind"], "TIMED_OUT");
    assert_eq!(report["errors"][0]["first"]["message"], "no reply within 100ms");
}

#[test]
fn an_unreachable_server_is_one_line_and_exit_2() {
    let bench = Bench::new("t.lis", ARC);
    let line = refusal(&mut bench.command("127.0.0.1:1"));
    assert!(
        line.starts_with("error: cannot reach grpc://127.0.0.1:1 within 300ms: Connection refused"),
        "{line}"
    );
}

#[test]
fn a_listener_that_says_nothing_is_one_line_and_exit_2() {
    // Accepts in the kernel's queue and never says a word.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let target = silent.local_addr().unwrap().to_string();
    let line = refusal(&mut Bench::new("t.lis", ARC).command(&target));
    assert_eq!(line, format!("error: cannot reach grpc://{target} within 300ms: no answer\n"));
}

#[test]
fn a_server_that_refuses_to_say_its_figures_is_one_line_and_exit_2() {
    let server = FakeServer::start(Manners { refuse_stats: true, ..Manners::default() });
    let target = server.target();
    let line = refusal(&mut Bench::new("t.lis", ARC).command(&target));
    let expected = format!(
        "error: grpc://{target} does not answer as a tiny-cache server: \
         Stats: PERMISSION_DENIED: not for you\n"
    );
    assert_eq!(line, expected);
}

#[test]
fn a_server_that_comes_within_the_patience_is_waited_for() {
    let port = FakeServer::port();
    let target = port.local_addr().unwrap().to_string();
    let bench = Bench::new("t.lis", ARC);
    let mut command = binary();
    command.arg("replay").arg(&bench.trace).args(["--target", &target, "--connect-timeout", "20s"]);
    let run = thread::spawn(move || command.output().unwrap());
    // Nothing says that a try has failed; by now one most likely has.
    thread::sleep(Duration::from_millis(300));
    let _server = FakeServer::start_on(port, Manners::default());
    assert_eq!(run.join().unwrap().status.code(), Some(0));
}

#[test]
fn a_connection_that_breaks_costs_the_call_under_way_and_is_replaced() {
    let server = FakeServer::start(Manners { hang_up_at: Some("2"), ..Manners::default() });
    let bench = Bench::new("t.lis", "1 4 0 0\n");
    let report = bench.report(&server, &["--in-flight", "1"], 1);
    assert_eq!((&report["requests"], &report["failed"]), (&Value::from(4), &Value::from(1)));
    assert_eq!(report["errors"][0]["kind"], "UNAVAILABLE");
    assert_eq!(server.keys(), ["1", "3", "4"]);
    assert_eq!(server.connections(), 3, "one for the figures, the one that broke, its successor");
}

#[test]
fn a_server_without_stats_is_driven_all_the_same() {
    let server = FakeServer::start(Manners { no_stats: true, ..Manners::default() });
    let bench = Bench::new("t.lis", ARC);
    let output = bench.command(&server.target()).output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert!(stdout(&output).ends_with("server stats      not available\n"), "{}", stdout(&output));
}

#[test]
fn a_wrong_trace_is_one_line_with_its_place_and_exit_2() {
    let cut = {
        let mut packed = zstd::encode_all(ARC.as_bytes(), 1).unwrap();
        packed.truncate(10);
        packed
    };
    for (name, bytes, expected) in [
        ("t.lis", b"".as_slice(), "t.lis: line 1: no access in this file"),
        (
            "t.lis",
            b"1 1 0\n",
            "t.lis: line 1: \"1 1 0\" has 3 columns; expected \"start count 0 n\"",
        ),
        ("t.csv", b"\n\na,b\n", "t.csv: line 3: \"a,b\" fits no format; expected"),
        (
            "t.zst",
            &cut,
            "t.zst: line 1: cannot be read: incomplete frame; expected whole zstd frames",
        ),
        ("t", b"\0\x01\xfe\n", "t: \"\\x00\\x01\\xfe\\n\" fits neither oracle-general nor cache2k"),
        ("t.gz", b"\x1f\x8b\x08", "t.gz: line 1: cannot be read: "),
        (
            "t.bz2",
            b"BZh91AY&SY",
            "t.bz2: is bzip2 data; expected plain data, zstd, gzip, xz or lz4",
        ),
        (
            "t.txt",
            b"1565000000 3304021 512 1\n",
            "could be arc (lines \"start count 0 n\") or csv (a table); say --format arc or",
        ),
    ] {
        // No server is there to be asked: the trace is refused first.
        let line = refusal(&mut Bench::new(name, bytes).command("127.0.0.1:1"));
        assert!(line.starts_with("error: ") && line.contains(expected), "{line}");
    }

    let dir = tempfile::tempdir().unwrap();
    let line = refusal(binary().arg("replay").arg(dir.path()));
    assert!(line.ends_with(": is a directory; expected a trace file\n"), "{line}");
    let line = refusal(binary().arg("replay").arg(dir.path().join("none")));
    assert!(line.contains("none: cannot be opened: No such file or directory"), "{line}");
}

#[test]
fn a_trace_that_breaks_on_the_way_gives_the_report_the_line_and_exit_2() {
    let server = FakeServer::start(Manners::default());
    let bench = Bench::new("t.lis", format!("{ARC}\n5 x 0 0\n1 1 0 0\n"));
    let output =
        bench.command(&server.target()).arg("--json").arg(bench.json_path()).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let line = stderr(&output);
    assert!(line.contains("t.lis: line 6: count is \"x\"; expected a whole number"), "{line}");
    assert_eq!(line.lines().count(), 1, "{line}");
    let report = json(&bench.json_path());
    assert_eq!(report["requests"], 7);
    assert_eq!(report["ending"], "trace_broken");
    assert!(report["trace_error"].as_str().unwrap().contains("line 6"), "{report}");
}

#[test]
fn a_report_without_a_place_is_refused_before_the_replay() {
    let server = FakeServer::start(Manners::default());
    let bench = Bench::new("t.lis", ARC);
    let line = refusal(bench.command(&server.target()).args(["--json", "/nowhere/report.json"]));
    assert!(line.starts_with("error: --json /nowhere/report.json: No such file"), "{line}");
    assert!(server.keys().is_empty());
}

#[test]
fn json_replaces_what_was_in_the_file() {
    let server = FakeServer::start(Manners::default());
    let bench = Bench::new("t.lis", ARC);
    fs::write(bench.json_path(), "x".repeat(100_000)).unwrap();
    assert_eq!(bench.report(&server, &[], 0)["requests"], 7);
}

#[cfg(unix)]
#[test]
fn ctrl_c_lets_requests_under_way_end_and_prints_the_report() {
    // A trace without an end, through a pipe: only the signal can end the run.
    let server = FakeServer::start(Manners::default());
    let bench = Bench::new("unused", "");
    let mut child = binary()
        .args(["replay", "/dev/stdin", "--target", &server.target(), "--json"])
        .arg(bench.json_path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut pipe = child.stdin.take().unwrap();
    std::io::Write::write_all(&mut pipe, &ARC.repeat(100).into_bytes()).unwrap();
    // Nothing shorter says that the replay has begun, in a chunk the reader let go of.
    server.wait_for_gets(256);
    let sent = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(sent.success());
    let output = child.wait_with_output().unwrap();
    drop(pipe);
    assert_eq!(output.status.code(), Some(130), "{}", stderr(&output));
    assert!(stdout(&output).contains("closed loop       interrupted\n"), "{}", stdout(&output));
    let report = json(&bench.json_path());
    assert_eq!(report["ending"], "interrupted");
    assert!(report["requests"].as_u64().unwrap() >= 256, "{report}");
}

#[cfg(unix)]
#[test]
fn a_second_ctrl_c_does_not_wait_for_requests_under_way() {
    let server = FakeServer::start(Manners { hang_on: Some("1"), ..Manners::default() });
    let bench = Bench::new("t.lis", ARC);
    let child = bench
        .command(&server.target())
        .args(["--timeout", "1h"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    server.wait_for_gets(7);
    let id = child.id().to_string();
    let signals = thread::spawn(move || {
        // The exit of the process ends this: until then, each signal is one Ctrl-C.
        while Command::new("kill")
            .args(["-INT", &id])
            .stderr(Stdio::null())
            .status()
            .unwrap()
            .success()
        {
            thread::sleep(Duration::from_millis(100));
        }
    });
    let output = child.wait_with_output().unwrap();
    signals.join().unwrap();
    assert_eq!(output.status.code(), Some(130));
    assert!(
        stderr(&output).contains("interrupted: waiting for the requests under way"),
        "{}",
        stderr(&output)
    );
}

#[test]
fn help_version_and_completions_are_there() {
    let help = binary().args(["replay", "--help"]).output().unwrap();
    for text in [
        "--in-flight <N>",
        "[default: 64, with",
        "Examples:",
        "Exit codes:",
        "incr decr",
        "grpcs://",
    ] {
        assert!(stdout(&help).contains(text), "{text} in {}", stdout(&help));
    }
    let version = binary().arg("--version").output().unwrap();
    assert_eq!(stdout(&version), concat!("tiny-cache-loadtest ", env!("CARGO_PKG_VERSION"), "\n"));
    let script = binary().args(["completions", "bash"]).output().unwrap();
    assert!(stdout(&script).contains("--connect-timeout"));
    binary().args(["replay", "t.lis", "--in-flight", "none"]).assert().code(2);
}
